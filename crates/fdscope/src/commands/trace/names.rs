//! What descriptors and processes are called: `-y`, `-yy`, `-Y`.

use std::path::Path;

use fdscope_model::kind::classify;
use fdscope_model::{Family, FdNumber, HandleKind, Pid, Tid};
use fdscope_proc::ProcRoot;
use fdscope_strace::options::FdWords;
use fdscope_syscall::Memory;
use fdscope_syscall::capture::When;
use fdscope_syscall::decode::{AT_FDCWD, Names, Quote, escape};
use fdscope_syscall::memory::Described;
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

use super::sockets::Sockets;

/// The names of one task's numbers.
pub struct TaskNames<'a> {
    /// The process.
    pub pid: Pid,
    /// The task.
    pub tid: Tid,
    /// What the engine noted, and the moment that is meant.
    pub told: (&'a dyn Memory, When),
    /// What is said of descriptors.
    pub words: FdWords,
    /// Whether processes are named.
    pub comms: bool,
    /// What is said of sockets.
    pub sockets: &'a Sockets,
}

impl TaskNames<'_> {
    fn noted(&self, fd: i32) -> Option<Described> {
        self.told.0.descriptor(fd, self.told.1)
    }

    /// What is said of a descriptor that the engine noted.
    fn words_of(&self, noted: &Described) -> Vec<u8> {
        if let (Some((socket, protocol)), true) = (&noted.socket, self.words.socket) {
            return self
                .sockets
                .words_of(socket)
                .unwrap_or_else(|| [protocol, format!(":[{}]", socket.inode).as_bytes()].concat());
        }
        if let (Some(pid), true) = (noted.pid, self.words.pidfd) {
            return format!("pid:{pid}").into_bytes();
        }
        let kind = FileType::from_raw_mode(noted.mode);
        let device = (kind, noted.node);
        named(&noted.link, Some(device).filter(|_| self.words.dev))
    }

    /// What there is to be said besides the path; `None` for the path alone.
    fn special(&self, path: &str, fd: i32, link: &[u8]) -> Option<Vec<u8>> {
        let inode = link.strip_prefix(b"socket:[").and_then(|rest| rest.strip_suffix(b"]"));
        if let Some(inode) = inode.filter(|_| self.words.socket) {
            let inode: u64 = std::str::from_utf8(inode).ok()?.parse().ok()?;
            return self.sockets.words(self.pid, inode).or_else(|| {
                let root = ProcRoot::open().ok()?;
                let protocol = root.socket_protocol(Pid(self.tid.0), FdNumber(fd as u32))?;
                Some([protocol.bytes(), format!(":[{inode}]").as_bytes()].concat())
            });
        }
        if link == b"anon_inode:[pidfd]" && self.words.pidfd {
            let text = std::fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.tid)).ok()?;
            let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim();
            return Some(format!("pid:{pid}").into_bytes());
        }
        let is_asked = self.words.dev && link.starts_with(b"/");
        is_asked.then(|| named(link, device(path)))
    }
}

/// The text of a link, and of a device its numbers: `/dev/null<char 1:3>`.
fn named(link: &[u8], device: Option<(FileType, (u32, u32))>) -> Vec<u8> {
    let mut out = Vec::new();
    escape(&mut out, link, Quote::Escapes, b"<>");
    let class = match device {
        Some((FileType::CharacterDevice, numbers)) => Some(("char", numbers)),
        Some((FileType::BlockDevice, numbers)) => Some(("block", numbers)),
        _ => None,
    };
    if let Some((class, (major, minor))) = class {
        out.extend_from_slice(format!("<{class} {major}:{minor}>").as_bytes());
    }
    out
}

/// The kind of a file, and the numbers of a device, by its link in /proc.
fn device(path: &str) -> Option<(FileType, (u32, u32))> {
    let (flags, wanted) = (AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE);
    let found = statx(CWD, path, flags, wanted).ok()?;
    let numbers = (found.stx_rdev_major, found.stx_rdev_minor);
    Some((FileType::from_raw_mode(found.stx_mode.into()), numbers))
}

impl Names for TaskNames<'_> {
    fn descriptor(&self, fd: i32) -> Option<Vec<u8>> {
        if self.words == FdWords::default() {
            return None;
        }
        if let Some(noted) = self.noted(fd) {
            return Some(self.words_of(&noted));
        }
        let tid = self.tid;
        let path = match fd {
            AT_FDCWD => format!("/proc/{tid}/cwd"),
            0.. => format!("/proc/{tid}/fd/{fd}"),
            _ => return None,
        };
        let link = rustix::fs::readlink(&path, Vec::new()).ok()?.into_bytes();
        if let Some(words) = self.special(&path, fd, &link) {
            return Some(words);
        }
        Some(named(&link, None))
    }

    fn interface(&self, number: u32) -> Option<Vec<u8>> {
        let is_it = |folder: &Path| {
            let text = std::fs::read_to_string(folder.join("ifindex")).unwrap_or_default();
            text.trim().parse() == Ok(number)
        };
        let folders = std::fs::read_dir("/sys/class/net").ok()?;
        let found = folders.flatten().find(|entry| is_it(&entry.path()))?;
        Some(found.file_name().into_encoded_bytes())
    }

    fn netlink(&self, fd: i32) -> Option<u32> {
        let noted = self.noted(fd).and_then(|noted| noted.socket).map(|(socket, _)| socket);
        match noted {
            Some(socket) => socket.detail?.subprotocol.filter(|_| socket.family == Family::Netlink),
            None => self.sockets.netlink((self.pid, self.tid), fd),
        }
    }

    fn kind(&self, fd: i32) -> Option<HandleKind> {
        if let Some(noted) = self.noted(fd) {
            return Some(classify(noted.mode, &noted.link));
        }
        let number = u32::try_from(fd).ok()?;
        let path = format!("/proc/{}/fd/{number}", self.tid);
        let link = rustix::fs::readlink(&path, Vec::new()).ok()?.into_bytes();
        // Of what has no path the link says it all.
        let mode = link.starts_with(b"/").then(|| {
            let (flags, wanted) = (AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE);
            statx(CWD, &path, flags, wanted).map_or(0, |found| found.stx_mode)
        });
        Some(classify(mode.unwrap_or(0).into(), &link))
    }

    fn pid(&self, pid: i32) -> Option<Vec<u8>> {
        (self.comms && pid > 0).then(|| comm(Tid(pid as u32))).filter(|comm| !comm.is_empty())
    }
}

/// A task's `comm`, ready to print.
pub fn comm(tid: Tid) -> Vec<u8> {
    let path = format!("/proc/{tid}/comm");
    let bytes = std::fs::read(Path::new(&path)).unwrap_or_default();
    let mut out = Vec::new();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    escape(&mut out, bytes, Quote::Escapes, b"<>");
    out
}
