//! glibc's own lists of threads: the function that each thread began in, and the threads that ended and were never joined.
//!
//! glibc keeps the control blocks of all threads on two lists and describes both for debuggers, by `_thread_db_*` symbols
//! (nptl_db/structs.def, nptl/nptl-stack.h): since 2.34 every libc.so.6 has them among its dynamic symbols, and static programs
//! while they have symbols at all. Nothing is guessed: without those symbols there is no answer. Reading is by
//! process_vm_readv(2) while the process runs, so that a list may change under way: an entry counts by the thread number in it.

use std::fs::File;
use std::path::Path;

use fdscope_model::{Pid, Tid};
use fdscope_sys::clock::monotonic_now;
use object::{Object, ObjectSymbol, ReadCache};

use crate::maps::{Mapping, parse_executable};
use crate::module::Modules;
use crate::python::{bias, read, word};
use crate::space::read_maps_text;
use fdscope_model::hash::FastMap;

/// The most symbols of a file that are looked at.
const MOST_SYMBOLS: usize = 1 << 19;
/// The most entries of a list; the kernel allows no more threads of one process.
const MOST_LISTED: usize = 1 << 16;
/// New threads come first on the list: one that was just born is among so many, or is gone.
const MOST_NEW: usize = 64;
/// A control block has 2,304 bytes (glibc 2.36); what is read of it lies within so many.
const LARGEST_SPAN: u64 = 4096;
/// Looking for new threads may take this share of the time: one part in …
const SHARE: u64 = 20;
/// … and this much in advance, ns.
const ADVANCE_NS: u64 = 2_000_000_000;
/// So often a process is asked that has no list (yet).
const MOST_TRIALS: u32 = 8;

/// A thread as libc lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its number; `None` for one that ended and was not joined.
    pub tid: Option<Tid>,
    /// The address of the function that it began in; 0 for the first thread.
    pub routine: u64,
}

/// The names that are looked for, in the order of `Names`.
const NAMES: [&[u8]; 10] = [
    b"_thread_db_pthread_list",
    b"_thread_db_pthread_tid",
    b"_thread_db_pthread_start_routine",
    b"_thread_db_rtld_global__dl_stack_user",
    b"_thread_db_rtld_global__dl_stack_used",
    b"_rtld_global",
    // Static programs, and before 2.34 libpthread, have the lists themselves.
    b"_dl_stack_user",
    b"_dl_stack_used",
    b"__stack_user",
    b"stack_used",
];

/// Their addresses as stated in a file; in the process once the bias is added.
type Names = [Option<u64>; NAMES.len()];

/// Where things are in a process.
#[derive(Clone, Debug)]
struct Places {
    heads: Vec<u64>,
    list: u64,
    tid: u64,
    routine: u64,
    /// True if the process's numbers of threads are not those that /proc shows.
    nested: bool,
}

/// The lists of a run's processes.
#[derive(Debug, Default)]
pub struct Rosters {
    files: FastMap<u32, Names>,
    places: FastMap<Pid, Result<Places, u32>>,
    spent_ns: u64,
    since_ns: Option<u64>,
}

impl Rosters {
    /// All threads of `pid` that libc lists; `None` if it has no list that can be read.
    pub fn read(&mut self, modules: &mut Modules, pid: Pid) -> Option<Vec<Listed>> {
        let places = self.places(modules, pid)?.clone();
        let numbers = places.nested.then(|| numbers(&modules.options().proc_root, pid));
        let mut all = Vec::new();
        for &head in &places.heads {
            places.walk(pid, head, MOST_LISTED, &mut |tid, routine| {
                let tid = match &numbers {
                    Some(numbers) if tid != 0 => numbers.get(&tid).copied().unwrap_or(tid),
                    _ => tid,
                };
                all.push(Listed { tid: (tid != 0).then_some(Tid(tid)), routine });
                true
            })?;
        }
        Some(all)
    }

    /// The function that a thread begins in that was just born.
    pub fn newest(&mut self, modules: &mut Modules, pid: Pid, tid: Tid) -> Option<u64> {
        let begun = monotonic_now().0;
        let since = *self.since_ns.get_or_insert(begun);
        if self.spent_ns > begun.saturating_sub(since) / SHARE + ADVANCE_NS {
            return None;
        }
        let places = self.places(modules, pid)?.clone();
        let own = match places.nested {
            true => innermost_number(&modules.options().proc_root, pid, tid)?,
            false => tid.0,
        };
        let begun = monotonic_now().0;
        let mut found = None;
        for &head in &places.heads {
            let mut look = |tid, routine| {
                found = found.or((tid == own && routine != 0).then_some(routine));
                found.is_none()
            };
            places.walk(pid, head, MOST_NEW, &mut look);
        }
        self.spent_ns += monotonic_now().0.saturating_sub(begun);
        found
    }

    /// The process runs another program, or is gone.
    pub fn forget(&mut self, pid: Pid) {
        self.places.remove(&pid);
    }

    fn places(&mut self, modules: &mut Modules, pid: Pid) -> Option<&Places> {
        let trials = match self.places.get(&pid) {
            Some(Ok(_)) => return self.places.get(&pid)?.as_ref().ok(),
            Some(Err(trials)) => *trials,
            None => 0,
        };
        if trials >= MOST_TRIALS {
            return None;
        }
        let found = self.find(modules, pid).ok_or(trials + 1);
        self.places.insert(pid, found);
        self.places.get(&pid)?.as_ref().ok()
    }

    fn find(&mut self, modules: &mut Modules, pid: Pid) -> Option<Places> {
        let mappings = parse_executable(&read_maps_text(&modules.options().proc_root, pid)?);
        let mut names: Names = [None; NAMES.len()];
        // The executable comes first in most processes; a static one is its own libc.
        for (index, mapping) in mappings.iter().enumerate() {
            if index > 0 && !is_libc(&mapping.path) {
                continue;
            }
            let found = self.names_of(modules, pid, mapping).unwrap_or_default();
            names.iter_mut().zip(found).for_each(|(name, found)| *name = name.or(found));
        }
        Places::of(pid, &names, &modules.options().proc_root)
    }

    /// The names that a mapped file has, at their places in the process.
    fn names_of(&mut self, modules: &mut Modules, pid: Pid, mapping: &Mapping) -> Option<Names> {
        let number = modules.of_mapping(pid, mapping)?;
        let image = modules.image(number).filter(|image| image.arch().word == 8)?;
        let stated = *self.files.entry(number).or_insert_with(|| read_names(&image.file));
        let bias = bias(&image.elf, mapping)?;
        Some(stated.map(|name| name.map(|address| address.wrapping_add(bias))))
    }
}

impl Places {
    fn of(pid: Pid, names: &Names, proc_root: &Path) -> Option<Places> {
        let [list, tid, routine, user, used, global, heads @ ..] = *names;
        // Each describes a field by its size in bits, how many there are, and its offset: three words.
        let offset = |descriptor: Option<u64>| {
            let offset = word(pid, descriptor?, 8)? & u64::from(u32::MAX);
            (offset < LARGEST_SPAN).then_some(offset)
        };
        let in_global = |descriptor: Option<u64>| {
            Some(global?.wrapping_add(word(pid, descriptor?, 8)? & u64::from(u32::MAX)))
        };
        let mut all: Vec<u64> = [in_global(used), in_global(user)].into_iter().flatten().collect();
        if all.is_empty() {
            all.extend(heads.iter().flatten());
        }
        let nested = status_numbers(proc_root, pid, None).is_some_and(|count| count.len() > 1);
        let [list, tid, routine] = [offset(list)?, offset(tid)?, offset(routine)?];
        (!all.is_empty()).then_some(Places { heads: all, list, tid, routine, nested })
    }

    /// Hands number and function of each entry to `sink` until that says false. `None` if the head cannot be read.
    fn walk(
        &self,
        pid: Pid,
        head: u64,
        most: usize,
        sink: &mut dyn FnMut(u32, u64) -> bool,
    ) -> Option<()> {
        let begin = self.list.min(self.tid).min(self.routine);
        let span = self.list.max(self.tid).max(self.routine) + 8 - begin;
        let mut node = word(pid, head, 0)?;
        for _ in 0..most {
            if node == head || node == 0 {
                break;
            }
            let block = node.wrapping_sub(self.list);
            // It went while the list was read: the others are behind it.
            let Some(bytes) = read(pid, block.wrapping_add(begin), span as usize) else { break };
            let at = |field: u64| {
                let bytes = bytes.get((field - begin) as usize..)?.first_chunk::<8>()?;
                Some(u64::from_le_bytes(*bytes))
            };
            let (Some(next), Some(routine)) = (at(self.list), at(self.routine)) else { break };
            let tid = bytes.get((self.tid - begin) as usize..)?.first_chunk::<4>()?;
            if !sink(u32::from_le_bytes(*tid), routine) {
                break;
            }
            node = next;
        }
        Some(())
    }
}

fn is_libc(path: &[u8]) -> bool {
    let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    [&b"libc.so"[..], b"libc-", b"libpthread", b"ld-", b"ld.so"]
        .iter()
        .any(|name| base.starts_with(name))
}

fn read_names(file: &File) -> Names {
    let mut names: Names = [None; NAMES.len()];
    let cache = ReadCache::new(file);
    let Ok(elf) = object::File::parse(&cache) else { return names };
    let symbols = elf.dynamic_symbols().chain(elf.symbols()).take(MOST_SYMBOLS);
    for symbol in symbols.filter(|symbol| symbol.is_definition()) {
        let Ok(name) = symbol.name_bytes() else { continue };
        // Nearly every name is settled by its first letter.
        if !matches!(name.first(), Some(b'_' | b's')) {
            continue;
        }
        let place = NAMES.iter().position(|wanted| *wanted == name);
        if let Some(slot) = place.and_then(|place| names.get_mut(place)) {
            *slot = slot.or(Some(symbol.address()));
        }
    }
    names
}

/// A task's numbers, from this PID namespace inwards: `NSpid:` of its status.
fn status_numbers(proc_root: &Path, pid: Pid, tid: Option<Tid>) -> Option<Vec<u32>> {
    let place = match tid {
        Some(tid) => format!("{pid}/task/{tid}/status"),
        None => format!("{pid}/status"),
    };
    let text = std::fs::read(proc_root.join(place)).ok()?;
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"))?;
    let words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    Some(words.filter_map(|word| word.parse().ok()).collect())
}

fn innermost_number(proc_root: &Path, pid: Pid, tid: Tid) -> Option<u32> {
    status_numbers(proc_root, pid, Some(tid))?.last().copied()
}

/// The number in /proc of each thread by its number in its own PID namespace.
fn numbers(proc_root: &Path, pid: Pid) -> FastMap<u32, u32> {
    let Ok(tasks) = std::fs::read_dir(proc_root.join(format!("{pid}/task"))) else {
        return FastMap::default();
    };
    let tids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    tids.filter_map(|tid| Some((innermost_number(proc_root, pid, Tid(tid))?, tid))).collect()
}
