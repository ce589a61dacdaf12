//! The kernel's text tables of sockets, read for each network namespace whose sockets are listed.

use std::collections::HashSet;

use fdscope_lsof::Needs;
use fdscope_model::{Facts, Family, Inventory};

use super::world::Machine;

/// The namespaces met so far.
pub struct Tables {
    wanted: bool,
    namespaces: HashSet<Option<u64>>,
}

impl Tables {
    pub fn new(needs: Needs) -> Self {
        Tables { wanted: needs.tables, namespaces: HashSet::new() }
    }

    /// Reads the tables of the sockets of an inventory, unless they were.
    pub fn learn(&mut self, inventory: &Inventory, machine: &Machine) {
        if !self.wanted {
            return;
        }
        for entry in &inventory.entries {
            let Facts::Socket(socket) = &entry.facts else { continue };
            let is_raw = || {
                [&b"RAW"[..], b"PING"].iter().any(|word| socket.protocol.bytes().starts_with(word))
            };
            let is_listed = matches!(socket.family, Family::Unix | Family::Netlink) || is_raw();
            if is_listed && self.namespaces.insert(socket.namespace) {
                machine.learn_tables(inventory.process.id.pid);
            }
        }
    }
}
