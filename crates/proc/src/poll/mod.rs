//! The source of events that needs nothing but /proc: it looks at the watched processes at an interval and tells what
//! changed between two looks.
//!
//! Budget: a look that took long puts off the next one, so that looking takes at most one thirtieth of a core.

mod diff;
mod sight;
mod target;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fdscope_model::{
    Body, Event, EventSource, Monotonic, Pid, Progress, Sight, TableId, Tid, Trace,
};
use fdscope_sys::clock::monotonic_now;

use crate::descriptors::{DescriptorSource, Detail};
use crate::error::ProcError;
use crate::root::ProcRoot;
use crate::table::OpenTable;
use diff::Known;
use target::{Change, Target};

/// The time between two looks is at least this many times what a look costs.
const SHARE: u64 = 30;

/// Whether the children born while watching are watched too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// Only the processes named.
    No,
    /// Children born from now on, and theirs.
    Children,
}

impl From<bool> for Follow {
    fn from(follow: bool) -> Self {
        if follow { Follow::Children } else { Follow::No }
    }
}

/// Where events go.
type Sink<'a> = &'a mut dyn FnMut(&Event<'_>);

/// Samples descriptor tables and tells the differences as events.
#[derive(Debug)]
pub struct PollSource {
    root: ProcRoot,
    source: DescriptorSource,
    follow: Follow,
    interval_ns: u64,
    sight: Sight,
    targets: BTreeMap<Pid, Target>,
    /// What was there at the last look, by table: processes can share one.
    tables: BTreeMap<TableId, Known>,
    due: Monotonic,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Watching,
    /// Stopped; one last look is still to come.
    Stopping,
    Ended,
}

impl PollSource {
    /// A source that looks at `pids` every `interval`, and at children born from now on if it is to follow.
    ///
    /// # Errors
    /// If one of the processes is gone, or its table may not be read.
    pub fn new(
        root: ProcRoot,
        pids: &[Pid],
        follow: impl Into<Follow>,
        interval: Duration,
    ) -> Result<Self, ProcError> {
        let follow = follow.into();
        let mut targets: BTreeMap<Pid, Target> = BTreeMap::new();
        for &pid in pids {
            let target = Target::named(&root, pid, targets.values())?;
            // Refused at once, with the reason, rather than at the first look.
            OpenTable::open(&root, pid, Detail::Number)?;
            targets.insert(pid, target);
        }
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Ok(PollSource {
            source: DescriptorSource::new(root.clone(), Detail::Full),
            root,
            follow,
            interval_ns,
            sight: sight::sight(interval, follow),
            targets,
            tables: BTreeMap::new(),
            due: Monotonic(0),
            state: State::Watching,
        })
    }

    /// Every process watched now.
    pub fn pids(&self) -> Vec<Pid> {
        self.targets.keys().copied().collect()
    }

    /// Looks at everything once.
    fn look(&mut self, sink: Sink<'_>) -> Result<(), ProcError> {
        let begun = monotonic_now();
        let mut read = BTreeSet::new();
        let mut pids: Vec<Pid> = self.targets.keys().copied().collect();
        let mut at = 0;
        while let Some(&pid) = pids.get(at) {
            at += 1;
            if self.look_at(pid, &mut read, sink)? && self.follow == Follow::Children {
                pids.extend(self.adopt(pid, sink));
            }
        }
        let cost = monotonic_now().since_ns(begun);
        let pause = self.interval_ns.max(cost.saturating_mul(SHARE));
        self.due = Monotonic(begun.0.saturating_add(pause));
        Ok(())
    }

    /// Looks at one process; false if it is gone. A table that another process shares is read once.
    fn look_at(
        &mut self,
        pid: Pid,
        read: &mut BTreeSet<TableId>,
        sink: Sink<'_>,
    ) -> Result<bool, ProcError> {
        let Some(target) = self.targets.get_mut(&pid) else { return Ok(false) };
        match target.check(&self.root)? {
            Change::Gone => {
                self.bury(pid, sink);
                return Ok(false);
            }
            Change::Exec { comm } => {
                let (from, to) = target.leave_shared(&self.tables);
                let at = monotonic_now();
                let mut tell = |body| sink(&Event { at, pid, tid: Tid(0), body });
                if from != to {
                    let copy = self.tables.get(&from).cloned().unwrap_or_default();
                    self.tables.insert(to, copy);
                    tell(Body::Unshare { from, to });
                }
                tell(Body::Exec { table: to, comm });
                self.tables.entry(to).or_default().sweep();
            }
            Change::None => {}
        }
        let Some(target) = self.targets.get_mut(&pid) else { return Ok(false) };
        if !read.insert(target.table) {
            return Ok(true);
        }
        let known = self.tables.entry(target.table).or_default();
        match diff::look(&self.root, &mut self.source, target, known, sink) {
            Ok(()) => Ok(true),
            Err(error) if error.is_gone() => {
                self.bury(pid, sink);
                Ok(false)
            }
            Err(error) if target.is_named() => Err(error),
            Err(_) => {
                // A child that put itself out of reach: what it does is lost, and is said to be.
                sink(&Event {
                    at: monotonic_now(),
                    pid,
                    tid: Tid(0),
                    body: Body::Lost { count: 1 },
                });
                self.targets.remove(&pid);
                Ok(false)
            }
        }
    }

    /// Takes in the children of `parent` that are new. Each begins as a copy of its parent.
    fn adopt(&mut self, parent: Pid, sink: Sink<'_>) -> Vec<Pid> {
        let Some(target) = self.targets.get_mut(&parent) else { return Vec::new() };
        let parent_table = target.table;
        let mut adopted = Vec::new();
        for child in target.new_children(&self.root) {
            if self.targets.contains_key(&child) {
                continue;
            }
            let Some(target) = self.targets.get(&parent) else { break };
            let Ok(born) = Target::born(&self.root, child, target) else { continue };
            let child_table = born.table;
            let body = Body::Fork { child, child_table, parent_table, trace: Trace::None };
            sink(&Event { at: monotonic_now(), pid: parent, tid: Tid(0), body });
            if child_table != parent_table {
                let copy = self.tables.get(&parent_table).cloned().unwrap_or_default();
                self.tables.insert(child_table, copy);
            }
            self.targets.insert(child, born);
            adopted.push(child);
        }
        adopted
    }

    fn bury(&mut self, pid: Pid, sink: Sink<'_>) {
        let Some(target) = self.targets.remove(&pid) else { return };
        let table = target.table;
        if self.targets.values().all(|other| other.table != table) {
            self.tables.remove(&table);
        }
        sink(&Event { at: monotonic_now(), pid, tid: Tid(0), body: Body::Exit { table } });
    }
}

impl EventSource for PollSource {
    type Error = ProcError;

    fn sight(&self) -> &Sight {
        &self.sight
    }

    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Progress, ProcError> {
        if self.state == State::Watching {
            let until_due = Duration::from_nanos(self.due.since_ns(monotonic_now()));
            for pid in wait::for_exits(self.targets.values(), timeout.min(until_due)) {
                self.bury(pid, sink);
            }
        }
        let is_due = monotonic_now() >= self.due || self.state == State::Stopping;
        if is_due && self.state != State::Ended {
            self.look(sink)?;
        }
        if self.state == State::Stopping || self.targets.is_empty() {
            self.state = State::Ended;
        }
        Ok(if self.state == State::Ended { Progress::Ended } else { Progress::Open })
    }

    /// Stops watching. The next poll takes one last look.
    fn stop(&mut self) -> Result<(), ProcError> {
        if self.state == State::Watching {
            self.state = State::Stopping;
        }
        Ok(())
    }
}
