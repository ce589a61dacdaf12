//! One watched process: whether it is still the same, still running the same program, and whom it bore.

use std::collections::{BTreeMap, BTreeSet};

use fdscope_model::{Name, Pid, ProcessId, TableId, Tid};
use fdscope_sys::ptrace::same_files;
use rustix::fd::OwnedFd;

use super::diff::Known;
use crate::error::ProcError;
use crate::parse::Stat;
use crate::root::ProcRoot;

/// A watched process.
#[derive(Debug)]
pub(super) struct Target {
    /// Number and start time.
    pub id: ProcessId,
    /// Its table: its number, unless it shares another's.
    pub table: TableId,
    /// Readable once the process has ended; `None` on kernels before 5.3.
    pub ended: Option<OwnedFd>,
    /// Bottom of the main stack: another after every exec.
    start_stack: u64,
    comm: Name,
    origin: Origin,
    /// Children that were there when it was first seen, or are watched already.
    elders: Option<BTreeSet<Pid>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// Asked for.
    Named,
    /// A child of a watched process.
    Born,
}

/// What became of a process since the last look.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing that matters.
    None,
    /// It runs another program.
    Exec {
        /// Its new name.
        comm: Name,
    },
    /// It is gone, or a zombie that holds nothing.
    Gone,
}

impl Target {
    /// A process asked for; it may share its table with one of `others`.
    pub fn named<'a>(
        root: &ProcRoot,
        pid: Pid,
        others: impl IntoIterator<Item = &'a Target>,
    ) -> Result<Self, ProcError> {
        let stat = root.pid_dir(pid)?.process_stat()?;
        let shared = others.into_iter().find(|other| shares(root, other.id.pid, pid));
        let table = shared.map_or(TableId(u64::from(pid.0)), |other| other.table);
        Ok(Self::new(root, pid, stat, table, Origin::Named))
    }

    /// A new child of a watched process. It counts as running its parent's program: `check` finds the exec.
    pub fn born(root: &ProcRoot, pid: Pid, parent: &Target) -> Result<Self, ProcError> {
        let stat = root.pid_dir(pid)?.process_stat()?;
        let own = TableId(u64::from(pid.0));
        let table = if shares(root, parent.id.pid, pid) { parent.table } else { own };
        let stat = Stat { start_stack: parent.start_stack, comm: parent.comm.clone(), ..stat };
        let mut target = Self::new(root, pid, stat, table, Origin::Born);
        target.elders = Some(BTreeSet::new());
        Ok(target)
    }

    fn new(root: &ProcRoot, pid: Pid, stat: Stat, table: TableId, origin: Origin) -> Self {
        let id = ProcessId { pid, start_ticks: stat.start_ticks };
        let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
        let open =
            |pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
        let ended = raw.filter(|_| root.is_own()).and_then(open);
        let (start_stack, comm) = (stat.start_stack, stat.comm);
        Target { id, table, ended, start_stack, comm, origin, elders: None }
    }

    /// True if the user named it: errors about it are the user's to see.
    pub fn is_named(&self) -> bool {
        self.origin == Origin::Named
    }

    /// Whether it is still there and runs the same program.
    pub fn check(&mut self, root: &ProcRoot) -> Result<Change, ProcError> {
        let stat = match root.pid_dir(self.id.pid).and_then(|dir| dir.process_stat()) {
            Ok(stat) => stat,
            Err(error) if error.is_gone() => return Ok(Change::Gone),
            Err(error) => return Err(error),
        };
        let is_empty_shell = stat.state.is_zombie() && stat.threads <= 1;
        if stat.start_ticks != self.id.start_ticks || is_empty_shell {
            return Ok(Change::Gone);
        }
        // Without permission the kernel shows 0 or 1 for every process: then only a new name tells of an exec, and
        // that may be a thread's own doing, so it is not taken for one.
        let has_exec = stat.start_stack != self.start_stack && stat.start_stack > 1;
        self.start_stack = stat.start_stack;
        self.comm = stat.comm;
        Ok(if has_exec { Change::Exec { comm: self.comm.clone() } } else { Change::None })
    }

    /// After an exec no table is shared: its old table and the one it has now.
    pub fn leave_shared(&mut self, tables: &BTreeMap<TableId, Known>) -> (TableId, TableId) {
        let (from, own) = (self.table, TableId(u64::from(self.id.pid.0)));
        // The number may name the table of those it shared it with, if it was the first of them.
        if from != own && !tables.contains_key(&own) {
            self.table = own;
        }
        (from, self.table)
    }

    /// Children that were not there before.
    pub fn new_children(&mut self, root: &ProcRoot) -> Vec<Pid> {
        let pids = match root.child_pids(self.id.pid) {
            Ok(Some(pids)) => pids,
            Ok(None) => {
                let children = root.children(self.id.pid).unwrap_or_default();
                children.into_iter().map(|child| child.id.pid).collect()
            }
            Err(_) => return Vec::new(),
        };
        let now: BTreeSet<Pid> = pids.into_iter().collect();
        let before = self.elders.replace(now.clone());
        before.map(|before| now.difference(&before).copied().collect()).unwrap_or_default()
    }
}

/// True if two processes use one table, as far as that may be asked.
fn shares(root: &ProcRoot, one: Pid, other: Pid) -> bool {
    root.is_own() && same_files(Tid(one.0), Tid(other.0)).unwrap_or(false)
}
