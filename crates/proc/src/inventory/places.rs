//! Rows without a number: working directory, root directory, executable.

use fdscope_model::{Association, HandleKind, InodeId, Inventory};

use super::process::{Reader, Trust, blank, fault};
use crate::root::PidDir;

const PLACES: &[(&str, Association, HandleKind, &str)] = &[
    ("cwd", Association::Cwd, HandleKind::Directory, "read link cwd"),
    ("root", Association::Root, HandleKind::Directory, "read link root"),
    ("exe", Association::Exe, HandleKind::File, "read link exe"),
];

impl Reader {
    /// Adds a row for each place. One that may not be read is a row with its fault; kernel threads have no executable.
    pub(super) fn add_places(&self, dir: &PidDir, place: &str, inventory: &mut Inventory) {
        for &(link, via, kind, operation) in PLACES {
            let mut entry = blank(inventory.process.id, via);
            entry.handle.kind = kind;
            let path = format!("{place}{link}");
            match dir.read_link(&path, operation) {
                Ok(name) => entry.handle.name = name,
                Err(error) if error.is_gone() => continue,
                Err(error) => entry.handle.fault = Some(fault(dir.pid(), operation, &error)),
            }
            if self.wanted.status && entry.handle.fault.is_none() && self.trust == Trust::Every {
                entry.status = dir.ask(&path);
                entry.handle.inode = entry.status.map(|status| status.inode);
                entry.handle.mode = entry.status.map(|status| status.mode);
            }
            debug_assert_ne!(entry.handle.inode, Some(InodeId::default()), "0 is no inode");
            inventory.entries.push(entry);
        }
    }
}
