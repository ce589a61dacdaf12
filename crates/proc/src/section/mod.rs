//! Sections of /proc/PID for people: one file each, as rows.

mod read;

use fdscope_model::section::{Row, Section};
use fdscope_model::{Fault, Pid};

use crate::error::ProcError;
use crate::root::{PidDir, ProcRoot};

/// Reads the rows of a section.
type Reader = fn(&ProcRoot, &PidDir) -> Result<Vec<Row>, ProcError>;

/// The word of each section, what it is for, and who reads it: one table for help, completions and reading.
const SECTIONS: &[(&str, &str, Reader)] = &[
    ("cmdline", "arguments, one a row", read::cmdline),
    ("cwd", "working directory and root", read::cwd),
    (
        "environ",
        "environment as it was at start, secrets and all (--mask hides them)",
        read::environ,
    ),
    ("exe", "the running program", read::exe),
    ("fd", "descriptors in groups", read::fd),
    ("limits", "resource limits, soft and hard", read::limits),
    ("maps", "mappings in groups, the most numerous first", read::maps),
    ("stat", "every field of stat, with units", read::stat),
    ("statm", "memory in pages", read::statm),
    ("status", "every line of status", read::status),
    ("io", "bytes and calls of input and output", read::io),
    ("cgroup", "cgroups", read::cgroup),
    ("namespaces", "namespaces, and which are fdscope's own", read::namespaces),
    ("oom", "how likely the kernel kills it when memory runs out", read::oom),
    ("threads", "each thread: state, where it waits, current system call", read::threads),
];

/// Sections that an overview shows.
pub const OVERVIEW: &[&str] =
    &["cmdline", "cwd", "exe", "fd", "statm", "io", "cgroup", "namespaces", "oom"];

/// Word and purpose of each section.
pub fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().map(|row| (row.0, row.1))
}

impl ProcRoot {
    /// A section of a process by its word; what may not be read is a fault of it. `None` for a word that names none.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn section(&self, pid: Pid, word: &str) -> Result<Option<Section>, ProcError> {
        let Some(&(name, _, reader)) = SECTIONS.iter().find(|row| row.0 == word) else {
            return Ok(None);
        };
        let dir = self.pid_dir(pid)?;
        let mut section = Section { name, rows: Vec::new(), faults: Vec::new() };
        match reader(self, &dir) {
            Ok(rows) => section.rows = rows,
            Err(error) if error.is_gone() && dir.process_stat().is_err() => return Err(error),
            Err(error) => section.faults.push(fault(pid, &error)),
        }
        Ok(Some(section))
    }
}

fn fault(pid: Pid, error: &ProcError) -> Fault {
    let (operation, cause) = match error {
        ProcError::NotPermitted { operation, .. } => (*operation, "permission denied".to_owned()),
        ProcError::Process { operation, cause, .. } => (*operation, cause.to_string()),
        // A zombie, or a kernel thread: it has none of this.
        ProcError::Gone { .. } => ("read this", "the process has none".to_owned()),
        error => ("read this", error.to_string()),
    };
    Fault { pid: Some(pid), fd: None, operation, cause }
}
