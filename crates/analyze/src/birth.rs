//! Births: an acquire becomes an entry and a count in its group. An acquire over a living handle is the news of that
//! handle's death.

use fdscope_model::event::{Acquire, AcquireCause, Event};
use fdscope_model::{HandleKey, HandleKind, Monotonic, Name, Trace};

use crate::death::Death;
use crate::entry::{Description, Entry, Origin};
use crate::group::{CloserKey, GroupKey, Source};
use crate::ledger::Ledger;
use crate::place::Place;

/// How much later than the comparison that found its handle a birth's own event may be: a call can be held up between
/// making the descriptor and being traced.
const LATE_NS: u64 = 1_000_000_000;

/// What an acquire means for the handle that stands at its key.
enum Standing {
    /// It is the same handle, told again.
    Same,
    /// It is the same handle, whose birth the comparison with the kernel found before the event came.
    Found,
    /// It is gone, and the acquire is the first to say so.
    Gone,
}

impl Ledger {
    pub(crate) fn acquire(&mut self, event: &Event<'_>, acquire: &Acquire<'_>) {
        let place = self.place(event.pid, acquire.key);
        self.touch(place, event.at);
        let mut displaces = false;
        if let Some(old) = self.entry(place) {
            match standing(&old, acquire, event.at) {
                Standing::Same => return self.learn_again(place, acquire),
                Standing::Found => self.unfind(place, &old),
                Standing::Gone => displaces = self.displace(place, &old, event, acquire),
            }
        }
        if acquire.trace == Trace::Skipped {
            self.stacks_skipped += 1;
        }
        let mut entry = self.newborn(place, event, acquire);
        entry.set_displacer(displaces);
        entry.group = self.group_of_birth(place, &entry, acquire);
        self.enter(place, entry, call_of(acquire.cause));
    }

    fn newborn(&mut self, place: Place, event: &Event<'_>, acquire: &Acquire<'_>) -> Entry {
        let description = match (acquire.file, acquire.cause) {
            (Some(file), _) => Description::Known(file),
            (None, AcquireCause::Dup(_, from)) => self.description_at(place, from),
            (None, _) => self.deduce(),
        };
        let mut entry = Entry::new(event.at, description, acquire.cause.into());
        entry.kind = acquire.kind;
        if let (HandleKind::UnknownDescriptor, AcquireCause::Dup(_, from)) =
            (acquire.kind, acquire.cause)
        {
            let original = self.sibling(place, from);
            entry.kind = original.map_or(acquire.kind, |original| original.kind);
        }
        entry.tid = event.tid;
        entry.set_inode(acquire.inode);
        entry.set_cloexec(acquire.cloexec);
        if let Trace::Known(stack) = acquire.trace {
            entry.set_stack(Some(stack));
        }
        entry
    }

    /// A number for a description that the source cannot tell.
    pub(crate) fn deduce(&mut self) -> Description {
        self.deduced += 1;
        Description::Deduced(self.deduced)
    }

    fn sibling(&self, place: Place, fd: fdscope_model::FdNumber) -> Option<Entry> {
        let table = self.tables.get(place.slot?);
        self.entry(Place { key: HandleKey::Descriptor(table.id, fd), ..place })
    }

    fn description_at(&mut self, place: Place, from: fdscope_model::FdNumber) -> Description {
        match self.sibling(place, from) {
            Some(original) => original.description,
            None => self.deduce(),
        }
    }

    fn group_of_birth(&mut self, place: Place, entry: &Entry, acquire: &Acquire<'_>) -> u32 {
        let source = match (acquire.trace, &acquire.name) {
            _ if entry.origin == Origin::Inherited => Source::Inherited,
            (Trace::Known(stack), _) => Source::Stack(stack),
            (Trace::Skipped, _) => Source::Skipped,
            (_, Some(name)) => Source::Pattern(self.pattern(entry.kind, name)),
            _ => Source::Unseen,
        };
        self.groups.find_or_make(GroupKey { pid: place.owner, kind: entry.kind, source })
    }

    pub(crate) fn pattern(&mut self, kind: HandleKind, name: &Name) -> u32 {
        self.patterns.intern((self.options.pattern)(kind, name))
    }

    /// Writes an entry in and counts it.
    pub(crate) fn enter(&mut self, place: Place, entry: Entry, call: &'static str) {
        let is_descriptor = place.slot.is_some();
        let watched = self.watched(place.owner);
        match entry.origin {
            Origin::Existing if is_descriptor => {
                watched.at_start += 1;
                watched.curve.existed(1);
            }
            Origin::Inherited if is_descriptor => {
                watched.at_start += 1;
                watched.curve.rise(entry.born, 1);
            }
            Origin::Seen | Origin::Found if is_descriptor => {
                watched.acquired += 1;
                watched.closing.opened();
                watched.found += u64::from(entry.origin == Origin::Found);
                watched.curve.rise(entry.born, 1);
            }
            _ => {}
        }
        self.count_birth(&entry, call);
        self.put(place, entry);
    }

    fn count_birth(&mut self, entry: &Entry, call: &'static str) {
        let Some(group) = self.groups.get_mut(entry.group) else { return };
        match entry.origin {
            Origin::Existing => {
                group.existing += 1;
                group.bins.existed(1);
            }
            Origin::Inherited => {
                group.existing += 1;
                group.bins.rise(entry.born, 1);
            }
            Origin::Seen | Origin::Found => {
                group.acquired += 1;
                group.live += 1;
                group.found += u64::from(entry.origin == Origin::Found);
                group.last_birth = entry.born;
                group.bins.rise(entry.born, 1);
            }
        }
        if group.call.is_empty() {
            group.call = call;
        }
    }

    fn learn_again(&mut self, place: Place, acquire: &Acquire<'_>) {
        if let Some(entry) = self.entry_mut(place) {
            entry.learn(acquire.file, acquire.inode, acquire.kind);
            entry.set_cloexec(acquire.cloexec);
        }
    }

    /// Takes back a birth that was counted as found: its own event came after all.
    fn unfind(&mut self, place: Place, old: &Entry) {
        self.take(place);
        let watched = self.watched(place.owner);
        watched.found = watched.found.saturating_sub(1);
        watched.acquired = watched.acquired.saturating_sub(1);
        watched.curve.fall(old.born, 1);
        if let Some(group) = self.groups.get_mut(old.group) {
            group.found = group.found.saturating_sub(1);
            group.acquired = group.acquired.saturating_sub(1);
            group.live = group.live.saturating_sub(1);
            group.bins.fall(old.born, 1);
        }
    }

    /// The handle at `place` is gone, and this acquire is the first to say so. True if its closer is still to be heard.
    fn displace(
        &mut self,
        place: Place,
        old: &Entry,
        event: &Event<'_>,
        acquire: &Acquire<'_>,
    ) -> bool {
        let over = matches!(acquire.cause, AcquireCause::Dup("dup2" | "dup3", _));
        let closer = match (old.pending_close(), over) {
            (Some(stack), _) => CloserKey { how: "close", stack },
            (None, true) => CloserKey { how: call_of(acquire.cause), stack: known(&acquire.trace) },
            (None, false) => CloserKey { how: "close not seen", stack: None },
        };
        let unheard = old.pending_close().is_none() && !over;
        let waits = unheard
            && match (place.slot, place.key.fd()) {
                (Some(slot), Some(fd)) => self.tables.get_mut(slot).await_closer(fd, old.group),
                _ => false,
            };
        let closer = (!waits).then_some(closer);
        self.bury(place, old, Death { at: event.at, closer });
        self.take(place);
        waits
    }

    /// Moves a handle without a stack to the group of the name it turned out to have.
    pub(crate) fn regroup(&mut self, place: Place, entry: Entry, name: &Name) {
        let Some(group) = self.groups.get(entry.group) else { return };
        if group.key.source != Source::Unseen {
            return;
        }
        let source = Source::Pattern(self.pattern(entry.kind, name));
        if let Some(group) = self.groups.get_mut(entry.group) {
            match entry.origin {
                Origin::Seen | Origin::Found => {
                    group.acquired = group.acquired.saturating_sub(1);
                    group.live = group.live.saturating_sub(1);
                    group.found -= u64::from(entry.origin == Origin::Found).min(group.found);
                }
                Origin::Existing | Origin::Inherited => {
                    group.existing = group.existing.saturating_sub(1);
                }
            }
            group.bins.fall(entry.born, 1);
        }
        let key = GroupKey { pid: place.owner, kind: entry.kind, source };
        let mut moved = entry;
        moved.group = self.groups.find_or_make(key);
        self.count_birth(&moved, "");
        self.put(place, moved);
    }
}

fn standing(old: &Entry, acquire: &Acquire<'_>, at: Monotonic) -> Standing {
    let agrees = old.agrees_with(acquire.file, acquire.inode);
    match acquire.cause {
        AcquireCause::Dup(_, from) if Some(from) == acquire.key.fd() => Standing::Same,
        AcquireCause::Existing | AcquireCause::Found | AcquireCause::Inherited
            if agrees || old.born >= at =>
        {
            Standing::Same
        }
        _ if old.origin == Origin::Found
            && agrees
            && old.pending_close().is_none()
            && at.0 <= old.born.0.saturating_add(LATE_NS) =>
        {
            Standing::Found
        }
        _ => Standing::Gone,
    }
}

/// The name of the call by which a handle came to be; empty if none was seen.
pub(crate) fn call_of(cause: AcquireCause) -> &'static str {
    match cause {
        AcquireCause::Call(name) | AcquireCause::Dup(name, _) | AcquireCause::Ring(name) => name,
        AcquireCause::Existing | AcquireCause::Inherited | AcquireCause::Found => "",
    }
}

/// The stack, if it is known.
pub(crate) fn known(trace: &Trace<'_>) -> Option<fdscope_model::StackId> {
    match *trace {
        Trace::Known(stack) => Some(stack),
        _ => None,
    }
}
