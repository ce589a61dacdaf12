//! Descriptor tables as the kernel has them (`struct files_struct`): who shares them, what lives in them, and who
//! closed a number last.

use fdscope_model::{FdNumber, Monotonic, Pid, StackId, TableId};

use crate::entry::Entry;
use crate::hash::FastMap;

/// Numbers below this remember their last closer: 16 bytes each, and a double close is nearly always of a low number.
const REMEMBERED: u32 = 4096;

/// The most displaced handles a table waits to hear the closer of.
const MOST_DISPLACED: usize = 1024;

/// The last close of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    pub(crate) at: Monotonic,
    pub(crate) stack: Option<StackId>,
}

/// A descriptor table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: TableId,
    /// The processes that use it; the first is the one its handles are reported under.
    pub(crate) pids: Vec<Pid>,
    pub(crate) fds: FastMap<u32, Entry>,
    /// By descriptor number.
    closed: Vec<Option<Closed>>,
    /// Groups of handles that were replaced before their close was reported, by number.
    displaced: FastMap<u32, u32>,
}

impl Table {
    pub(crate) fn new(id: TableId, pid: Pid) -> Self {
        Table {
            id,
            pids: vec![pid],
            fds: FastMap::default(),
            closed: Vec::new(),
            displaced: FastMap::default(),
        }
    }

    /// The process whose handles these are in reports.
    pub(crate) fn owner(&self) -> Pid {
        self.pids.first().copied().unwrap_or_default()
    }

    pub(crate) fn remember_close(&mut self, fd: FdNumber, closed: Closed) {
        if fd.0 >= REMEMBERED {
            return;
        }
        let index = fd.0 as usize;
        if index >= self.closed.len() {
            self.closed.resize(index + 1, None);
        }
        self.closed[index] = Some(closed);
    }

    pub(crate) fn last_close(&self, fd: FdNumber) -> Option<Closed> {
        self.closed.get(fd.0 as usize).copied().flatten()
    }

    pub(crate) fn await_closer(&mut self, fd: FdNumber, group: u32) -> bool {
        let room = self.displaced.len() < MOST_DISPLACED;
        if room {
            self.displaced.insert(fd.0, group);
        }
        room
    }

    /// The group that waits to hear who closed its handle at this number.
    pub(crate) fn awaiting(&mut self, fd: FdNumber) -> Option<u32> {
        self.displaced.remove(&fd.0)
    }

    /// Descriptor numbers in use, least first.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.fds.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn footprint(&self) -> usize {
        // hashbrown: one slot and one control byte a bucket, buckets a power of two at most 7/8 full.
        let buckets = (self.fds.capacity() * 8 / 7).next_power_of_two();
        buckets * (size_of::<(u32, Entry)>() + 1)
            + self.closed.capacity() * size_of::<Option<Closed>>()
            + self.displaced.capacity() * size_of::<(u32, u32)>()
            + self.pids.capacity() * size_of::<Pid>()
    }
}

/// Every table, in slots that stay while the table lives.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    slots: Vec<Option<Table>>,
    by_id: FastMap<TableId, u32>,
}

impl Tables {
    pub(crate) fn find(&self, id: TableId) -> Option<usize> {
        self.by_id.get(&id).map(|&slot| slot as usize)
    }

    pub(crate) fn get(&self, slot: usize) -> &Table {
        self.slots[slot].as_ref().expect("slots are only handed out for tables that live")
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> &mut Table {
        self.slots[slot].as_mut().expect("slots are only handed out for tables that live")
    }

    pub(crate) fn insert(&mut self, table: Table) -> usize {
        let id = table.id;
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(free) => {
                self.slots[free] = Some(table);
                free
            }
            None => {
                self.slots.push(Some(table));
                self.slots.len() - 1
            }
        };
        self.by_id.insert(id, slot as u32);
        slot
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<Table> {
        let table = self.slots[slot].take()?;
        self.by_id.remove(&table.id);
        Some(table)
    }

    /// Gives a table another id; does nothing if that id is taken.
    pub(crate) fn rename(&mut self, slot: usize, id: TableId) {
        if self.by_id.contains_key(&id) {
            return;
        }
        let old = std::mem::replace(&mut self.get_mut(slot).id, id);
        self.by_id.remove(&old);
        self.by_id.insert(id, slot as u32);
    }

    /// Tables that live, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Table> {
        self.slots.iter().flatten()
    }

    /// The slots of the tables that a process uses, first the one it has used longest.
    pub(crate) fn of(&self, pid: Pid) -> Vec<usize> {
        let used = |slot: &Option<Table>| slot.as_ref().is_some_and(|t| t.pids.contains(&pid));
        (0..self.slots.len()).filter(|&index| used(&self.slots[index])).collect()
    }
}
