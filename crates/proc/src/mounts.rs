//! From the mount id in fdinfo to the device, and to whether a file there may be asked for its type.
//!
//! `statx` with `AT_STATX_DONT_SYNC` through a /proc/PID/fd link asks the inode in memory and not the server, but
//! only on file systems that heed the flag. Those known to do so are in a table; on every other one, and on mounts
//! that are not in any mountinfo read here, the file is left alone.

use std::collections::HashMap;

use fdscope_model::DeviceId;

use crate::parse::{Mount, parse_mount};
use crate::root::PidDir;

/// File systems whose getattr answers from memory when told not to sync: local ones, which keep the inode of an open
/// file in memory; FUSE (fs/fuse/dir.c, `fuse_update_get_attr`), NFS (fs/nfs/inode.c, `nfs_getattr`) and Ceph
/// (fs/ceph/inode.c, `ceph_getattr`), which look at the flag first. Not 9p, CIFS, Lustre and others: they may ask.
const ANSWER_FROM_MEMORY: &[&[u8]] = &[
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"f2fs",
    b"bcachefs",
    b"zfs",
    b"jfs",
    b"reiserfs",
    b"nilfs2",
    b"tmpfs",
    b"devtmpfs",
    b"ramfs",
    b"rootfs",
    b"hugetlbfs",
    b"overlay",
    b"squashfs",
    b"erofs",
    b"cramfs",
    b"iso9660",
    b"udf",
    b"vfat",
    b"exfat",
    b"msdos",
    b"ntfs",
    b"ntfs3",
    b"proc",
    b"sysfs",
    b"cgroup",
    b"cgroup2",
    b"debugfs",
    b"tracefs",
    b"securityfs",
    b"configfs",
    b"pstore",
    b"bpf",
    b"devpts",
    b"mqueue",
    b"efivarfs",
    b"fusectl",
    b"binfmt_misc",
    b"selinuxfs",
    b"nsfs",
    b"fuse",
    b"fuseblk",
    b"nfs",
    b"nfs4",
    b"ceph",
];

/// What is known of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MountFacts {
    /// The device of its superblock.
    pub device: DeviceId,
    /// True if its files' types can be asked for without waiting for anyone.
    pub answers: bool,
    /// True for the file system of POSIX message queues.
    pub is_mqueue: bool,
}

/// The mounts that one process sees, and those that fdscope sees.
#[derive(Debug, Default)]
pub(crate) struct MountTable {
    facts: HashMap<u32, MountFacts>,
}

impl MountTable {
    /// Reads the mounts of a process; what cannot be read is not known.
    pub fn read(&mut self, dir: &PidDir) {
        // A process that is gone has no mounts, and none are missed.
        let _ = dir.read_lines("mountinfo", "read mountinfo", &mut |line| {
            if let Some(mount) = parse_mount(line) {
                self.facts.insert(mount.id, facts_of(&mount));
            }
        });
    }

    /// What is known of a mount.
    pub fn get(&self, id: u32) -> Option<MountFacts> {
        self.facts.get(&id).copied()
    }
}

fn facts_of(mount: &Mount) -> MountFacts {
    let kind = mount.kind.bytes();
    // `fuse.sshfs`: a subtype behind the dot.
    let kind = kind.split(|&b| b == b'.').next().unwrap_or(kind);
    MountFacts {
        device: mount.device,
        answers: ANSWER_FROM_MEMORY.contains(&kind),
        is_mqueue: kind == b"mqueue",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_file_systems_are_asked() {
        let check = |kind: &str, expected| {
            let line = format!("36 35 0:7 / /m rw - {kind} src rw");
            let mount = parse_mount(line.as_bytes()).expect("parses");
            assert_eq!(facts_of(&mount).answers, expected, "{kind}");
        };
        check("ext4", true);
        check("fuse.sshfs", true);
        check("nfs4", true);
        check("9p", false);
        check("cifs", false);
        check("newfs", false);
    }
}
