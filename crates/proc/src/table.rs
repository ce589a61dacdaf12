//! One process's descriptor table, held open: what can be known of a descriptor without touching its file.
//!
//! Links and fdinfo are the kernel's own memory. The type of a file with a path stands in neither: see `ask`.

use std::collections::HashMap;
use std::sync::Arc;

use fdscope_model::handle::O_PATH;
use fdscope_model::kind::classify;
use fdscope_model::{
    Association, DeviceId, Fault, FdNumber, Handle, HandleKind, InodeId, Pid, ProcessId,
};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, SeekFrom, Statx, StatxFlags, seek, statat};
use rustix::io::Errno;
use rustix::path::DecInt;

use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::mounts::{MountBook, MountFacts};
use crate::parse::{FdInfo, Link, parse_link};
use crate::root::{End, PidDir, ProcRoot, each_line, numbers_in, open_file, read_fd_link};
use crate::status::ask_file;

/// The size of every message queue's inode (ipc/mqueue.c, `FILENT_SIZE`).
const MQUEUE_SIZE: u64 = 80;

/// Devices of the kernel's internal file systems, by what decides them in a link's text. Learnt once each, for they
/// are fixed while the machine is up.
#[derive(Debug, Default)]
pub(crate) struct InternalDevices(HashMap<Box<[u8]>, Option<DeviceId>>);

impl InternalDevices {
    /// More words than the kernel has; a hostile tree ends here.
    const MOST: usize = 64;

    /// The device of a word, learnt once.
    pub fn get(
        &mut self,
        word: &[u8],
        learn: impl FnOnce() -> Option<DeviceId>,
    ) -> Option<DeviceId> {
        if let Some(&device) = self.0.get(word) {
            return device;
        }
        let device = learn();
        if self.0.len() < Self::MOST {
            self.0.insert(word.into(), device);
        }
        device
    }
}

/// The open directories of one process's table.
#[derive(Debug)]
pub(crate) struct OpenTable {
    owner: ProcessId,
    root: ProcRoot,
    process: PidDir,
    /// `fd`, and the path of it below the process's directory.
    links: OwnedFd,
    path: String,
    infos: Option<OwnedFd>,
    mounts: Arc<MountBook>,
    buffer: Vec<u8>,
    lines: Vec<u8>,
}

impl OpenTable {
    pub fn open(root: &ProcRoot, pid: Pid, detail: Detail) -> Result<Self, ProcError> {
        let process = root.pid_dir(pid)?;
        let start_ticks = process.process_stat()?.start_ticks;
        let place = process.living_place()?;
        let owner = ProcessId { pid, start_ticks };
        Self::of(root, process, owner, &place, detail, Arc::default())
    }

    /// The table of a process whose directory is open and whose place (see [`PidDir::living_place`]) is known.
    pub fn of(
        root: &ProcRoot,
        process: PidDir,
        owner: ProcessId,
        place: &str,
        detail: Detail,
        mounts: Arc<MountBook>,
    ) -> Result<Self, ProcError> {
        let path = format!("{place}fd");
        let links = process.open_dir(&path, "list descriptors")?;
        // Absent permission shows as a fault of each row.
        let infos = process.open_dir(&format!("{place}fdinfo"), "open fdinfo");
        let infos = (detail >= Detail::Kind).then_some(infos.ok()).flatten();
        Ok(OpenTable {
            owner,
            root: root.clone(),
            process,
            links,
            path,
            infos,
            mounts,
            buffer: vec![0; 4096],
            lines: Vec::new(),
        })
    }

    /// The directory of the process.
    pub fn process(&self) -> &PidDir {
        &self.process
    }

    /// The numbers in use, ascending.
    pub fn numbers(&self) -> Result<Vec<FdNumber>, ProcError> {
        let mut numbers = self.process.list(&self.path, "list descriptors")?;
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(FdNumber).collect())
    }

    /// The numbers in use from `first` on, ascending.
    pub fn numbers_from(&self, first: FdNumber) -> Result<Vec<FdNumber>, ProcError> {
        // The kernel's position in this listing is the number after `.` and `..` (fs/proc/fd.c, proc_readfd_common).
        let place = if self.root.is_live() { u64::from(first.0) + 2 } else { 0 };
        let mut numbers = Vec::new();
        seek(&self.links, SeekFrom::Start(place))
            .and_then(|_| numbers_in(self.links.as_fd(), |number| numbers.push(FdNumber(number))))
            .map_err(|cause| ProcError::of(self.owner.pid, "list descriptors", cause))?;
        numbers.retain(|&number| number >= first);
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// How many descriptors are open, by the kernel's own count (since 6.2); 0 if there are none or it does not count.
    pub fn count(&self) -> usize {
        let stat = self.process.stat(&self.path, "count descriptors");
        let counted = stat.ok().filter(|_| self.root.is_live()).map_or(0, |stat| stat.st_size);
        usize::try_from(counted).unwrap_or(0)
    }

    /// The link of one descriptor.
    pub fn link(&mut self, fd: FdNumber) -> Result<&[u8], Errno> {
        read_fd_link(self.links.as_fd(), fd, &mut self.buffer)
    }

    /// One descriptor; `None` if it is closed by now.
    pub fn read(
        &mut self,
        fd: FdNumber,
        detail: Detail,
        internal: &mut InternalDevices,
    ) -> Option<Handle> {
        let mut handle = Handle::blank(self.owner, Association::Fd(fd));
        if detail == Detail::Number {
            return Some(handle);
        }
        match self.link(fd) {
            Ok(text) => handle.name = text.into(),
            Err(Errno::NOENT) => return None,
            Err(cause) => handle.fault = Some(Box::new(self.fault(fd, "read link", cause))),
        }
        handle.kind = classify(0, handle.name.bytes());
        let is_path = needs_type(handle.name.bytes());
        if detail == Detail::Full || detail == Detail::Kind && is_path {
            match self.info(fd) {
                Ok(info) => self.apply(fd, &mut handle, &info, internal),
                Err(Errno::NOENT) => return None,
                Err(cause) => {
                    handle.fault.get_or_insert(Box::new(self.fault(fd, "read fdinfo", cause)));
                }
            }
        }
        if is_path && handle.mode.is_none() && handle.kind == HandleKind::OtherDescriptor {
            handle.kind = HandleKind::UnknownDescriptor;
        }
        if handle.inode.is_none() {
            handle.inode = self.inode_by_link(fd, handle.name.bytes(), internal);
        }
        Some(handle)
    }

    /// Adds what fdinfo says, and what it lets be asked.
    fn apply(
        &mut self,
        fd: FdNumber,
        handle: &mut Handle,
        info: &FdInfo,
        internal: &mut InternalDevices,
    ) {
        handle.flags = info.flags;
        handle.offset = info.offset;
        let name = handle.name.bytes();
        let facts = info.mount_id.and_then(|id| self.mount(id));
        if info.flags.is_some_and(|flags| flags & O_PATH != 0) {
            // fsmount(2) and open_tree(2) give the root of a mount that is attached nowhere.
            let is_detached_root = facts.is_none() && name == b"/";
            handle.kind = if is_detached_root { HandleKind::Mount } else { HandleKind::Path };
        }
        let device = if !name.starts_with(b"/") {
            // Internal mounts are in no mountinfo. Text and device go together.
            self.internal_device(fd, name, internal)
        } else {
            facts.map(|facts| facts.device)
        };
        handle.inode = device.zip(info.inode).map(|(device, inode)| InodeId { device, inode });
        if handle.inode.is_none() || needs_type(name) {
            self.apply_type(fd, handle, facts);
        }
    }

    /// Asks for type and inode, where nobody has to be waited for.
    fn apply_type(&self, fd: FdNumber, handle: &mut Handle, facts: Option<MountFacts>) {
        let name = handle.name.bytes();
        // Memory files, message queues, SysV segments: their inodes are never anywhere but in memory.
        let internal = facts.is_none() && (!name.starts_with(b"/") || is_one_component(name));
        let Some(found) = Some(())
            .filter(|()| internal || facts.is_some_and(|facts| facts.answers))
            .and_then(|()| self.ask(fd))
        else {
            return;
        };
        handle.mode = Some(u32::from(found.stx_mode));
        let is_queue = internal && needs_type(name) && looks_like_mqueue(found)
            || facts.is_some_and(|facts| facts.is_mqueue);
        handle.kind = match handle.kind {
            kind @ (HandleKind::Path | HandleKind::Mount) => kind,
            _ if is_queue => HandleKind::MessageQueue,
            _ => classify(u32::from(found.stx_mode), name),
        };
        let device = facts.map_or(device_of(found), |facts| facts.device);
        let inode = InodeId { device, inode: found.stx_ino };
        handle.inode = handle.inode.or(Some(inode));
    }

    /// The inode that a link's text gives, with the device of its internal file system.
    pub fn inode_by_link(
        &self,
        fd: FdNumber,
        text: &[u8],
        internal: &mut InternalDevices,
    ) -> Option<InodeId> {
        let inode = parse_link(text).inode()?;
        Some(InodeId { device: self.internal_device(fd, text, internal)?, inode })
    }

    /// The device of an internal file, which its link's text decides.
    pub fn internal_device(
        &self,
        fd: FdNumber,
        text: &[u8],
        internal: &mut InternalDevices,
    ) -> Option<DeviceId> {
        internal.get(device_key(text), || self.ask(fd).map(device_of))
    }

    /// What fdinfo says of a descriptor, in counts.
    pub fn info(&mut self, fd: FdNumber) -> Result<FdInfo, Errno> {
        let mut info = FdInfo::default();
        self.info_lines(fd, &mut |line| info.fold(line))?;
        Ok(info)
    }

    /// Hands each line of a descriptor's fdinfo to `sink`.
    pub fn info_lines(&mut self, fd: FdNumber, sink: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        let infos = self.infos.as_ref().ok_or(Errno::ACCESS)?;
        let file = open_file(infos.as_fd(), DecInt::new(fd.0))?;
        each_line(file.as_fd(), End::Less, &mut self.lines, sink)
    }

    /// Type, inode and device as the kernel has them in memory: `AT_STATX_DONT_SYNC` keeps file systems that heed it
    /// from asking a server. Only for files on those (see `mounts`) and on internal mounts.
    pub fn ask(&self, fd: FdNumber) -> Option<Statx> {
        let mask = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::INO;
        ask_file(&self.links, DecInt::new(fd.0), mask).ok()
    }

    /// All that the inode in memory tells, for files of which [`Self::ask`] would be allowed.
    pub fn ask_all(&self, fd: FdNumber) -> Result<Statx, Errno> {
        ask_file(&self.links, DecInt::new(fd.0), StatxFlags::BASIC_STATS)
    }

    /// The permissions of the link itself, which tell whether the descriptor may be read and written.
    pub fn link_mode(&self, fd: FdNumber) -> Result<u32, Errno> {
        let stat = statat(&self.links, DecInt::new(fd.0), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(stat.st_mode)
    }

    /// What is known of a mount that the process has a file of.
    pub fn mount(&self, id: u32) -> Option<MountFacts> {
        self.mounts.get(id, &self.process, &self.root)
    }

    /// What could not be read of a descriptor.
    pub fn fault(&self, fd: FdNumber, operation: &'static str, cause: Errno) -> Fault {
        let cause = match cause {
            Errno::ACCESS | Errno::PERM => "permission denied".to_owned(),
            cause => cause.to_string(),
        };
        Fault { pid: Some(self.owner.pid), fd: Some(fd), operation, cause }
    }
}

/// True for a link whose text does not tell the kind: a path, other than those that the model knows by name.
pub(crate) fn needs_type(link: &[u8]) -> bool {
    matches!(parse_link(link), Link::Path { .. } | Link::Other(_))
        && !link.is_empty()
        && classify(0, link) == HandleKind::OtherDescriptor
        && !link.starts_with(b"anon_inode:")
}

/// `/name`, without a further slash: how files of the kernel's internal mounts look.
fn is_one_component(link: &[u8]) -> bool {
    link.strip_prefix(b"/").is_some_and(|rest| !rest.is_empty() && !rest.contains(&b'/'))
}

/// What decides the device of an internal file: the word before the colon, or the whole text where the word says
/// nothing (`anon_inode:[pidfd]` is on a file system of its own since 6.9).
fn device_key(link: &[u8]) -> &[u8] {
    match parse_link(link) {
        Link::Socket(_) => b"socket",
        Link::Pipe(_) => b"pipe",
        Link::Numbered(word, _) => word,
        _ => link,
    }
}

pub(crate) fn device_of(found: Statx) -> DeviceId {
    DeviceId::new(found.stx_dev_major, found.stx_dev_minor)
}

/// An internal mount shows no type of file system; a message queue is known by its constant size without blocks.
pub(crate) fn looks_like_mqueue(found: Statx) -> bool {
    found.stx_size == MQUEUE_SIZE && found.stx_blocks == 0
}
