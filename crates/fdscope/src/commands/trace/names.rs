//! What descriptors and processes are called: `-y`, `-yy`, `-Y`.

use std::path::Path;

use fdscope_model::{Pid, Tid};
use fdscope_strace::options::FdWords;
use fdscope_syscall::decode::{AT_FDCWD, Names, Quote, escape};

/// The names of one task's numbers.
pub struct TaskNames {
    /// The process.
    pub pid: Pid,
    /// The task.
    pub tid: Tid,
    /// What is said of descriptors.
    pub words: FdWords,
    /// Whether processes are named.
    pub comms: bool,
}

impl Names for TaskNames {
    fn descriptor(&self, fd: i32) -> Option<Vec<u8>> {
        if self.words == FdWords::default() {
            return None;
        }
        let tid = self.tid;
        let path = match fd {
            AT_FDCWD => format!("/proc/{tid}/cwd"),
            0.. => format!("/proc/{tid}/fd/{fd}"),
            _ => return None,
        };
        let link = rustix::fs::readlink(&path, Vec::new()).ok()?.into_bytes();
        let mut out = Vec::new();
        escape(&mut out, &link, Quote::Escapes, b"<>");
        Some(out)
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
