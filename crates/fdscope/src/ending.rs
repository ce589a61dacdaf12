//! How the program ends: exit codes, and failures as sentences that say what, why and the cure.

use std::fmt;

/// The documented exit codes (docs/exit-codes.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Done, whatever was found.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// Findings at or above `--fail-on`.
    Findings,
    /// The target was gone before anything was seen.
    TargetGone,
    /// Not permitted.
    NotPermitted,
    /// As the launched command ended.
    AsCommand(i32),
}

impl Ending {
    fn code(self) -> i32 {
        match self {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Usage => 2,
            Ending::Findings => 3,
            Ending::TargetGone => 4,
            Ending::NotPermitted => 77,
            Ending::AsCommand(code) => code,
        }
    }

    /// Ends the program.
    pub fn exit(self) -> ! {
        std::process::exit(self.code())
    }
}

/// A failure whose ending is known.
#[derive(Debug)]
pub struct Failure {
    /// How the program is to end.
    pub ending: Ending,
    /// What went wrong, and why: one sentence.
    pub what: String,
    /// What to do about it, one line each.
    pub cures: Vec<String>,
}

impl Failure {
    /// A failure without a cure.
    pub fn new(ending: Ending, what: impl Into<String>) -> Self {
        Failure { ending, what: what.into(), cures: Vec::new() }
    }

    /// The same, with one more cure.
    pub fn cure(mut self, line: impl Into<String>) -> Self {
        self.cures.push(line.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        self.cures.iter().try_for_each(|cure| write!(f, "\n  {cure}"))
    }
}

impl std::error::Error for Failure {}

/// Prints a failure and says how to end. A closed pipe is none.
pub fn failure(error: &anyhow::Error) -> Ending {
    let closed_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
            || cause.downcast_ref::<fdscope_render::Error>().is_some_and(|e| e.is_closed_pipe())
    });
    if closed_pipe {
        return Ending::Done;
    }
    eprintln!("fdscope: {error:#}");
    error.downcast_ref::<Failure>().map_or(Ending::Failed, |failure| failure.ending)
}

/// Prints what clap found wrong with the arguments, or the help or version asked for.
pub fn usage(error: &clap::Error) -> Ending {
    // Nothing is left to be done if even this cannot be printed.
    let _unprintable = error.print();
    if error.use_stderr() { Ending::Usage } else { Ending::Done }
}
