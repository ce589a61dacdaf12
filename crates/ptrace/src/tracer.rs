//! The tracer thread: waits for stops, says what each means, and lets the thread go on.
//!
//! System call stops are read in [`calls`](crate::calls), births and ends of threads in [`births`](crate::births).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fdscope_model::{Body, Event, Monotonic, Pid, TableId, Tid};
use fdscope_sys::clock::monotonic_now;
use fdscope_sys::ptrace::{self, Status, Stop, wait};
use rustix::io::Errno;

use crate::attach::{EVENTS, seize_all};
use crate::error::Error;
use crate::options::Options;
use crate::queue::Queue;
use crate::restart::resume_interrupted_call;
use crate::source::{Ending, TableOf};
use crate::stack::Stacks;
use crate::tasks::{Phase, Tasks};
use crate::witness::{Saw, Witness};

/// How long attaching waits for threads that do not answer: those in uninterruptible sleep may never.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// The tracer thread's state.
pub struct Tracer {
    /// What is traced.
    pub tasks: Tasks,
    /// Stops of threads whose birth has not been reported by their parent yet.
    pub early: HashMap<Tid, Stop>,
    /// Threads to let go at their next stop.
    pub leaving: HashSet<Tid>,
    /// Calls in flight that end a descriptor: by which thread.
    pub closing: HashMap<(TableId, u32), Tid>,
    /// Mapped memory, by process, if mappings are told.
    pub mappings: HashMap<Pid, crate::mappings::Mappings>,
    /// Registered descriptors, each with the epoll descriptors it is registered with, if registrations are told.
    pub registered: HashMap<(TableId, u32), Vec<u32>>,
    /// True if the kernel lacks PTRACE_GET_SYSCALL_INFO (before 5.3).
    pub without_syscall_info: bool,
    /// What the caller chose.
    pub options: Options,
    /// Where events go.
    pub queue: Arc<Queue>,
    /// Copies stacks.
    pub stacks: Stacks,
    /// Events of the stop being handled.
    pub events: Vec<Event<'static>>,
    /// The processes that the caller named or launched, each with how it ended.
    pub targets: HashMap<Pid, Option<Ending>>,
    /// The program being launched, until it is loaded.
    pub launching: Option<Pid>,
    /// Calls are told, of whatever kind, instead of what happens to handles.
    pub witness: Option<Witness>,
}

/// What to do with a thread after a stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Run to the next system call stop, with this signal unless it is 0.
    Resume(i32),
    /// Run to the next stop that is not one of a system call, with this signal unless it is 0.
    Run(i32),
    /// Stay stopped until SIGCONT.
    Listen,
    /// Let it go, with this signal unless it is 0.
    Leave(i32),
    /// Nothing: it has no known parent yet, or is gone.
    Keep,
}

impl Tracer {
    /// A tracer of nothing yet.
    pub fn new(options: Options, queue: Arc<Queue>) -> Self {
        Tracer {
            tasks: Tasks::default(),
            early: HashMap::new(),
            leaving: HashSet::new(),
            closing: HashMap::new(),
            mappings: HashMap::new(),
            registered: HashMap::new(),
            without_syscall_info: false,
            options,
            queue,
            stacks: Stacks::new(options.stack_bytes),
            events: Vec::new(),
            targets: HashMap::new(),
            launching: None,
            witness: None,
        }
    }

    /// Seizes every thread of the processes and waits until the system calls of each are seen.
    pub fn attach(&mut self, pids: &[Pid]) -> Result<(), Error> {
        for &pid in pids {
            let mut seized = Vec::new();
            let strays = seize_all(pid, EVENTS, &mut |tid| seized.push(tid))?;
            self.leaving.extend(strays);
            self.adopt(pid, &seized);
            self.targets.insert(pid, None);
        }
        let begun = monotonic_now();
        while self.is_waiting_for_answers() && !has_passed(ANSWER_LIMIT, begun) {
            match wait(false) {
                Ok(Some((tid, status))) => self.handle(tid, status),
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                Err(_) => break,
            }
        }
        match pids.iter().find(|pid| self.tasks.process(**pid).is_none()) {
            Some(&pid) => Err(Error::NoSuchProcess { pid }),
            None => Ok(()),
        }
    }

    fn is_waiting_for_answers(&self) -> bool {
        self.tasks.iter().any(|(_, task)| task.phase == Phase::Asked)
    }

    /// Threads that have not stopped yet: those in uninterruptible sleep.
    pub fn unanswered(&self) -> Vec<Tid> {
        let asked = self.tasks.iter().filter(|(_, task)| task.phase == Phase::Asked);
        asked.map(|(tid, _)| tid).collect()
    }

    /// Enters a thread seized to be witnessed, with a table of its own: nobody asks for it.
    pub fn adopt_witnessed(&mut self, pid: Pid, tid: Tid) {
        let table = self.tasks.new_table();
        self.tasks.add(tid, pid, table, Phase::Asked);
    }

    /// Enters seized threads, each with the table it uses.
    fn adopt(&mut self, pid: Pid, seized: &[Tid]) {
        for &tid in seized {
            let same = |other: Tid| ptrace::same_files(tid, other);
            let shared = self.one_thread_per_table().into_iter().find(|(other, _)| {
                // Without kcmp the threads of a process are taken to share, as they nearly always do.
                let sibling = self.tasks.get(*other).is_some_and(|task| task.pid == pid);
                same(*other).unwrap_or(sibling)
            });
            let table = shared.map_or_else(|| self.tasks.new_table(), |(_, table)| table);
            self.tasks.add(tid, pid, table, Phase::Asked);
        }
    }

    fn one_thread_per_table(&self) -> Vec<(Tid, TableId)> {
        let mut found: HashMap<TableId, Tid> = HashMap::new();
        for (tid, task) in self.tasks.iter() {
            found.entry(task.table).and_modify(|least| *least = tid.min(*least)).or_insert(tid);
        }
        found.into_iter().map(|(table, tid)| (tid, table)).collect()
    }

    /// Which tables are in use, each with a thread by which to read it.
    pub fn tables(&self) -> Vec<TableOf> {
        let rows = self.one_thread_per_table().into_iter();
        let mut tables: Vec<TableOf> = rows
            .filter_map(|(tid, table)| Some(TableOf { pid: self.tasks.get(tid)?.pid, tid, table }))
            .collect();
        tables.sort_by_key(|row| row.table);
        tables
    }

    /// Serves stops until nothing is left to trace, or until `stop` is set.
    pub fn run(&mut self, stop: &AtomicBool) {
        let mut batch = Vec::new();
        let mut turns = 0u32;
        while !stop.load(Ordering::Relaxed) && !self.is_done() {
            match wait(true) {
                Ok(stopped) => batch.extend(stopped),
                Err(Errno::INTR) => continue,
                Err(_) => return,
            }
            // Now and then one look at all who stand: the kernel offers the first of its list, so that a few busy
            // threads could keep the others waiting. Not each time: a look goes through all threads.
            turns = turns.wrapping_add(1);
            while turns.is_multiple_of(8)
                && self.tasks.len() > 1
                && let Ok(Some(stopped)) = wait(false)
            {
                batch.push(stopped);
            }
            for (tid, status) in batch.drain(..) {
                self.handle(tid, status);
            }
        }
        self.let_go();
    }

    fn is_done(&self) -> bool {
        self.tasks.is_empty() && self.leaving.is_empty() && self.early.is_empty()
    }

    /// Says what a status means, and lets the thread go on.
    pub fn handle(&mut self, tid: Tid, status: Status) {
        match status {
            Status::Stopped(stop) => {
                let next = self.stopped(tid, stop);
                carry_out(tid, next);
            }
            Status::Exited(code) => self.died(tid, Ending::Exited(code)),
            Status::Killed(signal, _) => self.died(tid, Ending::Killed(signal)),
        }
    }

    /// Says what a stop means, and what is next for the thread.
    pub fn stopped(&mut self, tid: Tid, stop: Stop) -> Next {
        if stop == Stop::Exec && self.witness.is_some() {
            if self.witness_exec(tid) {
                return Next::Leave(0);
            }
        } else if stop == Stop::Exec {
            self.exec(tid);
        } else if self.leaving.remove(&tid) {
            return self.leave(tid, stop);
        }
        let Some(task) = self.tasks.get_mut(tid) else {
            self.early.insert(tid, stop);
            return Next::Keep;
        };
        let asked = task.phase == Phase::Asked;
        if !matches!(stop, Stop::Signal(_)) {
            task.phase = Phase::Traced;
        }
        match stop {
            Stop::Syscall | Stop::Filtered if self.witness.is_some() => self.witness_call(tid),
            Stop::Syscall => self.syscall_stop(tid),
            Stop::Born if self.witness.is_some() => self.witness_birth(tid),
            Stop::Born => self.born(tid),
            Stop::Ending => self.witness_last(tid),
            // After a job control stop a call may fail with EINTR, traced or not: only our own stops are undone.
            Stop::Interrupted if asked => resume_interrupted_call(tid),
            Stop::Group(signal) => {
                self.note(tid, Saw::Stopped(signal));
                return Next::Listen;
            }
            Stop::Signal(signal) => {
                self.witness_signal(tid, signal);
                return self.on(tid, signal);
            }
            Stop::Interrupted | Stop::Exec | Stop::Filtered | Stop::Other(_) => {}
        }
        self.on(tid, 0)
    }

    /// A thread to be let go has stopped. What it made meanwhile goes with it.
    fn leave(&mut self, tid: Tid, stop: Stop) -> Next {
        if stop == Stop::Born
            && let Ok(child) = ptrace::event_message(tid)
        {
            let child = Tid(child as u32);
            match self.early.remove(&child) {
                Some(_) => carry_out(child, Next::Leave(0)),
                None => drop(self.leaving.insert(child)),
            }
        }
        match stop {
            Stop::Signal(signal) => Next::Leave(signal),
            _ => Next::Leave(0),
        }
    }

    /// Adds an event of a thread to those of this stop.
    pub fn tell(&mut self, tid: Tid, pid: Pid, body: Body<'static>) {
        self.events.push(Event { at: monotonic_now(), pid, tid, body });
    }

    /// Sends the events of this stop, with the stack of `of` if given.
    pub fn send(&mut self, of: Option<Tid>) {
        if self.events.is_empty() {
            return;
        }
        let stack =
            of.filter(|_| self.options.stack_bytes > 0).and_then(|tid| self.stacks.copy(tid));
        self.queue.push(&mut self.events, stack);
    }
}

/// Has this much time passed since then?
pub fn has_passed(limit: Duration, since: Monotonic) -> bool {
    u128::from(monotonic_now().since_ns(since)) > limit.as_nanos()
}

/// Does with a stopped thread what is next. A thread that is gone meanwhile (killed) will report its end.
pub fn carry_out(tid: Tid, next: Next) {
    let _ = match next {
        Next::Resume(signal) => ptrace::resume_to_syscall(tid, signal),
        Next::Run(signal) => ptrace::resume(tid, signal),
        Next::Listen => ptrace::listen(tid),
        Next::Leave(signal) => ptrace::detach(tid, signal),
        Next::Keep => Ok(()),
    };
}
