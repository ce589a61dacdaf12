//! From the program's record to a row of the inventory.

use fdscope_model::handle::O_PATH;
use fdscope_model::kind::classify;
use fdscope_model::port::Lead;
use fdscope_model::{
    Access, Association, DeviceId, Entry, Facts, Fault, FdNumber, FileId, FileStatus, Handle,
    HandleKind, InodeId, Name, Pid, ProcessId,
};
use rustix::io::Errno;
use zerocopy::FromBytes;

use super::socket::socket;
use super::wire::{HeldRow, HeldSocket, part};

const S_IFMT: u32 = 0o170_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;

/// Magic numbers of file systems (include/uapi/linux/magic.h).
mod magic {
    pub const SOCKETS: u32 = 0x534f_434b;
    pub const PIPES: u32 = 0x5049_5045;
    pub const ANONYMOUS: u32 = 0x0904_1934;
    pub const PROCESSES: u32 = 0x5049_4446;
    pub const QUEUES: u32 = 0x1980_0202;
    pub const NAMESPACES: u32 = 0x6e73_6673;

    /// Those whose stat(2) says what the inode says, in full: they use `generic_fillattr` (fs/stat.c) alone.
    pub const PLAIN: &[u32] = &[
        0x0102_1994, // tmpfs, memfd_create(2)
        0x8584_58f6, // ramfs
        0x0000_1cd1, // devpts
        QUEUES,
        ANONYMOUS,
        0x444d_4142, // dma-bufs
        NAMESPACES,
    ];
    /// Those that add to the blocks what is not written out yet: the rest is the inode's.
    pub const EXT: u32 = 0xef53;
}

/// A record, whole.
pub(super) struct Record<'a> {
    pub row: HeldRow,
    /// What follows the row.
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes`, and what follows it; `None` if it is cut off.
    pub fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (row, _) = HeldRow::read_from_prefix(bytes).ok()?;
        let (whole, behind) = bytes.split_at_checked(row.bytes as usize)?;
        Some((Record { row, rest: whole.get(size_of::<HeldRow>()..)? }, behind))
    }

    /// The row of the inventory. The owner's start time is left for whoever knows it.
    pub fn entry(&self, pid: Pid, wants_sockets: bool) -> Entry {
        let row = &self.row;
        let (name, fault) = self.name(pid);
        let mode = mode_of(row);
        Entry {
            access: Some(Access::of_flags(row.flags)),
            status: status_of(row, mode),
            mount: Some(row.mount),
            facts: if wants_sockets { self.socket() } else { Facts::Nothing },
            locks: Vec::new(),
            handle: Handle {
                owner: ProcessId { pid, start_ticks: 0 },
                via: Association::Fd(FdNumber(row.fd)),
                kind: kind_of(row, mode, &name),
                file: Some(FileId(row.file)),
                inode: Some(inode_of(row)),
                mode: Some(mode),
                flags: Some(row.flags),
                offset: Some(row.offset),
                name,
                fault: fault.map(Box::new),
            },
        }
    }

    /// Whether it is a socket, or leads to some.
    pub fn lead(&self) -> Option<Lead> {
        let row = &self.row;
        let text = || self.rest.get(..usize::from(row.text_bytes)).unwrap_or_default();
        match row.magic {
            magic::SOCKETS => Some(Lead::Socket(row.inode)),
            magic::ANONYMOUS if text() == b"anon_inode:[io_uring]" => Some(Lead::Ring),
            magic::NAMESPACES if text().starts_with(b"net:[") => Some(Lead::Namespace(row.inode)),
            _ => None,
        }
    }

    /// The text of the link, as readlink(2) on /proc/PID/fd/N gives it.
    fn name(&self, pid: Pid) -> (Name, Option<Fault>) {
        let row = &self.row;
        match row.magic {
            magic::SOCKETS => (numbered(b"socket:[", row.inode), None),
            magic::PIPES if row.parts == 0 => (numbered(b"pipe:[", row.inode), None),
            _ if row.text_error < 0 => {
                let errno = Errno::from_raw_os_error(-i32::from(row.text_error));
                let cause = errno.to_string();
                let fd = Some(FdNumber(row.fd));
                let fault = Fault { pid: Some(pid), fd, operation: "read link", cause };
                (Name::default(), Some(fault))
            }
            _ => {
                let text = self.rest.get(..usize::from(row.text_bytes));
                (Name::from(text.unwrap_or_default()), None)
            }
        }
    }

    /// The socket, where it is one.
    pub fn socket(&self) -> Facts {
        let row = &self.row;
        let Ok((held, names)) = HeldSocket::read_from_prefix(self.rest) else {
            return Facts::Nothing;
        };
        if row.parts & part::SOCKET == 0 {
            return Facts::Nothing;
        }
        let (own, names) = names.split_at_checked(usize::from(row.text_bytes)).unwrap_or_default();
        let peer = names.get(..usize::from(held.peer_bytes)).unwrap_or_default();
        Facts::Socket(Box::new(socket(&held, row.inode, row.uid, own, peer)))
    }
}

/// `socket:[N]`, `pipe:[N]`, without going through the formatter for each of 100,000.
fn numbered(word: &[u8], number: u64) -> Name {
    let mut digits = [0; 20];
    let mut begin = digits.len();
    let mut left = number;
    loop {
        begin -= 1;
        digits[begin] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    let mut text = Vec::with_capacity(word.len() + digits.len() - begin + 1);
    text.extend_from_slice(word);
    text.extend_from_slice(&digits[begin..]);
    text.push(b']');
    Name::from(text)
}

fn inode_of(row: &HeldRow) -> InodeId {
    InodeId { device: DeviceId(row.device), inode: row.inode }
}

/// `st_mode`. Anonymous inodes are regular files to the kernel since 6.17 and of no type to stat(2) (fs/anon_inodes.c,
/// fs/pidfs.c).
fn mode_of(row: &HeldRow) -> u32 {
    let mode = u32::from(row.mode);
    match row.magic {
        magic::ANONYMOUS | magic::PROCESSES => mode & !S_IFMT,
        _ => mode,
    }
}

fn kind_of(row: &HeldRow, mode: u32, name: &Name) -> HandleKind {
    if row.flags & O_PATH != 0 {
        return HandleKind::Path;
    }
    match (row.magic, classify(mode, name.bytes())) {
        (magic::QUEUES, HandleKind::File) => HandleKind::MessageQueue,
        (_, kind) => kind,
    }
}

/// What stat(2) would say, on file systems where the inode's own fields are that.
fn status_of(row: &HeldRow, mode: u32) -> Option<FileStatus> {
    let is_device = matches!(mode & S_IFMT, S_IFCHR | S_IFBLK);
    let is_plain = magic::PLAIN.contains(&row.magic) || row.magic == magic::EXT;
    is_plain.then(|| FileStatus {
        inode: inode_of(row),
        mode,
        links: u64::from(row.links),
        size: row.size,
        allocated: row.blocks.saturating_mul(512),
        device: is_device.then_some((row.node >> 20, row.node & 0xf_ffff)),
        uid: row.uid,
    })
}
