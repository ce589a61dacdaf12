//! What living handles are called: asked of the kernel while they live, remembered for when they do not.

use std::cell::RefCell;
use std::collections::HashMap;

use fdscope_model::{FdNumber, HandleKind, Monotonic, Name, Pid, Tid, kind};
use fdscope_proc::ProcRoot;

use crate::live::books::Books;

/// At most this many links are read per process and tick: reading one takes about 2 µs.
const MOST_PER_TICK: usize = 1024;
/// At most this many names are remembered.
const MOST_KEPT: usize = 16_384;

/// Names of descriptors and threads.
pub struct NameBook {
    proc: ProcRoot,
    descriptors: RefCell<HashMap<(Pid, FdNumber), (u64, Name)>>,
    threads: RefCell<HashMap<Tid, Name>>,
}

impl NameBook {
    /// An empty book.
    pub fn new(proc: ProcRoot) -> Self {
        NameBook { proc, descriptors: RefCell::default(), threads: RefCell::default() }
    }

    /// Reads the names of handles that came while watching and do not have one yet, and tells the ledger the kinds
    /// that only a name reveals.
    pub fn learn(&self, ledger: &mut Books, pid: Pid) {
        let Ok(dir) = self.proc.pid_dir(pid) else { return };
        let mut read = 0;
        for handle in ledger.live(pid) {
            let known = self
                .descriptors
                .borrow()
                .get(&(pid, handle.fd))
                .is_some_and(|k| k.0 == handle.born.0);
            let wanted = handle.birth_seen || handle.kind == HandleKind::UnknownDescriptor;
            if known || !wanted || read >= MOST_PER_TICK {
                continue;
            }
            read += 1;
            let Ok(link) = dir.read_link(&format!("fd/{}", handle.fd), "read link") else {
                continue;
            };
            if handle.kind == HandleKind::UnknownDescriptor || handle.kind == HandleKind::CharDevice
            {
                let found = kind::classify(0o100_000, link.bytes());
                ledger.learn(pid, handle.key, found);
            }
            ledger.descriptor_is(pid, handle.fd, handle.born, &link);
            self.keep(pid, handle.fd, handle.born.0, link);
        }
    }

    fn keep(&self, pid: Pid, fd: FdNumber, born: u64, name: Name) {
        let mut kept = self.descriptors.borrow_mut();
        if kept.len() < MOST_KEPT || kept.contains_key(&(pid, fd)) {
            kept.insert((pid, fd), (born, name));
        }
    }

    /// The name of a descriptor: asked for now, else as last known. A socket's is its endpoints.
    pub fn descriptor(&self, pid: Pid, fd: FdNumber) -> Option<Name> {
        let now = self
            .proc
            .pid_dir(pid)
            .ok()
            .and_then(|dir| dir.read_link(&format!("fd/{fd}"), "read link").ok());
        let name =
            now.or_else(|| self.descriptors.borrow().get(&(pid, fd)).map(|kept| kept.1.clone()))?;
        let socket = name.bytes().starts_with(b"socket:[");
        let text = socket.then(|| self.proc.socket_text(pid, fd)).flatten();
        Some(text.unwrap_or(name))
    }

    /// The link of a descriptor that was born then, and the kind that it tells, if it was read while it lived.
    pub fn born(&self, pid: Pid, fd: FdNumber, born: Monotonic) -> Option<(Name, HandleKind)> {
        let kept = self.descriptors.borrow();
        let (_, name) = kept.get(&(pid, fd)).filter(|kept| kept.0 == born.0)?;
        Some((name.clone(), kind::classify(0o100_000, name.bytes())))
    }

    /// The name of a thread: asked for now, else as last known.
    pub fn thread(&self, pid: Pid, tid: Tid) -> Option<Name> {
        if let Some(known) = self.threads.borrow().get(&tid) {
            return Some(known.clone());
        }
        let dir = self.proc.pid_dir(pid).ok()?;
        let mut comm = dir.read(&format!("task/{tid}/comm"), "read name").ok()?;
        comm.truncate(comm.len().saturating_sub(1));
        let name = Name::from(comm);
        let mut threads = self.threads.borrow_mut();
        if threads.len() < MOST_KEPT {
            threads.insert(tid, name.clone());
        }
        Some(name)
    }
}
