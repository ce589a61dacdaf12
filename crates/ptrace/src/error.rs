//! Why a process cannot be traced, in sentences that say what to do.

use std::io;

use fdscope_model::{Name, Pid};

/// Why tracing failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such process, or it ended before it was seized.
    #[error("no process {pid}")]
    NoSuchProcess {
        /// The number given.
        pid: Pid,
    },
    /// Another tracer has it: the kernel allows one.
    #[error("process {pid} is already traced by process {tracer} ({comm}); end that one first")]
    AlreadyTraced {
        /// The target.
        pid: Pid,
        /// The other tracer.
        tracer: Pid,
        /// The other tracer's `comm`.
        comm: Name,
    },
    /// The kernel refused.
    #[error(
        "not permitted to trace process {pid}: {reason}; run with sudo, or give fdscope CAP_SYS_PTRACE"
    )]
    NotPermitted {
        /// The target.
        pid: Pid,
        /// What in the system's settings refuses, as far as can be told.
        reason: String,
    },
    /// The program could not be started.
    #[error("failed to run {program}: {cause}")]
    Launch {
        /// The program.
        program: Name,
        /// Why.
        cause: io::Error,
    },
    /// The tracer thread could not be made or made itself ready.
    #[error("failed to start tracing: {0}")]
    Start(io::Error),
    /// The tracer thread ended without a word: a bug.
    #[error("the tracer thread is gone")]
    ThreadGone,
}
