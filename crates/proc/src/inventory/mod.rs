//! Inventories by /proc: what a process holds, row by row, with what each kind of handle tells.
//!
//! Nothing is opened that belongs to the process, and no file system is waited for: the type and size of a file are
//! asked of the inode in memory, and only where the file system is known to answer from there (see `mounts`). Only
//! what [`Wanted`] asks for is read.
//!
//! Rows come in this order: working directory, root and executable, mappings, namespaces, descriptors by number, and
//! then what is held through descriptors (files in rings, descriptors in flight).

mod descriptors;
mod ends;
mod facts;
mod locked;
mod mappings;
mod names;
mod parallel;
mod places;
mod process;
mod wanted;

use fdscope_model::{Association, Entry, Facts, Inventories, Inventory, Pid};

use crate::error::ProcError;
use crate::net::SocketBook;
use crate::root::ProcRoot;
use ends::Index;
use parallel::in_order;
use process::Reader;
pub use wanted::Wanted;

/// Reads inventories. What is read once for all (sockets, other ends, locks) is a picture of the moment when it was
/// first needed: make a new source to look again.
#[derive(Debug)]
pub struct InventorySource {
    reader: Reader,
    book: Option<SocketBook>,
    ends: Option<Index>,
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
        let mut inventory = self.reader.read(pid, Some(known))?;
        self.complete_ends(&mut inventory);
        Ok(inventory)
    }

    /// A source that reads what is wanted, and no more.
    pub fn new(root: ProcRoot, wanted: Wanted) -> Self {
        let book = wanted.sockets.then(|| SocketBook::new(root.clone()));
        InventorySource { reader: Reader::new(root, wanted), book, ends: None }
    }

    /// What a process holds now. What may not be read is a fault of its row, or of the inventory.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        let mut inventory = self.reader.read(pid, None)?;
        self.complete(&mut inventory);
        Ok(inventory)
    }

    /// Hands the inventory of each process to `sink`, in the order of `pids`, each as soon as those before it are.
    ///
    /// Several threads read; little more than what is being handed over is in memory.
    pub fn read_each(
        &mut self,
        pids: &[Pid],
        sink: &mut dyn FnMut(Pid, Result<Inventory, ProcError>),
    ) {
        if let [pid] = pids {
            return sink(*pid, self.read(*pid));
        }
        let again = self.reader.again();
        let make = || {
            let mut reader = again.again();
            move |pid| reader.read(pid, None)
        };
        let weight = |read: &Result<Inventory, ProcError>| {
            read.as_ref().map_or(0, |inventory| inventory.entries.len())
        };
        in_order(pids, make, weight, &mut |pid, mut read| {
            if let Ok(inventory) = &mut read {
                self.complete(inventory);
            }
            sink(pid, read);
        });
    }

    /// The sockets that became known, for whoever wants those that no descriptor has.
    pub fn sockets(&mut self) -> Option<&mut SocketBook> {
        self.book.as_mut()
    }

    /// Adds what is not read per process: sockets, and who holds the other ends.
    fn complete(&mut self, inventory: &mut Inventory) {
        if let Some(book) = &mut self.book {
            add_sockets(book, inventory);
        }
        self.complete_ends(inventory);
    }

    fn complete_ends(&mut self, inventory: &mut Inventory) {
        if self.reader.wanted.ends {
            let ends = self.ends.get_or_insert_with(|| Index::read(&self.reader));
            ends.complete(inventory, self.book.as_ref());
        }
    }
}

/// Completes the sockets among the rows. A process without sockets costs nothing.
fn add_sockets(book: &mut SocketBook, inventory: &mut Inventory) {
    let pid = inventory.process.id.pid;
    let mut learnt = false;
    for entry in &mut inventory.entries {
        let (Facts::Socket(socket), Association::Fd(fd)) = (&mut entry.facts, entry.handle.via)
        else {
            continue;
        };
        if !learnt {
            inventory.faults.extend(book.learn(pid));
            learnt = true;
        }
        let in_flight = socket.in_flight;
        **socket = book.socket(pid, fd, socket.inode);
        socket.in_flight = in_flight.or(socket.in_flight);
    }
    inventory.faults.extend(book.take_faults());
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
