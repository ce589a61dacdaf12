//! The code in one process's address space: which module an address is in, and how to unwind there.
//!
//! Every address looked up is remembered with its answer, so that unwinding the same call path again is one table
//! look-up per frame. Processes that forked without exec share one space.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fdscope_model::{CodeAddr, Pid};
use gimli::UnwindContext;

use crate::arch::Arch;
use crate::epilogue;
use crate::maps::{Mapping, parse_executable};
use crate::module::Modules;
use crate::rule::Rule;
use fdscope_model::hash::FastMap;

/// The most addresses remembered; a program has some hundreds, hostile stacks have no end.
const MOST_PLACES: usize = 16_384;
/// The longest text of maps that is read: 65,530 mappings of 100 bytes and some more.
const LONGEST_MAPS: u64 = 32 << 20;

/// The text of /proc/PID/maps; `None` if the process is gone or not permitted.
pub fn read_maps_text(proc_root: &Path, pid: Pid) -> Option<Vec<u8>> {
    let file = File::open(proc_root.join(format!("{pid}/maps"))).ok()?;
    let mut text = Vec::new();
    file.take(LONGEST_MAPS).read_to_end(&mut text).ok()?;
    Some(text)
}

/// An address, explained.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Module and offset.
    pub addr: CodeAddr,
    /// How to leave the frame.
    pub rule: Rule,
    /// True if the function there is known to keep a frame pointer: JIT code, Go.
    pub keeps_fp: bool,
    /// True if the rule was read from the code, for want of unwind information.
    pub by_code: bool,
}

impl Place {
    fn new(module: u32, offset: u64, rule: Rule) -> Self {
        Place { addr: CodeAddr { module, offset }, rule, keeps_fp: false, by_code: false }
    }
}

/// The executable mappings of a process.
#[derive(Debug)]
pub struct Space {
    pid: Pid,
    mapped: Vec<Mapped>,
    places: FastMap<u64, Place>,
}

#[derive(Debug)]
struct Mapped {
    mapping: Mapping,
    module: Resolved,
}

#[derive(Clone, Copy, Debug)]
enum Resolved {
    NotYet,
    Elf(u32),
    Jit(Option<u32>),
}

impl Space {
    /// A space that nothing is known about.
    pub fn empty(pid: Pid) -> Self {
        Space { pid, mapped: Vec::new(), places: FastMap::default() }
    }

    /// Reads the mappings of `pid`; `None` if it is gone or not permitted.
    pub fn read(proc_root: &Path, pid: Pid) -> Option<Self> {
        let mapped = parse_executable(&read_maps_text(proc_root, pid)?)
            .into_iter()
            .map(|mapping| Mapped { mapping, module: Resolved::NotYet })
            .collect::<Vec<_>>();
        (!mapped.is_empty()).then(|| Space { pid, mapped, places: FastMap::default() })
    }

    /// Keeps what `older` found out about addresses if the same files are mapped at the same places. False if not.
    pub fn take_over(&mut self, older: &Space) -> bool {
        let files = |space: &Space| -> Vec<Mapping> {
            let mapped = space.mapped.iter().map(|mapped| &mapped.mapping);
            mapped.filter(|mapping| mapping.inode != 0).cloned().collect()
        };
        if files(self) != files(older) {
            return false;
        }
        let known = older.places.iter().filter(|(_, place)| !place.rule.is_not_code());
        self.places.extend(known.map(|(address, place)| (*address, *place)));
        true
    }

    /// True if `address` is in executable memory.
    pub fn is_code(&self, address: u64) -> bool {
        self.index_of(address).is_some()
    }

    /// What is at `address`.
    pub fn place(
        &mut self,
        address: u64,
        modules: &mut Modules,
        context: &mut UnwindContext<usize>,
    ) -> Place {
        if let Some(&known) = self.places.get(&address) {
            return known;
        }
        let place = self.resolve(address, modules, context);
        if self.places.len() >= MOST_PLACES {
            self.places.clear();
        }
        self.places.insert(address, place);
        place
    }

    fn resolve(
        &mut self,
        address: u64,
        modules: &mut Modules,
        context: &mut UnwindContext<usize>,
    ) -> Place {
        let Some(index) = self.index_of(address) else {
            return Place::new(CodeAddr::ANONYMOUS, address, Rule::NotCode);
        };
        let module = match self.module_at(index, modules) {
            Resolved::Elf(module) => module,
            Resolved::Jit(module) => return self.resolve_jit(address, module, modules),
            Resolved::NotYet => CodeAddr::ANONYMOUS,
        };
        let mapping = &self.mapped[index].mapping;
        let offset = (address - mapping.start).wrapping_add(mapping.file_offset);
        let mut place = Place::new(module, offset, Rule::Unknown);
        let Some(image) = modules.image(module) else { return place };
        // The file comes from the target: a panic of the parser costs this row, no more.
        let row = || image.cfi.row(image.elf.address_of(offset)?, image.arch(), context);
        if let Some(row) = catch_unwind(AssertUnwindSafe(row)).unwrap_or_default() {
            place.rule = Rule::Dwarf(row);
        } else if let Some(row) = image.arch().epilogue.and_then(|read| read(&image.code(offset)?))
        {
            (place.rule, place.by_code) = (Rule::Dwarf(row), true);
        }
        place.keeps_fp = image.elf.go;
        place
    }

    /// Code outside files: as its own end says (trampolines of Python), else by frame pointer (V8, HotSpot, .NET).
    fn resolve_jit(&self, address: u64, module: Option<u32>, modules: &Modules) -> Place {
        let mut place = Place::new(module.unwrap_or(CodeAddr::ANONYMOUS), address, Rule::Unknown);
        place.keeps_fp = true;
        let row = || {
            // 32-bit tasks have their code down there, and their own row of the table.
            let read = Arch::of_task(address <= u64::from(u32::MAX)).epilogue?;
            let mut code = [0; epilogue::LENGTH];
            let memory = File::open(modules.options().proc_root.join(format!("{}/mem", self.pid)));
            let length = memory.ok()?.read_at(&mut code, address.checked_add(1)?).ok()?;
            read(&code[..length])
        };
        if let Some(row) = row() {
            (place.rule, place.by_code) = (Rule::Dwarf(row), true);
        }
        place
    }

    fn module_at(&mut self, index: usize, modules: &mut Modules) -> Resolved {
        let mapped = &mut self.mapped[index];
        if let Resolved::NotYet = mapped.module {
            mapped.module = match modules.of_mapping(self.pid, &mapped.mapping) {
                Some(module) => Resolved::Elf(module),
                None => Resolved::Jit(modules.of_jit(self.pid)),
            };
        }
        mapped.module
    }

    fn index_of(&self, address: u64) -> Option<usize> {
        let after = self.mapped.partition_point(|mapped| mapped.mapping.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.mapped[index].mapping.end).then_some(index)
    }
}
