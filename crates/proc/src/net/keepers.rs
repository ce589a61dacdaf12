//! Who keeps sockets that no descriptor is: rings of io_uring, mappings, messages under way (SCM_RIGHTS).
//!
//! Nobody is asked if every socket has a descriptor; and only those who can be it: processes with rings, and UNIX
//! sockets, whose fdinfo counts the descriptors on their way to them.

use std::collections::HashSet;

use fdscope_model::{Association, Family, Keeper, Pid};

use super::row::{Ends, Row};
use super::survey::Survey;
use crate::inventory::{InventorySource, Wanted};
use crate::parse::{Link, parse_fdinfo, parse_link};
use crate::root::ProcRoot;

impl Survey {
    /// Looks for sockets without a descriptor in rings, mappings and messages.
    pub(super) fn find_keepers(&mut self, root: &ProcRoot, pids: &[Pid]) {
        let is_lost = |row: &&Row| {
            row.inode != 0
                && self.holders.of(row.inode).is_empty()
                && !matches!(row.ends, Ends::Netlink { local: 0, .. })
        };
        let lost: HashSet<u64> =
            self.book.rows.iter().filter(is_lost).map(|row| row.inode).collect();
        if lost.is_empty() {
            return;
        }
        self.read_keepers(root, pids, &lost, Wanted { mappings: true, ..Wanted::nothing() });
        let rings: Vec<Pid> = self.rings.iter().copied().collect();
        let slots = Wanted { descriptors: true, ring_slots: true, ..Wanted::nothing() };
        self.read_keepers(root, &rings, &lost, slots);
        self.find_receivers(root);
    }

    fn read_keepers(&mut self, root: &ProcRoot, pids: &[Pid], lost: &HashSet<u64>, wanted: Wanted) {
        let mut source = InventorySource::new(root.clone(), wanted);
        source.read_each(pids, &mut |pid, read| {
            // What may not be read was counted when descriptors were looked for.
            let Ok(inventory) = read else { return };
            let comm = &inventory.process.comm;
            for entry in &inventory.entries {
                let via = entry.handle.via;
                if let Association::RingSlot(..) | Association::Mapping(_) = via
                    && let Link::Socket(inode) = parse_link(entry.handle.name.bytes())
                    && lost.contains(&inode)
                {
                    let keeper = Keeper { pid, comm: comm.clone(), via };
                    self.keepers.entry(inode).or_default().push(keeper);
                }
            }
        });
    }

    /// The UNIX sockets towards which descriptors are under way.
    fn find_receivers(&mut self, root: &ProcRoot) {
        let unix = self.book.rows.iter().filter(|row| row.family == Family::Unix);
        let holders = unix.flat_map(|row| self.holders.of(row.inode));
        let waits = |pid: Pid, fd: fdscope_model::FdNumber| {
            let dir = root.pid_dir(pid).ok()?;
            let path = format!("{}fdinfo/{fd}", dir.living_place().ok()?);
            let bytes = dir.read(&path, "read fdinfo").ok()?;
            (parse_fdinfo(&bytes).in_flight > 0).then_some(())
        };
        let receivers = holders.filter(|end| waits(end.pid, end.fd).is_some());
        let keeper = |end: &fdscope_model::inventory::End| Keeper {
            pid: end.pid,
            comm: end.comm.clone(),
            via: Association::InFlight(end.fd),
        };
        let mut receivers: Vec<Keeper> = receivers.map(keeper).collect();
        receivers.sort_unstable();
        receivers.dedup();
        self.receivers = receivers;
    }
}
