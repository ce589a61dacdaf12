//! All that the screen of one target shows of one moment.

use fdscope_model::thread::ThreadGroup;
use fdscope_model::verdict::Report;
use fdscope_model::{FdNumber, HandleKind, Monotonic, Name, Pid, SocketState};

/// One moment of a watch, or of a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    /// The verdicts, and how the watch stands.
    pub report: Report,
    /// How things stand with the target.
    pub standing: Standing,
    /// What is held, by kind, most first.
    pub kinds: Vec<KindCount>,
    /// Sockets by state and ends, most first.
    pub sockets: Vec<SocketGroup>,
    /// Threads by name, most first.
    pub threads: Vec<ThreadGroup>,
    /// What came and went, the latest first.
    pub happenings: Vec<Happening>,
    /// What the source cannot see, and what to do about it: whole sentences for the help.
    pub notes: Vec<String>,
}

/// How things stand with the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It lives and is watched.
    Watching,
    /// It ended; what was seen last stays.
    Gone,
    /// It is a recording's.
    Replay {
        /// Since the recording's beginning.
        at_ns: u64,
        /// How long the recording is.
        length_ns: u64,
    },
}

/// How many handles of a kind there are.
#[derive(Clone, PartialEq, Debug)]
pub struct KindCount {
    /// The kind.
    pub kind: HandleKind,
    /// How many now.
    pub count: u64,
    /// How many lately, the oldest first.
    pub past: Vec<u64>,
    /// Growth over that time; `None` until there is one.
    pub per_min: Option<f64>,
}

/// Sockets with state and ends in common.
#[derive(Clone, PartialEq, Debug)]
pub struct SocketGroup {
    /// Their state, for those that have one.
    pub state: Option<SocketState>,
    /// What their ends share: `tcp 10.0.0.1:80->10.0.0.*:*`.
    pub pattern: Name,
    /// How many.
    pub count: u64,
    /// How many more than the time before.
    pub change: i64,
}

/// A handle that came or went.
#[derive(Clone, PartialEq, Debug)]
pub struct Happening {
    /// Its number in order: what it is known by.
    pub number: u64,
    /// When.
    pub at: Monotonic,
    /// It came; else it went.
    pub came: bool,
    /// In which process.
    pub pid: Pid,
    /// What it is; `None` for one that went and whose coming was not seen.
    pub kind: Option<HandleKind>,
    /// Its descriptor, if it is one.
    pub fd: Option<FdNumber>,
    /// Path, peer or other name; empty if unknown.
    pub name: Name,
    /// The call, and the function that made it where a stack was seen.
    pub by: String,
    /// How long it lived, if it went and its coming was seen.
    pub lived_ns: Option<u64>,
}
