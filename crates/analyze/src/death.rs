//! Deaths: a release removes an entry and counts in the group of its birth, unless the slot says that the number was
//! taken again before the close was reported (`model::event::Slot`).

use fdscope_model::event::{Event, Release, ReleaseCause, Slot};
use fdscope_model::{HandleKey, Monotonic, StackId};

use crate::birth::known;
use crate::closing::LateClose;
use crate::entry::{Entry, Origin};
use crate::group::CloserKey;
use crate::ledger::Ledger;
use crate::lineage::survivor;
use crate::place::Place;
use crate::table::Closed;

/// A death: when, and by whom if that is known already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) at: Monotonic,
    pub(crate) closer: Option<CloserKey>,
}

impl Ledger {
    pub(crate) fn release(&mut self, event: &Event<'_>, release: &Release<'_>) {
        let place = self.place(event.pid, release.key);
        self.touch(place, event.at);
        let stack = known(&release.trace);
        let closer = CloserKey { how: word(release.cause), stack };
        self.remember_close(place, event.at, stack, release.cause);
        let Some(entry) = self.entry(place) else {
            self.unknown_releases += 1;
            return;
        };
        if let (Slot::Holds(file), Some(held)) = (release.slot, entry.file())
            && file == held
        {
            return self.reused(place, entry, closer);
        }
        self.bury(place, &entry, Death { at: event.at, closer: Some(closer) });
        self.take(place);
    }

    /// The number holds the very description that the ledger has there: either the entry already is the successor, and
    /// this close is the news its predecessor waited for, or the successor got the same address and is still to come.
    fn reused(&mut self, place: Place, entry: Entry, closer: CloserKey) {
        if !entry.is_displacer() {
            if let Some(entry) = self.entry_mut(place) {
                entry.set_pending_close(closer.stack);
            }
            return;
        }
        let waiting = match (place.slot, place.key.fd()) {
            (Some(slot), Some(fd)) => self.tables.get_mut(slot).awaiting(fd),
            _ => None,
        };
        if let Some(entry) = self.entry_mut(place) {
            entry.set_displacer(false);
        }
        if let Some(group) = waiting.and_then(|group| self.groups.get_mut(group)) {
            group.closed_by(closer);
        }
    }

    fn remember_close(
        &mut self,
        place: Place,
        at: Monotonic,
        stack: Option<StackId>,
        cause: ReleaseCause,
    ) {
        let (Some(slot), Some(fd)) = (place.slot, place.key.fd()) else { return };
        if matches!(cause, ReleaseCause::Call(_) | ReleaseCause::Ring(_)) {
            self.tables.get_mut(slot).remember_close(fd, Closed { at, stack });
        }
    }

    /// Counts a death. The entry itself is removed by the caller.
    pub(crate) fn bury(&mut self, place: Place, entry: &Entry, death: Death) {
        let watched = self.watched(place.owner);
        if place.slot.is_some() {
            watched.released += 1;
            watched.curve.fall(death.at, 1);
            if matches!(entry.origin, Origin::Seen | Origin::Found) {
                let (at, closer) = (death.at, death.closer);
                let was = survivor(entry, place.key.fd());
                watched.closing.closed(LateClose { group: entry.group, was, at, closer });
            }
        }
        let dependants = watched.dependants(place.key, entry.kind);
        self.count_death(entry, death);
        for key in dependants {
            self.drop_other(place.owner, key, death);
        }
    }

    pub(crate) fn drop_other(&mut self, pid: fdscope_model::Pid, key: HandleKey, death: Death) {
        let place = Place { owner: pid, slot: None, key };
        if let Some(entry) = self.take(place) {
            self.count_death(&entry, death);
        }
    }

    fn count_death(&mut self, entry: &Entry, death: Death) {
        let Some(group) = self.groups.get_mut(entry.group) else { return };
        group.bins.fall(death.at, 1);
        match entry.origin {
            Origin::Existing | Origin::Inherited => {
                group.existing = group.existing.saturating_sub(1);
                group.existing_died += 1;
                group.existing_died_at = death.at;
            }
            Origin::Seen | Origin::Found => {
                group.live = group.live.saturating_sub(1);
                group.released += 1;
                group.ages.record(death.at.since_ns(entry.born));
                if let Some(closer) = death.closer {
                    group.closed_by(closer);
                }
            }
        }
    }
}

/// The word for a cause of death, as the report prints it.
pub(crate) fn word(cause: ReleaseCause) -> &'static str {
    match cause {
        ReleaseCause::Call(name) | ReleaseCause::Ring(name) => name,
        ReleaseCause::DupOver => "dup2",
        ReleaseCause::Exec => "execve",
        ReleaseCause::Exit => "exit",
        ReleaseCause::Vanished => "found closed",
    }
}
