//! Groups that are counted and not followed one by one: threads by name, zombies, mappings, timers, watches. A sample
//! gives a number; from the numbers follow the least births and deaths that explain them.

use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{HandleKind, Monotonic, Pid};

use crate::bins::Bins;
use crate::hash::FastMap;
use crate::ledger::Ledger;

/// The most groups kept, of all processes.
const MOST: usize = 8192;

/// The identity of a counted group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct CountKey {
    pub(crate) pid: Pid,
    pub(crate) kind: HandleKind,
    pub(crate) pattern: u32,
}

/// A counted group.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) first: u64,
    pub(crate) now: u64,
    pub(crate) born: u64,
    pub(crate) died: u64,
    pub(crate) samples: u64,
    pub(crate) at: Monotonic,
    pub(crate) bins: Bins,
}

/// Every counted group.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    origin: Monotonic,
    groups: FastMap<CountKey, Count>,
}

impl Counted {
    pub(crate) fn start(&mut self, origin: Monotonic) {
        self.origin = origin;
    }

    fn count(&mut self, key: CountKey, at: Monotonic, count: u64, fresh: Option<u64>, first: bool) {
        if !self.groups.contains_key(&key) {
            if self.groups.len() >= MOST {
                return;
            }
            let base = if first { count } else { 0 };
            self.groups.insert(key, Count::new(self.origin, base, at));
        }
        let group = self.groups.get_mut(&key).expect("inserted above if it was missing");
        let grown = count.saturating_sub(group.now);
        let born = fresh.unwrap_or(grown).max(grown).min(count);
        let born = if group.samples == 0 && first { 0 } else { born };
        let died = (group.now + born).saturating_sub(count);
        // Deaths first: what is fresh is still there, so the number was lower before it came.
        group.bins.fall(at, died.min(u64::from(u32::MAX)) as u32);
        group.bins.rise(at, born.min(u64::from(u32::MAX)) as u32);
        group.born += born;
        group.died += died;
        group.now = count;
        group.samples += 1;
        group.at = at;
    }

    /// Every group in a fixed order.
    pub(crate) fn sorted(&self) -> Vec<(CountKey, &Count)> {
        let mut rows: Vec<_> = self.groups.iter().map(|(key, count)| (*key, count)).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }

    /// Keys of a process's groups that a sample did not mention: they count nothing now.
    fn missing(&self, pid: Pid, mentioned: &[CountKey]) -> Vec<CountKey> {
        let mut keys: Vec<CountKey> = self.groups.keys().copied().collect();
        keys.retain(|key| key.pid == pid && !mentioned.contains(key));
        keys.sort_unstable();
        keys
    }
}

impl Count {
    fn new(origin: Monotonic, base: u64, at: Monotonic) -> Self {
        let mut bins = Bins::new(origin);
        bins.existed(base.min(u64::from(u32::MAX)) as u32);
        Count { first: base, now: base, born: 0, died: 0, samples: 0, at, bins }
    }
}

impl Ledger {
    /// Folds a sample: counts by group, limits, and the kernel's own totals.
    pub fn sample(&mut self, sample: &Sample) {
        self.reach(sample.at);
        let watched = self.watched(sample.pid);
        watched.limits.clone_from(&sample.limits);
        // Nobody knows when what the first sample shows was made: however late it comes, it is what existed.
        let first = !std::mem::replace(&mut watched.sampled, true);
        let mut mentioned = Vec::with_capacity(sample.groups.len());
        for GroupCount { kind, group, count, fresh } in &sample.groups {
            let pattern = self.patterns.intern(group.clone());
            let key = CountKey { pid: sample.pid, kind: *kind, pattern };
            self.counted.count(key, sample.at, *count, *fresh, first);
            mentioned.push(key);
        }
        for key in self.counted.missing(sample.pid, &mentioned) {
            self.counted.count(key, sample.at, 0, None, false);
        }
    }
}
