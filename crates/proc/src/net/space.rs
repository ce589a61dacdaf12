//! Network namespaces: which one a process lives in, and a diagnosis socket inside it.

use fdscope_model::{Name, NamespaceClass};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::dump::open_socket;
use crate::error::ProcError;
use crate::parse::{decimal, parse_mountinfo};
use crate::root::{PidDir, ProcRoot};

/// What is known of a network namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Space {
    /// The inode of /proc/PID/ns/net, which is its identity; `None` where nobody may read that link.
    pub inode: Option<u64>,
    /// The inode of /proc/PID/net/dev. Each namespace has files of its own there, with inodes of their own
    /// (fs/proc/proc_net.c), and anybody may look: so namespaces are told apart without privilege.
    pub files: Option<u64>,
}

impl Space {
    /// The namespace of a process, or of what lives of it below `place`.
    pub fn of(dir: &PidDir, place: &str) -> Result<Self, ProcError> {
        let link = dir.read_link(&format!("{place}ns/net"), "read the network namespace");
        let inode = match link {
            Ok(link) => namespace_inode(link.bytes()),
            Err(error) if error.is_not_permitted() => None,
            Err(error) => return Err(error),
        };
        let files = match inode {
            Some(_) => None,
            None => Some(dir.stat(&format!("{place}net/dev"), "look at net")?.st_ino),
        };
        Ok(Space { inode, files })
    }

    /// The inode of its files too, where the link alone was read.
    pub fn with_files(mut self, dir: &PidDir, place: &str) -> Self {
        let stat = || dir.stat(&format!("{place}net/dev"), "look at net");
        self.files = self.files.or_else(|| stat().ok().map(|stat| stat.st_ino));
        self
    }

    /// True if both are surely the same.
    pub fn is(&self, other: &Space) -> bool {
        let same = |a: Option<u64>, b: Option<u64>| a.is_some() && a == b;
        same(self.inode, other.inode) || same(self.files, other.files)
    }
}

/// `net:[4026531840]`.
pub(crate) fn namespace_inode(link: &[u8]) -> Option<u64> {
    let word = NamespaceClass::Net.word().as_bytes();
    let rest = link.strip_prefix(word)?.strip_prefix(b":[")?;
    decimal(rest.strip_suffix(b"]")?)
}

/// `NSFS_MAGIC` (include/uapi/linux/magic.h).
const NSFS: u64 = 0x6e73_6673;

/// The network namespaces that are mounted somewhere: inode and place.
pub(crate) fn mounted(root: &ProcRoot) -> Vec<(u64, Name)> {
    let bytes = root.read("thread-self/mountinfo").unwrap_or_default();
    let mut found = Vec::new();
    parse_mountinfo(&bytes, |mount| {
        let inode = namespace_inode(mount.root.bytes());
        if let Some(inode) = inode.filter(|_| mount.kind.bytes() == b"nsfs") {
            found.push((inode, mount.point));
        }
    });
    found
}

/// A descriptor of a mounted namespace, if that is what is found at the place. Opens nothing else: the place is looked
/// at by O_PATH first, and what was looked at is what is opened.
pub(crate) fn open_mounted(place: &Name, inode: u64) -> Result<Option<OwnedFd>, Errno> {
    let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::open(place.bytes(), look, Mode::empty())?;
    if rustix::fs::fstatfs(&found)?.f_type as u64 != NSFS {
        return Ok(None);
    }
    let path = format!("/proc/thread-self/fd/{}", found.as_raw_fd());
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let is_same = rustix::fs::fstat(&opened)?.st_ino == inode;
    Ok(is_same.then_some(opened))
}

/// A diagnosis socket in the network namespace that `space` refers to.
///
/// setns(2) with a network namespace moves the calling thread alone, so a thread made for it goes there, opens the
/// socket, and ends: a socket stays in the namespace where it was made, and no other thread ever leaves its own.
pub(crate) fn socket_inside(space: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    std::thread::scope(|scope| {
        let guest = std::thread::Builder::new().name("fdscope-netns".to_owned());
        let opened = guest.spawn_scoped(scope, || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
            open_socket()
        });
        let opened = opened.map_err(|_| Errno::AGAIN)?;
        opened.join().unwrap_or(Err(Errno::AGAIN))
    })
}
