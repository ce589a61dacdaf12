//! The loop: events into the ledger, samples and comparisons with the kernel's table in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use fdscope_analyze::{LedgerOptions, Summary};
use fdscope_model::{
    Acquire, Body, Event, Fail, Fault, HandleKey, Monotonic, Pid, Process, Progress, Release,
    Snapshot,
};
use fdscope_proc::{ProcRoot, Sampler, pattern};
use fdscope_stack::Stacks;
use fdscope_sys::clock::monotonic_now;

use crate::commands::sockets::summary;
use crate::live::books::{Books, Tape};
use crate::live::happenings::Happenings;
use crate::live::interpreters::InterpreterSearch;
use crate::live::names::NameBook;
use crate::live::sockets::SocketTexts;
use crate::live::source::Live;

/// How long one poll waits: also how soon Ctrl-C is noticed.
const TURN: Duration = Duration::from_millis(50);
/// The ledger is held against the kernel's table this often.
const RECONCILE_EVERY_NS: u64 = 5_000_000_000;
/// So many processes are compared that often; of more, each more rarely.
const PROCESSES_PER_RECONCILE: u64 = 32;
/// A call may have changed the table but not been reported yet, its thread being off the processor: a comparison waits
/// this long for such reports before it believes in a difference.
const SETTLE_NS: u64 = 200_000_000;
/// A comparison gives up draining after so many polls: the target then makes events faster than they are read.
const MOST_DRAINS: usize = 64;

/// A watch under way.
pub struct Watch {
    /// Where events come from.
    pub live: Live,
    /// The books.
    pub ledger: Books,
    /// The stacks.
    pub stacks: Stacks,
    /// What handles are called.
    pub names: NameBook,
    /// What was at the ends of sockets when last asked.
    sockets: SocketTexts,
    /// What came and went, where somebody looks at it.
    pub happenings: Option<Happenings>,
    /// What could not be read on the way.
    pub faults: Vec<Fault>,
    /// When watching began.
    pub begun: Monotonic,
    proc: ProcRoot,
    samplers: BTreeMap<Pid, Sampler>,
    interpreters: InterpreterSearch,
    wants_reconcile: BTreeSet<Pid>,
    /// The kernel's tables as read, until what was under way then has been reported.
    settling: Vec<Snapshot>,
    interval_ns: u64,
    /// Between polls, where nobody waits for what they tell.
    nap: Duration,
    sampled: Monotonic,
    reconciled: Monotonic,
}

/// What is made of a watch beside the ledger.
#[derive(Default)]
pub struct Beside {
    /// A recording.
    pub tape: Option<Tape>,
    /// A log of what comes and goes.
    pub log: Option<Happenings>,
    /// Passing descriptors are counted by place.
    pub folded: bool,
}

/// What a watch is told to stop by.
pub struct Until<'a> {
    /// When, if at a certain time.
    pub deadline: Option<Monotonic>,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

impl Watch {
    /// Begins: existing handles are told to the ledger, then the books are open.
    ///
    /// # Errors
    /// If a table cannot be read.
    pub fn begin(
        live: Live,
        proc: ProcRoot,
        stacks: Stacks,
        processes: &[Process],
        interval: Duration,
        launching: bool,
        beside: Beside,
    ) -> Result<Self> {
        let begun = monotonic_now();
        let options = LedgerOptions { begun: Some(begun), pattern };
        let mut watch = Watch {
            live,
            ledger: Books::new(options, beside.tape, beside.folded),
            stacks,
            names: NameBook::new(proc.clone()),
            sockets: SocketTexts::new(proc.clone()),
            happenings: beside.log,
            faults: Vec::new(),
            begun,
            proc,
            samplers: BTreeMap::new(),
            interpreters: InterpreterSearch::default(),
            wants_reconcile: BTreeSet::new(),
            settling: Vec::new(),
            interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX),
            nap: Duration::ZERO,
            sampled: Monotonic(0),
            reconciled: begun,
        };
        watch.ledger.open(begun, watch.live.sight());
        for process in processes {
            watch.ledger.know(process.clone());
            watch.sample_from_now_on(process.id.pid);
            watch.interpreters.expect(process.id.pid);
        }
        // Before all that takes time: births before this have native frames only.
        watch.interpreters.look(&mut watch.live, &mut watch.stacks, Duration::ZERO)?;
        if !launching {
            watch.know_again(processes.iter().map(|process| process.id.pid));
        }
        // Before anyone is told that watching has begun: births before this would lack their script's frames.
        watch.interpreters.look(&mut watch.live, &mut watch.stacks, Duration::ZERO)?;
        let pids: Vec<Pid> = processes.iter().map(|process| process.id.pid).collect();
        let Watch { live, ledger, happenings, proc, .. } = &mut watch;
        live.synthesize(proc, &pids, launching, &mut |event| {
            ledger.apply(event);
            if let Some(log) = happenings {
                log.note(event);
            }
        })?;
        // How it stood at the beginning is no matter of seconds.
        ledger.catch_up();
        Ok(watch)
    }

    /// Polls so far apart, and takes more at a time: a wake-up for every event is most of what many events cost.
    pub fn take_naps(&mut self, nap: Duration) {
        self.nap = nap;
    }

    /// Watches until the deadline, Ctrl-C, or the end of every process. `tick` is called a few times a second, and
    /// ends the watch by answering false.
    ///
    /// # Errors
    /// If the source broke.
    pub fn run(
        &mut self,
        until: &Until<'_>,
        tick: &mut dyn FnMut(&mut Watch) -> Result<bool>,
    ) -> Result<()> {
        loop {
            if !self.nap.is_zero() {
                std::thread::sleep(self.nap);
            }
            let progress = self.turn(TURN)?;
            let now = monotonic_now();
            let over = until.deadline.is_some_and(|deadline| now >= deadline);
            if !tick(self)?
                || over
                || until.interrupted.load(Ordering::Relaxed)
                || progress == Progress::Ended
            {
                return Ok(());
            }
            self.keep_house(now)?;
        }
    }

    /// Ends: a last comparison and sample while the processes live, then the source is stopped and emptied.
    ///
    /// # Errors
    /// If the source broke.
    pub fn end(&mut self) -> Result<()> {
        self.settle_all()?;
        self.keep_house_of_all(monotonic_now())?;
        self.settle_all()?;
        self.live.stop()?;
        self.drain(monotonic_now())?;
        self.ledger.catch_up();
        Ok(())
    }

    /// Reads again who processes are: a name found before watching began may be that of a program since replaced.
    fn know_again(&mut self, pids: impl Iterator<Item = Pid>) {
        for pid in pids {
            if let Ok(process) = self.proc.process(pid) {
                self.ledger.know(process);
            }
        }
    }

    /// When it last sampled what grows without events.
    pub fn sampled(&self) -> Monotonic {
        self.sampled
    }

    /// How the watch stands.
    pub fn summary(&self) -> Summary {
        self.ledger.summary(monotonic_now())
    }

    /// One poll: events go through the unwinder into the ledger.
    fn turn(&mut self, timeout: Duration) -> Result<Progress> {
        let Watch { live, ledger, stacks, wants_reconcile, names, samplers, .. } = self;
        let Watch { happenings, proc, .. } = self;
        let interpreters = &mut self.interpreters;
        let timeout = interpreters.look(live, stacks, timeout)?;
        let progress = live.poll(timeout, &mut |event| {
            if let Body::Exit { .. } = event.body {
                ledger.name_stacks(stacks);
            }
            follow_process(event, stacks, samplers, proc);
            interpreters.follow(event);
            if let Body::Acquire(acquire) = &event.body
                && let HandleKey::Thread(tid) = acquire.key
            {
                // Threads are often named and gone before the report is made.
                if let Some(name) = names.thread(event.pid, tid) {
                    ledger.thread_is(event.pid, tid, name);
                }
            }
            if matches!(event.body, Body::Reconcile { .. } | Body::Exec { .. }) {
                wants_reconcile.insert(event.pid);
            }
            let event = &known(event, stacks);
            ledger.apply(event);
            if let Some(log) = happenings {
                log.note(event);
            }
            if let Body::Fork { child, .. } = event.body
                && let Ok(process) = proc.process(child)
            {
                ledger.know(process);
            }
            if let Body::Exec { .. } = event.body
                && let Ok(process) = proc.process(event.pid)
            {
                ledger.know(process);
            }
        })?;
        live.learn(&stacks.take_memos())?;
        Ok(progress)
    }

    fn keep_house(&mut self, now: Monotonic) -> Result<()> {
        self.ledger.advance(now);
        if now.since_ns(self.sampled) >= self.interval_ns {
            self.sampled = now;
            self.sample();
            self.ledger.name_stacks(&mut self.stacks);
            self.tune_stacks()?;
        }
        // Of very many processes each is compared more rarely: reading a table has its price.
        let rarely = 1 + self.samplers.len() as u64 / PROCESSES_PER_RECONCILE;
        if now.since_ns(self.reconciled) >= RECONCILE_EVERY_NS * rarely {
            self.reconciled = now;
            self.wants_reconcile.extend(self.ledger.pids());
        }
        for pid in std::mem::take(&mut self.wants_reconcile) {
            self.reconcile(pid);
        }
        self.settle(now)
    }

    fn keep_house_of_all(&mut self, now: Monotonic) -> Result<()> {
        self.sampled = Monotonic(0);
        self.wants_reconcile.extend(self.samplers.keys().copied());
        self.keep_house(now)
    }

    fn sample_from_now_on(&mut self, pid: Pid) {
        if let Ok(sampler) = Sampler::new(self.proc.clone(), pid) {
            self.samplers.insert(pid, sampler);
        }
    }

    fn sample(&mut self) {
        let Watch { samplers, ledger, names, sockets, .. } = self;
        samplers.retain(|&pid, sampler| match sampler.sample() {
            Ok(sample) => {
                ledger.sample(sample);
                names.learn(ledger, pid);
                true
            }
            Err(_) => false,
        });
        if ledger.records() {
            let pids: Vec<Pid> = samplers.keys().copied().collect();
            sockets.learn(ledger, &pids);
            if let Some(net) = summary::recorded(&self.proc, monotonic_now()) {
                ledger.net_is(net);
            }
        }
    }

    fn tune_stacks(&mut self) -> Result<()> {
        for &pid in self.samplers.keys() {
            self.live.set_stack_bytes(pid, self.stacks.wanted_bytes(pid))?;
        }
        Ok(())
    }

    /// Begins to hold the ledger against the kernel's table of one process. One that is gone has none.
    fn reconcile(&mut self, pid: Pid) {
        if self.settling.iter().any(|snapshot| snapshot.pid == pid) {
            return;
        }
        self.ledger.begin_reconcile(pid, monotonic_now());
        if let Some(Ok(snapshot)) = self.live.table(&self.proc, pid) {
            self.settling.push(snapshot);
        }
    }

    /// Ends the comparisons whose tables were read long enough ago.
    fn settle(&mut self, now: Monotonic) -> Result<()> {
        let due = |snapshot: &Snapshot| now.since_ns(snapshot.ended) >= SETTLE_NS;
        if !self.settling.iter().any(due) {
            return Ok(());
        }
        self.drain(now)?;
        let (ready, waiting) = std::mem::take(&mut self.settling).into_iter().partition(due);
        self.settling = waiting;
        let ready: Vec<Snapshot> = ready;
        for snapshot in ready {
            self.ledger.finish_reconcile(snapshot);
        }
        Ok(())
    }

    /// Ends every comparison under way, waiting for what is still to be reported.
    fn settle_all(&mut self) -> Result<()> {
        while !self.settling.is_empty() {
            self.turn(TURN)?;
            self.settle(monotonic_now())?;
        }
        Ok(())
    }

    /// Polls until the source has told everything up to `until`.
    fn drain(&mut self, until: Monotonic) -> Result<()> {
        for _ in 0..MOST_DRAINS {
            let before = self.ledger.heard();
            self.turn(Duration::ZERO)?;
            if self.ledger.heard() == before || self.ledger.heard_last() > until {
                break;
            }
        }
        Ok(())
    }
}

/// Keeps the unwinder and the samplers in step with the lives of processes.
fn follow_process(
    event: &Event<'_>,
    stacks: &mut Stacks,
    samplers: &mut BTreeMap<Pid, Sampler>,
    proc: &ProcRoot,
) {
    match event.body {
        Body::Fork { child, .. } => {
            stacks.fork(event.pid, child);
            if let Ok(sampler) = Sampler::new(proc.clone(), child) {
                samplers.insert(child, sampler);
            }
        }
        Body::Exec { .. } => stacks.exec(event.pid),
        Body::Exit { .. } => {
            stacks.exit(event.pid);
            samplers.remove(&event.pid);
        }
        _ => {}
    }
}

/// The event with its stack unwound and named by number: what the ledger takes.
fn known<'a>(event: &Event<'a>, stacks: &mut Stacks) -> Event<'a> {
    let body = match &event.body {
        Body::Acquire(acquire) => {
            let trace = stacks.intern(event.pid, &acquire.trace);
            let trace = match acquire.key {
                HandleKey::Thread(tid) => stacks.with_start(event.pid, tid, trace),
                _ => trace,
            };
            Body::Acquire(Acquire { trace, ..acquire.clone() })
        }
        Body::Release(release) => Body::Release(Release {
            trace: stacks.intern(event.pid, &release.trace),
            ..release.clone()
        }),
        Body::Fail(fail) => {
            Body::Fail(Fail { trace: stacks.intern(event.pid, &fail.trace), ..fail.clone() })
        }
        Body::Fork { child, child_table, parent_table, trace } => Body::Fork {
            child: *child,
            child_table: *child_table,
            parent_table: *parent_table,
            trace: stacks.intern(event.pid, trace),
        },
        other => other.clone(),
    };
    Event { body, ..*event }
}
