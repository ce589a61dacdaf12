//! System calls told as such, whatever they do: what `trace` asks of the tracer.
//!
//! The same tracer serves both consumers; this is the second. What a stop means is noted here, and delivered while
//! the thread still stands in it, so that whoever is told can follow pointers.

use fdscope_model::{Monotonic, Pid, StackId, Tid, Trace};
use fdscope_sys::clock::monotonic_now;
use fdscope_sys::ptrace::{Side, event_message, signal_info};
use fdscope_syscall::Arch;
use fdscope_syscall::traced::{Call, Ended, Happening, Traced};

use crate::calls::Of;
use crate::look;
use crate::source::Ending;
use crate::stack::Stacks;
use crate::tasks::{Call as Entered, Phase};
use crate::tracer::{Next, Tracer};

/// Which calls are told.
pub type Wanted = Box<dyn Fn(&Call) -> bool>;
/// Unwinds a copied stack of a process and gives it a number.
pub type Unwind = Box<dyn FnMut(Pid, &Trace<'_>) -> Option<StackId>>;

/// What is told, and what waits to be.
pub struct Witness {
    /// Which calls are told; the others are passed over, at little cost.
    pub wanted: Wanted,
    /// Takes stacks, if asked for.
    pub unwind: Option<Unwind>,
    /// True if a seccomp filter stops the tasks at calls: they run freely from one such to the next.
    pub filtered: bool,
    /// True if a task is let go once it runs another program.
    pub leave_at_exec: bool,
    /// The system time of the process in the stop being handled.
    pub system_ns: Option<u64>,
    /// A core was dumped by the task whose end is being handled.
    pub core: bool,
    news: Vec<News>,
}

impl Witness {
    /// A witness of the calls that are wanted.
    pub fn new(wanted: Wanted, unwind: Option<Unwind>) -> Self {
        Witness {
            wanted,
            unwind,
            filtered: false,
            leave_at_exec: false,
            system_ns: None,
            core: false,
            news: Vec::new(),
        }
    }
}

struct News {
    at: Monotonic,
    pid: Pid,
    tid: Tid,
    saw: Saw,
}

/// What was seen: [`Happening`] without what is borrowed.
pub enum Saw {
    Enter { call: Call, ip: u64 },
    Exit { call: Call, entered: Monotonic, ended: Ended, ip: u64, system_ns: Option<u64> },
    Signal(i32, Box<[u8; 128]>),
    Stopped(i32),
    Exited(i32),
    Killed(i32),
    Superseded(Tid),
    Attached,
    Detached,
}

impl From<Ending> for Saw {
    fn from(ending: Ending) -> Saw {
        match ending {
            Ending::Exited(code) => Saw::Exited(code),
            Ending::Killed(signal) => Saw::Killed(signal),
        }
    }
}

impl Tracer {
    /// Notes what happened to a task, if anybody is to be told.
    pub fn note(&mut self, tid: Tid, saw: Saw) {
        let pid = self.tasks.get(tid).map_or(Pid(tid.0), |task| task.pid);
        if let Some(witness) = &mut self.witness {
            witness.news.push(News { at: monotonic_now(), pid, tid, saw });
        }
    }

    /// A task stands before or after a call.
    pub fn witness_call(&mut self, tid: Tid) {
        let Some((info, side)) = self.side(tid) else { return };
        let within = self.tasks.get(tid).is_some_and(|task| task.call.is_some());
        match side {
            // A filter's stop comes after the one before the call, where there is one.
            Side::Entry { .. } if within => {}
            Side::Entry { number, args } => {
                self.witness_entry(tid, Arch::from_audit(info.arch), number, args, info.ip)
            }
            Side::Exit { result } => self.witness_exit(tid, result, info.ip),
            Side::Neither => {}
        }
    }

    fn witness_entry(
        &mut self,
        tid: Tid,
        arch: Option<Arch>,
        number: u64,
        args: [u64; 6],
        ip: u64,
    ) {
        let (Some(task), Some(witness)) = (self.tasks.get_mut(tid), &self.witness) else { return };
        let made = monotonic_now();
        let system_ns = witness.system_ns.unwrap_or(0);
        let mut entered = Entered { arch, number, args, made, system_ns, ..Entered::default() };
        let call = call_of(&entered);
        let hidden = self.launching == Some(task.pid) && !is_exec(&call);
        entered.told = !hidden && (witness.wanted)(&call);
        let told = entered.told;
        task.call = Some(entered);
        if told {
            self.note(tid, Saw::Enter { call, ip });
        }
    }

    fn witness_exit(&mut self, tid: Tid, result: i64, ip: u64) {
        let ended = match u16::try_from(-result) {
            Ok(errno) if (1..4096).contains(&errno) => Ended::Failed(errno),
            _ => Ended::Returned(result),
        };
        let Some(task) = self.tasks.get_mut(tid) else { return };
        let pid = task.pid;
        let Some(entered) = task.call.take() else { return };
        let call = call_of(&entered);
        if entered.told {
            self.note_end(tid, &entered, ended, ip);
        }
        if self.launching == Some(pid) && is_exec(&call) {
            self.launching = None;
        }
    }

    /// A task is about to end, in whatever call it is.
    pub fn witness_last(&mut self, tid: Tid) {
        let entered = self.tasks.get_mut(tid).and_then(|task| task.call.take());
        if let Some(entered) = entered.filter(|entered| entered.told) {
            self.note_end(tid, &entered, Ended::Unknown, 0);
        }
    }

    fn note_end(&mut self, tid: Tid, entered: &Entered, ended: Ended, ip: u64) {
        let now = self.witness.as_ref().and_then(|witness| witness.system_ns);
        let system_ns = now.map(|now| now.saturating_sub(entered.system_ns));
        let call = call_of(entered);
        self.note(tid, Saw::Exit { call, entered: entered.made, ended, ip, system_ns });
    }

    /// A signal is about to be delivered to a task.
    pub fn witness_signal(&mut self, tid: Tid, signal: i32) {
        if self.witness.is_none() || self.tasks.get(tid).map(|task| task.pid) == self.launching {
            return;
        }
        if let Ok(info) = signal_info(tid) {
            self.note(tid, Saw::Signal(signal, Box::new(info)));
        }
    }

    /// clone, fork or vfork made a thread or process.
    pub fn witness_birth(&mut self, parent: Tid) {
        let Ok(child) = event_message(parent).map(|number| Tid(number as u32)) else { return };
        let Some(pid) = self.tasks.get(parent).map(|task| task.pid) else { return };
        let pid = if look::is_thread_of(child, pid) { pid } else { Pid(child.0) };
        let table = self.tasks.new_table();
        self.tasks.add(child, pid, table, Phase::Traced);
        self.note(child, Saw::Attached);
        if let Some(stop) = self.early.remove(&child) {
            self.handle(child, fdscope_sys::ptrace::Status::Stopped(stop));
        }
    }

    /// exec succeeded in the process whose number is now `tid`'s; true if it is to be let go.
    pub fn witness_exec(&mut self, tid: Tid) -> bool {
        let former = event_message(tid).map_or(tid, |number| Tid(number as u32));
        if former != tid
            && let Some(task) = self.tasks.remove(former)
        {
            // The leader's own end is not told to anybody: its number has passed to another thread.
            self.tasks.remove(tid);
            self.tasks.add(tid, task.pid, task.table, Phase::Traced);
            if let Some(adopted) = self.tasks.get_mut(tid) {
                adopted.call = task.call;
            }
            self.note(tid, Saw::Superseded(former));
        }
        let launching = self.launching.is_some() && self.launching == Some(Pid(tid.0));
        let leaves = !launching && self.witness.as_ref().is_some_and(|w| w.leave_at_exec);
        if leaves {
            self.note(tid, Saw::Detached);
            self.tasks.remove(tid);
        }
        leaves
    }

    /// How a task goes on after a stop.
    pub fn on(&self, tid: Tid, signal: i32) -> Next {
        let filtered = self.witness.as_ref().is_some_and(|witness| witness.filtered);
        let between = self.tasks.get(tid).is_none_or(|task| task.call.is_none());
        let launching = self.launching.is_some();
        if filtered && between && !launching { Next::Run(signal) } else { Next::Resume(signal) }
    }

    /// Tells what was noted. The task of the stop being handled still stands.
    pub fn deliver(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) {
        let Tracer { witness: Some(witness), stacks, .. } = self else { return };
        let Witness { news, unwind, core, .. } = witness;
        for News { at, pid, tid, saw } in news.drain(..) {
            let memory = &Of(tid);
            let what = match &saw {
                Saw::Enter { call, ip } => Happening::Enter { call: *call, memory, ip: *ip },
                Saw::Exit { call, entered, ended, ip, system_ns } => Happening::Exit {
                    call: *call,
                    entered: Some(*entered),
                    ended: *ended,
                    memory,
                    ip: *ip,
                    stack: stack(unwind, stacks, pid, tid),
                    system_ns: *system_ns,
                },
                Saw::Signal(signal, info) => {
                    Happening::Signal { signal: *signal as u32, siginfo: &info[..] }
                }
                Saw::Stopped(signal) => Happening::Stopped { signal: *signal as u32 },
                Saw::Exited(code) => Happening::Exited { status: *code as u8 },
                Saw::Killed(signal) => Happening::Killed { signal: *signal as u32, core: *core },
                Saw::Superseded(by) => Happening::Superseded { by: *by },
                Saw::Attached => Happening::Attached,
                Saw::Detached => Happening::Detached,
            };
            sink(&Traced { at, pid, tid, what });
        }
    }
}

fn stack(unwind: &mut Option<Unwind>, stacks: &mut Stacks, pid: Pid, tid: Tid) -> Option<StackId> {
    let unwind = unwind.as_mut()?;
    let copied = stacks.copy(tid)?;
    let (regs, bytes, compat) = (copied.regs, copied.bytes, copied.compat);
    unwind(pid, &Trace::Copied { regs, bytes, compat, code_since: None })
}

/// The call as it is told. An interface that no table here knows has the numbers of none.
fn call_of(entered: &Entered) -> Call {
    Call {
        arch: entered.arch.unwrap_or(Arch::NATIVE),
        number: entered.number,
        arguments: entered.args,
    }
}

fn is_exec(call: &Call) -> bool {
    matches!(fdscope_syscall::names::name(call.arch, call.number), Some("execve" | "execveat"))
}
