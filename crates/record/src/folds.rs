//! Passing descriptors, counted by where they were made and closed.

use fdscope_model::hash::FastMap;
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, Folded, HandleKey, HandleKind, Pid, Release, ReleaseCause,
    StackId, TableId, Trace,
};

use crate::owned::owned_trace;
use crate::record::Record;

/// So many places are told apart between two tellings; more are told earlier.
const MOST: usize = 16_384;

/// A place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Place {
    pid: Pid,
    table: TableId,
    kind: HandleKind,
    cause: AcquireCause,
    birth: Taken,
    release: ReleaseCause,
    death: Taken,
}

/// A stack as far as a recording keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Taken {
    None,
    Skipped,
    Known(StackId),
}

impl Taken {
    fn of(trace: &Trace<'_>) -> Taken {
        match owned_trace(trace) {
            Trace::Known(stack) => Taken::Known(stack),
            Trace::Skipped => Taken::Skipped,
            _ => Taken::None,
        }
    }
}

/// What was counted and not told yet.
#[derive(Debug, Default)]
pub(crate) struct Folds(FastMap<Place, Folded>);

impl Folds {
    /// Counts a descriptor by its birth and its death.
    pub(crate) fn count(&mut self, birth: &Record<'_>, death: &Record<'_>) {
        let (Record::Event(birth), Record::Event(death)) = (birth, death) else { return };
        let Event { at: born, body: Body::Acquire(acquire), .. } = birth else { return };
        let Event { at: died, body: Body::Release(release), .. } = death else { return };
        let Acquire { key: HandleKey::Descriptor(table, _), kind, cause, .. } = *acquire else {
            return;
        };
        let Release { cause: how, .. } = *release;
        let place = Place {
            pid: birth.pid,
            table,
            kind,
            cause,
            birth: Taken::of(&acquire.trace),
            release: how,
            death: Taken::of(&release.trace),
        };
        let folded = self.0.entry(place).or_insert_with(|| Folded {
            from: *born,
            born: *born,
            to: *died,
            pid: birth.pid,
            table,
            kind,
            cause,
            birth: owned_trace(&acquire.trace),
            release: how,
            death: owned_trace(&release.trace),
            lived: Vec::new(),
            longest_ns: 0,
        });
        folded.from = folded.from.min(*born);
        folded.born = folded.born.max(*born);
        folded.to = folded.to.max(*died);
        folded.live(died.since_ns(*born));
    }

    /// True if it is time to tell.
    pub(crate) fn are_many(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Tells of one process, and forgets what was told.
    pub(crate) fn take_of(&mut self, pid: Pid) -> Vec<Record<'static>> {
        let mut taken: Vec<(Place, Folded)> =
            self.0.extract_if(|place, _| place.pid == pid).collect();
        in_order(&mut taken)
    }

    /// Tells all.
    pub(crate) fn take(&mut self) -> Vec<Record<'static>> {
        let mut taken: Vec<(Place, Folded)> = self.0.drain().collect();
        in_order(&mut taken)
    }
}

/// In an order that does not depend on the map's.
fn in_order(taken: &mut Vec<(Place, Folded)>) -> Vec<Record<'static>> {
    let stack = |taken: Taken| match taken {
        Taken::None => 0,
        Taken::Skipped => 1,
        Taken::Known(stack) => u64::from(stack.0) + 2,
    };
    taken.sort_by_key(|(place, folded)| {
        (place.pid, place.table, folded.from, stack(place.birth), stack(place.death))
    });
    taken.drain(..).map(|(_, folded)| Record::Folded(folded)).collect()
}
