//! Sections of /proc/PID for people: one file each, as rows.

mod read;

use fdscope_model::section::{Row, Section};
use fdscope_model::{Fault, Pid};

use crate::error::ProcError;
use crate::root::{PidDir, ProcRoot};
use crate::threads::CallTable;

/// Reads the rows of a section.
#[derive(Clone, Copy)]
enum Reader {
    /// From files alone.
    Files(fn(&ProcRoot, &PidDir) -> Result<Vec<Row>, ProcError>),
    /// With the names of system calls, which the caller has.
    Calls(fn(&ProcRoot, &PidDir, CallTable) -> Result<Vec<Row>, ProcError>),
}

use Reader::{Calls, Files};

/// The word of each section, what it is for, and who reads it: one table for help, completions and reading.
const SECTIONS: &[(&str, &str, Reader)] = &[
    ("cmdline", "arguments, one a row", Files(read::cmdline)),
    ("cwd", "working directory and root", Files(read::cwd)),
    (
        "environ",
        "environment as it was at start, secrets and all (--mask hides them)",
        Files(read::environ),
    ),
    ("exe", "the running program", Files(read::exe)),
    ("fd", "descriptors in groups", Files(read::fd)),
    ("limits", "resource limits, soft and hard", Files(read::limits)),
    ("maps", "mappings in groups, the most numerous first", Files(read::maps)),
    (
        "candidates",
        "mappings that are so many of one sort that they may be growing",
        Files(read::candidates),
    ),
    ("stat", "every field of stat, with units", Files(read::stat)),
    ("statm", "memory in pages", Files(read::statm)),
    ("status", "every line of status", Files(read::status)),
    ("io", "bytes and calls of input and output", Files(read::io)),
    ("cgroup", "cgroups", Files(read::cgroup)),
    ("namespaces", "namespaces, and which are fdscope's own", Files(read::namespaces)),
    ("oom", "how likely the kernel kills it when memory runs out", Files(read::oom)),
    ("threads", "each thread: state, where it waits, current system call", Calls(read::threads)),
];

/// Sections that an overview shows.
pub const OVERVIEW: &[&str] =
    &["cmdline", "cwd", "exe", "fd", "statm", "io", "cgroup", "namespaces", "oom"];

/// Word and purpose of each section.
pub fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().map(|row| (row.0, row.1))
}

impl ProcRoot {
    /// A section of a process by its word, with system calls named by `calls`; what may not be read is a fault of it.
    /// `None` for a word that names none.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    pub fn section(
        &self,
        pid: Pid,
        word: &str,
        calls: CallTable,
    ) -> Result<Option<Section>, ProcError> {
        let Some(&(name, _, reader)) = SECTIONS.iter().find(|row| row.0 == word) else {
            return Ok(None);
        };
        let dir = self.pid_dir(pid)?;
        let mut section = Section { name, rows: Vec::new(), faults: Vec::new() };
        let read = match reader {
            Files(reader) => reader(self, &dir),
            Calls(reader) => reader(self, &dir, calls),
        };
        match read {
            Ok(rows) => section.rows = rows,
            Err(error) if error.is_gone() && dir.process_stat().is_err() => return Err(error),
            Err(error) => section.faults.push(fault(pid, &error)),
        }
        Ok(Some(section))
    }
}

/// Why a zombie or a kernel thread has no such section.
pub const NOTHING: &str = "a process that ended, or a kernel thread, has none";

fn fault(pid: Pid, error: &ProcError) -> Fault {
    let (operation, cause) = match error {
        ProcError::NotPermitted { operation, .. } => (*operation, "permission denied".to_owned()),
        ProcError::Process { operation, cause, .. } => (*operation, cause.to_string()),
        ProcError::Gone { .. } => ("read this", NOTHING.to_owned()),
        error => ("read this", error.to_string()),
    };
    Fault { pid: Some(pid), fd: None, operation, cause }
}
