//! What is at the ends of sockets, asked now and then while they live: for the recording, in which nobody can ask later.
//!
//! The tables of a network namespace are read once for all its processes, and not again before two hundred times as
//! long has passed: asking takes at most half a per cent of a processor, however long the tables are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fdscope_model::{FdNumber, HandleKind, Monotonic, Name, Pid};
use fdscope_proc::ProcRoot;
use fdscope_sys::clock::monotonic_now;

use crate::live::books::Books;
use crate::live::moment::socket_inode;

/// Sockets are asked again after this long: their states change.
const AGAIN_NS: u64 = 10_000_000_000;
/// What asking took is waited for so many times before it is done again.
const REST: u64 = 200;
/// At most this many sockets are asked about at a time.
const MOST: usize = 65_536;

/// Texts of sockets, by process and descriptor.
pub struct SocketTexts {
    proc: ProcRoot,
    asked: Monotonic,
    /// Birth, and the text last told.
    texts: HashMap<(Pid, FdNumber), (u64, Name)>,
    /// Nothing is asked before this moment.
    rests_until: Monotonic,
}

/// A socket to ask about.
struct Wanted {
    pid: Pid,
    fd: FdNumber,
    born: Monotonic,
    inode: u64,
}

impl SocketTexts {
    /// None yet.
    pub fn new(proc: ProcRoot) -> Self {
        let (asked, rests_until) = (Monotonic(0), Monotonic(0));
        SocketTexts { proc, asked, texts: HashMap::new(), rests_until }
    }

    /// Asks, if there is a socket that was not asked about or whose state may have changed, and tells the books.
    pub fn learn(&mut self, books: &mut Books, pids: &[Pid]) {
        let now = monotonic_now();
        if now < self.rests_until {
            return;
        }
        let mut sockets: Vec<(Pid, FdNumber, Monotonic)> = Vec::new();
        for &pid in pids {
            let handles = books.live(pid).into_iter();
            let handles = handles.filter(|handle| handle.kind == HandleKind::Socket);
            sockets.extend(handles.map(|handle| (pid, handle.fd, handle.born)));
        }
        sockets.truncate(MOST);
        let known = |&(pid, fd, born): &(Pid, FdNumber, Monotonic)| {
            self.texts.get(&(pid, fd)).is_some_and(|text| text.0 == born.0)
        };
        let is_old = now.since_ns(self.asked) >= AGAIN_NS;
        if sockets.is_empty() || !is_old && sockets.iter().all(known) {
            return;
        }
        self.asked = now;
        self.ask(&sockets, books);
        let after = monotonic_now();
        self.rests_until = Monotonic(after.0 + after.since_ns(now) * REST);
    }

    fn ask(&mut self, sockets: &[(Pid, FdNumber, Monotonic)], books: &mut Books) {
        let mut known = std::mem::take(&mut self.texts);
        for wanted in self.namespaces(sockets).into_values() {
            let inodes: BTreeSet<u64> = wanted.iter().map(|wanted| wanted.inode).collect();
            let Some(first) = wanted.first() else { continue };
            let found = self.proc.endpoints(first.pid, &inodes).unwrap_or_default();
            for Wanted { pid, fd, born, inode } in wanted {
                let before = known.remove(&(pid, fd)).filter(|text| text.0 == born.0);
                let before = before.map(|text| text.1).unwrap_or_default();
                let text = found.get(&inode).map(|endpoint| endpoint.text());
                if let Some(text) = text.as_ref().filter(|text| **text != before) {
                    books.descriptor_is(pid, fd, born, text);
                }
                self.texts.insert((pid, fd), (born.0, text.unwrap_or(before)));
            }
        }
    }

    /// The sockets that are still there, by network namespace.
    fn namespaces(&self, sockets: &[(Pid, FdNumber, Monotonic)]) -> BTreeMap<Name, Vec<Wanted>> {
        let mut namespaces: BTreeMap<Name, Vec<Wanted>> = BTreeMap::new();
        for of_one in sockets.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(pid, ..)) = of_one.first() else { continue };
            let Ok(dir) = self.proc.pid_dir(pid) else { continue };
            let Ok(namespace) = dir.read_link("ns/net", "read link of a namespace") else {
                continue;
            };
            let wanted = of_one.iter().filter_map(|&(pid, fd, born)| {
                let link = dir.read_link(&format!("fd/{fd}"), "read link").ok()?;
                Some(Wanted { pid, fd, born, inode: socket_inode(&link)? })
            });
            namespaces.entry(namespace).or_default().extend(wanted);
        }
        namespaces
    }
}
