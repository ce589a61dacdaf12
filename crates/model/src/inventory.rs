//! What a process holds at one moment, row by row, with what the kind of each handle tells.
//!
//! The ledger needs less (`handle`, `Snapshot`); this is for people who look: `ls`, the screen of one process, lsof.
//! What sockets tell stands in `socket`.

use crate::fault::Fault;
use crate::handle::{Association, Handle, O_PATH};
use crate::id::{FdNumber, InodeId, Pid, ProcessId};
use crate::name::Name;
use crate::process::Process;
use crate::socket::Socket;

/// Everything a process holds at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Inventory {
    /// The process.
    pub process: Process,
    /// Its process group.
    pub group: Pid,
    /// A row for each handle that was asked for: descriptors by number, others by association.
    pub entries: Vec<Entry>,
    /// What could not be read of the process as a whole: its descriptor table, its maps.
    pub faults: Vec<Fault>,
}

/// One handle.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Who holds what, how, and under which name. The name is the kernel's link text, ` (deleted)` included.
    pub handle: Handle,
    /// What may be done through it; `None` where nobody told.
    pub access: Option<Access>,
    /// What the file system says of the file; `None` if it was not asked or does not answer.
    pub status: Option<FileStatus>,
    /// The mount that the file was opened through (`mnt_id` of fdinfo, mountinfo's first field).
    pub mount: Option<u32>,
    /// What only this kind of handle has.
    pub facts: Facts,
    /// Locks and leases held on the file by this process (POSIX) or through this description (OFD, flock, lease).
    pub locks: Vec<Lock>,
}

impl Entry {
    /// A row of which nothing is known yet.
    pub fn blank(owner: ProcessId, via: Association) -> Self {
        Entry {
            handle: Handle::blank(owner, via),
            access: None,
            status: None,
            mount: None,
            facts: Facts::Nothing,
            locks: Vec::new(),
        }
    }

    /// True if the file has no name any more: its space is free once the last handle is closed.
    pub fn is_deleted(&self) -> bool {
        let by_name = self.handle.name.bytes().ends_with(b" (deleted)");
        self.status.as_ref().map_or(by_name, |status| by_name && status.links == 0)
    }

    /// What is at the other end in other processes or here: the holders of a pipe's, socket pair's or terminal's other
    /// side.
    pub fn ends(&self) -> &[End] {
        match &self.facts {
            Facts::Pipe { ends } | Facts::Terminal { ends, .. } => ends,
            Facts::EventFd { ends, .. } => ends,
            Facts::Socket(socket) => &socket.ends,
            _ => &[],
        }
    }
}

/// What may be done through a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Access {
    /// Read only.
    Read,
    /// Write only.
    Write,
    /// Both.
    Both,
    /// Neither: `O_PATH`.
    Neither,
}

impl Access {
    /// The access that open(2)'s flags ask for.
    pub fn of_flags(flags: u32) -> Self {
        match flags & 3 {
            _ if flags & O_PATH != 0 => Access::Neither,
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::Both,
            // Neither may be read nor written, only ioctl(2) (open(2), "access mode 3").
            _ => Access::Neither,
        }
    }
}

/// What statx(2) says without waiting for anybody (`AT_STATX_DONT_SYNC`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileStatus {
    /// Device of the file system and inode.
    pub inode: InodeId,
    /// `st_mode`: type and permissions.
    pub mode: u32,
    /// Links: names of the inode.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// Bytes taken on disk.
    pub allocated: u64,
    /// For device nodes, the device: major and minor.
    pub device: Option<(u32, u32)>,
    /// Owner.
    pub uid: u32,
}

/// Somebody who holds the other end of something.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct End {
    /// The process.
    pub pid: Pid,
    /// Its name.
    pub comm: Name,
    /// Its descriptor.
    pub fd: FdNumber,
    /// What it may do.
    pub access: Option<Access>,
}

/// A lock or lease, as a line `lock:` of fdinfo or of /proc/locks has it (fs/locks.c).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lock {
    /// `POSIX`, `OFDLCK`, `FLOCK`, `LEASE`, `DELEG`.
    pub class: Name,
    /// `ADVISORY`, `ACTIVE`, `BREAKING` …
    pub mode: Name,
    /// What it forbids others: read locks allow readers.
    pub access: Access,
    /// First byte.
    pub start: u64,
    /// Last byte; `None` for the end of the file, wherever that is.
    pub end: Option<u64>,
}

/// What only one kind of handle has to tell.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Facts {
    /// Nothing beyond the name, or nothing that was asked for.
    #[default]
    Nothing,
    /// A socket.
    Socket(Box<Socket>),
    /// A pipe or fifo.
    Pipe {
        /// Who else holds it: every other descriptor of the pipe that could be seen.
        ends: Vec<End>,
    },
    /// A terminal.
    Terminal {
        /// For the master side of a pseudo-terminal (/dev/ptmx), the number of its /dev/pts.
        index: Option<u32>,
        /// Who holds the other side.
        ends: Vec<End>,
    },
    /// An eventfd.
    EventFd {
        /// The counter.
        count: u64,
        /// Its own number, by which copies in other processes are known (since 5.2).
        id: Option<u64>,
        /// `EFD_SEMAPHORE` (since 6.5).
        semaphore: Option<bool>,
        /// Who else holds it.
        ends: Vec<End>,
    },
    /// A timerfd.
    TimerFd {
        /// The clock: `CLOCK_*`.
        clock: u32,
        /// Expiries not read.
        ticks: u64,
        /// Until it expires next; 0 if disarmed.
        remaining_ns: u64,
        /// Between expiries; 0 for once.
        interval_ns: u64,
    },
    /// A signalfd.
    SignalFd {
        /// The signals, bit 0 for signal 1.
        mask: u64,
    },
    /// An epoll descriptor.
    Epoll {
        /// What is registered.
        targets: Vec<EpollTarget>,
    },
    /// An inotify descriptor.
    Inotify {
        /// What is watched.
        watches: Vec<InotifyWatch>,
    },
    /// A fanotify group.
    Fanotify {
        /// What is marked.
        marks: Vec<FanotifyMark>,
    },
    /// A pidfd.
    PidFd {
        /// The process it names; `None` once that was waited for.
        pid: Option<Pid>,
        /// That process's name, if it lives.
        comm: Name,
    },
    /// A memfd.
    Memfd {
        /// Seals, `F_SEAL_*`; `None` where nobody may ask.
        seals: Option<u32>,
    },
    /// A dma-buf.
    DmaBuf {
        /// Bytes.
        size: u64,
        /// References.
        count: u64,
        /// Who made it.
        exporter: Name,
        /// What it was named.
        name: Name,
    },
    /// An io_uring.
    IoUring {
        /// Registered files that are taken, by slot, with their paths where the kernel tells.
        files: Vec<(u32, Name)>,
        /// Registered buffers.
        buffers: u64,
    },
    /// A BPF object.
    Bpf {
        /// `map`, `prog`, `link`, `btf` …
        object: &'static str,
        /// Its number.
        id: Option<u32>,
        /// Its type, in the kernel's number or word.
        class: Name,
        /// Its name; empty without the privilege to ask.
        name: Name,
    },
    /// A namespace.
    Namespace {
        /// `net`, `mnt`, `pid` …
        class: Name,
        /// Its inode, which is its identity.
        inode: u64,
    },
    /// A tun or tap device.
    Tun {
        /// The interface's name; empty before one is attached.
        interface: Name,
    },
    /// Any other: what fdinfo says beyond the common lines, key and value.
    Other(Vec<(Name, Name)>),
}

/// A registration with epoll.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpollTarget {
    /// The number at registration.
    pub fd: FdNumber,
    /// `EPOLL*` events awaited.
    pub events: u32,
    /// The inode of what was registered (since 5.0).
    pub inode: Option<u64>,
    /// What the number refers to now if it is the registered file; `None` for a registration that outlived its number.
    pub name: Option<Name>,
}

/// A watch of an inotify descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InotifyWatch {
    /// The watch descriptor.
    pub wd: u32,
    /// The watched inode.
    pub inode: InodeId,
    /// `IN_*` events awaited.
    pub mask: u32,
    /// A path of that inode, where one could be learnt without searching.
    pub path: Option<Name>,
}

/// A mark of a fanotify group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FanotifyMark {
    /// On an inode.
    Inode {
        /// Which.
        inode: InodeId,
        /// `FAN_*` events.
        mask: u64,
    },
    /// On a mount.
    Mount {
        /// mountinfo's number.
        mount: u32,
        /// `FAN_*` events.
        mask: u64,
    },
    /// On a file system.
    FileSystem {
        /// Its device.
        device: crate::id::DeviceId,
        /// `FAN_*` events.
        mask: u64,
    },
}
