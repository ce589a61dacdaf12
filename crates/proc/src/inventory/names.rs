//! Names for the numbers that fdinfo gives: of registered descriptors, watched inodes, processes.
//!
//! Only what is at hand is looked at: the rows of the process itself, and one stat of a named process.

use std::collections::HashMap;
use std::ops::Range;

use fdscope_model::inventory::EpollTarget;
use fdscope_model::{Association, DeviceId, Entry, Facts, FdNumber, HandleKind, InodeId, Name};
use fdscope_sys::bpf_name::object_name;
use fdscope_sys::kcmp::is_epoll_target;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, fcntl_get_seals, fstat, major, memfd_create, minor};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::process::Reader;
use crate::root::PidDir;
use crate::table::OpenTable;

/// The descriptors among the rows of a process: ascending numbers, all in one stretch.
pub(super) struct Rows<'a> {
    pub entries: &'a mut [Entry],
    pub descriptors: Range<usize>,
}

impl Reader {
    /// True for a file made by memfd_create(2), which a path that looks like one is not.
    fn is_memory(&self, entry: &Entry) -> bool {
        let device = *self.memory.get_or_init(memory_device);
        device.is_some() && entry.handle.inode.map(|id| id.device) == device
    }

    /// Completes the facts of a process whose rows are read.
    pub(super) fn name_numbers(&self, table: &mut OpenTable, rows: &mut Rows<'_>) {
        let (mut paths, mut borrowed) = (None, None);
        for index in rows.descriptors.clone() {
            let Association::Fd(fd) = rows.entries[index].handle.via else { continue };
            let mut facts = std::mem::take(&mut rows.entries[index].facts);
            match &mut facts {
                Facts::Epoll { targets } => name_targets(table, rows, fd, targets),
                Facts::Inotify { watches } => {
                    let paths = paths.get_or_insert_with(|| directories(rows.entries));
                    for watch in watches {
                        watch.path = paths.get(&watch.inode).cloned();
                    }
                }
                Facts::PidFd { pid: Some(pid), comm } => {
                    let stat = self.root.pid_dir(*pid).and_then(|dir| dir.process_stat());
                    *comm = stat.map(|stat| stat.comm).unwrap_or_default();
                }
                Facts::Bpf { object, id: Some(id), name, .. } => {
                    *name = object_name(object, *id).unwrap_or_default().into();
                }
                Facts::Memfd { seals } if self.is_memory(&rows.entries[index]) => {
                    *seals = borrowed.get_or_insert_with(|| Borrow::of(table)).seals(fd);
                }
                _ => {}
            }
            rows.entries[index].facts = facts;
        }
    }
}

/// Borrows descriptors of a process for a moment. Only memory files: letting go of another file's copy can wait for a
/// server.
struct Borrow(Option<OwnedFd>);

impl Borrow {
    fn of(table: &OpenTable) -> Self {
        let process = table.process();
        let raw = i32::try_from(process.pid().0).ok().filter(|_| process.is_own());
        let pid = raw.and_then(rustix::process::Pid::from_raw);
        Borrow(pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()))
    }

    fn seals(&self, fd: FdNumber) -> Option<u32> {
        let number = i32::try_from(fd.0).ok()?;
        let file = pidfd_getfd(self.0.as_ref()?, number, PidfdGetfdFlags::empty()).ok()?;
        fcntl_get_seals(&file).ok().map(|seals| seals.bits())
    }
}

/// The device on which memfd_create(2) makes files.
pub(super) fn memory_device() -> Option<DeviceId> {
    let file = memfd_create("fdscope", MemfdFlags::CLOEXEC).ok()?;
    let stat = fstat(&file).ok()?;
    Some(DeviceId::new(major(stat.st_dev), minor(stat.st_dev)))
}

/// Gives each registration the name of its descriptor, if that still is the registered file.
fn name_targets(
    table: &mut OpenTable,
    rows: &Rows<'_>,
    epoll: FdNumber,
    targets: &mut [EpollTarget],
) {
    let mut times: HashMap<FdNumber, u32> = HashMap::new();
    for target in targets {
        let nth = times.entry(target.fd).or_default();
        let row = row_of(rows, target.fd);
        if row.is_some_and(|row| is_target(table, epoll, target, row, *nth)) {
            target.name = row.map(|row| row.handle.name.clone());
        }
        *nth += 1;
    }
}

fn row_of<'a>(rows: &'a Rows<'_>, fd: FdNumber) -> Option<&'a Entry> {
    let descriptors = &rows.entries[rows.descriptors.clone()];
    let at = descriptors.binary_search_by_key(&Association::Fd(fd), |entry| entry.handle.via);
    at.ok().map(|at| &descriptors[at])
}

/// By the kernel's word where it may be asked, else by the inode.
fn is_target(
    table: &mut OpenTable,
    epoll: FdNumber,
    target: &EpollTarget,
    row: &Entry,
    nth: u32,
) -> bool {
    let process: &PidDir = table.process();
    if process.is_own()
        && let Ok(is) = is_epoll_target(process.pid(), epoll, target.fd, nth)
    {
        return is;
    }
    let Some(inode) = target.inode else { return true };
    let known = row.handle.inode.map(|id| id.inode);
    let now = known.or_else(|| table.info(target.fd).ok()?.inode);
    now == Some(inode)
}

/// The directories that a process has open or stands in, and its files: what it probably watches.
fn directories(entries: &[Entry]) -> HashMap<InodeId, Name> {
    let is_path = |entry: &&Entry| {
        entry.handle.name.bytes().starts_with(b"/")
            && !matches!(entry.handle.kind, HandleKind::Memfd | HandleKind::Mount)
    };
    let named = |entry: &Entry| Some((entry.handle.inode?, entry.handle.name.clone()));
    entries.iter().filter(is_path).filter_map(named).collect()
}
