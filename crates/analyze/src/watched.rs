//! A process under watch: its totals, and the handles it holds that are not descriptors.

use fdscope_model::{HandleKey, HandleKind, Limit, Monotonic, Name, Pid, Process};

use crate::bins::Bins;
use crate::closing::ClosingRun;
use crate::entry::Entry;
use crate::hash::FastMap;
use crate::reconcile::Touched;

/// Where in its life a process came under watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Beginning {
    /// It ran already.
    #[default]
    Attached,
    /// It was launched: a process of the watch's first moment that runs a new program.
    Launched,
    /// It was forked by a watched process, and runs its parent's program.
    Forked,
    /// It was forked by a watched process, and runs a program of its own.
    Spawned,
}

impl Beginning {
    /// What it is after execve.
    pub(crate) fn after_exec(self) -> Self {
        match self {
            Beginning::Attached | Beginning::Launched => Beginning::Launched,
            Beginning::Forked | Beginning::Spawned => Beginning::Spawned,
        }
    }

    /// True if the whole run of its program was watched, from the first instruction.
    pub(crate) fn is_whole_run(self) -> bool {
        matches!(self, Beginning::Launched | Beginning::Spawned)
    }

    /// True if a watched process made it.
    pub(crate) fn is_child(self) -> bool {
        matches!(self, Beginning::Forked | Beginning::Spawned)
    }
}

/// What is known of one process.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) process: Process,
    /// When the ledger first heard of it.
    pub(crate) begun: Monotonic,
    pub(crate) ended: Option<Monotonic>,
    /// Where the watch found it.
    pub(crate) beginning: Beginning,
    /// Threads, timers, watches …
    pub(crate) others: FastMap<HandleKey, Entry>,
    pub(crate) at_start: u64,
    pub(crate) acquired: u64,
    pub(crate) released: u64,
    pub(crate) found: u64,
    pub(crate) vanished: u64,
    pub(crate) agrees: Option<bool>,
    /// Descriptors open.
    pub(crate) curve: Bins,
    pub(crate) limits: Vec<Limit>,
    /// True once a sample was folded.
    pub(crate) sampled: bool,
    /// A reconcile under way.
    pub(crate) touched: Option<Touched>,
    /// Ended processes of the same name that were added to this one and forgotten.
    pub(crate) merged: u64,
    /// True if it ended with more of one group open than can be passed over.
    pub(crate) left_many: bool,
    /// What it closed since it last opened a descriptor.
    pub(crate) closing: ClosingRun,
}

impl Watched {
    pub(crate) fn new(pid: Pid, begun: Monotonic, origin: Monotonic) -> Self {
        let mut process = Process::default();
        process.id.pid = pid;
        Watched {
            process,
            begun,
            ended: None,
            beginning: Beginning::Attached,
            others: FastMap::default(),
            at_start: 0,
            acquired: 0,
            released: 0,
            found: 0,
            vanished: 0,
            agrees: None,
            curve: Bins::new(origin),
            limits: Vec::new(),
            sampled: false,
            touched: None,
            merged: 0,
            left_many: false,
            closing: ClosingRun::default(),
        }
    }

    pub(crate) fn comm(&self) -> Name {
        self.process.comm.clone()
    }

    /// Takes over the totals of another process that is to be forgotten.
    pub(crate) fn inherit(&mut self, gone: &Watched) {
        self.merged += 1 + gone.merged;
        self.at_start += gone.at_start;
        self.acquired += gone.acquired;
        self.released += gone.released;
        self.found += gone.found;
        self.vanished += gone.vanished;
        self.agrees = match (self.agrees, gone.agrees) {
            (Some(a), Some(b)) => Some(a && b),
            (a, b) => a.or(b),
        };
        self.curve.add(&gone.curve);
    }

    /// Keys of the handles that are not descriptors, in order.
    pub(crate) fn other_keys(&self) -> Vec<HandleKey> {
        let mut keys: Vec<HandleKey> = self.others.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Threads other than the one that stays.
    pub(crate) fn threads_but(&self, stays: u32) -> Vec<HandleKey> {
        let goes = |key: &HandleKey| matches!(key, HandleKey::Thread(tid) if tid.0 != stays);
        self.other_keys().into_iter().filter(goes).collect()
    }

    /// Keys of what lives in a descriptor and dies with it: the watches of an inotify, the registrations of an epoll.
    pub(crate) fn dependants(&self, key: HandleKey, kind: HandleKind) -> Vec<HandleKey> {
        let HandleKey::Descriptor(table, fd) = key else { return Vec::new() };
        let holds = matches!(
            kind,
            HandleKind::Inotify
                | HandleKind::Fanotify
                | HandleKind::Epoll
                | HandleKind::UnknownDescriptor
        );
        if self.others.is_empty() || !holds {
            return Vec::new();
        }
        let depends = |other: &HandleKey| match *other {
            HandleKey::Watch(t, on, _) | HandleKey::Registration(t, on, _) => {
                (t, on) == (table, fd)
            }
            _ => false,
        };
        self.other_keys().into_iter().filter(depends).collect()
    }

    pub(crate) fn footprint(&self) -> usize {
        let buckets = (self.others.capacity() * 8 / 7).next_power_of_two();
        let others = if self.others.capacity() == 0 {
            0
        } else {
            buckets * (size_of::<(HandleKey, Entry)>() + 1)
        };
        size_of::<Watched>() + others + self.curve.footprint() + self.closing.footprint()
    }
}
