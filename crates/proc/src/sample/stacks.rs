//! Threads that exited, are joinable and were never joined: their stacks stay mapped and nobody is on them.
//!
//! Where glibc's control block can be read, each stack tells the fate of its thread, and the count is exact.
//!
//! Elsewhere a stack is private anonymous memory behind a guard page, of a size at which threads of this process have
//! stacks: glibc's default (RLIMIT_STACK, or 2 MiB), Rust's, or one seen under a living thread. From their number
//! those of living threads are taken, and what glibc may keep for the next thread: at most 40 MiB
//! (nptl/allocatestack.c, `stack_cache_maxsize`). What is left is a lower bound. Stacks whose guard is no mapping of
//! its own (glibc since 2.42 on Linux since 6.13: MADV_GUARD_INSTALL) then read like any block of malloc(3), and are
//! counted among anonymous mappings.

use std::collections::{BTreeMap, BTreeSet};

use fdscope_model::process::GroupCount;
use fdscope_model::thread::Unjoined;
use fdscope_model::{HandleKind, Name, Pid, Tid};

use super::control_block::{Fate, fate, learn_depth};
use crate::limits::soft;
use crate::parse::{Resource, hex};
use crate::root::PidDir;

/// What glibc keeps of the stacks of threads that ended, in bytes.
const CACHE: u64 = 40 << 20;

/// The size of a stack where RLIMIT_STACK is unlimited (glibc on x86-64 and aarch64), and of Rust's threads.
const COMMON: u64 = 2 << 20;

/// Threads whose stack pointer is looked up at most; the others count as living on some stack.
const MOST_LOOKED_UP: usize = 2000;

/// Stretches kept at most: more than vm.max_map_count allows by default.
const MOST: usize = 70_000;

/// Stretches in which a control block is looked for before there is taken to be none.
const TRIALS: usize = 16;

/// What may be a thread's stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    /// First usable address.
    pub start: u64,
    /// Usable bytes.
    pub size: u64,
    /// Bytes of the guard below; 0 for none that is a mapping.
    pub guard: u64,
}

impl Stretch {
    /// True for sizes that a stack can have.
    pub fn fits(size: u64) -> bool {
        size >= 16 << 10
    }

    /// True for a guard of usual size; the kernel merges guards with reserved memory below.
    pub fn is_guarded(&self) -> bool {
        self.guard > 0 && self.guard <= 1 << 20
    }

    fn end(&self) -> u64 {
        self.start + self.size
    }
}

/// The usable and guard bytes that tell stacks of one make.
type Make = (u64, u64);

/// Stretches of one reading, and what is remembered of the process.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    stretches: Vec<Stretch>,
    /// Threads when the reading began: one that ended since may still show its stack.
    before: Vec<Tid>,
    rejected: Vec<Stretch>,
    /// Sizes at which stacks are expected though no thread was seen on one.
    usual: Vec<u64>,
    /// Makes under living threads, ever.
    seen: BTreeSet<Make>,
    /// How far below their ends stacks have a control block, once known.
    depth: Option<u64>,
}

impl Stacks {
    /// Begins a reading of maps.
    pub fn begin(&mut self, dir: &PidDir) {
        self.stretches.clear();
        self.before = dir.tids().unwrap_or_default();
        self.rejected.clear();
        self.usual = vec![COMMON];
        self.usual.extend(soft(dir, Resource::Stack).filter(|&size| size < 1 << 32));
    }

    /// Takes a stretch behind a guard.
    pub fn add(&mut self, stretch: Stretch) {
        if self.stretches.len() < MOST {
            self.stretches.push(stretch);
        }
    }

    /// Takes memory that no mapping guards, if it could be made of whole stacks that are guarded inside: default ones
    /// with a page more. Only control blocks can tell.
    pub fn add_unguarded(&mut self, start: u64, size: u64) -> bool {
        let could_be = self.units().any(|unit| size.is_multiple_of(unit));
        if could_be {
            self.add(Stretch { start, size, guard: 0 });
        }
        could_be
    }

    /// Sizes of stacks that are guarded inside.
    fn units(&self) -> impl Iterator<Item = u64> {
        let page = rustix::param::page_size() as u64;
        self.usual.iter().map(move |one| one + page)
    }

    /// Stretches that turned out to be no stacks.
    pub fn rejected(&self) -> &[Stretch] {
        &self.rejected
    }

    /// Unjoined threads by the size of their stacks: all that there are, or at least so many.
    pub fn unjoined(&mut self, dir: &PidDir) -> Vec<Unjoined> {
        if self.stretches.is_empty() {
            return Vec::new();
        }
        self.stretches.sort_unstable_by_key(|stretch| stretch.start);
        self.depth = self.depth.or_else(|| self.learn_depth(dir));
        let exact = self.depth.is_some();
        let counts = match self.depth {
            Some(depth) => self.count_fates(dir.pid(), depth),
            None => self.count_idle(dir),
        };
        let row = |(stack_bytes, count)| Unjoined { stack_bytes, count, exact, grown: None };
        counts.into_iter().filter(|(_, count)| *count > 0).map(row).collect()
    }

    /// Looks for a control block in a few stretches, spread over all of them.
    fn learn_depth(&self, dir: &PidDir) -> Option<u64> {
        let pid = Some(dir.pid()).filter(|_| dir.is_own())?;
        let step = self.stretches.len().div_ceil(TRIALS);
        let mut trials = self.stretches.iter().rev().step_by(step);
        trials.find_map(|stretch| learn_depth(pid, stretch.end(), stretch.size))
    }

    /// Counts unjoined threads by their control blocks.
    fn count_fates(&mut self, pid: Pid, depth: u64) -> BTreeMap<u64, u64> {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for stretch in std::mem::take(&mut self.stretches) {
            let stacks = self.stacks_in(pid, stretch, depth);
            for (size, fate) in &stacks {
                *counts.entry(*size).or_default() += u64::from(*fate == Fate::Unjoined);
            }
            if stacks.is_empty() {
                self.rejected.push(stretch);
            }
        }
        counts
    }

    /// The stacks that a stretch is made of: one behind a guard; several where neighbours have merged.
    fn stacks_in(&self, pid: Pid, stretch: Stretch, depth: u64) -> Vec<(u64, Fate)> {
        let Some(first) = fate(pid, stretch.end(), depth) else { return Vec::new() };
        if stretch.guard > 0 {
            return vec![(stretch.size, first)];
        }
        let mut units = self.units().filter(|unit| stretch.size.is_multiple_of(*unit));
        let unit = units.find(|unit| {
            let second = stretch.end() - unit;
            second == stretch.start || fate(pid, second, depth).is_some()
        });
        let unit = unit.unwrap_or(stretch.size);
        let ends = (0..stretch.size / unit).map(|at| stretch.end() - at * unit);
        ends.filter_map(|end| Some((unit, fate(pid, end, depth)?))).collect()
    }

    /// Counts stacks that no living thread stands on and that are more than glibc would keep.
    fn count_idle(&mut self, dir: &PidDir) -> BTreeMap<u64, u64> {
        let living = self.living(dir);
        let (stacks, rejected) = self
            .stretches
            .drain(..)
            .partition::<Vec<_>, _>(|stretch| is_stack(stretch, &self.usual, &self.seen));
        self.rejected = rejected;
        let mut unknown = living.elsewhere_unknown;
        let mut makes: Vec<Make> = stacks.iter().map(|stack| (stack.size, stack.guard)).collect();
        makes.sort_unstable();
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for run in makes.chunk_by(|a, b| a == b) {
            let make = run[0];
            let here = living.makes.iter().filter(|living| **living == make).count() as u64;
            let idle = (run.len() as u64).saturating_sub(here);
            let kept = CACHE / (make.0 + make.1);
            *counts.entry(make.0).or_default() += idle.saturating_sub(kept).saturating_sub(unknown);
            unknown = unknown.saturating_sub(idle);
        }
        counts
    }

    /// The makes that living threads stand on, found by their stack pointers.
    fn living(&mut self, dir: &PidDir) -> Living {
        let mut living = Living::default();
        let tids = dir.tids().unwrap_or_default();
        let now: BTreeSet<Tid> = tids.iter().copied().collect();
        living.elsewhere_unknown =
            self.before.iter().filter(|tid| !now.contains(tid)).count() as u64;
        // The first thread stands on the process's own stack.
        let others = tids.into_iter().filter(|tid| tid.0 != dir.pid().0);
        for (at, tid) in others.enumerate() {
            match Some(tid).filter(|_| at < MOST_LOOKED_UP).and_then(|tid| stack_pointer(dir, tid))
            {
                None => living.elsewhere_unknown += 1,
                Some(pointer) => living.makes.extend(self.under(pointer)),
            }
        }
        self.seen.extend(living.makes.iter().copied());
        living
    }

    fn under(&self, pointer: u64) -> Option<Make> {
        let after = self.stretches.partition_point(|stretch| stretch.start <= pointer);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        (pointer < stretch.end()).then_some((stretch.size, stretch.guard))
    }
}

/// Where the living threads are.
#[derive(Debug, Default)]
struct Living {
    /// One for each thread on a stretch.
    makes: Vec<Make>,
    /// Threads of which it is not known: running, ended since, or not permitted.
    elsewhere_unknown: u64,
}

/// As a row of a sample.
pub(super) fn to_row(unjoined: &Unjoined) -> GroupCount {
    // Read as "3 more 8 MiB-stack exited threads nobody joined": their names are gone with them.
    let text = match unjoined.stack_bytes {
        size if size.is_multiple_of(1 << 20) => format!("{} MiB-stack", size >> 20),
        size => format!("{} KiB-stack", size >> 10),
    };
    let group: Name = text.as_str().into();
    GroupCount { kind: HandleKind::UnjoinedThread, group, count: unjoined.count, fresh: None }
}

fn is_stack(stretch: &Stretch, usual: &[u64], seen: &BTreeSet<Make>) -> bool {
    let whole = stretch.size + stretch.guard;
    let make = (stretch.size, stretch.guard);
    seen.contains(&make)
        || stretch.is_guarded()
            && usual.iter().any(|&usual| usual == stretch.size || usual == whole)
}

/// The stack pointer in /proc/PID/task/TID/syscall: the last but one word, for a thread that is blocked.
fn stack_pointer(dir: &PidDir, tid: Tid) -> Option<u64> {
    let bytes = dir.read(&format!("task/{tid}/syscall"), "read a thread's syscall").ok()?;
    let mut words = bytes.trim_ascii().rsplit(|&b| b == b' ');
    words.next()?;
    hex(words.next()?)
}
