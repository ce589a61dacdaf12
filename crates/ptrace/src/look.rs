//! What /proc tells about a tracee while it stands still: one descriptor, a range of them, its names.
//!
//! Nothing here touches the files behind descriptors, so nothing hangs on a dead mount.

use std::fs;
use std::os::unix::ffi::OsStringExt;

use fdscope_model::kind::classify;
use fdscope_model::{HandleKind, Name, Pid, Tid};
use rustix::fs::{AtFlags, CWD, StatxFlags, readlinkat, statx};

/// A descriptor as /proc shows it.
pub struct Seen {
    /// What it is.
    pub kind: HandleKind,
    /// The link's text.
    pub name: Name,
}

/// Looks at a descriptor; `None` if it is not open (any more).
pub fn descriptor(tid: Tid, fd: u32) -> Option<Seen> {
    let path = format!("/proc/{tid}/fd/{fd}");
    let link = readlinkat(CWD, &path, Vec::new()).ok()?.into_bytes();
    // Paths may name any type of file: ask for the mode, without asking the file's server.
    let mode = match link.first() {
        Some(b'/') => {
            let flags = AtFlags::STATX_DONT_SYNC;
            statx(CWD, &path, flags, StatxFlags::TYPE).map_or(0, |found| found.stx_mode.into())
        }
        _ => 0,
    };
    Some(Seen { kind: classify(mode, &link), name: Name::from(link) })
}

/// Is the descriptor open?
pub fn is_open(tid: Tid, fd: u32) -> bool {
    rustix::fs::lstat(format!("/proc/{tid}/fd/{fd}")).is_ok()
}

/// The open descriptors from `first` to `last`, in order.
pub fn open_between(tid: Tid, first: u32, last: u32) -> Vec<u32> {
    let mut open = numbers(&format!("/proc/{tid}/fd"));
    open.retain(|fd| (first..=last).contains(fd));
    open.sort_unstable();
    open
}

/// The threads of a process.
pub fn threads(pid: Pid) -> Vec<Tid> {
    numbers(&format!("/proc/{pid}/task")).into_iter().map(Tid).collect()
}

/// Does the thread belong to the process?
pub fn is_thread_of(tid: Tid, pid: Pid) -> bool {
    fs::exists(format!("/proc/{pid}/task/{tid}")).unwrap_or(false)
}

/// The thread's or process's `comm`; empty if it is gone.
pub fn comm(tid: Tid) -> Name {
    let mut text = fs::read(format!("/proc/{tid}/comm")).unwrap_or_default();
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    Name::from(text)
}

/// A number in /proc/TID/status, by its key: `Tgid`, `PPid`, `TracerPid`.
pub fn status_number(tid: Tid, key: &str) -> Option<u32> {
    let text = fs::read(format!("/proc/{tid}/status")).ok()?;
    let value = status_value(&text, key)?;
    value.trim().parse().ok()
}

/// The state letter in /proc/TID/status: `R`, `S`, `D`, `T`, `Z` …
pub fn state(tid: Tid) -> Option<char> {
    let text = fs::read(format!("/proc/{tid}/status")).ok()?;
    status_value(&text, "State")?.trim().chars().next()
}

fn status_value<'a>(text: &'a [u8], key: &str) -> Option<&'a str> {
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"))?;
    std::str::from_utf8(line).ok()
}

fn numbers(directory: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .filter_map(|entry| {
            String::from_utf8(entry.ok()?.file_name().into_vec()).ok()?.parse().ok()
        })
        .collect()
}
