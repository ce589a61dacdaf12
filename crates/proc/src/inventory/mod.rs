//! Inventories by /proc: what a process holds, row by row, with what each kind of handle tells.
//!
//! Nothing is opened that belongs to the process, and no file system is waited for: the type and size of a file are
//! asked of the inode in memory, and only where the file system is known to answer from there (see `mounts`). Only
//! what [`Wanted`] asks for is read.

mod descriptors;
mod facts;
mod locked;
mod names;
mod places;
mod process;
mod wanted;

use fdscope_model::{Entry, Inventories, Inventory, Pid};

use crate::error::ProcError;
use crate::root::ProcRoot;
use process::Reader;
pub use wanted::Wanted;

/// Reads inventories.
#[derive(Debug)]
pub struct InventorySource {
    reader: Reader,
}

impl InventorySource {
    /// What is read.
    pub fn wanted(&self) -> &Wanted {
        &self.reader.wanted
    }

    /// The inventory of a process whose descriptors are known by other means, by number. What a row lacks of what is
    /// wanted, and only a file under /proc tells, is read; such a row is left out if its descriptor is closed by now.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn read_around(&mut self, pid: Pid, known: Vec<Entry>) -> Result<Inventory, ProcError> {
        self.reader.read(pid, Some(known))
    }

    /// A source that reads what is wanted, and no more.
    pub fn new(root: ProcRoot, wanted: Wanted) -> Self {
        InventorySource { reader: Reader::new(root, wanted) }
    }

    /// What a process holds now. What may not be read is a fault of its row, or of the inventory.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        self.reader.read(pid, None)
    }

    /// Hands the inventory of each process to `sink`, in the order of `pids`, each as soon as those before it are.
    pub fn read_each(
        &mut self,
        pids: &[Pid],
        sink: &mut dyn FnMut(Pid, Result<Inventory, ProcError>),
    ) {
        for &pid in pids {
            sink(pid, self.read(pid));
        }
    }
}

impl Inventories for InventorySource {
    type Error = ProcError;

    fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        InventorySource::read(self, pid)
    }

    fn read_each(&mut self, pids: &[Pid], sink: &mut dyn FnMut(Pid, Result<Inventory, ProcError>)) {
        InventorySource::read_each(self, pids, sink);
    }
}
