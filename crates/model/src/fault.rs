//! What could not be seen, as data: a fault is a row of the answer, never a dropped line.

use crate::id::{FdNumber, Pid};

/// Something that could not be read, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The process concerned, if one is.
    pub pid: Option<Pid>,
    /// The descriptor concerned, if one is.
    pub fd: Option<FdNumber>,
    /// What was tried: "read link", "unwind stack".
    pub operation: &'static str,
    /// Why it failed, in the kernel's words: "permission denied".
    pub cause: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed to {}", self.operation)?;
        if let Some(fd) = self.fd {
            write!(f, " of fd {fd}")?;
        }
        if let Some(pid) = self.pid {
            write!(f, " in process {pid}")?;
        }
        write!(f, ": {}", self.cause)
    }
}
