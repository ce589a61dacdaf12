//! One process's inventory: who it is, then its rows by association.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use fdscope_model::{
    Access, DeviceId, Entry, Fault, FileStatus, InodeId, Inventory, Name, Pid, Process, ProcessId,
};
use rustix::io::Errno;

use super::Wanted;
use super::locked::Locked;
use crate::error::ProcError;
use crate::mounts::{MountBook, every_file_answers};
use crate::parse::Stat;
use crate::root::{PidDir, ProcRoot};
use crate::table::InternalDevices;

/// Whose files may be asked for their status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Every file's: this kernel has no file system that would wait for anyone.
    Every,
    /// Those on a mount that is known, and known to answer from memory.
    KnownMounts,
}

/// Reads one process after the other.
#[derive(Debug)]
pub(super) struct Reader {
    pub root: ProcRoot,
    pub wanted: Wanted,
    pub trust: Trust,
    pub mounts: Arc<MountBook>,
    pub internal: InternalDevices,
    pub locked: Arc<Locked>,
    /// Statuses of mapped files.
    pub mapped: HashMap<InodeId, FileStatus>,
    /// Where memory files live, once one was seen.
    pub memory: OnceCell<Option<DeviceId>>,
}

impl Reader {
    pub fn new(root: ProcRoot, wanted: Wanted) -> Self {
        let trust = if every_file_answers(&root) { Trust::Every } else { Trust::KnownMounts };
        let locked = if wanted.locks { Locked::read(&root) } else { Locked::Nothing };
        Reader {
            root,
            wanted,
            trust,
            mounts: Arc::default(),
            internal: InternalDevices::default(),
            locked: Arc::new(locked),
            memory: OnceCell::new(),
            mapped: HashMap::new(),
        }
    }

    /// Another reader of the same, for another thread: what is read once for all is shared.
    pub fn again(&self) -> Self {
        Reader {
            root: self.root.clone(),
            wanted: self.wanted,
            trust: self.trust,
            mounts: self.mounts.clone(),
            internal: InternalDevices::default(),
            locked: self.locked.clone(),
            memory: OnceCell::new(),
            mapped: HashMap::new(),
        }
    }

    /// `known` are the process's descriptors, for a caller that has them.
    pub fn read(&mut self, pid: Pid, known: Option<Vec<Entry>>) -> Result<Inventory, ProcError> {
        let dir = self.root.pid_dir(pid)?;
        let stat = dir.process_stat()?;
        let process = self.read_process(&dir, &stat)?;
        let mut inventory =
            Inventory { process, group: stat.group, entries: Vec::new(), faults: Vec::new() };
        // A zombie without other threads holds nothing any more.
        let Ok(place) = dir.living_place_of(&stat) else { return Ok(inventory) };
        if self.wanted.places {
            self.add_places(&dir, &place, &mut inventory);
        }
        if self.wanted.mappings {
            self.add_mappings(&dir, &place, &mut inventory);
        }
        if self.wanted.namespaces {
            self.add_namespaces(&dir, &place, &mut inventory);
        }
        if self.wanted.descriptors {
            match known {
                Some(known) => self.add_known(dir, &place, known, &mut inventory)?,
                None => self.add_descriptors(dir, &place, &mut inventory)?,
            }
        }
        Ok(inventory)
    }

    /// Who it is. What may not be read (the executable) is left empty.
    fn read_process(&self, dir: &PidDir, stat: &Stat) -> Result<Process, ProcError> {
        let (mut cmdline, mut exe) = (Name::default(), Name::default());
        if self.wanted.command {
            cmdline = dir.read("cmdline", "read cmdline").unwrap_or_default().into();
            exe = dir.read_link("exe", "read link exe").unwrap_or_default();
        }
        Ok(Process {
            id: ProcessId { pid: dir.pid(), start_ticks: stat.start_ticks },
            parent: stat.parent,
            comm: stat.comm.clone(),
            cmdline,
            uid: if self.root.is_live() { dir.uid()? } else { dir.status()?.effective_uid },
            exe,
        })
    }
}

/// What could not be read of a process or of one of its rows.
pub(super) fn fault(pid: Pid, operation: &'static str, error: &ProcError) -> Fault {
    let cause = match error {
        ProcError::Gone { .. } => "gone".to_owned(),
        ProcError::NotPermitted { .. } => "permission denied".to_owned(),
        ProcError::Process { cause, .. } => cause.to_string(),
        error => error.to_string(),
    };
    Fault { pid: Some(pid), fd: None, operation, cause }
}

/// The access that a link's permissions show (fs/proc/fd.c, `tid_fd_update_inode`).
pub(super) fn access_of_link(mode: u32) -> Access {
    match (mode & 0o400 != 0, mode & 0o200 != 0) {
        (true, true) => Access::Both,
        (true, false) => Access::Read,
        (false, true) => Access::Write,
        (false, false) => Access::Neither,
    }
}

/// True for an error that says that the thing was there a moment ago and no longer is.
pub(super) fn is_closed(cause: Errno) -> bool {
    matches!(cause, Errno::NOENT | Errno::SRCH)
}
