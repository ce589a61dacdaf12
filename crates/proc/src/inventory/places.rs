//! Rows without a number: working directory, root directory, executable, namespaces.

use fdscope_model::{Association, Entry, Facts, HandleKind, InodeId, Inventory, NamespaceClass};

use rustix::io::Errno;

use super::process::{Reader, Trust, fault};
use crate::error::ProcError;
use crate::parse::parse_link;
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
            let mut entry = Entry::blank(inventory.process.id, via);
            entry.handle.kind = kind;
            let path = format!("{place}{link}");
            let mut is_too_long = false;
            match dir.read_link(&path, operation) {
                Ok(name) => entry.handle.name = name,
                Err(error) if error.is_gone() => continue,
                Err(error) => {
                    // The path has no text; what it leads to can be asked all the same.
                    is_too_long =
                        matches!(error, ProcError::Process { cause: Errno::NAMETOOLONG, .. });
                    entry.handle.fault = Some(Box::new(fault(dir.pid(), operation, &error)));
                }
            }
            let is_there = !entry.handle.name.is_empty() || is_too_long;
            if self.wanted.status && is_there && self.trust == Trust::Every {
                entry.status = dir.ask(&path);
                entry.handle.inode = entry.status.map(|status| status.inode);
                entry.handle.mode = entry.status.map(|status| status.mode);
            }
            inventory.entries.push(entry);
        }
    }

    /// Adds a row for each namespace that the process lives in.
    pub(super) fn add_namespaces(&mut self, dir: &PidDir, place: &str, inventory: &mut Inventory) {
        for class in NamespaceClass::ALL {
            let mut entry = Entry::blank(inventory.process.id, Association::Namespace(class));
            entry.handle.kind = HandleKind::Namespace;
            let path = format!("{place}ns/{}", class.word());
            match dir.read_link(&path, "read link of a namespace") {
                Ok(name) => entry.handle.name = name,
                // A kernel without this class.
                Err(error) if error.is_gone() => continue,
                Err(error) => {
                    let fault = fault(dir.pid(), "read link of a namespace", &error);
                    entry.handle.fault = Some(Box::new(fault));
                }
            }
            if let Some(inode) = parse_link(entry.handle.name.bytes()).inode() {
                let learn = || dir.ask(&path).map(|status| status.inode.device);
                let device = self.internal.get(class.word().as_bytes(), learn);
                entry.handle.inode = device.map(|device| InodeId { device, inode });
                if self.wanted.facts {
                    entry.facts = Facts::Namespace { class: class.word().into(), inode };
                }
            }
            inventory.entries.push(entry);
        }
    }
}
