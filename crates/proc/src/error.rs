//! Why /proc could not be read.

use fdscope_model::Pid;
use rustix::io::Errno;
use thiserror::Error;

use crate::parse::ParseError;

/// Why something could not be read of /proc. Single unreadable descriptors are faults in a snapshot, not errors.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProcError {
    /// The process does not exist, or ended while being read: normal in any walk.
    #[error("no process {pid}")]
    Gone {
        /// The process.
        pid: Pid,
    },
    /// The process is another user's, or guards itself (`PR_SET_DUMPABLE`): needs that user, or CAP_SYS_PTRACE.
    #[error("failed to {operation} of process {pid}: permission denied")]
    NotPermitted {
        /// The process.
        pid: Pid,
        /// What was tried: "list descriptors".
        operation: &'static str,
    },
    /// Something else went wrong with a process.
    #[error("failed to {operation} of process {pid}: {cause}")]
    Process {
        /// The process.
        pid: Pid,
        /// What was tried.
        operation: &'static str,
        /// The kernel's answer.
        cause: Errno,
    },
    /// A file that belongs to no process could not be read.
    #[error("failed to read {path}: {cause}")]
    System {
        /// The file.
        path: String,
        /// The kernel's answer.
        cause: Errno,
    },
    /// A file of a process is not as the kernel writes it.
    #[error("failed to understand process {pid}: {cause}")]
    Malformed {
        /// The process.
        pid: Pid,
        /// What was not understood.
        cause: ParseError,
    },
}

impl ProcError {
    /// The error of `operation` on a process, told by the kernel's answer.
    pub(crate) fn of(pid: Pid, operation: &'static str, cause: Errno) -> Self {
        match cause {
            Errno::NOENT | Errno::SRCH => ProcError::Gone { pid },
            Errno::ACCESS | Errno::PERM => ProcError::NotPermitted { pid, operation },
            cause => ProcError::Process { pid, operation, cause },
        }
    }

    /// True if the process is no more: what a walk passes over.
    pub fn is_gone(&self) -> bool {
        matches!(self, ProcError::Gone { .. })
    }

    /// True if more privilege would have helped.
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, ProcError::NotPermitted { .. })
            || matches!(self, ProcError::System { cause: Errno::ACCESS | Errno::PERM, .. })
    }
}
