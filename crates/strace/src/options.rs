//! What strace was told to do. How it is told is in [`mod@crate::read`].

use fdscope_model::HandleKind;
use fdscope_syscall::decode::Style;

use crate::set::{CallSet, NumberSet};
use crate::summary::{Column, SortBy};

/// Kinds of results, for [`Options::status`].
pub mod status {
    /// It returned without an error.
    pub const SUCCESSFUL: u32 = 0;
    /// It returned with an error.
    pub const FAILED: u32 = 1;
    /// The task ended in it.
    pub const UNFINISHED: u32 = 2;
    /// It could not be looked at.
    pub const UNAVAILABLE: u32 = 3;
    /// The task was let go in it.
    pub const DETACHED: u32 = 4;
    /// Their names, by number.
    pub const NAMES: [&str; 5] = ["successful", "failed", "unfinished", "unavailable", "detached"];
}

/// Kinds of messages, for [`Options::quiet`].
pub mod quiet {
    /// "Process 7 attached", "detached".
    pub const ATTACH: u32 = 0;
    /// "+++ exited with 0 +++".
    pub const EXIT: u32 = 1;
    /// "Requested path … resolved into …".
    pub const PATH: u32 = 2;
    /// "Process PID=7 runs in 32 bit mode".
    pub const PERSONALITY: u32 = 3;
    /// "+++ superseded by execve in pid 7 +++".
    pub const EXECVE: u32 = 4;
    /// Their names, by number; the last is another name of the fourth.
    pub const NAMES: [&str; 7] = [
        "attach",
        "exit",
        "path-resolution",
        "personality",
        "thread-execve",
        "superseded",
        "path-resolve",
    ];
}

/// What is said of descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FdWords {
    /// Where they lead.
    pub path: bool,
    /// Device numbers.
    pub dev: bool,
    /// Protocol and endpoints of sockets.
    pub socket: bool,
    /// The process behind a pidfd.
    pub pidfd: bool,
}

/// How a stamp begins a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// Local time of day.
    Time,
    /// Seconds since 1970.
    Unix,
    /// Local date and time.
    Date,
}

/// How fine a time is told: digits behind the point.
pub type Digits = u8;

/// What happens to the calls' times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Count {
    /// Lines only.
    #[default]
    No,
    /// A table only.
    Only,
    /// Lines, and a table at the end.
    Too,
}

/// Who the tracer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Daemon {
    /// The parent of the program.
    #[default]
    No,
    /// A grandchild of the caller; the caller's child is the program.
    Grandchild,
    /// In a process group of its own.
    Group,
    /// In a session of its own.
    Session,
}

/// When the tracer hears fatal signals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Interruptible {
    /// At any moment.
    Anywhere,
    /// While it waits.
    Waiting,
    /// Never.
    Never,
    /// Never, and Ctrl-Z does not stop it either.
    NeverTstp,
}

/// Where lines go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// A file, or with `-ff` the beginning of the names of files.
    File(Vec<u8>),
    /// The input of a shell command.
    Command(Vec<u8>),
}

/// What lines look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    /// As strace's.
    #[default]
    Lines,
    /// A line per call when it is over: none is split, and an id stands in front.
    Whole,
    /// JSON, one object a line.
    Json,
}

/// Which engine looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Source {
    /// The best that is permitted and does what is asked.
    #[default]
    Auto,
    /// eBPF.
    Bpf,
    /// ptrace.
    Ptrace,
}

/// When to stop by itself, and what else strace does not have.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Beyond {
    /// The engine.
    pub source: Source,
    /// What lines look like.
    pub shape: Shape,
    /// Stop after so many nanoseconds.
    pub most_ns: Option<u64>,
    /// Stop after so many bytes of output; with rotation: begin another file.
    pub most_bytes: Option<u64>,
    /// Keep so many files, the oldest is removed.
    pub files: Option<u32>,
    /// Only calls that failed with one of these.
    pub errors: Option<NumberSet>,
    /// Only calls that name a path that matches one of these.
    pub globs: Vec<Vec<u8>>,
    /// Only calls that concern a descriptor of one of these kinds.
    pub kinds: Vec<HandleKind>,
    /// Only calls that took at least so long.
    pub least_ns: Option<u64>,
    /// A table is printed so often.
    pub every_ns: Option<u64>,
    /// A table for each process.
    pub by_process: bool,
    /// Children that exist already are traced too.
    pub children: bool,
    /// Environments are shown as they are, secrets included.
    pub secrets: bool,
}

/// What strace was told to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name in messages.
    pub program: &'static str,
    /// Which calls.
    pub trace: CallSet,
    /// Of which structures everything is left out that is rarely of interest.
    pub abbreviate: CallSet,
    /// Of which calls pointers are followed.
    pub verbose: CallSet,
    /// Of which calls arguments are numbers.
    pub raw: CallSet,
    /// Calls with which results.
    pub status: NumberSet,
    /// Which signals.
    pub signals: NumberSet,
    /// What is not said.
    pub quiet: NumberSet,
    /// Data read from which descriptors is dumped.
    pub reads: NumberSet,
    /// Data written to which descriptors is dumped.
    pub writes: NumberSet,
    /// Only calls that concern one of these descriptors.
    pub fds: Option<NumberSet>,
    /// Only calls that concern one of these paths.
    pub paths: Vec<Vec<u8>>,
    /// How values are written.
    pub style: Style,
    /// What is said of descriptors.
    pub fd_words: FdWords,
    /// Names of processes behind their numbers.
    pub pid_names: bool,
    /// Numbers in the tracer's PID namespace behind those of the task's.
    pub pid_namespaces: bool,
    /// The column of the result.
    pub column: usize,
    /// Follow forks; with `-p`, all threads.
    pub follow: bool,
    /// A file per task.
    pub separately: bool,
    /// Where lines go; to standard error if nowhere else.
    pub output: Option<Output>,
    /// Append to the file.
    pub append: bool,
    /// Times of day.
    pub stamp: Option<(Stamp, Digits)>,
    /// Times since the line before.
    pub relative: Option<Digits>,
    /// Times that calls took.
    pub spent: Option<Digits>,
    /// Instruction pointers.
    pub ip: bool,
    /// Numbers of calls.
    pub numbers: bool,
    /// Stacks.
    pub stacks: bool,
    /// Most frames of one.
    pub most_frames: usize,
    /// Sources and lines in stacks.
    pub stack_lines: bool,
    /// PIDs before every line.
    pub always_pid: bool,
    /// Tables.
    pub count: Count,
    /// The order of their rows.
    pub sort: SortBy,
    /// Their columns.
    pub columns: Vec<Column>,
    /// By the wall clock rather than the processor's.
    pub wall: bool,
    /// What tracing itself costs a call, to be taken off.
    pub overhead_ns: Option<i64>,
    /// Let a task go that runs another program.
    pub detach_on_exec: bool,
    /// Who the tracer is.
    pub daemon: Daemon,
    /// When fatal signals are heard.
    pub interruptible: Option<Interruptible>,
    /// Stop a launched program at the wanted calls only, by a seccomp filter.
    pub seccomp: bool,
    /// The program dies with the tracer.
    pub kill_on_exit: bool,
    /// End after so many calls.
    pub most_calls: Option<u64>,
    /// Processes to trace.
    pub pids: Vec<u32>,
    /// Changes of the environment, in order: `NAME=VALUE`, or a name to be removed.
    pub environment: Vec<Vec<u8>>,
    /// As whom the program runs.
    pub user: Option<Vec<u8>>,
    /// Its zeroth argument.
    pub argv0: Option<Vec<u8>>,
    /// The program and its arguments.
    pub command: Vec<Vec<u8>>,
    /// What strace does not have.
    pub beyond: Beyond,
}

impl Options {
    /// Are calls chosen by what they concern?
    pub fn chooses_by_handle(&self) -> bool {
        let Beyond { globs, kinds, .. } = &self.beyond;
        self.fds.is_some() || !self.paths.is_empty() || !globs.is_empty() || !kinds.is_empty()
    }

    /// What happens if nothing is said: strace's defaults.
    pub fn new(program: &'static str) -> Self {
        Options {
            program,
            trace: CallSet::all(),
            abbreviate: CallSet::all(),
            verbose: CallSet::all(),
            raw: CallSet::none(),
            status: NumberSet::all(),
            signals: NumberSet::all(),
            quiet: NumberSet::default(),
            reads: NumberSet::default(),
            writes: NumberSet::default(),
            fds: None,
            paths: Vec::new(),
            style: Style::default(),
            fd_words: FdWords::default(),
            pid_names: false,
            pid_namespaces: false,
            column: 40,
            follow: false,
            separately: false,
            output: None,
            append: false,
            stamp: None,
            relative: None,
            spent: None,
            ip: false,
            numbers: false,
            stacks: false,
            most_frames: 256,
            stack_lines: false,
            always_pid: false,
            count: Count::No,
            sort: SortBy::Time,
            columns: Column::DEFAULT.to_vec(),
            wall: false,
            overhead_ns: None,
            detach_on_exec: false,
            daemon: Daemon::No,
            interruptible: None,
            seccomp: false,
            kill_on_exit: false,
            most_calls: None,
            pids: Vec::new(),
            environment: Vec::new(),
            user: None,
            argv0: None,
            command: Vec::new(),
            beyond: Beyond::default(),
        }
    }
}
