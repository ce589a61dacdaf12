//! The limits that handles run into.

use crate::kind::HandleKind;

/// Which limit. The words are those of the kernel's documentation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LimitName {
    /// Soft RLIMIT_NOFILE of the process: descriptors (getrlimit(2)).
    Nofile,
    /// fs.nr_open: the ceiling for RLIMIT_NOFILE.
    NrOpen,
    /// fs.file-max: open file descriptions on the system.
    FileMax,
    /// RLIMIT_NPROC: threads of the real user.
    Nproc,
    /// kernel.threads-max: threads on the system.
    ThreadsMax,
    /// kernel.pid_max: process and thread numbers on the system.
    PidMax,
    /// pids.max of the cgroup.
    CgroupPids,
    /// vm.max_map_count: mappings of the process.
    MaxMapCount,
    /// RLIMIT_SIGPENDING of the real user: queued signals and POSIX timers.
    Sigpending,
    /// fs.inotify.max_user_watches.
    InotifyWatches,
    /// fs.inotify.max_user_instances.
    InotifyInstances,
    /// fs.epoll.max_user_watches.
    EpollWatches,
    /// RLIMIT_MEMLOCK, in bytes.
    Memlock,
}

impl LimitName {
    /// The name as administrators write it.
    pub fn word(self) -> &'static str {
        match self {
            LimitName::Nofile => "RLIMIT_NOFILE",
            LimitName::NrOpen => "fs.nr_open",
            LimitName::FileMax => "fs.file-max",
            LimitName::Nproc => "RLIMIT_NPROC",
            LimitName::ThreadsMax => "kernel.threads-max",
            LimitName::PidMax => "kernel.pid_max",
            LimitName::CgroupPids => "pids.max",
            LimitName::MaxMapCount => "vm.max_map_count",
            LimitName::Sigpending => "RLIMIT_SIGPENDING",
            LimitName::InotifyWatches => "fs.inotify.max_user_watches",
            LimitName::InotifyInstances => "fs.inotify.max_user_instances",
            LimitName::EpollWatches => "fs.epoll.max_user_watches",
            LimitName::Memlock => "RLIMIT_MEMLOCK",
        }
    }

    /// The limits that handles of a kind count against.
    pub fn of(kind: HandleKind) -> &'static [LimitName] {
        use LimitName::*;
        match kind {
            HandleKind::Thread | HandleKind::Child | HandleKind::Zombie => {
                &[CgroupPids, Nproc, ThreadsMax, PidMax]
            }
            HandleKind::UnjoinedThread | HandleKind::Mapping => &[MaxMapCount],
            HandleKind::Timer => &[Sigpending],
            HandleKind::Watch => &[InotifyWatches],
            HandleKind::Registration => &[EpollWatches],
            HandleKind::Inotify => &[Nofile, FileMax, InotifyInstances],
            _ => &[Nofile, FileMax],
        }
    }
}

/// A limit with its value and how much of it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Which.
    pub name: LimitName,
    /// Its value; `u64::MAX` for unlimited.
    pub value: u64,
    /// How much of it is used by everything that counts against it.
    pub used: u64,
}
