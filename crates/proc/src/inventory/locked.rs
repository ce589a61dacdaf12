//! Which files are locked at all: /proc/locks, read once, so that fdinfo is read only of descriptors that may hold one.

use std::collections::HashSet;

use crate::parse::parse_lock;
use crate::root::ProcRoot;

/// The numbers of locked inodes; devices are left out, for those of subvolumes differ here and in stat(2).
#[derive(Debug, Default)]
pub(super) enum Locked {
    /// Not asked for, or nothing is locked.
    #[default]
    Nothing,
    /// These.
    Inodes(HashSet<u64>),
    /// /proc/locks may not be read: any file may be locked.
    Unknown,
}

impl Locked {
    pub fn read(root: &ProcRoot) -> Self {
        let mut inodes = HashSet::new();
        let mut sink = |line: &[u8]| {
            let held = parse_lock(line).filter(|held| !held.waits);
            inodes.extend(held.and_then(|held| held.inode).map(|id| id.inode));
        };
        match root.read_lines("locks", &mut sink) {
            Err(_) => Locked::Unknown,
            Ok(()) if inodes.is_empty() => Locked::Nothing,
            Ok(()) => Locked::Inodes(inodes),
        }
    }

    /// True if a file with this inode, or any where it is not known, may be locked.
    pub fn may_hold(&self, inode: Option<u64>) -> bool {
        match (self, inode) {
            (Locked::Nothing, _) => false,
            (Locked::Inodes(inodes), Some(inode)) => inodes.contains(&inode),
            (Locked::Inodes(_), None) | (Locked::Unknown, _) => true,
        }
    }
}
