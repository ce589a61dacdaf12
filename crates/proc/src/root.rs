//! /proc as a directory descriptor: the real one, or a captured tree. Everything else reads through it.
//!
//! A [`PidDir`] holds the process's directory open, so that a number that is reused half-way through a walk gives
//! "gone" and never a mixture of two processes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use fdscope_model::{FdNumber, FileStatus, Name, Pid};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, Stat, StatxFlags, openat, readlinkat_raw, statat,
};
use rustix::io::Errno;
use rustix::path::{Arg, DecInt};

use crate::error::ProcError;
use crate::status::{ask_file, status_of};

/// More than any line or link of the kernel needs: paths are at most 4 KiB, in maps up to four times that.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// What is read at most of files that are read whole.
const LONGEST_FILE: usize = 1 << 20;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// The superblock's magic number of procfs.
const PROC_SUPER_MAGIC: i64 = 0x9fa0;

/// A /proc. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ProcRoot {
    proc: Arc<OwnedFd>,
    /// The directory that stands for `/` when a mount point outside /proc is read.
    host: Arc<OwnedFd>,
    live: bool,
    own: bool,
}

impl ProcRoot {
    /// The /proc of this machine.
    ///
    /// # Errors
    /// If /proc cannot be opened.
    pub fn open() -> Result<Self, ProcError> {
        Self::at(Path::new("/proc"))
    }

    /// A /proc at `path`, real or captured. For a captured one the directory above it stands for `/`.
    ///
    /// # Errors
    /// If the directory cannot be opened.
    pub fn at(path: &Path) -> Result<Self, ProcError> {
        let error = |cause| ProcError::System { path: path.display().to_string(), cause };
        let proc = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(error)?;
        let magic = rustix::fs::fstatfs(&proc).map_err(error)?.f_type;
        let live = magic as i64 == PROC_SUPER_MAGIC;
        let host = openat(&proc, "..", DIRECTORY, Mode::empty()).map_err(error)?;
        let own = live && names_this_process(&proc);
        Ok(ProcRoot { proc: Arc::new(proc), host: Arc::new(host), live, own })
    }

    /// True if this is the kernel's own file system and not a captured tree.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// True if numbers here are those that system calls take: false for a captured tree, and for the /proc of another
    /// PID namespace.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// The directory of a process, or of a thread by its number.
    ///
    /// # Errors
    /// If there is none.
    pub fn pid_dir(&self, pid: Pid) -> Result<PidDir, ProcError> {
        let dir = openat(&self.proc, DecInt::new(pid.0), DIRECTORY, Mode::empty());
        match dir {
            Ok(dir) => Ok(PidDir { pid, dir, own: self.own }),
            Err(Errno::NOENT) if self.is_hidden(pid) => {
                Err(ProcError::NotPermitted { pid, operation: "see the directory (hidepid)" })
            }
            Err(cause) => Err(ProcError::of(pid, "open the directory", cause)),
        }
    }

    /// True if the process exists although /proc (mounted with `hidepid`) does not show it.
    fn is_hidden(&self, pid: Pid) -> bool {
        let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
        self.own
            && raw.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::PERM))
    }

    /// True if this /proc does not list the processes of other users (`hidepid`), told by the first of all processes.
    pub fn hides_others(&self) -> bool {
        self.is_hidden(Pid(1)) && statat(&self.proc, "1", AtFlags::empty()).is_err()
    }

    /// Every number that names a process now, in no order. Processes born meanwhile may be missing.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn pids(&self) -> Result<Vec<Pid>, ProcError> {
        let error = |cause| ProcError::System { path: "/proc".to_owned(), cause };
        let dir = openat(&self.proc, ".", DIRECTORY, Mode::empty()).map_err(error)?;
        let mut pids = Vec::new();
        numbers_in(dir.as_fd(), |number| pids.push(Pid(number))).map_err(error)?;
        pids.sort_unstable();
        Ok(pids)
    }

    /// About how many processes there are, without listing them: the kernel counts them among the links of /proc
    /// (fs/proc/root.c, `proc_root_getattr`). 0 for a captured tree.
    #[allow(clippy::unnecessary_cast, reason = "it has 32 bits on other processors")]
    pub fn about_how_many(&self) -> u64 {
        let status = rustix::fs::fstat(&self.proc).ok().filter(|_| self.live);
        status.map_or(0, |status| status.st_nlink as u64)
    }

    /// A file below /proc, at most 1 MiB of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ProcError> {
        read_whole(self.proc.as_fd(), path)
            .map_err(|cause| ProcError::System { path: format!("/proc/{path}"), cause })
    }

    /// Hands each line of a file below /proc to `sink`; keeps one line at a time.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_lines(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), ProcError> {
        let error = |cause| ProcError::System { path: format!("/proc/{path}"), cause };
        let file = open_file(self.proc.as_fd(), path).map_err(error)?;
        each_line(file.as_fd(), End::Nothing, &mut Vec::new(), sink).map_err(error)
    }

    /// A path that leads below this /proc wherever it is mounted, for the few calls that take no directory.
    pub(crate) fn path_of(&self, below: &str) -> String {
        format!("/proc/self/fd/{}/{below}", self.proc.as_raw_fd())
    }

    /// A file outside /proc (cgroups), by its absolute path; below the tree's parent for a captured /proc.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_outside(&self, path: &Path) -> Result<Vec<u8>, ProcError> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        read_whole(self.host.as_fd(), relative)
            .map_err(|cause| ProcError::System { path: path.display().to_string(), cause })
    }
}

impl ProcRoot {
    /// The directories in a directory outside /proc (a cgroup), by name; none if it cannot be listed.
    pub(crate) fn directories_outside(&self, path: &Path) -> Vec<OsString> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let Ok(dir) = openat(&self.host, relative, DIRECTORY, Mode::empty()) else {
            return Vec::new();
        };
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name().to_bytes();
            if entry.file_type() == FileType::Directory && name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        names
    }
}

/// The directory of one process, held open.
#[derive(Debug)]
pub struct PidDir {
    pid: Pid,
    dir: OwnedFd,
    own: bool,
}

impl PidDir {
    /// The number it was opened under.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// True if system calls know the process by this number; see [`ProcRoot::is_own`].
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// A file of the process, at most 1 MiB of it.
    ///
    /// # Errors
    /// If it cannot be read; [`ProcError::Gone`] once the process has been waited for.
    pub fn read(&self, path: &str, operation: &'static str) -> Result<Vec<u8>, ProcError> {
        read_whole(self.dir.as_fd(), path)
            .map_err(|cause| ProcError::of(self.pid, operation, cause))
    }

    /// The first read of a file of the process, into `buffer`: all of it, for files that the kernel writes in one go and
    /// that fit.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_once(
        &self,
        path: &str,
        operation: &'static str,
        buffer: &mut [u8],
    ) -> Result<usize, ProcError> {
        let read = || rustix::io::read(open_file(self.dir.as_fd(), path)?, buffer);
        read().map_err(|cause| ProcError::of(self.pid, operation, cause))
    }

    /// Hands each line of a file to `sink`; keeps one line at a time.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_lines(
        &self,
        path: &str,
        operation: &'static str,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ProcError> {
        let error = |cause| ProcError::of(self.pid, operation, cause);
        let file = open_file(self.dir.as_fd(), path).map_err(error)?;
        let mut buffer = Vec::new();
        each_line(file.as_fd(), End::Nothing, &mut buffer, sink).map_err(error)
    }

    /// The text of a link of the process.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_link(&self, path: &str, operation: &'static str) -> Result<Name, ProcError> {
        let mut buffer = vec![0; 4096];
        let length = readlinkat_raw(&self.dir, path, &mut buffer[..])
            .map_err(|cause| ProcError::of(self.pid, operation, cause))?;
        Ok(buffer[..length].into())
    }

    /// A directory below the process's.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open_dir(&self, path: &str, operation: &'static str) -> Result<OwnedFd, ProcError> {
        openat(&self.dir, path, DIRECTORY, Mode::empty())
            .map_err(|cause| ProcError::of(self.pid, operation, cause))
    }

    /// An entry of the process's directory, opened: a file that procfs serves, or a link to a namespace.
    pub(crate) fn open_file(&self, path: &str) -> Result<OwnedFd, Errno> {
        open_file(self.dir.as_fd(), path)
    }

    /// A directory that a link of the process leads to, only to walk on from there: opens nothing.
    pub(crate) fn open_path(&self, link: &str) -> Option<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&self.dir, link, flags, Mode::empty()).ok()
    }

    /// The numbers that name entries of a directory below the process's, in the kernel's order.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn list(&self, path: &str, operation: &'static str) -> Result<Vec<u32>, ProcError> {
        let dir = self.open_dir(path, operation)?;
        let mut numbers = Vec::new();
        numbers_in(dir.as_fd(), |number| numbers.push(number))
            .map_err(|cause| ProcError::of(self.pid, operation, cause))?;
        Ok(numbers)
    }

    /// Where the process's memory and descriptors show: nothing, or `task/TID/` of a living thread if the first thread
    /// has exited before the others and let go of both.
    ///
    /// # Errors
    /// If the process is gone, or a zombie that holds nothing.
    pub fn living_place(&self) -> Result<String, ProcError> {
        self.living_place_of(&self.process_stat()?)
    }

    /// The same for a process whose stat was just read.
    pub(crate) fn living_place_of(&self, stat: &crate::parse::Stat) -> Result<String, ProcError> {
        if !stat.is_ending() {
            return Ok(String::new());
        }
        let mut others = self.list("task", "list threads")?.into_iter();
        let living = others.find(|tid| *tid != self.pid.0 && stat.threads > 1);
        living.map(|tid| format!("task/{tid}/")).ok_or(ProcError::Gone { pid: self.pid })
    }

    /// The effective user, who owns the directory whether or not the process lets itself be looked at (fs/proc/base.c,
    /// `task_dump_owner`). Of a captured tree, whoever captured it.
    ///
    /// # Errors
    /// If it is gone.
    pub fn uid(&self) -> Result<u32, ProcError> {
        let stat = rustix::fs::fstat(&self.dir)
            .map_err(|cause| ProcError::of(self.pid, "learn the user", cause))?;
        Ok(stat.st_uid)
    }

    /// What the file behind a link of the process (`cwd`) tells from memory; only where the file system is known to
    /// answer so.
    pub(crate) fn ask(&self, path: &str) -> Option<FileStatus> {
        ask_file(&self.dir, path, StatxFlags::BASIC_STATS).ok().map(status_of)
    }

    /// stat(2) of an entry of the process's directory itself, which procfs answers from memory.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn stat(&self, path: &str, operation: &'static str) -> Result<Stat, ProcError> {
        statat(&self.dir, path, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|cause| ProcError::of(self.pid, operation, cause))
    }
}

/// True if `self` in this /proc is the process that asks.
fn names_this_process(proc: &OwnedFd) -> bool {
    let mut buffer = [0; 32];
    let length = readlinkat_raw(proc, "self", &mut buffer[..]).unwrap_or(0);
    crate::parse::decimal(&buffer[..length]) == Some(u64::from(std::process::id()))
}

/// Calls `sink` with each entry whose name is a number.
pub(crate) fn numbers_in(dir: BorrowedFd<'_>, mut sink: impl FnMut(u32)) -> Result<(), Errno> {
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let number = crate::parse::decimal(entry.file_name().to_bytes());
        if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
            sink(number);
        }
    }
    Ok(())
}

/// Opens a file for reading that procfs or cgroupfs serves.
pub(crate) fn open_file(dir: BorrowedFd<'_>, path: impl Arg) -> Result<OwnedFd, Errno> {
    openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

fn read_whole(dir: BorrowedFd<'_>, path: impl Arg) -> Result<Vec<u8>, Errno> {
    let file = open_file(dir, path)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while bytes.len() < LONGEST_FILE {
        match rustix::io::read(&file, &mut chunk)? {
            0 => break,
            length => bytes.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(bytes)
}

/// What tells that a file is read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Nothing more to read: true of every file.
    Nothing,
    /// Less than was asked for: true of files that the kernel writes in one go (`single_open`), as fdinfo.
    Less,
}

/// Hands each line to `sink`, without its end. A line longer than [`LONGEST_LINE`] comes in pieces.
pub(crate) fn each_line(
    file: BorrowedFd<'_>,
    end: End,
    buffer: &mut Vec<u8>,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Errno> {
    buffer.resize(LONGEST_LINE, 0);
    let mut held = 0;
    loop {
        let length = rustix::io::read(file, &mut buffer[held..])?;
        let filled = held + length;
        let is_last = length == 0 || end == End::Less && filled < buffer.len();
        let mut begin = 0;
        while let Some(at) = buffer[begin..filled].iter().position(|&b| b == b'\n') {
            sink(&buffer[begin..begin + at]);
            begin += at + 1;
        }
        if begin < filled && (is_last || begin == 0 && filled == buffer.len()) {
            sink(&buffer[begin..filled]);
            begin = filled;
        }
        if is_last {
            return Ok(());
        }
        buffer.copy_within(begin..filled, 0);
        held = filled - begin;
    }
}

/// The link of descriptor `fd` in an open `fd` directory, into `buffer`.
pub(crate) fn read_fd_link<'a>(
    dir: BorrowedFd<'_>,
    fd: FdNumber,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], Errno> {
    let length = readlinkat_raw(dir, DecInt::new(fd.0), &mut *buffer)?;
    Ok(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_are_whole_across_reads_and_long_ones_come_in_pieces() {
        let mut file = tempfile::tempfile().expect("temporary file");
        let long = vec![b'x'; LONGEST_LINE + 10];
        file.write_all(b"one\n\ntwo\n").expect("write");
        file.write_all(&long).expect("write");
        file.write_all(b"\nlast").expect("write");
        for end in [End::Nothing, End::Less] {
            rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).expect("seek");
            let mut lengths = Vec::new();
            each_line(file.as_fd(), end, &mut Vec::new(), &mut |line| lengths.push(line.len()))
                .expect("read");
            assert_eq!(lengths, [3, 0, 3, LONGEST_LINE, 10, 4]);
        }
    }

    #[test]
    fn a_missing_process_is_gone() {
        let root = ProcRoot::open().expect("/proc");
        assert!(root.is_live());
        let error = root.pid_dir(Pid(u32::MAX - 1)).expect_err("no such process");
        assert!(error.is_gone(), "{error}");
    }
}
