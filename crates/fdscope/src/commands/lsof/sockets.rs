//! What is known of sockets, joined to the rows of inventories.

use std::collections::HashSet;

use fdscope_lsof::Needs;
use fdscope_model::{Association, Facts, Family, HandleKind, Inventory};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::SocketBook;

use super::world::Machine;

/// The sockets of every namespace met so far.
pub struct Sockets {
    wanted: bool,
    book: SocketBook,
    /// Namespaces whose text tables were read.
    namespaces: HashSet<Option<u64>>,
}

impl Sockets {
    pub fn new(root: ProcRoot, needs: Needs) -> Self {
        Sockets { wanted: needs.sockets, book: SocketBook::new(root), namespaces: HashSet::new() }
    }

    /// Says of each socket what it is.
    pub fn add(&mut self, inventory: &mut Inventory, machine: &Machine) {
        if !self.wanted {
            return;
        }
        let pid = inventory.process.id.pid;
        let mut learnt = false;
        for entry in &mut inventory.entries {
            let Association::Fd(fd) = entry.handle.via else { continue };
            if entry.handle.kind != HandleKind::Socket {
                continue;
            }
            let is_told = matches!(&entry.facts, Facts::Socket(s) if s.family != Family::Other(0));
            if !is_told {
                if !std::mem::replace(&mut learnt, true) {
                    // What a namespace hides shows in the rows: their protocol is not known.
                    let _faults = self.book.learn(pid);
                }
                let inode = entry.handle.inode.map_or(0, |id| id.inode);
                entry.facts = Facts::Socket(Box::new(self.book.socket(pid, fd, inode)));
            }
            if let Facts::Socket(socket) = &entry.facts
                && self.namespaces.insert(socket.namespace)
            {
                machine.learn_tables(pid);
            }
        }
    }
}
