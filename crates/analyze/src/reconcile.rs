//! Comparison with the kernel's own table, the authority: what the events missed is found, vanished or replaced.
//!
//! The source is asynchronous, so a comparison takes three steps: `begin_reconcile` at a moment, after which every key
//! that an event touches counts as unsettled; the caller takes a snapshot and drains the source past its end; then
//! `finish_reconcile` holds the rest of the ledger against the snapshot. At a quiet moment nothing is unsettled, and the
//! ledger equals the kernel's table.

use std::collections::BTreeMap;

use fdscope_model::event::ReleaseCause;
use fdscope_model::{Association, FdNumber, Handle, HandleKey, Monotonic, Pid, Snapshot};

use crate::death::{Death, word};
use crate::entry::{Description, Entry, Origin};
use crate::group::{CloserKey, GroupKey, Source};
use crate::hash::FastSet;
use crate::ledger::Ledger;
use crate::place::{Place, unnamed_table};

/// `O_CLOEXEC`, the same on every Linux processor that fdscope knows (include/uapi/asm-generic/fcntl.h).
const O_CLOEXEC: u32 = 0o2_000_000;

/// What events touched since a comparison began.
#[derive(Debug)]
pub(crate) struct Touched {
    from: Monotonic,
    fds: FastSet<u32>,
    /// Everything, after an exec or unshare.
    all: bool,
}

/// The outcome of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reconciled {
    /// Descriptors compared.
    pub compared: u64,
    /// In the kernel's table but not in the ledger: inserted, birth not seen.
    pub found: u64,
    /// In the ledger but not in the kernel's table: released, death not seen.
    pub vanished: u64,
    /// In both, but another description or inode: both of the above.
    pub replaced: u64,
    /// Touched by events meanwhile: not compared this time.
    pub unsettled: u64,
}

impl Reconciled {
    /// True if the ledger needed no correction.
    pub fn agreed(&self) -> bool {
        self.found + self.vanished + self.replaced == 0
    }
}

impl Ledger {
    /// Begins a comparison: from now on, what events of `at` or later touch is unsettled. Take the snapshot next.
    pub fn begin_reconcile(&mut self, pid: Pid, at: Monotonic) {
        let touched = Touched { from: at, fds: FastSet::default(), all: false };
        if self.watched(pid).touched.replace(touched).is_none() {
            self.reconciling += 1;
        }
    }

    /// Ends a comparison, once the source is drained past the snapshot's end. Without a beginning, all is settled.
    pub fn finish_reconcile(&mut self, snapshot: &Snapshot) -> Reconciled {
        self.reach(snapshot.ended);
        let pid = snapshot.pid;
        let touched = self.processes.get_mut(&pid).and_then(|watched| watched.touched.take());
        self.reconciling -= usize::from(touched.is_some());
        if touched.as_ref().is_some_and(|touched| touched.all) || self.has_ended(pid) {
            // The snapshot may show a table that the process no longer has.
            let unsettled = snapshot.handles.len() as u64;
            return Reconciled { unsettled, ..Reconciled::default() };
        }
        let slot = self.table_of(snapshot);
        let first_look = self.tables.get(slot).fds.is_empty()
            && self.processes.get(&pid).is_none_or(|w| w.acquired + w.at_start == 0);
        let mut outcome = Reconciled::default();
        let mut rows: BTreeMap<u32, (Option<&Handle>, Option<Entry>)> = BTreeMap::new();
        for handle in &snapshot.handles {
            if let Association::Fd(fd) = handle.via {
                rows.entry(fd.0).or_default().0 = Some(handle);
            }
        }
        for (&fd, entry) in &self.tables.get(slot).fds {
            rows.entry(fd).or_default().1 = Some(*entry);
        }
        for (fd, (handle, entry)) in rows {
            if touched.as_ref().is_some_and(|t| t.fds.contains(&fd)) {
                outcome.unsettled += 1;
                continue;
            }
            outcome.compared += 1;
            let row = Row { pid, slot, fd: FdNumber(fd), at: snapshot.ended, first_look };
            self.settle(row, handle, entry, &mut outcome);
        }
        let watched = self.watched(pid);
        watched.agrees = Some(outcome.agreed() || first_look);
        watched.vanished += outcome.vanished + outcome.replaced;
        outcome
    }

    /// The slot of the table that a snapshot shows. Where the events missed that a process changed its table, the one
    /// it had becomes the one it has.
    fn table_of(&mut self, snapshot: &Snapshot) -> usize {
        self.forget_latest();
        let pid = snapshot.pid;
        let used = self.tables.of(pid);
        let Some(id) = snapshot.table else {
            return used.last().copied().unwrap_or_else(|| self.bind(pid, unnamed_table(pid)));
        };
        if self.tables.find(id).is_none()
            && let [only] = used[..]
            && self.tables.get(only).pids.len() == 1
        {
            self.tables.rename(only, id);
        }
        self.bind(pid, id)
    }

    fn settle(
        &mut self,
        row: Row,
        handle: Option<&Handle>,
        entry: Option<Entry>,
        outcome: &mut Reconciled,
    ) {
        let place = row.place(self);
        match (handle, entry) {
            (Some(handle), Some(entry)) if entry.agrees_with(handle.file, handle.inode) => {
                self.confirm(place, row, entry, handle);
            }
            (Some(handle), Some(entry)) => {
                outcome.replaced += 1;
                self.vanish(place, &entry, row.at);
                self.find(place, row, handle);
            }
            (Some(handle), None) => {
                outcome.found += 1;
                self.find(place, row, handle);
            }
            (None, Some(entry)) => {
                outcome.vanished += 1;
                self.vanish(place, &entry, row.at);
            }
            (None, None) => {}
        }
    }

    fn confirm(&mut self, place: Place, row: Row, mut entry: Entry, handle: &Handle) {
        if entry.crossed_exec() {
            self.note_inherited(row.pid, row.fd, &entry);
            entry.set_crossed_exec(false);
        }
        entry.learn(handle.file, handle.inode, handle.kind);
        entry.set_cloexec(handle.flags.map(|flags| flags & O_CLOEXEC != 0));
        self.put(place, entry);
        if !handle.name.is_empty() {
            self.regroup(place, entry, &handle.name);
        }
    }

    fn vanish(&mut self, place: Place, entry: &Entry, at: Monotonic) {
        let closer = CloserKey { how: word(ReleaseCause::Vanished), stack: None };
        self.bury(place, entry, Death { at, closer: Some(closer) });
        self.take(place);
    }

    fn find(&mut self, place: Place, row: Row, handle: &Handle) {
        let description = match handle.file {
            Some(file) => Description::Known(file),
            None => self.deduce(),
        };
        let origin = if row.first_look { Origin::Existing } else { Origin::Found };
        let mut entry = Entry::new(row.at, description, origin);
        entry.kind = handle.kind;
        entry.set_inode(handle.inode);
        entry.set_cloexec(handle.flags.map(|flags| flags & O_CLOEXEC != 0));
        let source = match handle.name.is_empty() {
            true => Source::Unseen,
            false => Source::Pattern(self.pattern(handle.kind, &handle.name)),
        };
        let key = GroupKey { pid: place.owner, kind: handle.kind, source };
        entry.group = self.groups.find_or_make(key);
        self.enter(place, entry, "");
    }

    /// Notes that an event touched a key, if a comparison is under way.
    pub(crate) fn touch(&mut self, place: Place, at: Monotonic) {
        if self.reconciling == 0 {
            return;
        }
        let (Some(slot), Some(fd)) = (place.slot, place.key.fd()) else { return };
        for pid in self.tables.get(slot).pids.clone() {
            if let Some(touched) = self.processes.get_mut(&pid).and_then(|w| w.touched.as_mut())
                && at >= touched.from
            {
                touched.fds.insert(fd.0);
            }
        }
    }

    /// Notes that an event changed a whole table.
    pub(crate) fn unsettle(&mut self, pid: Pid, at: Monotonic) {
        if let Some(touched) = self.processes.get_mut(&pid).and_then(|w| w.touched.as_mut())
            && at >= touched.from
        {
            touched.all = true;
        }
    }
}

/// One descriptor number under comparison.
#[derive(Clone, Copy)]
struct Row {
    pid: Pid,
    slot: usize,
    fd: FdNumber,
    at: Monotonic,
    first_look: bool,
}

impl Row {
    fn place(self, ledger: &Ledger) -> Place {
        let table = ledger.tables.get(self.slot);
        let key = HandleKey::Descriptor(table.id, self.fd);
        Place { owner: table.owner(), slot: Some(self.slot), key }
    }
}
