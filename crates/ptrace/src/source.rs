//! The source: what a caller holds while its targets are traced.

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fdscope_model::{Event, EventSource, Pid, Progress, Sight, TableId, Tid};
use fdscope_sys::ptrace::wait::Waker;

use crate::error::Error;
use crate::launch;
use crate::options::Options;
use crate::queue::Queue;
use crate::sight::sight;
use crate::tracer::Tracer;

/// Traces processes with ptrace(2).
///
/// Dropping it lets every target go, as [`stop`](EventSource::stop) does.
///
/// While it [watches](Self::is_watching), nothing else in this process may wait for a target, not even with WNOHANG:
/// the kernel would hand the target's stops to that wait instead of the tracer, and the target would stand still.
pub struct PtraceSource {
    sight: Sight,
    shared: Arc<Shared>,
    tables: Vec<TableOf>,
    launched: Option<Pid>,
    /// Lets a launched program run; sent by the first poll.
    go: Option<Sender<()>>,
    thread: Option<(JoinHandle<()>, Waker)>,
}

/// A table of descriptors in use when watching began, and a thread by which to read it: /proc/TID/fd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableOf {
    /// The process.
    pub pid: Pid,
    /// One of its threads that uses the table: the lowest number, so the process's own where it has one table.
    pub tid: Tid,
    /// The table.
    pub table: TableId,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By exit, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// What the tracer thread and the caller share.
#[derive(Default)]
struct Shared {
    queue: Arc<Queue>,
    stop: AtomicBool,
    endings: Mutex<HashMap<Pid, Option<Ending>>>,
}

/// What the tracer thread says when it is ready.
struct Ready {
    tables: Vec<TableOf>,
    launched: Option<Pid>,
    unanswered: Vec<Tid>,
    waker: Waker,
}

impl PtraceSource {
    /// Watches running processes. Returns when every thread of each is traced: a reading of their tables from now on
    /// misses nothing. A thread in uninterruptible sleep is waited for two seconds at most, and traced when it wakes.
    ///
    /// # Errors
    /// If a process does not exist, is traced by another, or the kernel does not permit it; then none is traced.
    pub fn attach(pids: &[Pid], options: Options) -> Result<Self, Error> {
        let pids = pids.to_vec();
        Self::start(options, None, move |tracer| tracer.attach(&pids).map(|()| None))
    }

    /// Starts a program and watches it from its first instruction. Returns when the program is loaded; the first poll
    /// lets it run, so that what it inherited can be read before.
    ///
    /// # Errors
    /// If the program cannot be run, or the kernel does not permit tracing it.
    pub fn launch(command: Command, options: Options) -> Result<Self, Error> {
        let (go, wait) = channel();
        let prepare = move |tracer: &mut Tracer| launch::launch(tracer, command).map(Some);
        Self::start(options, Some((go, wait)), prepare)
    }

    fn start(
        options: Options,
        gate: Option<(Sender<()>, Receiver<()>)>,
        prepare: impl FnOnce(&mut Tracer) -> Result<Option<Pid>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let (ready, answer) = channel::<Result<Ready, Error>>();
        let (go, wait) = gate.unzip();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("ptrace".into())
            .spawn(move || trace(options, &theirs, prepare, &ready, wait))
            .map_err(Error::Start)?;
        match answer.recv() {
            Ok(Ok(Ready { tables, launched, unanswered, waker })) => {
                let thread = Some((thread, waker));
                let sight = sight(launched.is_some(), &unanswered, options);
                Ok(PtraceSource { sight, shared, tables, launched, go, thread })
            }
            Ok(Err(error)) => {
                join(thread);
                Err(error)
            }
            Err(_) => Err(Error::ThreadGone),
        }
    }

    /// The tables in use when watching began. Later ones are told by `Fork`, `Unshare` and `Exec` events.
    pub fn tables(&self) -> &[TableOf] {
        &self.tables
    }

    /// The program that was launched.
    pub fn launched(&self) -> Option<Pid> {
        self.launched
    }

    /// True while targets are traced: until `stop`, or until the last of them is gone.
    pub fn is_watching(&self) -> bool {
        self.thread.as_ref().is_some_and(|(thread, _)| !thread.is_finished())
    }

    /// How a process that was attached to or launched ended, once nothing more is to come; `None` if it lives on.
    ///
    /// A caller who is the process's parent learns it here: the tracer has waited for it in the parent's stead.
    pub fn ending(&self, pid: Pid) -> Option<Ending> {
        *lock(&self.shared.endings).get(&pid)?
    }

    fn let_go(&mut self) {
        self.go = None;
        let Some((thread, waker)) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::Relaxed);
        while !thread.is_finished() {
            waker.wake();
            thread::sleep(Duration::from_millis(1));
        }
        join(thread);
        waker.await_end();
    }
}

impl EventSource for PtraceSource {
    type Error = Error;

    fn sight(&self) -> &Sight {
        &self.sight
    }

    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Progress, Error> {
        if let Some(go) = self.go.take() {
            // A tracer thread that is gone has closed the queue, which the next line sees.
            let _ = go.send(());
        }
        match self.shared.queue.deliver(timeout, sink) {
            true => Ok(Progress::Open),
            false => Ok(Progress::Ended),
        }
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.let_go();
        Ok(())
    }
}

impl Drop for PtraceSource {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The tracer thread.
fn trace(
    options: Options,
    shared: &Shared,
    prepare: impl FnOnce(&mut Tracer) -> Result<Option<Pid>, Error>,
    ready: &Sender<Result<Ready, Error>>,
    gate: Option<Receiver<()>>,
) {
    let mut tracer = Tracer::new(options, Arc::clone(&shared.queue));
    let waker = Waker::for_this_thread().map_err(|errno| Error::Start(errno.into()));
    let prepared = waker.and_then(|waker| Ok((prepare(&mut tracer)?, waker)));
    let launched = prepared.as_ref().map_or(None, |(launched, _)| *launched);
    let failed = prepared.is_err();
    let answer = prepared.map(|(launched, waker)| {
        let (tables, unanswered) = (tracer.tables(), tracer.unanswered());
        Ready { tables, launched, unanswered, waker }
    });
    // A caller who is gone has no use for an answer; the gate below is closed then.
    let _ = ready.send(answer);
    if failed {
        tracer.let_go();
    } else {
        if let (Some(gate), Some(pid)) = (gate, launched) {
            // An error means that the caller let go without ever polling: `stop` is set, or about to be.
            let _ = gate.recv();
            launch::go(pid);
        }
        tracer.run(&shared.stop);
    }
    *lock(&shared.endings) = tracer.targets;
    shared.queue.close();
}

fn join(thread: JoinHandle<()>) {
    // A panic in the tracer thread has been printed by its hook, and the kernel has let the targets go.
    let _ = thread.join();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
