//! Counts of what grows without a new descriptor: threads, unjoined threads, zombies, mappings, timers, watches and
//! registrations, each in groups, and the limits they meet.
//!
//! Budget: each of the parts takes at most one two-hundredth of a core. A part that was dear is read again only once
//! two hundred times its cost has passed; until then a sample repeats its last counts, with `fresh` not told.

mod children;
mod control_block;
mod mappings;
mod registrations;
mod stacks;
mod threads;
mod timers;
mod unjoined;

use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{Limit, LimitName, Monotonic, Pid};
use fdscope_sys::clock::monotonic_now;

use crate::error::ProcError;
use crate::limits::Reach;
use crate::root::{PidDir, ProcRoot};

pub use unjoined::UnjoinedThreads;

/// A part may take one in so many nanoseconds.
const SHARE: u64 = 200;

/// What is counted in one go.
#[derive(Debug)]
enum Part {
    Threads(threads::Threads),
    Mappings(Box<mappings::Mappings>),
    Children(children::Children),
    Timers(timers::Timers),
    Registrations(registrations::Registrations),
}

impl Part {
    fn count(&mut self, root: &ProcRoot, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        match self {
            Part::Threads(part) => part.count(dir),
            Part::Mappings(part) => part.count(dir),
            Part::Children(part) => part.count(root, dir),
            Part::Timers(part) => part.count(dir),
            Part::Registrations(part) => part.count(root, dir),
        }
    }
}

/// When something may be read again.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    due: Monotonic,
}

impl Turn {
    /// Runs `work` if its turn has come, and puts the next turn as far off as the work was dear.
    fn take<T>(&mut self, work: impl FnOnce() -> T) -> Option<T> {
        let begun = monotonic_now();
        if begun < self.due {
            return None;
        }
        let done = work();
        let cost = monotonic_now().since_ns(begun);
        self.due = Monotonic(begun.0.saturating_add(cost.saturating_mul(SHARE)));
        Some(done)
    }
}

/// A part with its turn and what it counted last.
#[derive(Debug)]
struct Paced {
    part: Part,
    turn: Turn,
    groups: Vec<GroupCount>,
}

/// Samples one process again and again.
#[derive(Debug)]
pub struct Sampler {
    root: ProcRoot,
    pid: Pid,
    start_ticks: u64,
    parts: Vec<Paced>,
    limits_turn: Turn,
    limits: Vec<Limit>,
}

impl Sampler {
    /// A sampler of a process.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn new(root: ProcRoot, pid: Pid) -> Result<Self, ProcError> {
        let start_ticks = root.pid_dir(pid)?.process_stat()?.start_ticks;
        let parts = [
            Part::Threads(threads::Threads::default()),
            Part::Mappings(Box::default()),
            Part::Children(children::Children::default()),
            Part::Timers(timers::Timers::default()),
            Part::Registrations(registrations::Registrations::default()),
        ];
        let paced = |part| Paced { part, turn: Turn::default(), groups: Vec::new() };
        let parts = parts.into_iter().map(paced).collect();
        let (limits_turn, limits) = (Turn::default(), Vec::new());
        Ok(Sampler { root, pid, start_ticks, parts, limits_turn, limits })
    }

    /// The process sampled.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Counts now. A part that may not be read has no groups.
    ///
    /// # Errors
    /// If the process is gone, its number given to another included.
    pub fn sample(&mut self) -> Result<Sample, ProcError> {
        let dir = self.root.pid_dir(self.pid)?;
        let stat = dir.process_stat()?;
        if stat.start_ticks != self.start_ticks {
            return Err(ProcError::Gone { pid: self.pid });
        }
        let mut groups = Vec::new();
        for paced in &mut self.parts {
            let counted = paced.turn.take(|| paced.part.count(&self.root, &dir));
            match counted {
                Some(counted) => paced.groups = counted.unwrap_or_default(),
                None => paced.groups.iter_mut().for_each(|group| group.fresh = None),
            }
            groups.extend(paced.groups.iter().cloned());
        }
        let descriptors = self.root.count_descriptors(self.pid).unwrap_or(0);
        self.read_limits(descriptors);
        let at = monotonic_now();
        let (pid, limits) = (self.pid, self.limits.clone());
        Ok(Sample { at, pid, groups, limits, descriptors, threads: stat.threads })
    }

    /// The limits, dear ones at their turn; what the sample counted anyway is brought up to date.
    fn read_limits(&mut self, descriptors: u64) {
        let read = self.limits_turn.take(|| self.root.limits_within(self.pid, Reach::User));
        if let Some(Ok(limits)) = read {
            self.limits = limits;
        }
        for limit in &mut self.limits {
            match limit.name {
                LimitName::Nofile | LimitName::NrOpen if descriptors > 0 => {
                    limit.used = descriptors
                }
                _ => {}
            }
        }
    }
}

impl ProcRoot {
    /// One sample of a process. Growth wants a [`Sampler`], which remembers and paces itself.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn sample(&self, pid: Pid) -> Result<Sample, ProcError> {
        Sampler::new(self.clone(), pid)?.sample()
    }
}
