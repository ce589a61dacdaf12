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

use fdscope_model::{Inventory, Pid};

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
    /// A source that reads what is wanted, and no more.
    pub fn new(root: ProcRoot, wanted: Wanted) -> Self {
        InventorySource { reader: Reader::new(root, wanted) }
    }

    /// What a process holds now. What may not be read is a fault of its row, or of the inventory.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        self.reader.read(pid)
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
