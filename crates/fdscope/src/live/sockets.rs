//! What is at the ends of sockets, asked now and then while they live: for the recording, in which nobody can ask later.
//!
//! A namespace's tables are read for one process at a time, and not again before fifty times as long has passed: asking
//! takes at most a fiftieth of a processor, however long the tables are.

use std::collections::{BTreeSet, HashMap};

use fdscope_model::{FdNumber, HandleKind, Monotonic, Name, Pid};
use fdscope_proc::ProcRoot;
use fdscope_sys::clock::monotonic_now;

use crate::live::books::Books;
use crate::live::moment::socket_inode;

/// Sockets are asked again after this long: their states change.
const AGAIN_NS: u64 = 10_000_000_000;
/// What asking took is waited for so many times before it is done again.
const REST: u64 = 50;
/// At most this many sockets of a process are asked about.
const MOST: usize = 16_384;

/// Texts of sockets, by descriptor.
pub struct SocketTexts {
    proc: ProcRoot,
    asked: HashMap<Pid, Asked>,
    /// Nothing is asked before this moment.
    rests_until: Monotonic,
}

/// What is known of one process's.
#[derive(Default)]
struct Asked {
    at: Monotonic,
    texts: HashMap<FdNumber, (u64, Name)>,
}

impl SocketTexts {
    /// None yet.
    pub fn new(proc: ProcRoot) -> Self {
        SocketTexts { proc, asked: HashMap::new(), rests_until: Monotonic(0) }
    }

    /// Asks, if there is a socket that was not asked about or whose state may have changed, and tells the books.
    pub fn learn(&mut self, books: &mut Books, pid: Pid) {
        let now = monotonic_now();
        if now < self.rests_until {
            return;
        }
        let asked = self.asked.entry(pid).or_default();
        let handles =
            books.live(pid).into_iter().filter(|handle| handle.kind == HandleKind::Socket);
        let sockets: Vec<(FdNumber, Monotonic)> =
            handles.take(MOST).map(|handle| (handle.fd, handle.born)).collect();
        let born = |fd: FdNumber| asked.texts.get(&fd).map(|text| text.0);
        let is_new = sockets.iter().any(|&(fd, at)| born(fd) != Some(at.0));
        if !is_new && now.since_ns(asked.at) < AGAIN_NS || sockets.is_empty() {
            return;
        }
        asked.at = now;
        ask(&self.proc, pid, &sockets, asked, books);
        let after = monotonic_now();
        self.rests_until = Monotonic(after.0 + after.since_ns(now) * REST);
        if self.asked.len() > MOST {
            self.asked.clear();
        }
    }
}

fn ask(
    proc: &ProcRoot,
    pid: Pid,
    sockets: &[(FdNumber, Monotonic)],
    asked: &mut Asked,
    books: &mut Books,
) {
    let Ok(dir) = proc.pid_dir(pid) else { return };
    let link = |fd: FdNumber| dir.read_link(&format!("fd/{fd}"), "read link").ok();
    let inode = |fd: FdNumber| socket_inode(&link(fd)?);
    let inodes: Vec<Option<u64>> = sockets.iter().map(|&(fd, _)| inode(fd)).collect();
    let wanted: BTreeSet<u64> = inodes.iter().flatten().copied().collect();
    let found = proc.endpoints(pid, &wanted).unwrap_or_default();
    let mut texts = HashMap::with_capacity(sockets.len());
    for (&(fd, born), inode) in sockets.iter().zip(&inodes) {
        let text = inode.and_then(|inode| found.get(&inode)).map(|endpoint| endpoint.text());
        let before = asked.texts.remove(&fd).filter(|known| known.0 == born.0);
        let known = before.map(|known| known.1);
        if let Some(text) = &text
            && known.as_ref() != Some(text)
        {
            books.descriptor_is(pid, fd, born, text);
        }
        texts.insert(fd, (born.0, text.or(known).unwrap_or_default()));
    }
    asked.texts = texts;
}
