//! Inventories by the task_file iterator: one pass in the kernel gives every descriptor with its link's text, what stat(2)
//! and fdinfo say of it, and both ends of a socket. It costs a fifteenth of the walk through /proc for each, and as much as
//! 500 rows of it once, for loading, so it is for processes with many.
//!
//! Everything else comes from that walk, which is handed the rows: who the process is, rows that are no descriptors, and
//! what only fdinfo tells of a kind.

mod entry;
mod pass;
mod rows;
pub(crate) mod socket;
pub mod wire;

use std::io;
use std::os::fd::AsFd;

use fdscope_model::port::Lead;
use fdscope_model::{Entry, FdNumber, Inventories, Inventory, Pid, Socket};
use fdscope_proc::{InventorySource, ProcError, ProcRoot, Wanted};
use fdscope_sys::bpf::{link_task_iterator, open_iterator};

use crate::error::BpfError;
use crate::iterator::InventoryIterator;
use crate::support::Support;
use rows::Rows;

/// From how many descriptors on, of all processes to be read together, the iterator is clearly cheaper than the walk: of one
/// process with 19,000 the walk took 298 ms of the processor's time, the iterator 33 ms, of which loading was 6 ms.
pub const WORTH_DESCRIPTORS: u64 = 2_000;

/// Rows for which room is made before they come.
const MOST_AT_ONCE: usize = 1 << 20;

/// Whether to read inventories by the iterator: `counts` are the descriptors of each process, as far as that can be told
/// cheaply (`ProcRoot::count_descriptors`). No more of them are asked for than the answer needs.
pub fn is_worth_loading(mut counts: impl Iterator<Item = u64>) -> bool {
    let mut sum = 0;
    counts.any(|count| {
        sum += count;
        sum >= WORTH_DESCRIPTORS
    }) && Support::probe() == Support::Likely
}

/// Reads inventories by BPF.
pub struct BpfInventories {
    root: ProcRoot,
    walk: InventorySource,
    iterator: InventoryIterator,
    /// What reading returns, kept from one process to the next.
    buffer: Vec<u8>,
}

impl BpfInventories {
    /// Loads the iterator.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn open(root: ProcRoot, wanted: Wanted) -> Result<Self, BpfError> {
        let iterator = InventoryIterator::new()?;
        let walk = InventorySource::new(root.clone(), wanted);
        Ok(BpfInventories { root, walk, iterator, buffer: Vec::new() })
    }

    /// The rows of a process's descriptors.
    fn descriptors(&mut self, pid: Pid) -> io::Result<Vec<Entry>> {
        let link = link_task_iterator(self.iterator.program(), pid)?;
        let iterator = open_iterator(link.as_fd())?;
        let wants_sockets = self.walk.wanted().sockets;
        let count = self.root.count_descriptors(pid).unwrap_or(0);
        let mut entries = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(MOST_AT_ONCE));
        let mut table = None;
        let mut rows = Rows::new(iterator, &mut self.buffer);
        rows.each(&mut |record| {
            // Threads of a process whose leader has ended share one table as a rule; a second one is not under
            // /proc/PID/fd either.
            if *table.get_or_insert(record.row.tid) == record.row.tid {
                entries.push(record.entry(pid, wants_sockets));
            }
        })?;
        Ok(entries)
    }
}

impl Inventories for BpfInventories {
    type Error = ProcError;

    /// A process that cannot be read by the iterator is read by the walk.
    fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        if !self.walk.wanted().descriptors {
            return self.walk.read(pid);
        }
        match self.descriptors(pid) {
            // There are kernels that keep some processes from BPF: no row is less than the table has.
            Ok(entries) if !entries.is_empty() => self.walk.read_around(pid, entries),
            _ => self.walk.read(pid),
        }
    }

    fn read_each(&mut self, pids: &[Pid], sink: &mut dyn FnMut(Pid, Result<Inventory, ProcError>)) {
        if self.walk.wanted().descriptors && self.is_for_one_pass(pids) {
            return self.read_in_one_pass(pids, sink);
        }
        for &pid in pids {
            sink(pid, self.read(pid));
        }
    }

    fn narrow(&mut self, pids: &mut Vec<Pid>, matches: &mut dyn FnMut(&Socket) -> bool) {
        if let Some(holders) = self.holders(pids, matches) {
            *pids = holders;
        }
    }

    fn leads(&mut self, pids: &[Pid], sink: &mut dyn FnMut(Pid, FdNumber, Lead)) -> Vec<Pid> {
        let Some(found) = self.every_lead() else { return pids.to_vec() };
        for &(pid, fd, lead) in &found.leads {
            sink(pid, fd, lead);
        }
        pids.iter().copied().filter(|pid| !found.tables.contains_key(pid)).collect()
    }
}
