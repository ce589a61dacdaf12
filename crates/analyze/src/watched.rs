//! A process under watch: its totals, and the handles it holds that are not descriptors.

use fdscope_model::{HandleKey, HandleKind, Limit, Monotonic, Name, Pid, Process};

use crate::bins::Bins;
use crate::entry::Entry;
use crate::hash::FastMap;
use crate::reconcile::Touched;

/// What is known of one process.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) process: Process,
    /// When the ledger first heard of it.
    pub(crate) begun: Monotonic,
    pub(crate) ended: Option<Monotonic>,
    /// True if it was seen to start (fork or exec): its start-up is part of the watch.
    pub(crate) from_start: bool,
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
    /// A reconcile under way.
    pub(crate) touched: Option<Touched>,
}

impl Watched {
    pub(crate) fn new(pid: Pid, begun: Monotonic, origin: Monotonic) -> Self {
        let mut process = Process::default();
        process.id.pid = pid;
        Watched {
            process,
            begun,
            ended: None,
            from_start: false,
            others: FastMap::default(),
            at_start: 0,
            acquired: 0,
            released: 0,
            found: 0,
            vanished: 0,
            agrees: None,
            curve: Bins::new(origin),
            limits: Vec::new(),
            touched: None,
        }
    }

    pub(crate) fn comm(&self) -> Name {
        self.process.comm.clone()
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
        size_of::<Watched>() + others + self.curve.footprint()
    }
}
