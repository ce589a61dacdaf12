//! Exited threads that nobody joined, as rows of their own.

use fdscope_model::Pid;
use fdscope_model::thread::Unjoined;

use super::mappings::Mappings;
use crate::error::ProcError;
use crate::root::ProcRoot;

/// Counts the exited threads of one process that nobody joined, again and again.
#[derive(Debug)]
pub struct UnjoinedThreads {
    root: ProcRoot,
    pid: Pid,
    mappings: Mappings,
    before: Option<Vec<Unjoined>>,
}

impl UnjoinedThreads {
    /// A counter for a process.
    pub fn new(root: ProcRoot, pid: Pid) -> Self {
        UnjoinedThreads { root, pid, mappings: Mappings::default(), before: None }
    }

    /// Counts now, by the size of the stacks. From the second time on, `grown` says how many are new.
    ///
    /// # Errors
    /// If the process is gone, or its mappings may not be read.
    pub fn read(&mut self) -> Result<Vec<Unjoined>, ProcError> {
        let dir = self.root.pid_dir(self.pid)?;
        let mut rows = self.mappings.unjoined(&dir)?;
        if let Some(before) = self.before.replace(rows.clone()) {
            for row in &mut rows {
                let same = before.iter().find(|old| old.stack_bytes == row.stack_bytes);
                row.grown = Some(row.count as i64 - same.map_or(0, |old| old.count as i64));
            }
        }
        Ok(rows)
    }
}
