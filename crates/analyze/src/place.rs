//! Where entries are kept: descriptors in their table, everything else with its process; and how a process comes to have
//! a table.

use fdscope_model::event::{AcquireCause, Body, Event};
use fdscope_model::{HandleKey, Pid, TableId};

use crate::entry::Entry;
use crate::ledger::Ledger;
use crate::table::Table;
use crate::watched::Watched;

/// Where a handle's entry is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The process it is reported under.
    pub(crate) owner: Pid,
    /// The slot of its table, if it is a descriptor.
    pub(crate) slot: Option<usize>,
    pub(crate) key: HandleKey,
}

/// The table number given to a process whose table nobody named; no source uses numbers so high.
pub(crate) fn unnamed_table(pid: Pid) -> TableId {
    TableId(u64::MAX - u64::from(pid.0))
}

impl Ledger {
    pub(crate) fn watched(&mut self, pid: Pid) -> &mut Watched {
        let (last, origin) = (self.last, self.begun);
        let begun = if self.started { last } else { origin };
        self.processes.entry(pid).or_insert_with(|| Watched::new(pid, begun, origin))
    }

    /// Where the entry of `key` is, making the process and the table known on the way.
    pub(crate) fn place(&mut self, pid: Pid, key: HandleKey) -> Place {
        let HandleKey::Descriptor(id, _) = key else {
            self.watched(pid);
            return Place { owner: pid, slot: None, key };
        };
        let slot = match self.latest {
            Some((latest_pid, latest_id, slot)) if (latest_pid, latest_id) == (pid, id) => slot,
            _ => self.bind(pid, id),
        };
        self.latest = Some((pid, id, slot));
        Place { owner: self.tables.get(slot).owner(), slot: Some(slot), key }
    }

    /// The slot of the table `id`, bound to `pid`: made, or renamed from the table the process had without a name.
    pub(crate) fn bind(&mut self, pid: Pid, id: TableId) -> usize {
        self.watched(pid);
        if let Some(slot) = self.tables.find(id) {
            let table = self.tables.get_mut(slot);
            if !table.pids.contains(&pid) {
                table.pids.push(pid);
            }
            return slot;
        }
        if let Some(slot) = self.tables.find(unnamed_table(pid)) {
            self.tables.rename(slot, id);
            return slot;
        }
        self.tables.insert(Table::new(id, pid))
    }

    pub(crate) fn has_ended(&self, pid: Pid) -> bool {
        self.ended > 0 && self.processes.get(&pid).is_some_and(|watched| watched.ended.is_some())
    }

    /// True for what comes after the end of its process, out of order: the kernel has closed everything already. A
    /// handle that exists in a process of that number is of a new process.
    pub(crate) fn is_posthumous(&mut self, event: &Event<'_>) -> bool {
        if !self.has_ended(event.pid) {
            return false;
        }
        let reborn = matches!(&event.body, Body::Acquire(a) if a.cause == AcquireCause::Existing);
        if reborn {
            self.forget(event.pid);
        }
        !reborn
    }

    /// Forgets which table was used last: before any table is removed or changes hands.
    pub(crate) fn forget_latest(&mut self) {
        self.latest = None;
    }

    pub(crate) fn entry(&self, place: Place) -> Option<Entry> {
        match (place.slot, place.key.fd()) {
            (Some(slot), Some(fd)) => self.tables.get(slot).fds.get(&fd.0).copied(),
            _ => self.processes.get(&place.owner)?.others.get(&place.key).copied(),
        }
    }

    pub(crate) fn entry_mut(&mut self, place: Place) -> Option<&mut Entry> {
        match (place.slot, place.key.fd()) {
            (Some(slot), Some(fd)) => self.tables.get_mut(slot).fds.get_mut(&fd.0),
            _ => self.processes.get_mut(&place.owner)?.others.get_mut(&place.key),
        }
    }

    pub(crate) fn put(&mut self, place: Place, entry: Entry) {
        match (place.slot, place.key.fd()) {
            (Some(slot), Some(fd)) => {
                self.tables.get_mut(slot).fds.insert(fd.0, entry);
            }
            _ => {
                self.watched(place.owner).others.insert(place.key, entry);
            }
        }
    }

    pub(crate) fn take(&mut self, place: Place) -> Option<Entry> {
        match (place.slot, place.key.fd()) {
            (Some(slot), Some(fd)) => self.tables.get_mut(slot).fds.remove(&fd.0),
            _ => self.processes.get_mut(&place.owner)?.others.remove(&place.key),
        }
    }
}
