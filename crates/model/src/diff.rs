//! Two moments held against each other: what is held at each, and what is new, gone and kept between them.
//!
//! Who compares stands in `fdscope-analyze`, how it is shown in `fdscope-render`.

use std::rc::Rc;

use crate::handle::HandleKey;
use crate::id::{FileId, InodeId, Monotonic, ProcessId};
use crate::kind::HandleKind;
use crate::name::Name;
use crate::port::Symbolized;

/// A handle as it was held at a moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Who holds it.
    pub process: ProcessId,
    /// That process's name.
    pub comm: Name,
    /// By what.
    pub key: HandleKey,
    /// What it is.
    pub kind: HandleKind,
    /// The open file description, where the kernel's own identity is known.
    pub file: Option<FileId>,
    /// The inode, where known.
    pub inode: Option<InodeId>,
    /// When it was born, or first seen.
    pub born: Monotonic,
    /// True if its birth was seen.
    pub birth_seen: bool,
    /// Path or ends; empty if nobody told.
    pub name: Name,
    /// What names of its like share.
    pub pattern: Name,
    /// The other end of a socket.
    pub peer: Option<Name>,
    /// The stack that made it, where its birth was seen.
    pub stack: Option<Rc<Symbolized>>,
}

/// Handles that are counted and not followed one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Count {
    /// Whose.
    pub process: ProcessId,
    /// What is counted.
    pub kind: HandleKind,
    /// What they share.
    pub group: Name,
    /// How many.
    pub count: u64,
}

/// Where a moment was seen from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A recording.
    Recording,
    /// The processes as they are.
    Now,
}

/// All that is known of one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    /// The recording's file, or what was typed for a process.
    pub label: String,
    /// Whence.
    pub origin: Origin,
    /// The boot of the machine; times of two boots have nothing to do with each other.
    pub boot: String,
    /// When watching began.
    pub begun: Monotonic,
    /// The moment.
    pub at: Monotonic,
    /// Its wall time in nanoseconds since 1970.
    pub wall_ns: u64,
    /// Events lost up to then.
    pub lost: u64,
    /// Handles held.
    pub held: Vec<Held>,
    /// Handles counted.
    pub counts: Vec<Count>,
    /// What is not known of it, a sentence each.
    pub unknown: Vec<String>,
}

/// A group whose count differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// What is counted.
    pub kind: HandleKind,
    /// What they share.
    pub group: Name,
    /// How many there were.
    pub from: u64,
    /// How many there are.
    pub to: u64,
}

/// One end of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// As in [`Moment`].
    pub label: String,
    /// Whence.
    pub origin: Origin,
    /// The moment.
    pub at: Monotonic,
    /// Its wall time in nanoseconds since 1970.
    pub wall_ns: u64,
    /// Handles held.
    pub held: u64,
    /// Processes that hold any.
    pub processes: u64,
    /// Events lost up to then.
    pub lost: u64,
}

/// What differs between two moments.
#[derive(Clone, PartialEq, Debug)]
pub struct Diff {
    /// The first.
    pub from: Side,
    /// The second.
    pub to: Side,
    /// Held at the second only.
    pub new: Vec<Held>,
    /// Held at the first only.
    pub gone: Vec<Held>,
    /// Held at both, as the second has them.
    pub kept: Vec<Held>,
    /// How many of the kept are taken for the same by number and file alone, nobody having watched in between.
    pub presumed: u64,
    /// Groups that are counted, where the count differs.
    pub changed: Vec<Changed>,
    /// What has to be known to read it, a sentence each.
    pub notes: Vec<String>,
}
