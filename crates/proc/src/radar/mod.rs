//! The radar: every process of the machine by the few numbers that tell who runs into a limit, and how fast.
//!
//! Nine system calls a process at most, all of them answered to every user and by the kernel alone: no descriptor is listed and
//! no file touched. Where somebody has all processes at once (`glimpse`), they are not looked at one by one. Limits that all
//! processes share are in `bounds`.

mod bounds;
mod cgroups;
mod glimpse;
mod look;

use std::collections::{BTreeMap, HashMap, VecDeque};

use fdscope_model::survey::{Growth, Survey, Vitals};
use fdscope_model::{Limit, LimitName, Monotonic, Pid, ProcessId};
use fdscope_sys::clock::monotonic_now;

use crate::error::ProcError;
use crate::limits::EXEMPT_FROM_NPROC;
use crate::root::ProcRoot;
use look::{Looker, Seen};

pub use bounds::Counting;
pub use glimpse::Glimpse;

/// Growth is measured over at most this long: long enough to smooth, short enough to follow.
const WINDOW_NS: u64 = 60_000_000_000;

/// Looks that are remembered of each process.
const MOST_LOOKS: usize = 64;

/// Fewer processes than this are not worth another thread.
const LEAST_SHARE: usize = 100;

/// From this share (in per cent) of RLIMIT_NPROC on it is worth asking whether the process is exempt from it.
const NPROC_IN_SIGHT: u64 = 50;

/// Looks at all processes, and remembers what it saw to tell growth.
#[derive(Debug)]
pub struct Radar {
    looker: Looker,
    tracks: HashMap<Pid, Track>,
}

/// What was seen of one process before.
#[derive(Debug)]
struct Track {
    start_ticks: u64,
    /// When, descriptors, threads; the oldest first.
    looks: VecDeque<(Monotonic, Option<u64>, u64)>,
}

impl Radar {
    /// A radar over a /proc.
    pub fn new(root: ProcRoot) -> Self {
        Radar { looker: Looker::new(root), tracks: HashMap::new() }
    }

    /// Looks at every process now. Growth is told from the second look on.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn sweep(&mut self) -> Result<Survey, ProcError> {
        let pids = self.looker.root.pids()?;
        let others_hidden = self.looker.root.hides_others();
        let survey = Survey { at: monotonic_now(), others_hidden, ..Survey::default() };
        let seen = self.look_at(&pids);
        Ok(self.sort_out(survey, seen))
    }

    /// The same of processes that the kernel has just shown all at once; `None` if /proc shows others.
    pub fn sweep_over(&mut self, glimpses: Vec<Glimpse>) -> Option<Survey> {
        let mut buffer = vec![0; 4096];
        let root = &self.looker.root;
        if !root.is_own() || root.hides_others() || !self.looker.agrees(&glimpses, &mut buffer) {
            return None;
        }
        let survey = Survey { at: monotonic_now(), ..Survey::default() };
        let mut left = root.pids().ok()?;
        let mut shown = glimpses.iter().map(|glimpse| glimpse.id.pid).peekable();
        left.retain(|pid| {
            while shown.next_if(|shown| shown < pid).is_some() {}
            shown.peek() != Some(pid)
        });
        let seen = glimpses.into_iter().map(|glimpse| self.looker.see(glimpse, &mut buffer));
        let mut seen: Vec<Seen> = seen.collect();
        // Those that were born meanwhile, and those that the kernel keeps from BPF.
        seen.extend(self.look_at(&left));
        let mut survey = self.sort_out(survey, seen);
        survey.processes.sort_by_key(|vitals| vitals.id.pid);
        Some(survey)
    }

    fn sort_out(&mut self, mut survey: Survey, all: Vec<Seen>) -> Survey {
        let mut zombies: BTreeMap<Pid, u64> = BTreeMap::new();
        let mut nproc: HashMap<u32, u64> = HashMap::new();
        let mut ceilings = Vec::new();
        for seen in all {
            match seen {
                Seen::Process(vitals, nproc_limit) => {
                    *nproc.entry(vitals.uid).or_default() += vitals.threads;
                    ceilings.push(nproc_limit);
                    survey.processes.push(vitals);
                }
                Seen::Zombie { parent, uid } => {
                    *zombies.entry(parent).or_default() += 1;
                    *nproc.entry(uid).or_default() += 1;
                }
                Seen::KernelThread => survey.kernel_threads += 1,
                Seen::Gone => survey.vanished += 1,
                Seen::Refused => survey.refused += 1,
                Seen::Fault(fault) => survey.faults.push(fault),
            }
        }
        survey.zombies = zombies.into_iter().collect();
        let limited = cgroups::limited(&self.looker.root);
        for (vitals, nproc_limit) in survey.processes.iter_mut().zip(ceilings) {
            let by_user = nproc_limit.and_then(|value| {
                let used = nproc.get(&vitals.uid).copied().unwrap_or(0);
                self.nproc(vitals, Limit { name: LimitName::Nproc, value, used })
            });
            vitals.tasks = tighter(by_user, limited.get(&vitals.id.pid).copied());
        }
        self.remember(&mut survey);
        survey
    }

    /// Adds the command lines of these processes, which a look leaves out.
    pub fn read_cmdlines(&self, processes: &mut [Vitals]) {
        for vitals in processes.iter_mut().filter(|vitals| vitals.cmdline.is_none()) {
            let dir = self.looker.root.pid_dir(vitals.id.pid);
            let read = dir.and_then(|dir| dir.read("cmdline", "read cmdline"));
            // Gone by now: as good as a process without arguments.
            vitals.cmdline = Some(read.unwrap_or_default().into());
        }
    }

    /// What every process shows, in the order of `pids`.
    fn look_at(&self, pids: &[Pid]) -> Vec<Seen> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = cores.min(4).min(pids.len() / LEAST_SHARE).max(1);
        let share = pids.len().div_ceil(shares).max(1);
        let look = |pids: &[Pid]| {
            let mut buffer = vec![0; 4096];
            pids.iter().map(|&pid| self.looker.look(pid, &mut buffer)).collect::<Vec<_>>()
        };
        if shares == 1 {
            return look(pids);
        }
        std::thread::scope(|scope| {
            let look = &look;
            let threads: Vec<_> =
                pids.chunks(share).map(|pids| scope.spawn(move || look(pids))).collect();
            let seen = threads.into_iter().map(|thread| thread.join().expect("looks never panic"));
            seen.flatten().collect()
        })
    }

    /// RLIMIT_NPROC where it binds the process.
    fn nproc(&self, vitals: &Vitals, limit: Limit) -> Option<Limit> {
        if vitals.uid == 0 || limit.value == u64::MAX {
            return None;
        }
        let in_sight = limit.used >= limit.value / 100 * NPROC_IN_SIGHT;
        let exempt = in_sight
            && self.looker.root.pid_dir(vitals.id.pid).and_then(|dir| dir.status()).is_ok_and(
                |status| status.real_uid == 0 || status.capabilities & EXEMPT_FROM_NPROC != 0,
            );
        (!exempt).then_some(limit)
    }

    fn remember(&mut self, survey: &mut Survey) {
        let mut before = std::mem::take(&mut self.tracks);
        for vitals in &mut survey.processes {
            let ProcessId { pid, start_ticks } = vitals.id;
            let track = before.remove(&pid).filter(|track| track.start_ticks == start_ticks);
            let mut track = track.unwrap_or(Track { start_ticks, looks: VecDeque::new() });
            track.forget_before(Monotonic(survey.at.0.saturating_sub(WINDOW_NS)));
            vitals.growth = track.growth(survey.at, vitals);
            track.looks.push_back((survey.at, vitals.descriptors, vitals.threads));
            self.tracks.insert(pid, track);
        }
    }
}

impl Track {
    /// Drops what is older, but for the last look.
    fn forget_before(&mut self, moment: Monotonic) {
        let is_old = |track: &Self| track.looks.front().is_some_and(|look| look.0 < moment);
        while self.looks.len() > 1 && (is_old(self) || self.looks.len() > MOST_LOOKS) {
            self.looks.pop_front();
        }
    }

    fn growth(&self, now: Monotonic, vitals: &Vitals) -> Option<Growth> {
        let &(at, descriptors, threads) = self.looks.front()?;
        let change = |now: u64, before: u64| now.wrapping_sub(before) as i64;
        Some(Growth {
            over_ns: now.since_ns(at),
            descriptors: descriptors
                .zip(vitals.descriptors)
                .map_or(0, |(before, now)| change(now, before)),
            threads: change(vitals.threads, threads),
        })
    }
}

/// The one of which the greater share is used.
fn tighter(a: Option<Limit>, b: Option<Limit>) -> Option<Limit> {
    let share = |limit: &Limit| limit.used as f64 / limit.value.max(1) as f64;
    match (a, b) {
        (Some(a), Some(b)) => Some(if share(&a) >= share(&b) { a } else { b }),
        (a, b) => a.or(b),
    }
}
