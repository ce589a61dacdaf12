//! [`CallTracer`]: the engine of `trace` that needs nothing but ptrace(2).
//!
//! Tracees are bound to the thread that seized them, and are looked at while they stand: so the one who polls is the
//! tracer, and no queue is between. Make it, poll it and stop it in one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fdscope_model::{Pid, Progress, Tid};
use fdscope_sys::held::{Held, Plan, held};
use fdscope_sys::ptrace::wait::{Waker, wait_with_time};
use fdscope_sys::ptrace::{self, Status, Stop, options, wait};
use fdscope_syscall::traced::{CallSource, Traced};
use rustix::io::Errno;

use crate::attach::{refusal, seize_all, seize_thread};
use crate::error::Error;
use crate::options::{Follow, Options};
use crate::queue::Queue;
use crate::source::Ending;
use crate::tasks::Phase;
use crate::tracer::{Next, Tracer, carry_out};
use crate::witness::{Unwind, Wanted, Witness};

/// A wait for a stop is left this often, so that the caller can look at other things.
const TURN: Duration = Duration::from_millis(50);
/// At most so many stops are handled in one poll.
const MOST_STOPS: usize = 64;

/// What the caller chooses.
pub struct CallOptions {
    /// Threads and processes that tasks make are traced too; of a process attached to, all threads.
    pub follow: bool,
    /// Which calls are told.
    pub wanted: Wanted,
    /// Unwinds stacks, if they are asked for, and the most bytes of each.
    pub unwind: Option<(usize, Unwind)>,
    /// A task that runs another program is let go.
    pub leave_at_exec: bool,
    /// The tasks are killed when this process ends.
    pub kill_at_end: bool,
    /// The system time of calls is told.
    pub times: bool,
}

/// Tells system calls by ptrace stops.
pub struct CallTracer {
    tracer: Tracer,
    held: Option<Held>,
    launched: Option<Pid>,
    times: bool,
    turn: Turn,
}

impl CallTracer {
    /// Seizes processes, or with [`CallOptions::follow`] off single threads. Says of each how many threads are traced
    /// now, or why it is not: it does not exist, is traced by another, or the kernel does not permit it.
    ///
    /// # Errors
    /// If tracing cannot begin at all.
    pub fn attach(
        pids: &[Pid],
        options: CallOptions,
    ) -> Result<(Self, Vec<Result<usize, Error>>), Error> {
        let (follow, events) = (options.follow, events(&options));
        let mut source = CallTracer::new(options, None, false)?;
        let attached = pids.iter().map(|pid| source.seize(*pid, follow, events)).collect();
        Ok((source, attached))
    }

    fn seize(&mut self, pid: Pid, follow: bool, events: i32) -> Result<usize, Error> {
        let tracer = &mut self.tracer;
        if !follow {
            let of = seize_thread(Tid(pid.0), events)?;
            tracer.adopt_witnessed(of, Tid(pid.0));
            return Ok(1);
        }
        let mut seized = Vec::new();
        let strays = seize_all(pid, events, &mut |tid| seized.push(tid))?;
        tracer.leaving.extend(strays);
        seized.iter().for_each(|tid| tracer.adopt_witnessed(pid, *tid));
        Ok(seized.len())
    }

    /// The threads that are traced, each with its process.
    pub fn traced(&self) -> Vec<(Pid, Tid)> {
        self.tracer.tasks.iter().map(|(tid, task)| (task.pid, tid)).collect()
    }

    /// Starts a program, to be traced from its exec on; it runs with the first poll. With a filter in the plan only
    /// the calls for which it says SECCOMP_RET_TRACE are seen.
    ///
    /// # Errors
    /// If no process can be made, or the kernel does not permit tracing it.
    pub fn launch(plan: &Plan, options: CallOptions) -> Result<Self, Error> {
        let events = events(&options);
        // Forks, so before the waker's thread is made.
        let held = held(plan).map_err(Error::Start)?;
        let pid = held.pid;
        let mut source = CallTracer::new(options, Some(held), !plan.filter.is_empty())?;
        let tid = Tid(pid.0);
        ptrace::seize(tid, events).map_err(|_| refusal(pid, 0))?;
        let _gone = ptrace::interrupt(tid);
        let tracer = &mut source.tracer;
        let table = tracer.tasks.new_table();
        // Nothing blocks it but the word it waits for, and reading that is repeated by the program itself.
        tracer.tasks.add(tid, pid, table, Phase::Traced);
        tracer.launching = Some(pid);
        tracer.targets.insert(pid, None);
        source.launched = Some(pid);
        Ok(source)
    }

    fn new(options: CallOptions, held: Option<Held>, filtered: bool) -> Result<Self, Error> {
        let (bytes, unwind) = options.unwind.map_or((0, None), |(bytes, by)| (bytes, Some(by)));
        let follow = if options.follow { Follow::Children } else { Follow::No };
        let leaks = Options { follow, stack_bytes: bytes, ..Options::default() };
        let mut tracer = Tracer::new(leaks, Arc::new(Queue::default()));
        let mut witness = Witness::new(options.wanted, unwind);
        witness.filtered = filtered;
        witness.leave_at_exec = options.leave_at_exec;
        tracer.witness = Some(witness);
        let times = options.times;
        let turn = Turn::start().map_err(|errno| Error::Start(errno.into()))?;
        Ok(CallTracer { tracer, held, launched: None, times, turn })
    }

    /// The program that was launched.
    pub fn launched(&self) -> Option<Pid> {
        self.launched
    }

    /// How the launched program ended; `None` while it lives.
    pub fn ending(&self) -> Option<Ending> {
        let pid = self.launched?;
        self.tracer.targets.get(&pid).copied().flatten()
    }

    fn serve(&mut self, tid: Tid, status: Status, sink: &mut dyn FnMut(&Traced<'_>)) {
        let next = match status {
            Status::Stopped(stop) => self.tracer.stopped(tid, stop),
            Status::Exited(_) | Status::Killed(..) => {
                if let (Status::Killed(_, core), Some(witness)) = (status, &mut self.tracer.witness)
                {
                    witness.core = core;
                }
                self.tracer.handle(tid, status);
                Next::Keep
            }
        };
        self.tracer.deliver(sink);
        carry_out(tid, next);
        if status == Status::Stopped(Stop::Interrupted)
            && let Some(held) = self.held.take_if(|held| held.pid.0 == tid.0)
        {
            // A program that is gone meanwhile reports its end.
            let _gone = held.go();
        }
    }

    fn wait(&mut self, block: bool) -> Result<Option<(Tid, Status)>, Errno> {
        if !self.times {
            return wait(block);
        }
        let Some((tid, status, time_ns)) = wait_with_time(block)? else { return Ok(None) };
        if let Some(witness) = &mut self.tracer.witness {
            witness.system_ns = Some(time_ns);
        }
        Ok(Some((tid, status)))
    }
}

impl CallSource for CallTracer {
    type Error = Error;

    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Traced<'_>),
    ) -> Result<Progress, Error> {
        let block = !timeout.is_zero();
        self.turn.waits(block);
        let mut found = self.wait(block);
        self.turn.waits(false);
        for left in (0..MOST_STOPS).rev() {
            match found {
                Ok(Some((tid, status))) => self.serve(tid, status, sink),
                Err(Errno::CHILD) => return Ok(Progress::Ended),
                Ok(None) | Err(_) => break,
            }
            // What is waited for here must be served here.
            if left == 0 || self.tracer.tasks.len() < 2 {
                break;
            }
            found = self.wait(false);
        }
        let Tracer { tasks, leaving, early, .. } = &self.tracer;
        let done = tasks.is_empty() && leaving.is_empty() && early.is_empty();
        Ok(if done { Progress::Ended } else { Progress::Open })
    }

    fn stop(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<(), Error> {
        let mut tids: Vec<Tid> = self.tracer.tasks.iter().map(|(tid, _)| tid).collect();
        tids.sort_unstable();
        self.tracer.let_go();
        for tid in tids {
            if self.tracer.tasks.get(tid).is_some() {
                self.tracer.note(tid, crate::witness::Saw::Detached);
            }
        }
        self.tracer.deliver(sink);
        Ok(())
    }
}

fn events(options: &CallOptions) -> i32 {
    let always = options::SYSCALL_GOOD | options::EXEC | options::EXIT | options::SECCOMP;
    let births = options::FORK | options::VFORK | options::CLONE;
    let births = if options.follow { births } else { 0 };
    let kill = if options.kill_at_end { options::EXIT_KILL } else { 0 };
    always | births | kill
}

/// Interrupts waits now and then.
struct Turn {
    waiting: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Turn {
    fn start() -> Result<Self, Errno> {
        let waker = Waker::for_this_thread()?;
        let (waiting, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (theirs, their_end) = (Arc::clone(&waiting), Arc::clone(&over));
        let thread = thread::Builder::new().name("turn".into()).spawn(move || {
            while !their_end.load(Ordering::Relaxed) {
                thread::park_timeout(TURN);
                if theirs.load(Ordering::Relaxed) {
                    waker.wake();
                }
            }
        });
        Ok(Turn { waiting, over, thread: thread.ok() })
    }

    fn waits(&self, waits: bool) {
        self.waiting.store(waits, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}
