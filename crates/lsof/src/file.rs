//! One open file in lsof's terms: what each column and field will say, made from a row of an inventory.

use fdscope_model::inventory::Lock;
use fdscope_model::{
    Access, Association, DeviceId, Entry, Facts, FileStatus, HandleKind, InodeId, Inventory,
};

use crate::show::Show;
use crate::socket::Connection;
use crate::spec::descriptor::FdKind;

/// Type bits of `st_mode` (inode(7)).
const TYPE: u32 = 0o170_000;
/// How many registrations an epoll's name lists.
const MOST_REGISTRATIONS: usize = 32;
/// Last byte of a lock that covers the whole file, in lsof's eyes, beside no last byte at all.
const WHOLE_FILE: u64 = 0x7fff_ffff;

/// What NODE says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Node {
    None,
    Inode(u64),
    Protocol(&'static str),
}

/// The file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OpenFile {
    pub fd: FdKind,
    /// `r`, `w`, `u` or a blank.
    pub access: u8,
    /// `r`, `R`, `w`, `W` or a blank.
    pub lock: u8,
    /// Empty if there is nothing to say.
    pub kind: &'static str,
    /// The file system's device.
    pub device: Option<DeviceId>,
    /// A device node's device.
    pub node_device: Option<DeviceId>,
    /// What DEVICE says instead of numbers: a socket's inode or address.
    pub device_text: Vec<u8>,
    pub size: Option<u64>,
    pub offset: Option<u64>,
    pub links: Option<u64>,
    pub node: Node,
    /// The inode, shown or not.
    pub inode: Option<u64>,
    pub name: Vec<u8>,
    /// What follows the name.
    pub addition: Vec<u8>,
    pub connection: Option<Connection>,
    pub flags: Option<u32>,
}

impl OpenFile {
    /// A file of which only the place is known.
    pub(crate) fn blank(fd: FdKind) -> Self {
        OpenFile {
            fd,
            access: b' ',
            lock: b' ',
            kind: "",
            device: None,
            node_device: None,
            device_text: Vec::new(),
            size: None,
            offset: None,
            links: None,
            node: Node::None,
            inode: None,
            name: Vec::new(),
            addition: Vec::new(),
            connection: None,
            flags: None,
        }
    }

    /// Adds a word to what follows the name.
    pub(crate) fn add(&mut self, text: &str) {
        if !self.addition.is_empty() {
            self.addition.push(b' ');
        }
        self.addition.extend_from_slice(text.as_bytes());
    }

    fn blank_device(&mut self, id: Option<InodeId>) {
        self.device = id.map(|id| id.device);
        self.inode = id.map(|id| id.inode);
        self.node = id.map_or(Node::None, |id| Node::Inode(id.inode));
    }
}

/// The file of a row; `None` for rows that lsof does not know: namespaces, slots of rings, descriptors in flight.
pub(crate) fn open_file(inventory: &Inventory, entry: &Entry, show: Show<'_>) -> Option<OpenFile> {
    let mut file = OpenFile::blank(place(entry)?);
    let handle = &entry.handle;
    if let FdKind::Number(_) = file.fd {
        file.access = access(entry);
        file.offset = handle.offset.or(entry.access.map(|_| 0));
        file.flags = handle.flags;
    }
    if handle.name.is_empty() {
        unread(inventory, entry, &mut file);
        return Some(file);
    }
    let mode = mode(entry);
    let is_mapped = matches!(handle.via, Association::Mapping(_));
    if handle.kind == HandleKind::Socket && !is_mapped || mode & TYPE == 0o140_000 {
        crate::socket::describe(entry, show, &mut file);
        return Some(file);
    }
    let (name, rest) = match handle.name.bytes() {
        name if is_mapped => (name, None),
        name => link_parts(name),
    };
    file.name = name.to_vec();
    match entry.status {
        Some(status) => with_status(&mut file, &status),
        None => without_status(&mut file, entry),
    }
    file.kind = kind(entry, mode);
    if let Some(rest) = rest {
        name_of_internal(entry, rest, &mut file);
    }
    if let (FdKind::Deleted, Some(name)) = (file.fd, file.name.strip_suffix(b" (deleted)")) {
        file.name = name.to_vec();
    }
    if is_mapped && !handle.name.bytes().starts_with(b"/") {
        // lsof looks for a file of that name.
        file.add("(stat: No such file or directory)");
    }
    file.lock = lock(inventory, entry);
    Some(file)
}

fn place(entry: &Entry) -> Option<FdKind> {
    Some(match entry.handle.via {
        Association::Fd(fd) => FdKind::Number(fd.0),
        Association::Cwd => FdKind::Cwd,
        Association::Root => FdKind::Root,
        Association::Exe => FdKind::Text,
        Association::Mapping(_) if entry.handle.name.bytes().ends_with(b" (deleted)") => {
            FdKind::Deleted
        }
        Association::Mapping(_) => FdKind::Memory,
        Association::Namespace(_) | Association::RingSlot(..) | Association::InFlight(_) => {
            return None;
        }
    })
}

/// The letter that lsof takes from the link's permissions, of which `O_PATH` has none.
fn access(entry: &Entry) -> u8 {
    match entry.access {
        Some(Access::Read) => b'r',
        Some(Access::Write) => b'w',
        Some(Access::Both | Access::Neither) => b'u',
        None => b' ',
    }
}

/// A place that could not be read is named by its path in /proc, with the reason.
fn unread(inventory: &Inventory, entry: &Entry, file: &mut OpenFile) {
    let pid = inventory.process.id.pid;
    let place = match entry.handle.via {
        Association::Fd(fd) => format!("fd/{fd}"),
        Association::Cwd => "cwd".to_owned(),
        Association::Root => "root".to_owned(),
        _ => "exe".to_owned(),
    };
    file.kind = "unknown";
    file.name = format!("/proc/{pid}/{place}").into_bytes();
    file.access = b' ';
    file.offset = None;
    if let Some(fault) = &entry.handle.fault {
        file.add(&format!("(readlink: {})", sentence(&fault.cause)));
    }
}

/// A cause in strerror(3)'s spelling.
pub(crate) fn sentence(cause: &str) -> String {
    // std::io::Error adds the number.
    let cause = cause.split(" (os error").next().unwrap_or(cause);
    let mut letters = cause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn mode(entry: &Entry) -> u32 {
    entry.status.map(|status| status.mode).or(entry.handle.mode).unwrap_or_default()
}

/// A link's text up to a colon, and what stands behind it: `pipe` and `[123]`. Paths are whole.
fn link_parts(link: &[u8]) -> (&[u8], Option<&[u8]>) {
    match link.iter().position(|&b| b == b':') {
        Some(colon) if !link.starts_with(b"/") => (&link[..colon], Some(&link[colon + 1..])),
        _ => (link, None),
    }
}

fn with_status(file: &mut OpenFile, status: &FileStatus) {
    file.blank_device(Some(status.inode));
    file.links = Some(status.links);
    match status.device {
        Some((major, minor)) => file.node_device = Some(DeviceId::new(major, minor)),
        None if status.mode & TYPE == 0o010_000 => {}
        None => file.size = Some(status.size),
    }
}

/// Pipes and anonymous inodes are not asked: their size and links are always the same.
fn without_status(file: &mut OpenFile, entry: &Entry) {
    file.blank_device(entry.handle.inode);
    let link = entry.handle.name.bytes();
    let is_descriptor = matches!(file.fd, FdKind::Number(_));
    if is_descriptor && entry.handle.inode.is_some() && !link.starts_with(b"/") {
        file.links = Some(1);
        file.size = (!link.starts_with(b"pipe:")).then_some(0);
    }
}

fn kind(entry: &Entry, mode: u32) -> &'static str {
    let is_internal = !entry.handle.name.bytes().starts_with(b"/");
    match mode & TYPE {
        _ if entry.handle.kind == HandleKind::MessageQueue => "PSXMQ",
        0o010_000 => "FIFO",
        0o020_000 => "CHR",
        0o040_000 => "DIR",
        0o060_000 => "BLK",
        0o100_000 => "REG",
        0o120_000 => "LINK",
        _ => match entry.handle.kind {
            HandleKind::Pipe | HandleKind::Fifo => "FIFO",
            HandleKind::Namespace => "REG",
            HandleKind::PidFd if entry.handle.name.bytes().starts_with(b"pidfd:") => "REG",
            _ if matches!(entry.handle.via, Association::Mapping(_)) => "REG",
            _ if is_internal => "a_inode",
            _ => "unknown",
        },
    }
}

/// Anonymous inodes are named by what stands behind the colon, some with what they refer to.
fn name_of_internal(entry: &Entry, rest: &[u8], file: &mut OpenFile) {
    let is_pidfd = file.name == b"pidfd";
    if file.name != b"anon_inode" && !is_pidfd {
        return;
    }
    file.name = match &entry.facts {
        Facts::PidFd { pid: Some(pid), .. } if is_pidfd || rest == b"[pidfd]" => {
            format!("[pidfd:{pid}]").into_bytes()
        }
        Facts::EventFd { id: Some(id), .. } if rest == b"[eventfd]" => {
            format!("[eventfd:{id}]").into_bytes()
        }
        Facts::Epoll { targets } if rest == b"[eventpoll]" && !targets.is_empty() => {
            let mut fds: Vec<u32> =
                targets.iter().take(MOST_REGISTRATIONS).map(|target| target.fd.0).collect();
            fds.sort_unstable();
            let list: Vec<String> = fds.iter().map(u32::to_string).collect();
            let more = if list.len() == MOST_REGISTRATIONS { "..." } else { "" };
            format!("[eventpoll:{}{more}]", list.join(",")).into_bytes()
        }
        _ => rest.to_vec(),
    };
}

/// The letter of the lock that this process holds on the file, by whichever descriptor.
fn lock(inventory: &Inventory, entry: &Entry) -> u8 {
    let inode = |entry: &Entry| entry.status.map(|s| s.inode).or(entry.handle.inode);
    let own = inode(entry);
    let mut holders = inventory.entries.iter().filter(|e| !e.locks.is_empty() && inode(e) == own);
    let locks = if entry.locks.is_empty() {
        holders.next().map_or(&[][..], |e| &e.locks)
    } else {
        &entry.locks
    };
    // lsof does not see locks of open file descriptions, which name no process.
    let mut shown = locks.iter().filter(|lock| lock.class.bytes() != b"OFDLCK");
    shown.next_back().map_or(b' ', letter)
}

fn letter(lock: &Lock) -> u8 {
    let whole = lock.start == 0 && lock.end.is_none_or(|end| end == WHOLE_FILE);
    match (lock.access, whole) {
        (Access::Read, true) => b'R',
        (Access::Read, false) => b'r',
        (_, true) => b'W',
        (_, false) => b'w',
    }
}

/// Major and minor number.
pub(crate) fn device_parts(device: DeviceId) -> (u32, u32) {
    (device.0 >> 20, device.0 & 0xf_ffff)
}

/// The number as stat(2) packs it, cut to 32 bits as lsof prints it.
pub(crate) fn device_number(device: DeviceId) -> u32 {
    let (major, minor) = device_parts(device);
    (major & 0xfff) << 8 | minor & 0xff | (minor & !0xff) << 12
}
