//! What a process closes just before it ends. An interpreter that shuts down closes what was forgotten while it ran, and
//! so do destructors of what lives as long as the program: of a leak that comes too late to count as a release.
//!
//! Kept of each process are the descriptors closed since it last opened one; at its end those of them that were closed
//! in its last moments are remembered with their groups. Whether they were a leak until then is for the rules to say.

use fdscope_model::Monotonic;
use fdscope_model::verdict::AT_ITS_END;

use crate::group::{CloserKey, Survivor};
use crate::site::Facts;

/// The last moments of a process: this share of the time it was watched, and no less than so many nanoseconds.
const LAST_SHARE: f64 = 0.05;
const LEAST_NS: u64 = 100_000_000;

/// The most kept of one process. Each was a living handle a moment ago.
const MOST: usize = 65_536;

/// A descriptor that was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LateClose {
    /// Its group.
    pub(crate) group: u32,
    /// What it was.
    pub(crate) was: Survivor,
    pub(crate) at: Monotonic,
    pub(crate) closer: Option<CloserKey>,
}

/// The descriptors closed since the last one was opened.
#[derive(Debug, Default)]
pub(crate) struct ClosingRun(Vec<LateClose>);

impl ClosingRun {
    /// A descriptor was closed.
    pub(crate) fn closed(&mut self, closed: LateClose) {
        if self.0.len() < MOST {
            self.0.push(closed);
        }
    }

    /// A descriptor was opened: the process goes on.
    pub(crate) fn opened(&mut self) {
        self.0.clear();
    }

    /// A descriptor was opened at that moment, as is known only now.
    pub(crate) fn opened_at(&mut self, at: Monotonic) {
        self.0.retain(|closed| closed.at > at);
    }

    /// Those closed in the last moments of a process watched from `begun` until its end.
    pub(crate) fn at_end(&mut self, begun: Monotonic, ended: Monotonic) -> Vec<LateClose> {
        let last_ns = ((ended.since_ns(begun) as f64 * LAST_SHARE) as u64).max(LEAST_NS);
        let mut run = std::mem::take(&mut self.0);
        run.retain(|closed| ended.since_ns(closed.at) <= last_ns);
        run
    }

    pub(crate) fn footprint(&self) -> usize {
        self.0.capacity() * size_of::<LateClose>()
    }
}

impl Facts {
    /// These facts as they were before the process closed what it did in its last moments; `None` if that was nothing.
    pub(crate) fn before_the_end(&self) -> Option<Facts> {
        if self.closed_at_end.is_empty() {
            return None;
        }
        let ended = self.ended?;
        let mut facts = self.clone();
        for closed in std::mem::take(&mut facts.closed_at_end) {
            facts.released = facts.released.saturating_sub(1);
            facts.bins.take_back_fall(closed.at);
            facts.ages.take_back(closed.at.since_ns(closed.was.born));
            if let Some(closer) = closed.closer
                && let Some(count) = facts.closers.get_mut(&closer)
            {
                *count = count.saturating_sub(1);
                *facts.closers.entry(CloserKey { how: AT_ITS_END, ..closer }).or_default() += 1;
            }
            let before_ns = ended.since_ns(closed.at);
            facts.closed_before_end_ns = facts.closed_before_end_ns.max(Some(before_ns));
            facts.survivors.push(closed.was);
        }
        facts.closers.retain(|_, count| *count > 0);
        facts.survivors.sort_by_key(|row| (row.born, row.fd, row.tid));
        Some(facts)
    }
}
