//! One process on one screen: who it is, what it holds by groups, and how near it is to its limits.

use crate::fault::Fault;
use crate::handle::NamespaceClass;
use crate::id::FdNumber;
use crate::kind::HandleKind;
use crate::limit::Limit;
use crate::name::Name;
use crate::process::{GroupCount, Process};
use crate::socket::SocketState;

/// What is worth knowing of a process at a glance.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Card {
    /// Who it is.
    pub process: Process,
    /// The parent's name; empty if not readable.
    pub parent_comm: Name,
    /// The kernel's letter for what it does.
    pub state: u8,
    /// Since it started.
    pub age_ns: Option<u64>,
    /// Its cgroup, as the reader's cgroup namespace shows it: of version 2, else of systemd's hierarchy; empty if none.
    pub cgroup: Name,
    /// The systemd unit that it belongs to.
    pub unit: Option<Name>,
    /// The id of its container.
    pub container: Option<Name>,
    /// Namespaces that are not the reader's.
    pub namespaces: Vec<NamespaceClass>,
    /// Open descriptors by the kernel's count; `None` if neither told nor listed.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// What the descriptors are, the largest group first. Empty where they may not be listed.
    pub groups: Vec<CardGroup>,
    /// Descriptors with the lowest numbers above 2, the lowest first; none where all are few. The kernel gives the lowest
    /// number that is free, so these are the oldest where nothing below was closed.
    pub oldest: Vec<CardHandle>,
    /// Descriptors with the highest numbers, the lowest first.
    pub newest: Vec<CardHandle>,
    /// Whether descriptors above 2 close when a program is executed, where that may be read.
    pub inherited: Option<Inherited>,
    /// Threads, children, mappings and the like by groups.
    pub others: Vec<GroupCount>,
    /// Its limits, each with its use.
    pub limits: Vec<Limit>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// Descriptors that have kind, state and pattern in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardGroup {
    /// Their kind.
    pub kind: HandleKind,
    /// For sockets that have one, their state.
    pub state: Option<SocketState>,
    /// What their names share: `/srv/data-*.log (deleted)`.
    pub pattern: Name,
    /// How many.
    pub count: u64,
    /// The lowest number.
    pub lowest: FdNumber,
    /// The highest number.
    pub highest: FdNumber,
    /// True if the files have no name any more.
    pub deleted: bool,
    /// Bytes on disk that deleted files of this group keep, each file counted once, where the file system tells.
    pub held_bytes: u64,
}

/// One descriptor of a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardHandle {
    /// Its number.
    pub fd: FdNumber,
    /// Its kind.
    pub kind: HandleKind,
    /// For a socket that has one, its state.
    pub state: Option<SocketState>,
    /// Its name; of a socket its ends.
    pub name: Name,
}

/// How many descriptors an executed program would inherit, of those that were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inherited {
    /// Looked at: all above 2, or some of many.
    pub looked_at: u64,
    /// Without close-on-exec.
    pub inherited: u64,
}
