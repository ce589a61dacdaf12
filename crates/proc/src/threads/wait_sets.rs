//! The epoll descriptor that a thread waits on, and what is registered there: a looper's handles.

use std::collections::BTreeMap;

use fdscope_model::thread::{Doing, ThreadEntry, WaitSet};
use fdscope_model::{FdNumber, Name};

use crate::parse::{FdInfoLine, parse_fdinfo_line};
use crate::root::PidDir;

/// Targets whose links are read of one epoll descriptor: loopers have one or two.
const MOST_TARGETS: usize = 16;

/// What the kernel calls an epoll descriptor.
const EPOLL: &[u8] = b"anon_inode:[eventpoll]";

/// The epoll descriptors met so far: threads of a pool may share one.
#[derive(Debug, Default)]
pub(super) struct WaitSets {
    known: BTreeMap<FdNumber, WaitSet>,
}

impl WaitSets {
    /// The set that a thread waits on, if its call waits on an epoll descriptor.
    pub fn of(&mut self, dir: &PidDir, thread: &ThreadEntry) -> Option<WaitSet> {
        let Doing::Call(call) = &thread.doing else { return None };
        let (epoll, link) = call.on.as_ref()?;
        if link.bytes() != EPOLL || !call.name.is_some_and(|name| name.starts_with("epoll_")) {
            return None;
        }
        let read = || read(dir, &format!("task/{}", thread.tid), *epoll);
        Some(self.known.entry(*epoll).or_insert_with(read).clone())
    }
}

fn read(dir: &PidDir, place: &str, epoll: FdNumber) -> WaitSet {
    let mut set = WaitSet { epoll, ..WaitSet::default() };
    let mut first = Vec::new();
    let path = format!("{place}/fdinfo/{epoll}");
    let lines = dir.read_lines(&path, "read fdinfo", &mut |line| {
        if let FdInfoLine::EpollTarget { fd, .. } = parse_fdinfo_line(line) {
            set.registered += 1;
            if first.len() < MOST_TARGETS {
                first.push(FdNumber(fd));
            }
        }
    });
    if lines.is_err() {
        return set;
    }
    let link = |fd| -> Name {
        dir.read_link(&format!("{place}/fd/{fd}"), "read link").unwrap_or_default()
    };
    set.targets = first.into_iter().map(|fd| (fd, link(fd))).collect();
    set
}
