//! Rows of descriptors: the link of each, and what else is wanted of its kind.

use fdscope_model::handle::O_PATH;
use fdscope_model::kind::classify;
use fdscope_model::{
    Access, Association, Entry, Facts, Fault, FdNumber, HandleKind, Inventory, Name, ProcessId,
    Socket,
};
use rustix::io::Errno;

use super::facts::{Told, has_own_lines};
use super::names::Rows;
use super::process::{Reader, Trust, access_of_link, fault, is_closed};
use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::mounts::MountFacts;
use crate::parse::{Link, parse_link};
use crate::root::PidDir;
use crate::status::status_of;
use crate::table::{OpenTable, device_of, looks_like_mqueue, needs_type};

/// Kinds that can only be had for reading and writing: eventfd(2), epoll(7) … take no access mode.
const ALWAYS_BOTH: &[HandleKind] = &[
    HandleKind::Socket,
    HandleKind::EventFd,
    HandleKind::TimerFd,
    HandleKind::SignalFd,
    HandleKind::Epoll,
];

/// Kinds whose status says nothing that the link does not.
const WITHOUT_STATUS: &[HandleKind] = &[HandleKind::Socket, HandleKind::Pipe];

/// Numbers tried in vain before the table is listed; more of a table with many descriptors.
const LEAST_MISSED: usize = 16;

/// What was tried, and the kernel's answer.
type Failed = (&'static str, Errno);

impl Reader {
    /// Adds a row for each descriptor, and then for what is held through descriptors. A table that may not be read is
    /// a fault of the inventory.
    pub(super) fn add_descriptors(
        &mut self,
        dir: PidDir,
        place: &str,
        inventory: &mut Inventory,
    ) -> Result<(), ProcError> {
        let owner = inventory.process.id;
        let mounts = self.mounts.clone();
        let opened = OpenTable::of(&self.root, dir, owner, place, Detail::Full, mounts);
        let mut table = match opened {
            Ok(table) => table,
            Err(error) if error.is_gone() => return Err(error),
            Err(error) => {
                inventory.faults.push(fault(owner.pid, "list descriptors", &error));
                return Ok(());
            }
        };
        let begin = inventory.entries.len();
        let mut behind = Vec::new();
        let walked = self.walk(&mut table, owner, &mut behind, &mut inventory.entries);
        if let Err(error) = walked {
            if error.is_gone() && inventory.entries.len() == begin {
                return Err(error);
            }
            inventory.faults.push(fault(owner.pid, "list descriptors", &error));
        }
        self.end_descriptors(&mut table, begin, behind, inventory);
        Ok(())
    }

    /// The same with rows that are known, of which only what they lack is read.
    pub(super) fn add_known(
        &mut self,
        dir: PidDir,
        place: &str,
        mut known: Vec<Entry>,
        inventory: &mut Inventory,
    ) -> Result<(), ProcError> {
        let owner = inventory.process.id;
        let mounts = self.mounts.clone();
        let mut table = OpenTable::of(&self.root, dir, owner, place, Detail::Full, mounts)?;
        let begin = inventory.entries.len();
        let mut behind = Vec::new();
        // In place: there can be 100,000 rows.
        known.retain_mut(|entry| {
            let Association::Fd(fd) = entry.handle.via else { return false };
            entry.handle.owner = owner;
            let look = Look { reader: self, table: &mut table, owner, fd, told: None };
            look.finish(entry, &mut behind)
        });
        if begin == 0 {
            inventory.entries = known;
        } else {
            inventory.entries.append(&mut known);
        }
        self.end_descriptors(&mut table, begin, behind, inventory);
        Ok(())
    }

    fn end_descriptors(
        &self,
        table: &mut OpenTable,
        begin: usize,
        mut behind: Vec<Entry>,
        inventory: &mut Inventory,
    ) {
        if table.count() == 0 && has_ended(table.process()) {
            let (pid, operation) = (Some(inventory.process.id.pid), "list all descriptors");
            let cause = "it ended meanwhile".to_owned();
            inventory.faults.push(Fault { pid, fd: None, operation, cause });
        }
        let descriptors = begin..inventory.entries.len();
        if self.wanted.facts {
            let mut rows = Rows { entries: &mut inventory.entries, descriptors };
            self.name_numbers(table, &mut rows);
        }
        inventory.entries.append(&mut behind);
    }

    /// Reads every descriptor, by number.
    ///
    /// Numbers are given from below, so a table mostly has no gaps, and the kernel tells how many are open (since 6.2):
    /// trying one number after the other until all are found spares the listing, which costs half of what reading all
    /// links does. A table with many gaps is listed from the first large one on; and any table beyond the last number
    /// that was tried, for as many may have been opened below as were there when they were counted.
    fn walk(
        &mut self,
        table: &mut OpenTable,
        owner: ProcessId,
        behind: &mut Vec<Entry>,
        rows: &mut Vec<Entry>,
    ) -> Result<(), ProcError> {
        let count = table.count();
        rows.reserve(count);
        let (mut number, mut found, mut missed) = (0, 0, 0);
        while found < count && missed <= LEAST_MISSED + found / 8 {
            let look = Look { reader: self, table, owner, fd: FdNumber(number), told: None };
            let row = look.read(behind);
            found += usize::from(row.is_some());
            missed += usize::from(row.is_none());
            rows.extend(row);
            number += 1;
        }
        for fd in table.numbers_from(FdNumber(number))? {
            let look = Look { reader: self, table, owner, fd, told: None };
            rows.extend(look.read(behind));
        }
        Ok(())
    }
}

/// A descriptor that is being looked at.
struct Look<'a> {
    reader: &'a mut Reader,
    table: &'a mut OpenTable,
    owner: ProcessId,
    fd: FdNumber,
    /// Its fdinfo, once it was needed.
    told: Option<Told>,
}

impl Look<'_> {
    /// The row; `None` if the descriptor is closed by now. Rows of what is held through it go to `behind`.
    fn read(mut self, behind: &mut Vec<Entry>) -> Option<Entry> {
        let mut entry = Entry::blank(self.owner, Association::Fd(self.fd));
        let read = match self.table.link(self.fd) {
            Ok(text) => {
                entry.handle.kind = classify(0, text);
                entry.handle.name = Name::from(text);
                self.complete(&mut entry)
            }
            // A path of 4,096 bytes and more has no text, but all else can be told.
            Err(Errno::NAMETOOLONG) => {
                self.complete_unnamed(&mut entry).and(Err(("read link", Errno::NAMETOOLONG)))
            }
            Err(cause) => Err(("read link", cause)),
        };
        match read {
            Ok(()) => {}
            Err((_, cause)) if is_closed(cause) => return None,
            Err((operation, cause)) => {
                entry.handle.fault = Some(Box::new(self.table.fault(self.fd, operation, cause)));
            }
        }
        let name = entry.handle.name.bytes();
        let is_untold = entry.handle.mode.is_none() && needs_type(name);
        if entry.handle.kind == HandleKind::OtherDescriptor && is_untold {
            entry.handle.kind = HandleKind::UnknownDescriptor;
        }
        self.apply_told(&mut entry, behind);
        if entry.handle.inode.is_none() {
            entry.handle.inode = self.table.inode_by_link(
                self.fd,
                entry.handle.name.bytes(),
                &mut self.reader.internal,
            );
        }
        Some(entry)
    }

    /// Completes a row that is known, by reading it anew if something is wanted that only /proc tells. False if the
    /// descriptor is closed by now.
    fn finish(mut self, entry: &mut Entry, behind: &mut Vec<Entry>) -> bool {
        let wanted = self.reader.wanted;
        let name = entry.handle.name.bytes();
        let has_status = needs_type(name) || !WITHOUT_STATUS.contains(&entry.handle.kind);
        let is_detached = entry.handle.kind == HandleKind::Path && name == b"/";
        let is_locked = wanted.locks
            && self.reader.locked.may_hold(None)
            && self.reader.locked.may_hold(entry.handle.inode.map(|id| id.inode));
        if entry.handle.fault.is_some()
            || is_detached
            || is_locked
            || wanted.status && has_status && entry.status.is_none()
            || self.wants_own(entry)
        {
            let file = entry.handle.file;
            let facts = std::mem::take(&mut entry.facts);
            let Some(read) = self.read(behind) else { return false };
            *entry = read;
            entry.handle.file = file;
            if let Facts::Socket(_) = facts {
                entry.facts = facts;
            }
            return true;
        }
        if !wanted.status || !has_status {
            entry.status = None;
        }
        if !matches!(entry.facts, Facts::Socket(_)) {
            self.apply_told(entry, behind);
        }
        true
    }

    /// Adds the columns that are wanted to a row that has its name.
    fn complete(&mut self, entry: &mut Entry) -> Result<(), Failed> {
        let wanted = self.reader.wanted;
        let has_path = needs_type(entry.handle.name.bytes());
        let may_be_locked = wanted.locks && self.reader.locked.may_hold(None);
        let typed = has_path && (wanted.kinds || wanted.status || may_be_locked);
        if wanted.fdinfo
            || typed && self.reader.trust == Trust::KnownMounts
            || self.wants_own(entry)
        {
            self.told(entry)?;
        }
        if wanted.access || typed {
            self.add_access(entry)?;
        }
        let kind = entry.handle.kind;
        if typed
            || wanted.status && !WITHOUT_STATUS.contains(&kind)
            || wanted.facts && kind == HandleKind::Memfd
        {
            self.add_status(entry)?;
        }
        if may_be_locked && self.reader.locked.may_hold(entry.handle.inode.map(|id| id.inode)) {
            self.told(entry)?;
        }
        Ok(())
    }

    /// The same for a row whose path is too long to be told.
    fn complete_unnamed(&mut self, entry: &mut Entry) -> Result<(), Failed> {
        let wanted = self.reader.wanted;
        let typed = wanted.kinds || wanted.status;
        if wanted.fdinfo || typed && self.reader.trust == Trust::KnownMounts {
            self.told(entry)?;
        }
        if wanted.access || typed {
            self.add_access(entry)?;
        }
        if typed { self.add_status(entry) } else { Ok(()) }
    }

    /// True if fdinfo has something of this kind alone that is wanted.
    fn wants_own(&self, entry: &Entry) -> bool {
        let (wanted, kind) = (self.reader.wanted, entry.handle.kind);
        wanted.facts && has_own_lines(kind, entry.handle.name.bytes())
            || wanted.ring_slots && kind == HandleKind::IoUring
            || wanted.in_flight && kind == HandleKind::Socket
    }

    /// The descriptor's fdinfo, read when it is first needed.
    fn told(&mut self, entry: &Entry) -> Result<&Told, Failed> {
        if self.told.is_none() {
            let mut told = Told::of(entry.handle.kind, entry.handle.name.bytes());
            let read = self.table.info_lines(self.fd, &mut |line| told.take(line));
            read.map_err(|cause| ("read fdinfo", cause))?;
            self.told = Some(told);
        }
        Ok(self.told.as_ref().expect("set above"))
    }

    fn mount(&mut self, entry: &Entry) -> Result<Option<MountFacts>, Failed> {
        let id = self.told(entry)?.info.mount_id;
        Ok(id.and_then(|id| self.table.mount(id)))
    }

    fn add_access(&mut self, entry: &mut Entry) -> Result<(), Failed> {
        let access = match self.told.as_ref().and_then(|told| told.info.flags) {
            Some(flags) => Access::of_flags(flags),
            None if ALWAYS_BOTH.contains(&entry.handle.kind) => Access::Both,
            None => {
                let mode = self.table.link_mode(self.fd);
                access_of_link(mode.map_err(|cause| ("read the link's mode", cause))?)
            }
        };
        entry.access = Some(access);
        // O_PATH, or open(2)'s access mode 3: only fdinfo tells which.
        let name = entry.handle.name.bytes();
        if access == Access::Neither
            && (name.is_empty() || needs_type(name))
            && self.told(entry)?.info.flags.is_some_and(|flags| flags & O_PATH != 0)
        {
            // fsmount(2) and open_tree(2) give the root of a mount that is attached nowhere.
            let is_detached = entry.handle.name.bytes() == b"/" && self.mount(entry)?.is_none();
            entry.handle.kind = if is_detached { HandleKind::Mount } else { HandleKind::Path };
        }
        Ok(())
    }

    /// Asks the file for its status, where nobody has to be waited for.
    fn add_status(&mut self, entry: &mut Entry) -> Result<(), Failed> {
        if self.reader.trust == Trust::KnownMounts {
            let answers = match self.mount(entry)? {
                Some(facts) => facts.answers,
                None => is_internal(entry.handle.name.bytes()),
            };
            if !answers {
                return Ok(());
            }
        }
        // A file that cannot be asked has no status: a stale handle, a revoked device.
        let Ok(found) = self.table.ask_all(self.fd) else { return Ok(()) };
        let status = status_of(found);
        entry.handle.mode = Some(status.mode);
        entry.handle.inode = Some(status.inode);
        entry.status = self.reader.wanted.status.then_some(status);
        if matches!(entry.handle.kind, HandleKind::Path | HandleKind::Mount) {
            return Ok(());
        }
        entry.handle.kind = classify(status.mode, entry.handle.name.bytes());
        if entry.handle.kind == HandleKind::File
            && looks_like_mqueue(found)
            && self.mount(entry)?.is_none_or(|facts| facts.is_mqueue)
        {
            entry.handle.kind = HandleKind::MessageQueue;
        }
        Ok(())
    }

    /// Moves what fdinfo told into the row, and rows of what it names to `behind`.
    fn apply_told(&mut self, entry: &mut Entry, behind: &mut Vec<Entry>) {
        let wanted = self.reader.wanted;
        let mut in_flight = None;
        if let Some(told) = self.told.take() {
            entry.handle.flags = told.info.flags;
            entry.handle.offset = told.info.offset;
            entry.mount = told.info.mount_id;
            if entry.handle.inode.is_none() {
                entry.handle.inode = self.inode_of(entry, &told);
            }
            if wanted.locks {
                entry.locks = told.locks;
            }
            in_flight = Some(told.info.in_flight);
            self.add_behind(&told.facts, told.info.in_flight, behind);
            if wanted.facts {
                entry.facts = told.facts;
            }
        }
        match parse_link(entry.handle.name.bytes()) {
            Link::Numbered(class, inode)
                if wanted.facts && entry.handle.kind == HandleKind::Namespace =>
            {
                entry.facts = Facts::Namespace { class: class.into(), inode };
            }
            Link::Socket(inode) if wanted.sockets => {
                entry.facts =
                    Facts::Socket(Box::new(Socket { in_flight, ..Socket::unknown(inode) }));
            }
            _ if !wanted.facts => {}
            Link::Pipe(_) => entry.facts = Facts::Pipe { ends: Vec::new() },
            _ => self.add_plain_facts(entry),
        }
    }

    /// Facts of kinds of which fdinfo says nothing.
    fn add_plain_facts(&self, entry: &mut Entry) {
        match (entry.handle.kind, &entry.facts) {
            (HandleKind::Fifo, _) => entry.facts = Facts::Pipe { ends: Vec::new() },
            (HandleKind::Terminal, Facts::Nothing) => {
                entry.facts = Facts::Terminal { index: None, ends: Vec::new() };
            }
            (HandleKind::Memfd, _) => entry.facts = Facts::Memfd { seals: None },
            _ => {}
        }
    }

    /// The inode that fdinfo gives (since 5.14), with the device of its mount or of its internal file system.
    fn inode_of(&mut self, entry: &Entry, told: &Told) -> Option<fdscope_model::InodeId> {
        let inode = told.info.inode?;
        let name = entry.handle.name.bytes();
        let mount = told.info.mount_id.filter(|_| name.starts_with(b"/"));
        let device = match mount.map(|id| self.table.mount(id)) {
            Some(Some(facts)) => facts.device,
            Some(None) if is_internal(name) => device_of(self.table.ask(self.fd)?),
            Some(None) => return None,
            None => self.table.internal_device(self.fd, name, &mut self.reader.internal)?,
        };
        Some(fdscope_model::InodeId { device, inode })
    }

    /// Rows of files in a ring's table, and of descriptors that wait in a socket to be received.
    fn add_behind(&self, facts: &Facts, in_flight: u64, behind: &mut Vec<Entry>) {
        let wanted = self.reader.wanted;
        if let (Facts::IoUring { files, .. }, true) = (facts, wanted.ring_slots) {
            for (slot, name) in files {
                let mut entry = Entry::blank(self.owner, Association::RingSlot(self.fd, *slot));
                entry.handle.kind = match classify(0, name.bytes()) {
                    HandleKind::OtherDescriptor => HandleKind::UnknownDescriptor,
                    kind => kind,
                };
                entry.handle.name = name.clone();
                behind.push(entry);
            }
        }
        if wanted.in_flight {
            for _ in 0..in_flight {
                behind.push(Entry::blank(self.owner, Association::InFlight(self.fd)));
            }
        }
    }
}

/// True if nothing of the process is left but its number. Its table looks empty then, as if all had been closed.
fn has_ended(dir: &PidDir) -> bool {
    dir.process_stat().map_or_else(|error| error.is_gone(), |stat| stat.is_ending())
}

/// Memory files, message queues, SysV segments: a path of one component, on a mount that nobody sees.
fn is_internal(link: &[u8]) -> bool {
    match link.strip_prefix(b"/") {
        Some(rest) => !rest.is_empty() && !rest.contains(&b'/'),
        None => true,
    }
}
