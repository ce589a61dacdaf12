//! Every process of a machine at one moment, by the numbers that tell who is in danger: what the radar shows.
//!
//! What one process holds in detail is an [`Inventory`](crate::inventory::Inventory).

use crate::fault::Fault;
use crate::id::{Monotonic, Pid, ProcessId};
use crate::limit::{Limit, LimitName};
use crate::name::Name;

/// All processes at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Survey {
    /// When.
    pub at: Monotonic,
    /// Processes that live in user space, by number.
    pub processes: Vec<Vitals>,
    /// Kernel threads, which hold nothing: left out, and counted.
    pub kernel_threads: u64,
    /// Processes that exited and were not waited for, by who should have.
    pub zombies: Vec<(Pid, u64)>,
    /// Processes that were gone before they could be read.
    pub vanished: u64,
    /// Processes of which not even these numbers may be read (`hidepid`).
    pub refused: u64,
    /// True if processes of other users are not even listed (`hidepid`).
    pub others_hidden: bool,
    /// What else could not be read.
    pub faults: Vec<Fault>,
}

/// The numbers of one process.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vitals {
    /// Number and start time.
    pub id: ProcessId,
    /// The parent's number.
    pub parent: Pid,
    /// Effective user id.
    pub uid: u32,
    /// `comm`: at most 15 bytes of any value.
    pub comm: Name,
    /// Command line, arguments separated by NUL; `None` if it was not asked for.
    pub cmdline: Option<Name>,
    /// The kernel's letter for what it does.
    pub state: u8,
    /// Open descriptors; `None` where the kernel does not count them (before 6.2) and they may not be listed.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Soft RLIMIT_NOFILE; `u64::MAX` for none, `None` if not readable.
    pub nofile: Option<u64>,
    /// The limit on threads that has least room: pids.max of a cgroup or RLIMIT_NPROC, where one is in sight.
    pub tasks: Option<Limit>,
    /// How it grew since an earlier look; `None` at the first.
    pub growth: Option<Growth>,
}

/// Change between two looks.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Growth {
    /// Between the looks.
    pub over_ns: u64,
    /// Descriptors more (or less).
    pub descriptors: i64,
    /// Threads more (or less).
    pub threads: i64,
}

impl Growth {
    /// Descriptors per minute.
    pub fn descriptors_per_min(&self) -> f64 {
        self.per_min(self.descriptors)
    }

    /// Threads per minute.
    pub fn threads_per_min(&self) -> f64 {
        self.per_min(self.threads)
    }

    fn per_min(&self, change: i64) -> f64 {
        change as f64 * 60e9 / self.over_ns.max(1) as f64
    }
}

/// Who sets a limit of 0 or 1 forbids itself more, as sandboxes do: no danger.
const LEAST_LIMIT: u64 = 2;

impl Vitals {
    /// The limits in sight with what is used of them: descriptors, then threads. Limits that cannot break are left
    /// out.
    pub fn limits(&self) -> impl Iterator<Item = Limit> {
        let nofile = self.nofile.zip(self.descriptors).map(|(value, used)| Limit {
            name: LimitName::Nofile,
            value,
            used,
        });
        let binds = |limit: &Limit| (LEAST_LIMIT..u64::MAX).contains(&limit.value);
        nofile.into_iter().chain(self.tasks).filter(binds)
    }

    /// The limit of which the largest share is used.
    pub fn nearest(&self) -> Option<Limit> {
        self.limits().reduce(|best, limit| if share(limit) > share(best) { limit } else { best })
    }

    /// Seconds until the first of its limits is reached if growth goes on as it was; `None` without growth. 0 for one
    /// that is reached.
    pub fn reached_in_s(&self) -> Option<f64> {
        let growth = self.growth?;
        let time = |limit: Limit| {
            let per_min = match limit.name {
                LimitName::Nofile => growth.descriptors_per_min(),
                _ => growth.threads_per_min(),
            };
            let room = limit.value.saturating_sub(limit.used) as f64;
            (per_min > 0.0).then(|| room * 60.0 / per_min)
        };
        self.limits().filter_map(time).reduce(f64::min)
    }

    /// What the radar is sorted by, the most dangerous first when descending: the share of the nearest limit in whole
    /// per cent, then the time to a limit, then the count.
    pub fn danger(&self) -> (u64, Danger, u64) {
        let per_cent = self.nearest().map_or(0, |limit| (share(limit) * 100.0).round() as u64);
        let time = self
            .reached_in_s()
            .map_or(Danger::Still, |time| Danger::Grows(std::cmp::Reverse(time.min(1e15) as u64)));
        (per_cent, time, self.descriptors.unwrap_or(0))
    }
}

/// How soon a limit is reached, the more dangerous the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Danger {
    /// Nothing grows.
    Still,
    /// In so many seconds.
    Grows(std::cmp::Reverse<u64>),
}

fn share(limit: Limit) -> f64 {
    limit.used as f64 / limit.value as f64
}

/// A limit that is shared by many processes, or that some process is nearest to, with its use where that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Which.
    pub name: LimitName,
    /// Its value; `u64::MAX` for unlimited.
    pub value: u64,
    /// How much of it is used; `None` if it was not counted, or may not be.
    pub used: Option<u64>,
    /// Whose use this is.
    pub whose: Whose,
    /// Whether everything was counted.
    pub counted: Counted,
}

/// Whose use of a limit was counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// That of the whole machine.
    Machine,
    /// That of a user.
    User(u32),
    /// That of the process nearest to the limit.
    Process(Pid, Name),
}

/// Whether a use was counted whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Everything.
    Whole,
    /// What may be read, or what there was time for: at least so much.
    AtLeast,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(descriptors: u64, nofile: u64, growth: i64) -> Vitals {
        let growth = Some(Growth { over_ns: 60_000_000_000, descriptors: growth, threads: 0 });
        let (descriptors, nofile) = (Some(descriptors), Some(nofile));
        Vitals { descriptors, nofile, growth, ..Vitals::default() }
    }

    #[test]
    fn the_nearest_limit_decides_whichever_it_is() {
        let tasks = Some(Limit { name: LimitName::CgroupPids, value: 100, used: 90 });
        let process = Vitals { tasks, ..vitals(10, 1024, 0) };
        assert_eq!(process.nearest().map(|limit| limit.name), Some(LimitName::CgroupPids));
        assert_eq!(process.danger().0, 90);
        let unlimited = vitals(10, u64::MAX, 5);
        assert_eq!((unlimited.nearest(), unlimited.reached_in_s()), (None, None));
        assert_eq!(vitals(10, 0, 0).nearest(), None);
    }

    #[test]
    fn time_to_the_limit_follows_growth() {
        assert_eq!(vitals(24, 1024, 100).reached_in_s(), Some(600.0));
        assert_eq!(vitals(24, 1024, 0).reached_in_s(), None);
        assert_eq!(vitals(24, 1024, -5).reached_in_s(), None);
        assert_eq!(vitals(1025, 1024, 1).reached_in_s(), Some(0.0));
    }

    #[test]
    fn danger_is_share_then_time_then_count() {
        let mut processes = [
            vitals(100, 1000, 0),
            vitals(10, 100, 0),
            vitals(10, 100, 10),
            vitals(10, 100, 50),
            vitals(99, 100, 0),
        ];
        processes.sort_by_key(|process| std::cmp::Reverse(process.danger()));
        let order: Vec<_> = processes
            .iter()
            .map(|p| (p.descriptors.unwrap_or(0), p.growth.map_or(0, |g| g.descriptors)))
            .collect();
        assert_eq!(order, [(99, 0), (10, 50), (10, 10), (100, 0), (10, 0)]);
    }
}
