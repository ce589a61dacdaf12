//! A handle: what a process holds, and by which association.

use crate::fault::Fault;
use crate::id::{FdNumber, FileId, InodeId, Pid, ProcessId, TableId, Tid};
use crate::kind::HandleKind;
use crate::name::Name;

/// How a process holds a handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Association {
    /// By a number in its descriptor table.
    Fd(FdNumber),
    /// As working directory.
    Cwd,
    /// As root directory.
    Root,
    /// As the running program.
    Exe,
    /// By a mapping that starts at this address.
    Mapping(u64),
    /// As the namespace of this class that it lives in.
    Namespace(NamespaceClass),
    /// In this slot of the file table of an io_uring that it holds by this descriptor.
    RingSlot(FdNumber, u32),
    /// Sent to a UNIX socket that it holds by this descriptor, and not received yet (SCM_RIGHTS).
    InFlight(FdNumber),
}

/// A class of namespaces (namespaces(7)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the names are the kernel's, as under /proc/PID/ns")]
pub enum NamespaceClass {
    Cgroup,
    Ipc,
    Mnt,
    Net,
    Pid,
    Time,
    User,
    Uts,
}

impl NamespaceClass {
    /// Every class, in the order of their names.
    pub const ALL: [NamespaceClass; 8] = [
        NamespaceClass::Cgroup,
        NamespaceClass::Ipc,
        NamespaceClass::Mnt,
        NamespaceClass::Net,
        NamespaceClass::Pid,
        NamespaceClass::Time,
        NamespaceClass::User,
        NamespaceClass::Uts,
    ];

    /// The file under /proc/PID/ns, and the word of its link.
    pub fn word(self) -> &'static str {
        ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"][self as usize]
    }
}

/// The identity by which a ledger pairs a birth with a death. Unique among the handles alive at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HandleKey {
    /// A descriptor in a table.
    Descriptor(TableId, FdNumber),
    /// A thread.
    Thread(Tid),
    /// A child process of `0`.
    Child(Pid, Pid),
    /// A POSIX timer of a process, by the id that the kernel gave.
    Timer(Pid, u32),
    /// An inotify watch: table, inotify descriptor, watch descriptor.
    Watch(TableId, FdNumber, u32),
    /// A registration: table, epoll descriptor, registered descriptor.
    Registration(TableId, FdNumber, FdNumber),
    /// A mapping of a process, by its start address.
    Mapping(Pid, u64),
}

impl HandleKey {
    /// The descriptor number, for keys that are one.
    pub fn fd(self) -> Option<FdNumber> {
        match self {
            HandleKey::Descriptor(_, fd) => Some(fd),
            _ => None,
        }
    }
}

/// `O_PATH` of open(2); the same on every processor that fdscope knows.
pub const O_PATH: u32 = 0o10_000_000;

/// `O_CLOEXEC` of open(2), for the descriptor flag; the same on every processor that fdscope knows.
pub const O_CLOEXEC: u32 = 0o2_000_000;

/// A handle as read from the kernel at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handle {
    /// Who holds it.
    pub owner: ProcessId,
    /// How.
    pub via: Association,
    /// What it is.
    pub kind: HandleKind,
    /// The open file description, where the source can tell (BPF).
    pub file: Option<FileId>,
    /// The inode, where known.
    pub inode: Option<InodeId>,
    /// `st_mode`, where known without touching the file system.
    pub mode: Option<u32>,
    /// Flags as in fdinfo: open(2)'s, with `O_CLOEXEC` for the descriptor flag.
    pub flags: Option<u32>,
    /// File offset in bytes.
    pub offset: Option<u64>,
    /// The link text: a path, `socket:[N]`, `anon_inode:[…]`. Empty if not read.
    pub name: Name,
    /// What could not be read of it. Nearly no handle has one, and a listing moves 100,000 handles about.
    pub fault: Option<Box<Fault>>,
}

impl Handle {
    /// A handle of which no more is known than who holds it, and how.
    pub fn blank(owner: ProcessId, via: Association) -> Self {
        Handle {
            owner,
            via,
            kind: HandleKind::UnknownDescriptor,
            file: None,
            inode: None,
            mode: None,
            flags: None,
            offset: None,
            name: Name::default(),
            fault: None,
        }
    }
}
