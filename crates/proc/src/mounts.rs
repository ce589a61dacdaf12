//! From the mount id in fdinfo to the device, and to whether a file there may be asked for its type.
//!
//! `statx` with `AT_STATX_DONT_SYNC` through a /proc/PID/fd link asks the inode in memory and not the server, but
//! only on file systems that heed the flag. Those known to do so are in a table; on every other one, and on mounts
//! that are not in any mountinfo read here, the file is left alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use fdscope_model::{DeviceId, Pid};

use crate::parse::{Mount, parse_mount};
use crate::root::{PidDir, ProcRoot};

/// Local file systems: they wait for nobody, and keep the inode of an open file in memory.
const LOCAL: &[&[u8]] = &[
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
];

/// File systems with a server, whose getattr answers from memory all the same when told not to sync: FUSE (fs/fuse/dir.c,
/// `fuse_update_get_attr`), NFS (fs/nfs/inode.c, `nfs_getattr`) and Ceph (fs/ceph/inode.c, `ceph_getattr`) look at the
/// flag first. Not 9p, CIFS, Lustre and others: they may ask.
const SERVED: &[&[u8]] = &[b"fuse", b"fuseblk", b"virtiofs", b"nfs", b"nfs4", b"ceph"];

/// Whether a getattr that is told not to sync answers from memory.
fn answers_from_memory(kind: &[u8]) -> bool {
    LOCAL.contains(&kind) || SERVED.contains(&kind)
}

impl Mount {
    /// True if opening or asking for a file there by its path may wait for a server: of a file system that is not known, too.
    pub fn may_wait(&self) -> bool {
        !LOCAL.contains(&self.plain_kind())
    }

    /// `fuse` of `fuse.sshfs`: a subtype stands behind the dot.
    fn plain_kind(&self) -> &[u8] {
        let kind = self.kind.bytes();
        kind.split(|&b| b == b'.').next().unwrap_or(kind)
    }
}

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

/// Kernel-internal file systems, which nobody mounts: their inodes are nowhere but in memory.
const INTERNAL: &[&[u8]] = &[
    b"sockfs",
    b"pipefs",
    b"anon_inodefs",
    b"bdev",
    b"cpuset",
    b"autofs",
    b"pidfs",
    b"secretmem",
    b"guestmemfd",
    b"dax",
    b"drm",
    b"dmabuf",
    b"iomem",
    b"devmem",
    b"aio",
    b"resctrl",
    b"rpc_pipefs",
    b"nfsd",
    b"smackfs",
    b"xenfs",
    b"functionfs",
    b"ipathfs",
    b"zsmalloc",
    b"balloon-kvm",
];

/// Mounts by their ids, which are unique on a machine while it is not remounted: for one look at some processes, and
/// not for longer. Shared by the threads of a walk, so that each mount namespace is read once.
#[derive(Debug, Default)]
pub(crate) struct MountBook(Mutex<Mounts>);

#[derive(Debug, Default)]
struct Mounts {
    facts: HashMap<u32, MountFacts>,
    /// Mount namespaces that are in `facts`, by the text of their links; by number where that may not be read.
    read: HashSet<Box<[u8]>>,
    /// What was looked for in vain, with the process that has it.
    absent: HashSet<(u32, Pid)>,
}

impl MountBook {
    /// What is known of a mount that a process has a file of: from its own mounts, else from those of fdscope, for
    /// files from outside the process's mount namespace are often from there.
    pub fn get(&self, id: u32, process: &PidDir, root: &ProcRoot) -> Option<MountFacts> {
        let mut mounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&facts) = mounts.facts.get(&id) {
            return Some(facts);
        }
        if mounts.absent.contains(&(id, process.pid())) {
            return None;
        }
        mounts.read(process);
        if root.is_own() && !mounts.facts.contains_key(&id) {
            mounts.read(&root.pid_dir(Pid(std::process::id())).ok()?);
        }
        let found = mounts.facts.get(&id).copied();
        if found.is_none() {
            mounts.absent.insert((id, process.pid()));
        }
        found
    }
}

impl Mounts {
    /// Reads the mounts of a process; what cannot be read is not known.
    fn read(&mut self, dir: &PidDir) {
        let namespace = dir.read_link("ns/mnt", "read link ns/mnt");
        let namespace =
            namespace.map_or(dir.pid().0.to_ne_bytes().into(), |name| name.bytes().into());
        if !self.read.insert(namespace) {
            return;
        }
        // A process that is gone has no mounts, and none are missed.
        let _ = dir.read_lines("mountinfo", "read mountinfo", &mut |line| {
            if let Some(mount) = parse_mount(line) {
                self.facts.insert(mount.id, facts_of(&mount));
            }
        });
    }
}

/// True if this kernel has no file system, mounted or not, that could wait for anyone when told not to sync: then
/// every file can be asked without learning its mount first.
pub(crate) fn every_file_answers(root: &ProcRoot) -> bool {
    let Ok(bytes) = root.read("filesystems") else { return false };
    let known = |kind: &[u8]| answers_from_memory(kind) || INTERNAL.contains(&kind);
    let mut kinds = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    root.is_live()
        && kinds.all(|line| known(line.rsplit(|&b| b == b'\t').next().unwrap_or_default()))
}

fn facts_of(mount: &Mount) -> MountFacts {
    let kind = mount.plain_kind();
    MountFacts {
        device: mount.device,
        answers: answers_from_memory(kind),
        is_mqueue: kind == b"mqueue",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_file_systems_are_asked() {
        let check = |kind: &str, answers, may_wait| {
            let line = format!("36 35 0:7 / /m rw - {kind} src rw");
            let mount = parse_mount(line.as_bytes()).expect("parses");
            assert_eq!((facts_of(&mount).answers, mount.may_wait()), (answers, may_wait), "{kind}");
        };
        check("ext4", true, false);
        check("fuse.sshfs", true, true);
        check("nfs4", true, true);
        check("9p", false, true);
        check("cifs", false, true);
        check("autofs", false, true);
        check("newfs", false, true);
    }
}
