//! The ledger: who holds what, and how it came to be so. A pure fold over events; time comes only from them.
//!
//! Births are in `birth`, deaths in `death`, fork, exec and exit in `lineage`, the comparison with the kernel's table in
//! `reconcile`, counts without events in `counted`, and what is made of it all in `judge`.

use std::collections::BTreeMap;

use fdscope_model::event::{Body, Event};
use fdscope_model::{
    FdNumber, FileId, HandleKey, HandleKind, InodeId, Monotonic, Name, Pid, Process, StackId,
    TableId, Tid,
};

use crate::bins::Bins;
use crate::counted::Counted;
use crate::entry::Entry;
use crate::group::Groups;
use crate::hash::FastMap;
use crate::misuse::Misuses;
use crate::name::Patterns;
use crate::table::{Table, Tables};
use crate::watched::Watched;

/// What a ledger is told at the start.
#[derive(Clone, Copy, Debug)]
pub struct LedgerOptions {
    /// When watching began; `None`: with the first event.
    pub begun: Option<Monotonic>,
    /// What the names of like handles share: `/tmp/x-17.log` becomes `/tmp/x-*.log`. The identity by default.
    pub pattern: fn(HandleKind, &Name) -> Name,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        LedgerOptions { begun: None, pattern: |_, name| name.clone() }
    }
}

/// A living handle as the ledger has it, for comparing with the kernel's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveHandle {
    /// By which it can be named to the ledger again.
    pub key: HandleKey,
    /// Its descriptor.
    pub fd: FdNumber,
    /// What it is.
    pub kind: HandleKind,
    /// The open file description, where known.
    pub file: Option<FileId>,
    /// The inode, where known.
    pub inode: Option<InodeId>,
    /// When it was born, or first seen.
    pub born: Monotonic,
    /// True if its birth was seen; false if it existed, was inherited or found.
    pub birth_seen: bool,
    /// The close-on-exec flag, where known.
    pub cloexec: Option<bool>,
    /// The birth stack, where seen.
    pub stack: Option<StackId>,
    /// The thread that made it; 0 where not seen.
    pub tid: Tid,
}

/// A living handle that is no descriptor: a thread, a timer, a watch …
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveOther {
    /// By which it can be named to the ledger again.
    pub key: HandleKey,
    /// What it is.
    pub kind: HandleKind,
    /// When it was born, or first seen.
    pub born: Monotonic,
    /// True if its birth was seen.
    pub birth_seen: bool,
    /// The birth stack, where seen.
    pub stack: Option<StackId>,
}

/// What the ledger takes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Footprint {
    /// Living handles.
    pub handles: usize,
    /// Bytes of the maps that hold them, unused room included.
    pub handle_bytes: usize,
    /// Bytes of everything else: groups with their histories, totals.
    pub other_bytes: usize,
}

/// Every handle of every watched process, and the history of each group of them.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) options: LedgerOptions,
    pub(crate) begun: Monotonic,
    pub(crate) started: bool,
    pub(crate) last: Monotonic,
    pub(crate) events: u64,
    pub(crate) lost: u64,
    pub(crate) stacks_skipped: u64,
    /// Releases of handles that the ledger did not know: harmless, but many of them tell of a broken source.
    pub(crate) unknown_releases: u64,
    pub(crate) tables: Tables,
    pub(crate) processes: FastMap<Pid, Watched>,
    pub(crate) groups: Groups,
    pub(crate) patterns: Patterns,
    pub(crate) misuses: Misuses,
    pub(crate) counted: Counted,
    pub(crate) deduced: u64,
    /// Reconciles under way: while none is, events need not say what they touch.
    pub(crate) reconciling: usize,
    /// Processes kept that have ended.
    pub(crate) ended: usize,
    /// The table of the last descriptor event: most events come from one table.
    pub(crate) latest: Option<(Pid, TableId, usize)>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(options: LedgerOptions) -> Self {
        let mut ledger = Ledger {
            options,
            begun: Monotonic::default(),
            started: false,
            last: Monotonic::default(),
            events: 0,
            lost: 0,
            stacks_skipped: 0,
            unknown_releases: 0,
            tables: Tables::default(),
            processes: FastMap::default(),
            groups: Groups::new(),
            patterns: Patterns::default(),
            misuses: Misuses::default(),
            counted: Counted::default(),
            deduced: 0,
            reconciling: 0,
            ended: 0,
            latest: None,
        };
        if let Some(begun) = options.begun {
            ledger.start(begun);
        }
        ledger
    }

    fn start(&mut self, begun: Monotonic) {
        self.started = true;
        self.begun = begun;
        self.last = begun;
        self.groups.start(begun);
        self.counted.start(begun);
        // Processes may have been made known before time began.
        for watched in self.processes.values_mut() {
            watched.begun = begun;
            watched.curve = Bins::new(begun);
        }
    }

    /// Moves time forward.
    pub(crate) fn reach(&mut self, at: Monotonic) {
        if !self.started {
            self.start(at);
        }
        self.last = self.last.max(at);
    }

    /// Folds one event. Stacks must be known (`Trace::Known`), skipped or none: copied ones count as none.
    pub fn apply(&mut self, event: &Event<'_>) {
        self.reach(event.at);
        self.events += 1;
        if self.is_posthumous(event) {
            return;
        }
        match &event.body {
            Body::Acquire(acquire) => self.acquire(event, acquire),
            Body::Release(release) => self.release(event, release),
            Body::Fail(fail) => self.fail(event, fail),
            Body::CloseOnExec { key, on } => self.set_close_on_exec(event, *key, *on),
            Body::Fork { child, child_table, parent_table, .. } => {
                self.fork(event, *child, *child_table, *parent_table);
            }
            Body::Unshare { from, to } => self.unshare(event, *from, *to),
            Body::Exec { table, comm } => self.exec(event, *table, comm),
            Body::Exit { table } => self.exit(event, *table),
            Body::Lost { count } => self.lost += count,
            Body::Reconcile { .. } => {}
        }
    }

    /// Tells who a process is: for its name in the verdicts.
    pub fn know(&mut self, process: Process) {
        let pid = process.id.pid;
        self.watched(pid).process = process;
    }

    /// Tells the kind and name of a living handle that came without.
    pub fn learn(&mut self, pid: Pid, key: HandleKey, kind: HandleKind, name: Option<&Name>) {
        let place = self.place(pid, key);
        let Some(entry) = self.entry_mut(place) else { return };
        entry.kind = kind;
        let entry = *entry;
        if let Some(name) = name {
            self.regroup(place, entry, name);
        }
    }

    /// Events seen so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events lost so far, as the source counted them.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Births whose stack the source was too busy to take.
    pub fn stacks_skipped(&self) -> u64 {
        self.stacks_skipped
    }

    /// Releases of handles that the ledger did not hold.
    pub fn unknown_releases(&self) -> u64 {
        self.unknown_releases
    }

    /// When watching began.
    pub fn begun(&self) -> Monotonic {
        self.begun
    }

    /// The latest moment any event, sample or snapshot told of.
    pub fn last(&self) -> Monotonic {
        self.last
    }

    /// Processes seen, ended ones included, in order of number.
    pub fn pids(&self) -> Vec<Pid> {
        let mut pids: Vec<Pid> = self.processes.keys().copied().collect();
        pids.sort_unstable();
        pids
    }

    /// The descriptors of a process as the ledger has them, by number. Of several tables, the one read last.
    pub fn live(&self, pid: Pid) -> Vec<LiveHandle> {
        let Some(&slot) = self.tables.of(pid).last() else { return Vec::new() };
        let table = self.tables.get(slot);
        let row = |fd: FdNumber| live_handle(table.id, fd, &table.fds[&fd.0]);
        table.numbers().into_iter().map(|fd| row(FdNumber(fd))).collect()
    }

    /// Living handles of a process that are not descriptors, in order.
    pub fn live_others(&self, pid: Pid) -> Vec<LiveOther> {
        let Some(watched) = self.processes.get(&pid) else { return Vec::new() };
        let row = |key: HandleKey| {
            let entry = &watched.others[&key];
            let Entry { kind, born, .. } = *entry;
            let birth_seen = entry.origin == crate::entry::Origin::Seen;
            LiveOther { key, kind, born, birth_seen, stack: entry.stack() }
        };
        watched.other_keys().into_iter().map(row).collect()
    }

    /// How many living handles of each kind a process has, in order of kinds: those followed one by one, and those
    /// that samples count. Of several tables, the one read last.
    pub fn alive_by_kind(&self, pid: Pid) -> BTreeMap<HandleKind, u64> {
        let mut kinds = self.followed(pid);
        let mut sampled: BTreeMap<HandleKind, u64> = BTreeMap::new();
        for (key, count) in self.counted.sorted().into_iter().filter(|(key, _)| key.pid == pid) {
            *sampled.entry(key.kind).or_default() += count.now;
        }
        for (kind, count) in sampled {
            // Both ways are of the same handles.
            let known = kinds.entry(kind).or_default();
            *known = count.max(*known);
        }
        kinds.retain(|_, count| *count > 0);
        kinds
    }

    /// The same of all processes together.
    pub fn alive(&self) -> BTreeMap<HandleKind, u64> {
        let mut by_process: BTreeMap<(Pid, HandleKind), (u64, u64)> = BTreeMap::new();
        for &pid in self.processes.keys() {
            for (kind, count) in self.followed(pid) {
                by_process.entry((pid, kind)).or_default().0 = count;
            }
        }
        for (key, count) in self.counted.sorted() {
            by_process.entry((key.pid, key.kind)).or_default().1 += count.now;
        }
        let mut kinds = BTreeMap::new();
        for ((_, kind), (followed, sampled)) in by_process {
            *kinds.entry(kind).or_default() += followed.max(sampled);
        }
        kinds.retain(|_, count| *count > 0);
        kinds
    }

    /// Handles of a process that are followed one by one.
    fn followed(&self, pid: Pid) -> BTreeMap<HandleKind, u64> {
        let mut kinds: BTreeMap<HandleKind, u64> = BTreeMap::new();
        if let Some(&slot) = self.tables.of(pid).last() {
            for entry in self.tables.get(slot).fds.values() {
                *kinds.entry(entry.kind).or_default() += 1;
            }
        }
        for entry in self.processes.get(&pid).into_iter().flat_map(|w| w.others.values()) {
            *kinds.entry(entry.kind).or_default() += 1;
        }
        kinds
    }

    /// What the ledger takes in memory.
    pub fn footprint(&self) -> Footprint {
        let others = self.processes.values().map(|w| w.others.len()).sum::<usize>();
        let handles = self.tables.iter().map(|table| table.fds.len()).sum::<usize>() + others;
        let handle_bytes = self.tables.iter().map(Table::footprint).sum::<usize>()
            + self.processes.values().map(Watched::footprint).sum::<usize>();
        let other_bytes = self.groups.iter().map(|(_, group)| group.footprint()).sum();
        Footprint { handles, handle_bytes, other_bytes }
    }

    fn set_close_on_exec(&mut self, event: &Event<'_>, key: HandleKey, on: bool) {
        let place = self.place(event.pid, key);
        self.touch(place, event.at);
        if let Some(entry) = self.entry_mut(place) {
            entry.set_cloexec(Some(on));
        }
    }
}

fn live_handle(table: TableId, fd: FdNumber, entry: &Entry) -> LiveHandle {
    LiveHandle {
        key: HandleKey::Descriptor(table, fd),
        fd,
        kind: entry.kind,
        file: entry.file(),
        inode: entry.inode(),
        born: entry.born,
        birth_seen: entry.origin == crate::entry::Origin::Seen,
        cloexec: entry.cloexec(),
        stack: entry.stack(),
        tid: entry.tid,
    }
}
