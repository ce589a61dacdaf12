//! What happens to handles, in the order in which the kernel made it happen.
//!
//! Sources make events, the ledger folds them. An event borrows its stack from the source's buffer: a fold that
//! needs it later unwinds and interns it first.

use crate::handle::HandleKey;
use crate::id::{FdNumber, FileId, InodeId, Monotonic, Pid, TableId, Tid};
use crate::kind::HandleKind;
use crate::name::Name;
use crate::stack::Trace;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Event<'a> {
    /// When.
    pub at: Monotonic,
    /// The process in which it happened.
    pub pid: Pid,
    /// The thread that did it; 0 where the source cannot tell.
    pub tid: Tid,
    /// What.
    pub body: Body<'a>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Body<'a> {
    /// A handle came to be in the process.
    Acquire(Acquire<'a>),
    /// A handle is gone from the process, or a close was tried that must be judged by `slot`.
    Release(Release<'a>),
    /// A call on handles failed in a way that tells of misuse or exhaustion.
    Fail(Fail<'a>),
    /// A descriptor's close-on-exec flag changed (fcntl `F_SETFD`, close_range with `CLOSE_RANGE_CLOEXEC`).
    CloseOnExec {
        /// The descriptor.
        key: HandleKey,
        /// The flag now.
        on: bool,
    },
    /// A process was made. The ledger copies the parent's descriptors (or shares them).
    Fork {
        /// The new process.
        child: Pid,
        /// The child's table; the parent's own if they share it (`CLONE_FILES`).
        child_table: TableId,
        /// The parent's table at the time.
        parent_table: TableId,
        /// The call's stack in the parent.
        trace: Trace<'a>,
    },
    /// A thread or process has another table from now on (unshare, exec after sharing).
    Unshare {
        /// The table left.
        from: TableId,
        /// The table used from now on: at first a copy.
        to: TableId,
    },
    /// The process runs a new program: close-on-exec descriptors are gone, other threads too.
    Exec {
        /// The table after exec.
        table: TableId,
        /// The new `comm`.
        comm: Name,
    },
    /// The process ended: all its handles are released.
    Exit {
        /// Its table.
        table: TableId,
    },
    /// The source lost events: from here on the ledger may be wrong until it is reconciled.
    Lost {
        /// How many, as far as known; at least 1.
        count: u64,
    },
    /// Something happened that this source cannot follow one by one; the pid's table should be re-read.
    Reconcile {
        /// Why, in a few words: "close_range", "execve".
        reason: &'static str,
    },
}

/// A birth.
#[derive(Clone, PartialEq, Debug)]
pub struct Acquire<'a> {
    /// Which handle.
    pub key: HandleKey,
    /// What it is; `UnknownDescriptor` if the source cannot tell yet.
    pub kind: HandleKind,
    /// The open file description, where the source can tell: a dup has that of its original.
    pub file: Option<FileId>,
    /// The inode, where the source can tell.
    pub inode: Option<InodeId>,
    /// The descriptor's close-on-exec flag, where known.
    pub cloexec: Option<bool>,
    /// How it came to be.
    pub cause: AcquireCause,
    /// The path or peer, where the source has it at no cost (polling, synthesized events).
    pub name: Option<Name>,
    /// The birth stack.
    pub trace: Trace<'a>,
}

/// How a handle came to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AcquireCause {
    /// By a system call: its name, as in the manual.
    Call(&'static str),
    /// By duplicating the descriptor given: dup, dup2, dup3, fcntl `F_DUPFD`.
    Dup(&'static str, FdNumber),
    /// By an io_uring operation of this name.
    Ring(&'static str),
    /// Was there when watching began.
    Existing,
    /// Copied from the parent by fork.
    Inherited,
    /// Found by re-reading the kernel's table: its birth was not seen.
    Found,
}

/// A death, or an attempt at one.
#[derive(Clone, PartialEq, Debug)]
pub struct Release<'a> {
    /// Which handle.
    pub key: HandleKey,
    /// How it went.
    pub cause: ReleaseCause,
    /// What stood in the table at this number when the call returned; tells a death from a number already reused.
    pub slot: Slot,
    /// The closer's stack.
    pub trace: Trace<'a>,
}

/// What a descriptor number held when a release was reported.
///
/// close(2) frees the number before its exit is traced; by then another thread's open may have taken it. The release
/// is of the old description only: the ledger drops its entry if the slot is `Empty` or holds another description,
/// and leaves it (to be replaced by the coming acquire, or because it already was) if the slot holds the same address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The source does not look, but its order is exact (ptrace stops, polling).
    NotRead,
    /// Nothing.
    Empty,
    /// A description.
    Holds(FileId),
}

/// How a handle went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReleaseCause {
    /// By a system call: its name.
    Call(&'static str),
    /// Replaced by dup2 or dup3 onto its number.
    DupOver,
    /// By an io_uring operation of this name.
    Ring(&'static str),
    /// Closed by exec for its close-on-exec flag.
    Exec,
    /// By the end of its process or thread.
    Exit,
    /// Found gone by re-reading the kernel's table: its death was not seen.
    Vanished,
}

/// A failure worth telling.
#[derive(Clone, PartialEq, Debug)]
pub struct Fail<'a> {
    /// The system call.
    pub call: &'static str,
    /// The error number, positive: EBADF 9, ENFILE 23, EMFILE 24.
    pub errno: i32,
    /// The descriptor argument, for calls that take one.
    pub fd: Option<FdNumber>,
    /// The table it was looked up in.
    pub table: TableId,
    /// The caller's stack.
    pub trace: Trace<'a>,
}
