//! What descriptors and processes are called: `-y`, `-yy`, `-Y`.

use std::path::Path;

use fdscope_model::kind::classify;
use fdscope_model::{FdNumber, HandleKind, Pid, Tid};
use fdscope_proc::ProcRoot;
use fdscope_strace::options::FdWords;
use fdscope_syscall::decode::{AT_FDCWD, Names, Quote, escape};
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

use super::sockets::Sockets;

/// The names of one task's numbers.
pub struct TaskNames<'a> {
    /// The process.
    pub pid: Pid,
    /// The task.
    pub tid: Tid,
    /// What is said of descriptors.
    pub words: FdWords,
    /// Whether processes are named.
    pub comms: bool,
    /// What is said of sockets.
    pub sockets: &'a Sockets,
}

impl TaskNames<'_> {
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
        (self.words.dev && link.starts_with(b"/")).then(|| device(path, link))?
    }
}

/// `/dev/null<char 1:3>`.
fn device(path: &str, link: &[u8]) -> Option<Vec<u8>> {
    let (flags, wanted) = (AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE);
    let found = statx(CWD, path, flags, wanted).ok()?;
    let class = match FileType::from_raw_mode(found.stx_mode.into()) {
        FileType::CharacterDevice => "char",
        FileType::BlockDevice => "block",
        _ => return None,
    };
    let mut out = Vec::new();
    escape(&mut out, link, Quote::Escapes, b"<>");
    let (major, minor) = (found.stx_rdev_major, found.stx_rdev_minor);
    out.extend_from_slice(format!("<{class} {major}:{minor}>").as_bytes());
    Some(out)
}

impl Names for TaskNames<'_> {
    fn descriptor(&self, fd: i32) -> Option<Vec<u8>> {
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
        let mut out = Vec::new();
        escape(&mut out, &link, Quote::Escapes, b"<>");
        Some(out)
    }

    fn kind(&self, fd: i32) -> Option<HandleKind> {
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
