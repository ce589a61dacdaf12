//! What of a stream of records is passing: descriptors that are made and closed again with nothing in between for which
//! their life matters, and samples that say what the one before said.
//!
//! A descriptor's life matters to copies (dup, fork, unshare), to exec, to a comparison with the kernel's table, to
//! watches and registrations that hang on it, and where losses leave open whose death a close is. Everything else that
//! is born and dies between two looks can be counted by its place in the code, and the ledger is the same at the end.

use std::collections::HashMap;

use fdscope_model::event::Slot;
use fdscope_model::hash::FastMap;
use fdscope_model::process::Sample;
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, Fail, FdNumber, HandleKey, Monotonic, Pid, Release,
    ReleaseCause, Snapshot, TableId, Tid, Trace,
};

use crate::owned::owned_trace;
use crate::record::Record;

/// The most tables whose descriptors may be passing. Beyond it all is told, and nothing is wrong.
const MOST_TABLES: usize = 65_536;

/// What a record turns out to be.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Look {
    /// It is kept.
    Keep,
    /// It is the death of the descriptor whose birth had this number; both may go.
    Passed(u64),
    /// A sample that says what the one before said.
    Repeats,
    /// It is kept, and needs to be told before it who closed the number it tried.
    KeepBehind(Box<Event<'static>>),
}

/// Which table each process has, as far as was told: processes share them.
#[derive(Debug, Default)]
pub(crate) struct Owners(FastMap<Pid, TableId>);

impl Owners {
    fn event(&mut self, pid: Pid, body: &Body<'_>) {
        match body {
            Body::Acquire(acquire) => {
                if let HandleKey::Descriptor(table, _) = acquire.key {
                    self.0.insert(pid, table);
                }
            }
            Body::Fork { child, child_table, parent_table, .. } => {
                self.0.insert(*child, *child_table);
                self.0.insert(pid, *parent_table);
            }
            Body::Unshare { to, .. } => drop(self.0.insert(pid, *to)),
            Body::Exec { table, .. } => drop(self.0.insert(pid, *table)),
            Body::Exit { .. } => drop(self.0.remove(&pid)),
            _ => {}
        }
    }
}

/// The last close of a number that was let go.
#[derive(Clone, Copy, Debug)]
struct LastClose {
    at: Monotonic,
    pid: Pid,
    tid: Tid,
    cause: ReleaseCause,
    trace: Trace<'static>,
}

/// What is known of a table.
#[derive(Debug, Default)]
struct Descriptors {
    /// Births that may yet turn out to be passing, by number of record.
    births: FastMap<FdNumber, Birth>,
    closed: FastMap<FdNumber, LastClose>,
}

#[derive(Clone, Copy, Debug)]
struct Birth {
    number: u64,
    pid: Pid,
}

/// A comparison under way.
#[derive(Clone, Copy, Debug)]
struct Comparing {
    pid: Pid,
    table: TableId,
    at: Monotonic,
}

/// A comparison that has not ended by then never will: its process is gone, or may no longer be read.
const COMPARING_NS: u64 = 10_000_000_000;

/// Looks at records in their order.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    pub(crate) owners: Owners,
    tables: FastMap<TableId, Descriptors>,
    /// Comparisons under way, and their tables: what happens meanwhile in a table decides what they mean.
    comparing: Vec<Comparing>,
    samples: HashMap<Pid, Sample>,
}

impl Sieve {
    /// A new stretch: nothing of what was seen before may go any more. What is known of tables stays.
    pub(crate) fn begin(&mut self) {
        self.tables.clear();
        self.samples.clear();
    }

    /// The birth of that number has been told: it is not passing.
    pub(crate) fn told(&mut self, number: u64, record: &Record<'_>) {
        let Record::Event(Event { body: Body::Acquire(acquire), .. }) = record else { return };
        let HandleKey::Descriptor(table, fd) = acquire.key else { return };
        if let Some(known) = self.tables.get_mut(&table)
            && known.births.get(&fd).is_some_and(|birth| birth.number == number)
        {
            known.births.remove(&fd);
        }
    }

    /// Looks at the record of that number.
    pub(crate) fn look(&mut self, number: u64, record: &Record<'_>) -> Look {
        match record {
            Record::Event(event) => {
                self.owners.event(event.pid, &event.body);
                return self.event(number, event);
            }
            // A process without a table is gone already.
            Record::Comparing(pid, at) => {
                if let Some(&table) = self.owners.0.get(pid) {
                    self.touch(&[table]);
                    self.comparing.push(Comparing { pid: *pid, table, at: *at });
                }
            }
            Record::Compared(snapshot) => self.compared(snapshot),
            Record::Learnt(_, key, _) => drop(self.forget(key)),
            Record::Sample(sample) => return self.sample(sample),
            _ => {}
        }
        Look::Keep
    }

    fn sample(&mut self, sample: &Sample) -> Look {
        let last = self.samples.get(&sample.pid);
        let same = last.is_some_and(|last| {
            last.groups == sample.groups
                && last.limits == sample.limits
                && (last.descriptors, last.threads) == (sample.descriptors, sample.threads)
        });
        if same {
            return Look::Repeats;
        }
        self.samples.insert(sample.pid, sample.clone());
        Look::Keep
    }

    fn compared(&mut self, snapshot: &Snapshot) {
        if let Some(&before) = self.owners.0.get(&snapshot.pid) {
            self.touch(&[before]);
        }
        if let Some(table) = snapshot.table {
            self.owners.0.insert(snapshot.pid, table);
            self.touch(&[table]);
        }
        self.comparing.retain(|one| one.pid != snapshot.pid);
    }

    /// Nothing is passing of what was born so far.
    fn touch_all(&mut self) {
        self.tables.values_mut().for_each(|known| known.births.clear());
    }

    /// What happens to whole tables needs what is in them.
    fn touch(&mut self, tables: &[TableId]) {
        for table in tables {
            if let Some(known) = self.tables.get_mut(table) {
                known.births.clear();
            }
        }
    }

    fn forget(&mut self, key: &HandleKey) -> Option<Birth> {
        let (table, fd) = match *key {
            // Of watches, what they hang on.
            HandleKey::Descriptor(table, fd)
            | HandleKey::Watch(table, fd, _)
            | HandleKey::Registration(table, fd, _) => (table, fd),
            _ => return None,
        };
        self.tables.get_mut(&table)?.births.remove(&fd)
    }

    fn is_compared(&self, table: TableId) -> bool {
        self.comparing.iter().any(|one| one.table == table)
    }

    fn event(&mut self, number: u64, event: &Event<'_>) -> Look {
        let pid = event.pid;
        self.comparing.retain(|one| event.at.since_ns(one.at) < COMPARING_NS);
        match &event.body {
            Body::Acquire(acquire) => self.acquire(number, pid, acquire),
            Body::Release(release) => return self.release(event, release),
            Body::Fail(fail) => return self.fail(fail),
            Body::CloseOnExec { key, .. } => drop(self.forget(key)),
            Body::Fork { child_table, parent_table, .. } => {
                self.touch(&[*child_table, *parent_table]);
            }
            Body::Unshare { from, to } => self.touch(&[*from, *to]),
            Body::Exec { table, .. } => self.touch(&[*table]),
            Body::Exit { table } => {
                self.tables.remove(table);
                self.comparing.retain(|one| one.pid != pid);
            }
            Body::Lost { .. } => self.touch_all(),
            Body::Reconcile { .. } => {
                if let Some(&table) = self.owners.0.get(&pid) {
                    self.touch(&[table]);
                }
            }
        }
        Look::Keep
    }

    fn acquire(&mut self, number: u64, pid: Pid, acquire: &Acquire<'_>) {
        if let (AcquireCause::Dup(_, of), HandleKey::Descriptor(table, _)) =
            (acquire.cause, acquire.key)
        {
            // The copy needs its original.
            self.forget(&HandleKey::Descriptor(table, of));
        }
        self.forget(&acquire.key);
        let HandleKey::Descriptor(table, fd) = acquire.key else { return };
        let called = matches!(acquire.cause, AcquireCause::Call(_) | AcquireCause::Ring(_));
        // A name groups those without a stack.
        let counts = acquire.name.is_none() || matches!(acquire.trace, Trace::Known(_));
        let may_pass = called && counts && !self.is_compared(table);
        if self.tables.len() >= MOST_TABLES {
            self.tables.clear();
        }
        let known = self.tables.entry(table).or_default();
        known.closed.remove(&fd);
        if may_pass {
            known.births.insert(fd, Birth { number, pid });
        }
    }

    fn release(&mut self, event: &Event<'_>, release: &Release<'_>) -> Look {
        // A slot that holds something leaves open whose death this is.
        let (Some(birth), Slot::Empty | Slot::NotRead, HandleKey::Descriptor(table, fd)) =
            (self.forget(&release.key), release.slot, release.key)
        else {
            if let HandleKey::Descriptor(table, fd) = release.key
                && let Some(known) = self.tables.get_mut(&table)
            {
                known.closed.remove(&fd);
            }
            return Look::Keep;
        };
        // Processes that share a table are told apart one by one.
        if birth.pid != event.pid {
            return Look::Keep;
        }
        let closed = LastClose {
            at: event.at,
            pid: event.pid,
            tid: event.tid,
            cause: release.cause,
            trace: owned_trace(&release.trace),
        };
        if let Some(known) = self.tables.get_mut(&table) {
            known.closed.insert(fd, closed);
        }
        Look::Passed(birth.number)
    }

    /// A call on a number that is not open is explained by who closed it.
    fn fail(&mut self, fail: &Fail<'_>) -> Look {
        let last = fail.fd.and_then(|fd| {
            let closed = self.tables.get_mut(&fail.table)?.closed.remove(&fd)?;
            Some((HandleKey::Descriptor(fail.table, fd), closed))
        });
        let Some((key, LastClose { at, pid, tid, cause, trace })) = last else { return Look::Keep };
        let release = Release { key, cause, slot: Slot::Empty, trace };
        Look::KeepBehind(Box::new(Event { at, pid, tid, body: Body::Release(release) }))
    }
}
