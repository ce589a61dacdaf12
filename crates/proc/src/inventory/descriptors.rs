//! Rows of descriptors: the link of each, and what else is wanted of its kind.

use fdscope_model::kind::classify;
use fdscope_model::{Access, Association, Entry, FdNumber, HandleKind, Inventory, Name, Process};
use rustix::io::Errno;

use super::process::{Reader, Trust, access_of_flags, access_of_link, blank, fault, is_closed};
use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::mounts::MountFacts;
use crate::parse::FdInfo;
use crate::root::PidDir;
use crate::status::status_of;
use crate::table::{OpenTable, looks_like_mqueue, needs_type};

/// Kinds that can only be had for reading and writing: eventfd(2), epoll(7) … take no access mode.
const ALWAYS_BOTH: &[HandleKind] = &[
    HandleKind::Socket,
    HandleKind::EventFd,
    HandleKind::TimerFd,
    HandleKind::SignalFd,
    HandleKind::Epoll,
];

impl Reader {
    /// Adds a row for each descriptor. A table that may not be read is a fault of the inventory.
    pub(super) fn add_descriptors(
        &mut self,
        dir: PidDir,
        place: &str,
        inventory: &mut Inventory,
    ) -> Result<(), ProcError> {
        let Process { id: owner, .. } = inventory.process;
        let opened =
            OpenTable::of(&self.root, dir, owner, place, Detail::Full, self.mounts.clone());
        let listed = opened.and_then(|table| table.numbers().map(|numbers| (table, numbers)));
        let (mut table, numbers) = match listed {
            Ok(listed) => listed,
            Err(error) if error.is_gone() => return Err(error),
            Err(error) => {
                inventory.faults.push(fault(owner.pid, "list descriptors", &error));
                return Ok(());
            }
        };
        inventory.entries.reserve(numbers.len());
        for fd in numbers {
            let entry = self.read_descriptor(&mut table, owner, fd);
            inventory.entries.extend(entry);
        }
        Ok(())
    }

    /// One descriptor; `None` if it is closed by now.
    fn read_descriptor(
        &mut self,
        table: &mut OpenTable,
        owner: fdscope_model::ProcessId,
        fd: FdNumber,
    ) -> Option<Entry> {
        let mut entry = blank(owner, Association::Fd(fd));
        match table.link(fd) {
            Ok(text) => {
                entry.handle.kind = classify(0, text);
                entry.handle.name = Name::from(text);
            }
            Err(cause) if is_closed(cause) => return None,
            Err(cause) => {
                entry.handle.fault = Some(table.fault(fd, "read link", cause));
                return Some(entry);
            }
        }
        match self.complete(table, fd, &mut entry) {
            Ok(()) => Some(entry),
            Err((_, cause)) if is_closed(cause) => None,
            Err((operation, cause)) => {
                entry.handle.fault = Some(table.fault(fd, operation, cause));
                Some(entry)
            }
        }
    }

    /// Adds the columns that are wanted to a row that has its name.
    fn complete(
        &mut self,
        table: &mut OpenTable,
        fd: FdNumber,
        entry: &mut Entry,
    ) -> Result<(), (&'static str, Errno)> {
        let wanted = self.wanted;
        let has_path = needs_type(entry.handle.name.bytes());
        let typed = has_path && (wanted.kinds || wanted.status);
        let mut info = None;
        if wanted.fdinfo || typed && self.trust == Trust::KnownMounts {
            info = Some(read_info(table, fd)?);
        }
        if wanted.access || typed {
            self.add_access(table, fd, entry, &mut info)?;
        }
        if typed || wanted.status && has_status(entry.handle.kind) {
            self.add_status(table, fd, entry, &mut info)?;
        }
        if has_path
            && entry.handle.mode.is_none()
            && entry.handle.kind == HandleKind::OtherDescriptor
        {
            entry.handle.kind = HandleKind::UnknownDescriptor;
        }
        if let Some(info) = info {
            entry.handle.flags = info.flags;
            entry.handle.offset = info.offset;
            entry.mount = info.mount_id;
        }
        if entry.handle.inode.is_none() {
            entry.handle.inode =
                table.inode_by_link(fd, entry.handle.name.bytes(), &mut self.internal);
        }
        Ok(())
    }

    fn add_access(
        &self,
        table: &mut OpenTable,
        fd: FdNumber,
        entry: &mut Entry,
        info: &mut Option<FdInfo>,
    ) -> Result<(), (&'static str, Errno)> {
        let flags = info.as_ref().and_then(|info| info.flags);
        let access = match flags {
            Some(flags) => access_of_flags(flags),
            None if ALWAYS_BOTH.contains(&entry.handle.kind) => Access::Both,
            None => {
                let mode = table.link_mode(fd).map_err(|cause| ("read the link's mode", cause))?;
                access_of_link(mode)
            }
        };
        entry.access = Some(access);
        if access == Access::Neither && needs_type(entry.handle.name.bytes()) {
            // O_PATH, or open(2)'s access mode 3: only fdinfo tells which.
            let read = match info.take() {
                Some(read) => read,
                None => read_info(table, fd)?,
            };
            if read.flags.is_some_and(|flags| flags & O_PATH != 0) {
                // fsmount(2) and open_tree(2) give the root of a mount that is attached nowhere.
                let facts = read.mount_id.and_then(|id| table.mount(id));
                let is_detached_root = facts.is_none() && entry.handle.name.bytes() == b"/";
                entry.handle.kind =
                    if is_detached_root { HandleKind::Mount } else { HandleKind::Path };
            }
            *info = Some(read);
        }
        Ok(())
    }

    /// Asks the file for its status, where nobody has to be waited for.
    fn add_status(
        &self,
        table: &mut OpenTable,
        fd: FdNumber,
        entry: &mut Entry,
        info: &mut Option<FdInfo>,
    ) -> Result<(), (&'static str, Errno)> {
        if self.trust == Trust::KnownMounts && !self.may_ask(table, fd, entry, info)? {
            return Ok(());
        }
        // A file that cannot be asked has no status: a stale handle, a revoked device.
        let Ok(found) = table.ask_all(fd) else { return Ok(()) };
        let status = status_of(found);
        let handle = &mut entry.handle;
        handle.mode = Some(status.mode);
        handle.inode = Some(status.inode);
        if !matches!(handle.kind, HandleKind::Path | HandleKind::Mount) {
            handle.kind = classify(status.mode, handle.name.bytes());
            if handle.kind == HandleKind::File
                && looks_like_mqueue(found)
                && is_queue(table, fd, info)?
            {
                handle.kind = HandleKind::MessageQueue;
            }
        }
        if self.wanted.status {
            entry.status = Some(status);
        }
        Ok(())
    }

    /// True if the file's mount is known to answer from memory, or no mount is known because it is the kernel's own.
    fn may_ask(
        &self,
        table: &mut OpenTable,
        fd: FdNumber,
        entry: &Entry,
        info: &mut Option<FdInfo>,
    ) -> Result<bool, (&'static str, Errno)> {
        let facts = mount_of(table, fd, info)?;
        Ok(match facts {
            Some(facts) => facts.answers,
            None => is_internal(entry.handle.name.bytes()),
        })
    }
}

/// Kinds whose status is worth asking for: not sockets and pipes, of which the link tells all that is in it.
fn has_status(kind: HandleKind) -> bool {
    !matches!(kind, HandleKind::Socket | HandleKind::Pipe)
}

/// `O_PATH`; the same on every processor that fdscope knows.
const O_PATH: u32 = 0o10_000_000;

/// Memory files, message queues, SysV segments: a path of one component, on a mount that nobody sees.
fn is_internal(link: &[u8]) -> bool {
    !link.starts_with(b"/") || !link[1..].contains(&b'/') && link.len() > 1
}

fn is_queue(
    table: &mut OpenTable,
    fd: FdNumber,
    info: &mut Option<FdInfo>,
) -> Result<bool, (&'static str, Errno)> {
    let facts = mount_of(table, fd, info)?;
    Ok(facts.is_none_or(|facts| facts.is_mqueue))
}

fn mount_of(
    table: &mut OpenTable,
    fd: FdNumber,
    info: &mut Option<FdInfo>,
) -> Result<Option<MountFacts>, (&'static str, Errno)> {
    if info.is_none() {
        *info = Some(read_info(table, fd)?);
    }
    Ok(info.as_ref().and_then(|info| info.mount_id).and_then(|id| table.mount(id)))
}

fn read_info(table: &mut OpenTable, fd: FdNumber) -> Result<FdInfo, (&'static str, Errno)> {
    let mut info = FdInfo::default();
    table.info_lines(fd, &mut |line| info.fold(line)).map_err(|cause| ("read fdinfo", cause))?;
    Ok(info)
}
