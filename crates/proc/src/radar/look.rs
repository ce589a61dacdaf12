//! One look at one process: stat, the two directories whose sizes are counts, and its limits.

use fdscope_model::survey::Vitals;
use fdscope_model::{Fault, Pid, ProcessId};
use fdscope_sys::rlimit;

use crate::error::ProcError;
use crate::parse::{Resource, Stat, parse_limits, parse_stat};
use crate::root::{PidDir, ProcRoot};

/// What a number in /proc turned out to be.
#[derive(Debug)]
pub(super) enum Seen {
    /// A process, with its soft RLIMIT_NPROC.
    Process(Vitals, Option<u64>),
    /// One that exited, whose parent has not waited for it.
    Zombie { parent: Pid, uid: u32 },
    /// A kernel thread.
    KernelThread,
    /// Nothing any more.
    Gone,
    /// A process that this user may not see.
    Refused,
    /// A process that could not be read.
    Fault(Fault),
}

/// Looks at processes.
#[derive(Debug)]
pub(super) struct Looker {
    pub root: ProcRoot,
    /// True if the size of an `fd` directory is the number of descriptors (Linux 6.2).
    counts: bool,
}

impl Looker {
    pub fn new(root: ProcRoot) -> Self {
        let own = Pid(std::process::id());
        let size = root.pid_dir(own).and_then(|dir| dir.stat("fd", "count descriptors"));
        let counts = root.is_live() && size.is_ok_and(|stat| stat.st_size > 0);
        Looker { root, counts }
    }

    pub fn look(&self, pid: Pid, buffer: &mut [u8]) -> Seen {
        self.try_look(pid, buffer).unwrap_or_else(|error| match error {
            error if error.is_gone() => Seen::Gone,
            error if error.is_not_permitted() => Seen::Refused,
            error => Seen::Fault(Fault {
                pid: Some(pid),
                fd: None,
                operation: "read the process",
                cause: error.to_string(),
            }),
        })
    }

    fn try_look(&self, pid: Pid, buffer: &mut [u8]) -> Result<Seen, ProcError> {
        let dir = self.root.pid_dir(pid)?;
        let length = dir.read_once("stat", "read stat", buffer)?;
        let stat =
            parse_stat(&buffer[..length]).map_err(|cause| ProcError::Malformed { pid, cause })?;
        if stat.is_kernel_thread() {
            return Ok(Seen::KernelThread);
        }
        // The directory itself belongs to the effective user (fs/proc/base.c, `task_dump_owner`).
        let uid = dir.uid()?;
        if stat.state.is_zombie() && stat.threads < 2 {
            return Ok(Seen::Zombie { parent: stat.parent, uid });
        }
        let (nofile, nproc) = self.ceilings(&dir, uid, buffer);
        let descriptors = self.count(&dir, &stat)?;
        Ok(Seen::Process(
            Vitals {
                id: ProcessId { pid, start_ticks: stat.start_ticks },
                parent: stat.parent,
                uid,
                comm: stat.comm,
                cmdline: None,
                state: stat.state.0,
                descriptors,
                threads: stat.threads,
                nofile,
                tasks: None,
                growth: None,
            },
            nproc,
        ))
    }

    /// Open descriptors; `None` if they can be neither counted nor listed.
    fn count(&self, dir: &PidDir, stat: &Stat) -> Result<Option<u64>, ProcError> {
        // A first thread that exited before the others has let go of the table.
        let place = if stat.state.is_zombie() { dir.living_place()? } else { String::new() };
        let counted = if self.counts {
            dir.stat(&format!("{place}fd"), "count descriptors").map(|stat| stat.st_size as u64)
        } else {
            dir.list(&format!("{place}fd"), "list descriptors").map(|fds| fds.len() as u64)
        };
        match counted {
            Err(error) if error.is_not_permitted() => Ok(None),
            counted => counted.map(Some),
        }
    }

    /// Soft RLIMIT_NOFILE and RLIMIT_NPROC: by prlimit(2) where it is allowed, else from the file.
    /// The latter does not bind root, and is not asked for.
    fn ceilings(&self, dir: &PidDir, uid: u32, buffer: &mut [u8]) -> (Option<u64>, Option<u64>) {
        // Of a number used again meanwhile the limit would be another's: that the directory still answers is checked
        // by counting afterwards.
        let asked = self.root.is_own().then(|| rlimit::soft(dir.pid(), rlimit::Resource::Nofile));
        if let Some(Some(nofile)) = asked {
            let nproc = (uid != 0).then(|| rlimit::soft(dir.pid(), rlimit::Resource::Nproc));
            return (Some(nofile), nproc.flatten());
        }
        let read = dir.read_once("limits", "read limits", buffer);
        let limits = read.ok().and_then(|length| parse_limits(&buffer[..length]).ok());
        let soft = |resource| {
            let found = limits.iter().flatten().find(|limit| limit.resource == resource);
            found.map(|limit| limit.soft)
        };
        (soft(Resource::Nofile), soft(Resource::Nproc))
    }
}
