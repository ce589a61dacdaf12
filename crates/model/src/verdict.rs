//! What is said about a site, with all that a sceptic needs to believe it.

use crate::fault::Fault;
use crate::id::{FdNumber, Monotonic, Pid, SiteId, Tid};
use crate::kind::HandleKind;
use crate::limit::Limit;
use crate::name::Name;
use crate::process::Process;
use crate::sight::{Sight, SourceName};
use crate::stack::Frame;

/// How sure and how bad, from least to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Handles come and go and nothing stays.
    Steady,
    /// Grew, and stopped: a pool, a cache, a warm-up; the plateau is stated.
    Bounded,
    /// Not watched long enough; the evidence says when it will be known.
    TooSoon,
    /// Grows, but something forbids certainty: events were lost, no stacks, too few survivors.
    Suspect,
    /// Grows without end: handles are acquired here and never released.
    Leak,
}

impl Level {
    /// Every level, least first.
    pub const ALL: [Level; 5] =
        [Level::Steady, Level::Bounded, Level::TooSoon, Level::Suspect, Level::Leak];

    /// The word used in `--fail-on` and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Level::Steady => "steady",
            Level::Bounded => "bounded",
            Level::TooSoon => "too-soon",
            Level::Suspect => "suspect",
            Level::Leak => "leak",
        }
    }

    /// The level that `word` names, if any.
    pub fn from_word(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// Where handles come from: code if stacks were seen, else what their names share.
#[derive(Clone, PartialEq, Debug)]
pub struct Site {
    /// Its number in this report.
    pub id: SiteId,
    /// The stack most survivors share, innermost first; empty where no stack was seen.
    pub frames: Vec<Frame>,
    /// Index in `frames` of the first frame above plumbing: the line to read first.
    pub at: Option<usize>,
    /// How many distinct stacks were folded into this site.
    pub stacks: u32,
    /// What the names of the handles share (`/var/log/app-*.log`), where there is no stack.
    pub pattern: Option<Name>,
}

/// A rate per second with its uncertainty.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    /// The estimate (Theil–Sen over block means).
    pub per_s: f64,
    /// The lower end of its 95 % interval.
    pub low_per_s: f64,
    /// The upper end of its 95 % interval.
    pub high_per_s: f64,
}

/// When a limit breaks at the present rate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Forecast {
    /// The first limit to break, with what is used of it now.
    pub limit: Limit,
    /// Seconds until then at the estimated rate; `None` if it is not being approached.
    pub reached_in_s: Option<f64>,
    /// Seconds until then at the upper end of the rate's interval.
    pub soonest_s: Option<f64>,
    /// Seconds until then at the lower end; `None` if that end is not growth.
    pub latest_s: Option<f64>,
}

/// How long handles of a site lived. Times in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lifetimes {
    /// Handles born and released while watched: the ones whose lifetime is known.
    pub known: u64,
    /// Their median lifetime.
    pub median_ns: Option<u64>,
    /// Their 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// The longest of them.
    pub longest_ns: Option<u64>,
    /// The age of the oldest one born while watched and still alive.
    pub oldest_live_ns: Option<u64>,
}

impl Report {
    /// A report before anything was seen.
    pub fn of_nothing(source: SourceName) -> Self {
        Report {
            command: String::new(),
            taken_at_ns: 0,
            machine: String::new(),
            begun: Monotonic(0),
            ended: Monotonic(0),
            sight: Sight { source, how: String::new(), blind: Vec::new() },
            lost: 0,
            events: 0,
            stacks_skipped: 0,
            totals: Vec::new(),
            verdicts: Vec::new(),
            misuse: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl Verdict {
    /// True if the process closed the handles of this site in its last moments only.
    pub fn went_at_its_end(&self) -> bool {
        self.closed_by.iter().any(|closer| closer.how == AT_ITS_END)
    }
}

/// How handles went that a process closed in its last moments only, as an interpreter does that shuts down.
pub const AT_ITS_END: &str = "close at its end";

/// Who releases the handles of a site.
#[derive(Clone, PartialEq, Debug)]
pub struct Closer {
    /// The closing call or cause: "close", "dup2", "exit", "found closed", [`AT_ITS_END`].
    pub how: String,
    /// The closing stack, innermost first; may be empty.
    pub frames: Vec<Frame>,
    /// Index of its first frame above plumbing.
    pub at: Option<usize>,
    /// How many it released.
    pub count: u64,
}

/// One living handle of a site.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// Its descriptor, if it is one.
    pub fd: Option<FdNumber>,
    /// Path, peer or other name; empty if it could not be read.
    pub name: Name,
    /// The thread that acquired it.
    pub tid: Tid,
    /// That thread's name; empty if unknown.
    pub thread: Name,
    /// Age in nanoseconds.
    pub age_ns: u64,
}

/// A number of something over time, in equal bins.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Curve {
    /// The start of the first bin.
    pub start: Monotonic,
    /// Width of a bin in nanoseconds.
    pub bin_ns: u64,
    /// The value at the end of each bin.
    pub values: Vec<u64>,
}

/// What is said about one site in one process.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// How sure and how bad.
    pub level: Level,
    /// The rule that decided, by its name in the documentation: "growth", "hazard-break", "plateau" …
    pub rule: &'static str,
    /// What kind of handle.
    pub kind: HandleKind,
    /// In which process.
    pub pid: Pid,
    /// Its `comm`.
    pub comm: Name,
    /// From where.
    pub site: Site,
    /// Born while watched.
    pub acquired: u64,
    /// Of those, released.
    pub released: u64,
    /// Alive now, those that were there before watching included.
    pub live: u64,
    /// Of `live`, those there before watching began (origin unknown).
    pub existing: u64,
    /// Distinct open file descriptions among the survivors, where the source can tell; dups make it smaller.
    pub descriptions: Option<u64>,
    /// When the first survivor was born.
    pub since: Option<Monotonic>,
    /// Growth of the number alive.
    pub rate: Option<Rate>,
    /// Which limit breaks first, and when.
    pub forecast: Option<Forecast>,
    /// How long they lived.
    pub lifetimes: Lifetimes,
    /// Number alive over time.
    pub curve: Curve,
    /// Whole sentences, strongest first.
    pub evidence: Vec<String>,
    /// What else it could have been, and why it is not: whole sentences.
    pub ruled_out: Vec<String>,
    /// Who releases handles of this site, most first; empty if nobody ever did.
    pub closed_by: Vec<Closer>,
    /// At most three living handles, oldest first.
    pub examples: Vec<Example>,
    /// What to do, in one sentence.
    pub advice: String,
    /// How many processes this is said of; above 1 where ended children of one program are told together, and `pid` is
    /// one of them.
    pub processes: u64,
    /// Seconds until the question will be settled, if things go on as they do; only for `TooSoon`.
    pub known_in_s: Option<f64>,
}

/// Which misuse was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MisuseKind {
    /// close(2) of a number that was not open.
    DoubleClose,
    /// Another call on a number that was not open.
    BadDescriptor,
    /// EMFILE: the process's limit was hit.
    ProcessLimit,
    /// ENFILE: the system's limit was hit.
    SystemLimit,
    /// A descriptor crossed exec because it lacked close-on-exec.
    InheritedOverExec,
}

impl MisuseKind {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            MisuseKind::DoubleClose => "double-close",
            MisuseKind::BadDescriptor => "bad-descriptor",
            MisuseKind::ProcessLimit => "process-limit",
            MisuseKind::SystemLimit => "system-limit",
            MisuseKind::InheritedOverExec => "inherited-over-exec",
        }
    }
}

/// A misuse at one place.
#[derive(Clone, PartialEq, Debug)]
pub struct Misuse {
    /// Which.
    pub kind: MisuseKind,
    /// In which process.
    pub pid: Pid,
    /// Its `comm`.
    pub comm: Name,
    /// The system call.
    pub call: String,
    /// How often.
    pub count: u64,
    /// A descriptor as example, and its name if known.
    pub fd: Option<FdNumber>,
    /// That descriptor's name; empty if unknown.
    pub name: Name,
    /// The caller's stack, innermost first.
    pub frames: Vec<Frame>,
    /// Index of its first frame above plumbing.
    pub at: Option<usize>,
    /// For a double close, the stack that closed the number before; for an inherited one, its birth.
    pub earlier: Vec<Frame>,
}

/// One process's totals.
#[derive(Clone, PartialEq, Debug)]
pub struct Total {
    /// Who.
    pub process: Process,
    /// Descriptors open when watching began.
    pub at_start: u64,
    /// Descriptors open now.
    pub now: u64,
    /// Descriptors acquired while watched.
    pub acquired: u64,
    /// Of all releases, those seen while watched.
    pub released: u64,
    /// Descriptors open over time.
    pub curve: Curve,
    /// Limits, with what is used.
    pub limits: Vec<Limit>,
    /// True if the process is gone.
    pub gone: bool,
    /// Handles whose birth was not seen although watching had begun.
    pub found: u64,
    /// Handles whose death was not seen.
    pub vanished: u64,
    /// At the last comparison, did the ledger equal the kernel's table? `None` if it could not be compared.
    pub agrees: Option<bool>,
    /// How many processes these totals are of; above 1 where ended children of one program are added up, and `process`
    /// is one of them.
    pub processes: u64,
}

/// The answer of `fdscope leak`: what every writer (terminal, JSON, folded) prints.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// The command that repeats this run.
    pub command: String,
    /// Wall time of the report in nanoseconds since the epoch.
    pub taken_at_ns: u64,
    /// `uname`: system, release, machine.
    pub machine: String,
    /// When watching began and ended.
    pub begun: Monotonic,
    /// When watching ended.
    pub ended: Monotonic,
    /// What watched, and what it could not see.
    pub sight: Sight,
    /// Events lost.
    pub lost: u64,
    /// Events seen.
    pub events: u64,
    /// Births whose stack was not taken to spare the target.
    pub stacks_skipped: u64,
    /// The watched processes.
    pub totals: Vec<Total>,
    /// Worst first.
    pub verdicts: Vec<Verdict>,
    /// Most frequent first.
    pub misuse: Vec<Misuse>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}
