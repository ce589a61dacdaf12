//! Processes, and what was read of them at one moment.

use crate::fault::Fault;
use crate::handle::Handle;
use crate::id::{Monotonic, Pid, ProcessId, TableId};
use crate::kind::HandleKind;
use crate::limit::Limit;
use crate::name::Name;

/// Who a process is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// Number and start time.
    pub id: ProcessId,
    /// The parent's number.
    pub parent: Pid,
    /// `comm`: at most 15 bytes of any value.
    pub comm: Name,
    /// Command line, arguments separated by NUL as in /proc/PID/cmdline; empty for kernel threads.
    pub cmdline: Name,
    /// Effective user id.
    pub uid: u32,
    /// The executable's path as the link /proc/PID/exe gives it; empty if not readable.
    pub exe: Name,
}

/// A process's descriptor table as the kernel had it between two moments.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// The process.
    pub pid: Pid,
    /// The table read, where the source can tell.
    pub table: Option<TableId>,
    /// Just before the first read.
    pub begun: Monotonic,
    /// Just after the last read.
    pub ended: Monotonic,
    /// Every descriptor found, by number.
    pub handles: Vec<Handle>,
    /// What could not be read. `handles` holds a row for each descriptor that was there all the same.
    pub faults: Vec<Fault>,
}

/// How many handles of a group a process holds at one moment, for kinds that are counted and not followed one by one:
/// threads by name pattern, zombies by `comm`, mappings by file and size, timers, watches, registrations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupCount {
    /// What is counted.
    pub kind: HandleKind,
    /// What the members share: a thread name pattern (`work-*`), a mapped file and size, an epoll descriptor.
    pub group: Name,
    /// How many there are.
    pub count: u64,
    /// How many of them were newly made since the sample before and are still there, where that can be told.
    pub fresh: Option<u64>,
}

/// Counts of a process at one moment: the sample that growth without descriptors is judged by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// When.
    pub at: Monotonic,
    /// The process.
    pub pid: Pid,
    /// Its groups.
    pub groups: Vec<GroupCount>,
    /// Its limits, each with the share used.
    pub limits: Vec<Limit>,
    /// Open descriptors, from the kernel's own count where it has one.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}
