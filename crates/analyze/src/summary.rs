//! The numbers of the live line: cheap enough to ask for several times a second.

use fdscope_model::{HandleKind, Monotonic, Name, Pid, StackId};

use crate::group::{Group, Source};
use crate::ledger::Ledger;

/// How the watch stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// Seconds watched.
    pub watched_s: f64,
    /// Descriptors open in the living processes.
    pub open: u64,
    /// Descriptors acquired while watched.
    pub acquired: u64,
    /// Descriptors released while watched.
    pub released: u64,
    /// Events folded.
    pub events: u64,
    /// Events lost.
    pub lost: u64,
    /// The group that grew most so far, if any did.
    pub worst: Option<Growing>,
}

/// A group that grows.
#[derive(Clone, PartialEq, Debug)]
pub struct Growing {
    /// In which process.
    pub pid: Pid,
    /// What.
    pub kind: HandleKind,
    /// The birth stack, if one was seen.
    pub stack: Option<StackId>,
    /// What the names share, where no stack was seen.
    pub pattern: Option<Name>,
    /// Born while watched and still alive.
    pub live: u64,
    /// Growth since half the watch ago, per second.
    pub per_s: f64,
}

impl Ledger {
    /// How the watch stands at `now`.
    pub fn summary(&self, now: Monotonic) -> Summary {
        let watched_s = now.since_ns(self.begun) as f64 / 1e9;
        let totals = self.processes.values();
        Summary {
            watched_s,
            open: self.tables.iter().map(|table| table.fds.len() as u64).sum(),
            acquired: totals.clone().map(|watched| watched.acquired).sum(),
            released: totals.map(|watched| watched.released).sum(),
            events: self.events,
            lost: self.lost,
            worst: self.worst(now),
        }
    }

    fn worst(&self, now: Monotonic) -> Option<Growing> {
        let rated = self
            .groups
            .iter()
            .filter(|(_, group)| group.live > 0 && group.ended.is_none())
            .map(|(number, group)| (recent_growth(group, now), number));
        let (grown, number) =
            rated.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).filter(|r| r.0 > 0.0)?;
        let group = self.groups.get(number)?;
        let pattern = match group.key.source {
            Source::Pattern(pattern) => Some(self.patterns.name(pattern)),
            _ => None,
        };
        let stack = match group.key.source {
            Source::Stack(stack) => Some(stack),
            _ => None,
        };
        let (pid, kind) = (group.key.pid, group.key.kind);
        Some(Growing { pid, kind, stack, pattern, live: u64::from(group.live), per_s: grown })
    }
}

/// Growth per second over the later half of the watch, by the lows of its bins: what is in flight does not count.
fn recent_growth(group: &Group, now: Monotonic) -> f64 {
    let bins = group.bins.until(now);
    let bins = bins.bins();
    let half = bins.len() / 2;
    let (Some(then), Some(last)) = (bins.get(half), bins.last()) else { return 0.0 };
    let grown = f64::from(last.low) - f64::from(if half == 0 { 0 } else { then.low });
    let width_s = (group.bins.end_of(1).0 - group.bins.end_of(0).0) as f64 / 1e9;
    grown / ((bins.len() - half) as f64 * width_s)
}
