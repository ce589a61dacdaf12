//! Threads that exited, are joinable and were never joined: their stacks stay mapped and nobody is on them.
//!
//! A stack is private anonymous memory behind a guard page, of a size at which threads of this process have stacks:
//! glibc's default (RLIMIT_STACK, or 2 MiB), Rust's, or one seen under a living thread. From their number those of
//! living threads are taken, and what glibc may keep for the next thread: at most 40 MiB (nptl/allocatestack.c,
//! `stack_cache_maxsize`). What is left is a lower bound: at least so many threads were never joined.
//!
//! Not seen: stacks whose guard is no mapping of its own (glibc since 2.42 on Linux since 6.13 guards by
//! MADV_GUARD_INSTALL). They read like any block of malloc(3) and are counted among anonymous mappings.

use std::collections::BTreeSet;

use fdscope_model::process::GroupCount;
use fdscope_model::{HandleKind, Name, Tid};

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

/// What may be a thread's stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    /// First usable address.
    pub start: u64,
    /// Usable bytes.
    pub size: u64,
    /// Bytes of the guard below.
    pub guard: u64,
}

impl Stretch {
    /// True for sizes that a guard and a stack can have.
    pub fn fits(guard: u64, size: u64) -> bool {
        guard <= 1 << 20 && guard < size && size >= 16 << 10
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

    /// Stretches that turned out to be no stacks.
    pub fn rejected(&self) -> &[Stretch] {
        &self.rejected
    }

    /// Unjoined threads by the size of their stacks, at least.
    pub fn unjoined(&mut self, dir: &PidDir) -> Vec<GroupCount> {
        if self.stretches.is_empty() {
            return Vec::new();
        }
        let living = self.living(dir);
        let (stacks, rejected) = self
            .stretches
            .drain(..)
            .partition::<Vec<_>, _>(|s| is_stack(s, &self.usual, &self.seen));
        self.rejected = rejected;
        let mut unknown = living.elsewhere_unknown;
        let mut makes: Vec<Make> = stacks.iter().map(|stack| (stack.size, stack.guard)).collect();
        makes.sort_unstable();
        let mut groups = Vec::new();
        for run in makes.chunk_by(|a, b| a == b) {
            let make = run[0];
            let here = living.makes.iter().filter(|living| **living == make).count() as u64;
            let idle = (run.len() as u64).saturating_sub(here);
            let kept = CACHE / (make.0 + make.1);
            let left = idle.saturating_sub(kept);
            let count = left.saturating_sub(unknown);
            unknown = unknown.saturating_sub(idle);
            if count > 0 {
                let group: Name = format!("stacks of {} KiB", make.0 >> 10).as_str().into();
                groups.push(GroupCount {
                    kind: HandleKind::UnjoinedThread,
                    group,
                    count,
                    fresh: None,
                });
            }
        }
        groups
    }

    /// The makes that living threads stand on, found by their stack pointers.
    fn living(&mut self, dir: &PidDir) -> Living {
        self.stretches.sort_unstable_by_key(|stretch| stretch.start);
        let mut living = Living::default();
        let tids = dir.tids().unwrap_or_default();
        let now: BTreeSet<Tid> = tids.iter().copied().collect();
        living.elsewhere_unknown =
            self.before.iter().filter(|tid| !now.contains(tid)).count() as u64;
        // The first thread stands on the process's own stack.
        let others = tids.into_iter().filter(|tid| tid.0 != dir.pid().0);
        for (at, tid) in others.enumerate() {
            let pointer = Some(tid).filter(|_| at < MOST_LOOKED_UP).and_then(|tid| {
                let bytes =
                    dir.read(&format!("task/{tid}/syscall"), "read a thread's syscall").ok()?;
                parse_stack_pointer(&bytes)
            });
            match pointer {
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
        (pointer - stretch.start < stretch.size).then_some((stretch.size, stretch.guard))
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

fn is_stack(stretch: &Stretch, usual: &[u64], seen: &BTreeSet<Make>) -> bool {
    let whole = stretch.size + stretch.guard;
    seen.contains(&(stretch.size, stretch.guard))
        || usual.iter().any(|&usual| usual == stretch.size || usual == whole)
}

/// The stack pointer in /proc/PID/task/TID/syscall: the last but one word, for a thread that is blocked.
fn parse_stack_pointer(bytes: &[u8]) -> Option<u64> {
    let mut words = bytes.trim_ascii().rsplit(|&b| b == b' ');
    words.next()?;
    hex(words.next()?)
}
