//! Rows of mapped files: the first mapping of each.
//!
//! A mapped file's path is walked for its status only as far as the kernel has it in memory (`RESOLVE_CACHED`), so no
//! server is asked; and what is found counts only if it is the mapped inode.

use std::collections::HashSet;

use fdscope_model::{Association, Entry, FileStatus, HandleKind, InodeId, Inventory, Name};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags, StatxFlags, openat2};
use rustix::io::Errno;

use super::process::{Reader, Trust, fault};
use crate::parse::parse_map;
use crate::root::PidDir;
use crate::status::{ask_empty, status_of};

/// Statuses that are remembered from one process to the next, for many map the same libraries.
const MOST_KNOWN: usize = 4096;

/// How often a path is walked at most. One that is not in memory says the same (EAGAIN) as one that changes.
const MOST_TRIES: u32 = 3;

impl Reader {
    /// Adds a row for each file that the process has mapped. Maps that may not be read are a fault of the inventory.
    pub(super) fn add_mappings(&mut self, dir: &PidDir, place: &str, inventory: &mut Inventory) {
        let root = if self.wanted.status { dir.open_path(&format!("{place}root")) } else { None };
        let owner = inventory.process.id;
        let (mut inodes, mut others) = (HashSet::new(), HashSet::new());
        let entries = &mut inventory.entries;
        let read = dir.read_lines(&format!("{place}maps"), "read maps", &mut |line| {
            let Some(map) = parse_map(line).filter(|map| map.inode != 0) else { return };
            let inode = InodeId { device: map.device, inode: map.inode };
            // Files without a path of their own share one inode: perf events, rings.
            let is_path = map.path.starts_with(b"/");
            if is_path && !inodes.insert(inode) || !is_path && !others.insert(map.path.to_vec()) {
                return;
            }
            let mut entry = Entry::blank(owner, Association::Mapping(map.start));
            entry.handle.kind = HandleKind::Mapping;
            entry.handle.inode = Some(inode);
            entry.handle.offset = Some(map.offset);
            entry.handle.name = unescape_newlines(map.path);
            if let Some(root) = root.as_ref().filter(|_| is_path) {
                entry.status = self.status_of_mapped(root, inode, entry.handle.name.bytes());
                entry.handle.mode = entry.status.map(|status| status.mode);
            }
            entries.push(entry);
        });
        if let Err(error) = read
            && !error.is_gone()
        {
            inventory.faults.push(fault(dir.pid(), "read maps", &error));
        }
    }

    fn status_of_mapped(
        &mut self,
        root: &OwnedFd,
        inode: InodeId,
        path: &[u8],
    ) -> Option<FileStatus> {
        if self.trust != Trust::Every || path.ends_with(b" (deleted)") {
            return None;
        }
        if let Some(&known) = self.mapped.get(&inode) {
            return Some(known);
        }
        let below = path.strip_prefix(b"/")?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::CACHED | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        let file = loop {
            match openat2(root, below, flags, Mode::empty(), resolve) {
                // Something was renamed or mounted somewhere meanwhile: the walk in memory has to begin anew.
                Err(Errno::AGAIN) if tries < MOST_TRIES => tries += 1,
                opened => break opened.ok()?,
            }
        };
        let status = status_of(ask_empty(&file, StatxFlags::BASIC_STATS).ok()?);
        if status.inode != inode {
            return None;
        }
        if self.mapped.len() >= MOST_KNOWN {
            self.mapped.clear();
        }
        self.mapped.insert(inode, status);
        Some(status)
    }
}

/// Undoes the one escape of maps: `\012` for a newline.
fn unescape_newlines(path: &[u8]) -> Name {
    const ESCAPE: &[u8] = b"\\012";
    if !path.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return path.into();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        match rest.strip_prefix(ESCAPE) {
            Some(behind) => {
                out.push(b'\n');
                rest = behind;
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newlines_are_escaped_in_maps() {
        assert_eq!(unescape_newlines(b"/a\\012b\\040"), Name::from(&b"/a\nb\\040"[..]));
        assert_eq!(unescape_newlines(b"/plain"), "/plain".into());
    }
}
