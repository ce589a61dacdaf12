//! The nouns of fdscope: handles, processes, events, stacks and verdicts.
//!
//! Pure data and pure functions over it, with no dependency: nothing here reads the kernel, the clock or a file.
//! Parsers of /proc live in `fdscope-proc`, the fold that turns events into verdicts in `fdscope-analyze`.
#![forbid(unsafe_code)]

pub mod card;
pub mod diff;
pub mod event;
pub mod fault;
mod finding;
pub mod folded;
pub mod handle;
pub mod hash;
pub mod id;
pub mod interpreter;
pub mod inventory;
pub mod kind;
pub mod limit;
pub mod link;
pub mod memo;
pub mod name;
pub mod port;
pub mod process;
pub mod section;
pub mod sight;
pub mod socket;
pub mod stack;
pub mod survey;
pub mod thread;
pub mod verdict;

pub use event::{Acquire, AcquireCause, Body, Event, Fail, Release, ReleaseCause};
pub use fault::Fault;
pub use finding::SocketFinding;
pub use folded::Folded;
pub use handle::{Association, Handle, HandleKey, NamespaceClass};
pub use id::{
    DeviceId, FdNumber, FileId, InodeId, Monotonic, Pid, ProcessId, SiteId, StackId, TableId, Tid,
};
pub use interpreter::{InterpreterFrame, InterpreterLayout, ThreadIdentity};
pub use inventory::{Access, Entry, Facts, FileStatus, Inventory};
pub use kind::HandleKind;
pub use limit::{Limit, LimitName};
pub use memo::{Memo, MemoWord, WordAt};
pub use name::Name;
pub use port::{EventSource, Inventories, Progress, SnapshotSource, Symbolized, Symbolizer};
pub use process::{Process, Snapshot};
pub use sight::{Blind, Sight, SourceName};
pub use socket::{
    Address, Family, Keeper, Socket, SocketClass, SocketDetail, SocketMemory, SocketState,
    SocketTimer, Unheld,
};
pub use stack::{CodeAddr, Frame, Registers, Stack, Symbol, Trace};
pub use survey::{Survey, Vitals};
pub use verdict::{Level, Verdict};
