//! Whole tables at once: fork copies one, unshare parts one, exec sweeps one, exit ends one.

use fdscope_model::event::Event;
use fdscope_model::{FdNumber, HandleKey, Monotonic, Name, Pid, TableId};

use crate::death::Death;
use crate::entry::{Entry, Origin};
use crate::group::{CloserKey, GroupKey, Source, Survivor};
use crate::hash::FastSet;
use crate::ledger::Ledger;
use crate::misuse::Inherited;
use crate::place::Place;
use crate::rules::OPEN_AT_EXIT;
use crate::watched::Beginning;

/// The most ended processes remembered one by one; the first to end is the first to be added to a later one of its name.
const MOST_ENDED: usize = 1024;

/// The most survivors remembered of one group when its process ends.
const MOST_AT_EXIT: usize = 4096;

impl Ledger {
    pub(crate) fn fork(&mut self, event: &Event<'_>, child: Pid, to: TableId, from: TableId) {
        self.forget_latest();
        self.bind(event.pid, from);
        if self.has_ended(child) {
            self.forget(child);
        }
        let existed = self.tables.find(to).is_some();
        self.bind(child, to);
        let parent = self.processes.get(&event.pid).map(|watched| watched.process.clone());
        let watched = self.watched(child);
        watched.begun = event.at;
        watched.beginning = Beginning::Forked;
        if let Some(parent) = parent {
            watched.process.parent = parent.id.pid;
            watched.process.comm = parent.comm;
        }
        if from != to {
            self.copy_table(event.at, from, to, existed);
        }
    }

    pub(crate) fn unshare(&mut self, event: &Event<'_>, from: TableId, to: TableId) {
        if from == to {
            return;
        }
        self.forget_latest();
        let source = self.bind(event.pid, from);
        let existed = self.tables.find(to).is_some();
        self.bind(event.pid, to);
        self.unsettle(event.pid, event.at);
        self.copy_table(event.at, from, to, existed);
        // A process that shared `from` with another leaves it; a thread of a process leaves it to its siblings.
        let table = self.tables.get_mut(source);
        if table.pids.len() > 1 {
            table.pids.retain(|pid| *pid != event.pid);
        }
    }

    /// Copies the entries of one table into another. What the copy already holds was told by events of its own.
    fn copy_table(&mut self, at: Monotonic, from: TableId, to: TableId, existed: bool) {
        let (Some(from), Some(to)) = (self.tables.find(from), self.tables.find(to)) else { return };
        let target = self.tables.get(to);
        let (owner, id) = (target.owner(), target.id);
        let launched = self.processes.get(&self.tables.get(from).owner());
        let launched = launched.is_some_and(|parent| parent.beginning == Beginning::Launched);
        for number in self.tables.get(from).numbers() {
            if existed && self.tables.get(to).fds.contains_key(&number) {
                continue;
            }
            let Some(original) = self.tables.get(from).fds.get(&number).copied() else { continue };
            let key = GroupKey { pid: owner, kind: original.kind, source: Source::Inherited };
            let mut copy = original;
            // What was there before a launched program ran, its caller gave it: to hand that on is no misuse of its own.
            copy.set_given(original.is_given() || launched && original.origin == Origin::Existing);
            (copy.born, copy.origin) = (at, Origin::Inherited);
            copy.set_displacer(false);
            copy.set_crossed_exec(false);
            copy.group = self.groups.find_or_make(key);
            let key = HandleKey::Descriptor(id, FdNumber(number));
            self.enter(Place { owner, slot: Some(to), key }, copy, "");
        }
    }

    pub(crate) fn exec(&mut self, event: &Event<'_>, table: TableId, comm: &Name) {
        self.forget_latest();
        let slot = self.rebind(event.pid, table);
        self.unsettle(event.pid, event.at);
        let watched = self.watched(event.pid);
        watched.process.comm = comm.clone();
        watched.beginning = watched.beginning.after_exec();
        let death = death(event.at, "execve");
        for key in self.watched(event.pid).threads_but(event.pid.0) {
            self.drop_other(event.pid, key, death);
        }
        self.sweep(event.pid, slot, death);
    }

    /// The table of a process after exec. The table it had becomes this one if nobody else uses it; else it stays.
    fn rebind(&mut self, pid: Pid, id: TableId) -> usize {
        let used = self.tables.of(pid);
        if self.tables.find(id).is_none()
            && let [only] = used[..]
            && self.tables.get(only).pids.len() == 1
        {
            self.tables.rename(only, id);
        }
        let slot = self.bind(pid, id);
        for old in self.tables.of(pid).into_iter().filter(|&old| old != slot) {
            self.leave(pid, old, death(self.last, "execve"));
        }
        slot
    }

    /// A process uses a table no longer; the last one out ends it.
    fn leave(&mut self, pid: Pid, slot: usize, death: Death) {
        self.forget_latest();
        let table = self.tables.get_mut(slot);
        if table.pids.len() > 1 {
            table.pids.retain(|user| *user != pid);
            return;
        }
        let id = table.id;
        for number in self.tables.get(slot).numbers() {
            let key = HandleKey::Descriptor(id, FdNumber(number));
            let place = Place { owner: pid, slot: Some(slot), key };
            if let Some(entry) = self.take(place) {
                self.bury(place, &entry, death);
            }
        }
        self.tables.remove(slot);
    }

    /// Drops what close-on-exec closes and notes what crossed exec.
    fn sweep(&mut self, pid: Pid, slot: usize, death: Death) {
        let (id, owner) = (self.tables.get(slot).id, self.tables.get(slot).owner());
        for number in self.tables.get(slot).numbers() {
            let place =
                Place { owner, slot: Some(slot), key: HandleKey::Descriptor(id, FdNumber(number)) };
            let Some(mut entry) = self.entry(place) else { continue };
            match entry.cloexec() {
                Some(true) => {
                    self.take(place);
                    self.bury(place, &entry, death);
                }
                Some(false) => self.note_inherited(pid, FdNumber(number), &entry),
                None => {
                    entry.set_crossed_exec(true);
                    self.put(place, entry);
                }
            }
        }
    }

    /// Counts a descriptor that a program got from another by fork and exec.
    pub(crate) fn note_inherited(&mut self, pid: Pid, fd: FdNumber, entry: &Entry) {
        if fd.0 <= 2 || entry.origin != Origin::Inherited || entry.is_given() {
            return;
        }
        let process = self.watched(pid).process.clone();
        let parent = process.parent;
        self.misuses.inherited(Inherited { parent, child: pid, fd, birth: entry.stack() });
    }

    pub(crate) fn exit(&mut self, event: &Event<'_>, table: TableId) {
        self.forget_latest();
        let pid = event.pid;
        if !self.processes.contains_key(&pid) {
            return;
        }
        self.bind(pid, table);
        let mut handed_over = FastSet::default();
        for slot in self.tables.of(pid) {
            if self.tables.get(slot).pids.len() > 1 {
                self.hand_over(pid, slot, &mut handed_over);
            } else if let Some(table) = self.tables.remove(slot) {
                for number in table.numbers() {
                    self.at_exit(&table.fds[&number], Some(FdNumber(number)));
                }
            }
        }
        let others = std::mem::take(&mut self.watched(pid).others);
        let mut keys: Vec<HandleKey> = others.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            self.at_exit(&others[&key], None);
        }
        let watched = self.watched(pid);
        watched.ended = Some(event.at);
        let closed = watched.closing.at_end(watched.begun, event.at);
        let reconciled = watched.touched.take().is_some();
        self.reconciling -= usize::from(reconciled);
        self.ended += 1;
        for closed in closed {
            if let Some(group) = self.groups.get_mut(closed.group)
                && group.closed_at_end.len() < MOST_AT_EXIT
            {
                group.closed_at_end.push(closed);
            }
        }
        self.freeze(pid, event.at, &handed_over);
        self.forget_oldest_ended();
    }

    /// The table of a process that ended lives on in another. Its groups keep the number of the process they began in.
    fn hand_over(&mut self, from: Pid, slot: usize, groups: &mut FastSet<u32>) {
        let table = self.tables.get_mut(slot);
        let owned = table.owner() == from;
        table.pids.retain(|user| *user != from);
        if owned {
            groups.extend(table.fds.values().map(|entry| entry.group));
            let (heir, open, last) = (table.owner(), table.fds.len() as u32, self.last);
            self.watched(heir).curve.rise(last, open);
        }
    }

    /// Remembers a handle that lived when its process ended. The kernel closes it: that is no release to learn from.
    fn at_exit(&mut self, entry: &Entry, fd: Option<FdNumber>) {
        let Some(group) = self.groups.get_mut(entry.group) else { return };
        if group.at_exit.len() < MOST_AT_EXIT {
            group.at_exit.push(survivor(entry, fd));
        }
    }

    /// Ends the histories of a process's groups, but for those whose handles live on in another process.
    fn freeze(&mut self, pid: Pid, at: Monotonic, handed_over: &FastSet<u32>) {
        let mut left_many = false;
        for number in self.groups.of(pid) {
            let Some(group) = self.groups.get_mut(number) else { continue };
            match (handed_over.contains(&number), group.acquired) {
                (true, _) => {}
                (false, 0) => self.groups.remove(number),
                (false, _) => {
                    group.ended = Some(at);
                    left_many |= group.at_exit.len() >= OPEN_AT_EXIT;
                }
            }
        }
        self.watched(pid).left_many = left_many;
    }

    fn forget_oldest_ended(&mut self) {
        if self.ended <= MOST_ENDED {
            return;
        }
        // Those that left much open are findings, and kept longest.
        let ended =
            self.processes.iter().filter_map(|(pid, w)| Some((w.left_many, w.ended?, *pid)));
        if let Some((_, _, pid)) = ended.min() {
            self.bequeath(pid);
            self.forget(pid);
        }
    }

    /// Forgets an ended process and its groups.
    pub(crate) fn forget(&mut self, pid: Pid) {
        if self.processes.remove(&pid).is_some_and(|watched| watched.ended.is_some()) {
            self.ended -= 1;
        }
        for number in self.groups.of(pid) {
            self.groups.remove(number);
        }
    }
}

fn death(at: Monotonic, how: &'static str) -> Death {
    Death { at, closer: Some(CloserKey { how, stack: None }) }
}

/// What the judge wants to know of a living handle.
pub(crate) fn survivor(entry: &Entry, fd: Option<FdNumber>) -> Survivor {
    Survivor {
        born: entry.born,
        fd,
        tid: entry.tid,
        kind: entry.kind,
        description: entry.description,
        stack: entry.stack(),
        watched: matches!(entry.origin, Origin::Seen | Origin::Found),
    }
}
