//! What an engine of `trace` tells of a task: calls entered and left, signals, stops, ends. Every engine tells the same.
//!
//! Engines (ptrace, eBPF) make these; decoding their arguments and writing lines are later steps.

use std::time::Duration;

use fdscope_model::{Monotonic, Pid, Progress, StackId, Tid};

use crate::arch::Arch;
use crate::memory::Memory;

/// A system call as it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// The interface: a 64-bit x86 task may use the 32-bit one.
    pub arch: Arch,
    /// Its number in that interface.
    pub number: u64,
    /// The arguments; the upper halves of a 32-bit interface's are zero.
    pub arguments: [u64; 6],
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With this value.
    Returned(i64),
    /// With this errno, those by which the kernel restarts a call (512 and above, linux/errno.h) included.
    Failed(u16),
    /// Not known: the task died in it, or it was not seen to return.
    Unknown,
}

/// What happened to a task.
#[derive(Clone, Copy)]
pub enum Happening<'a> {
    /// It entered a call. An engine that was not asked for these tells only how calls ended.
    Enter {
        /// The call.
        call: Call,
        /// Where its pointers lead, before the call wrote there.
        memory: &'a dyn Memory,
        /// The instruction pointer.
        ip: u64,
    },
    /// It left a call.
    Exit {
        /// The call.
        call: Call,
        /// When it was entered; `None` for one that was under way when watching began.
        entered: Option<Monotonic>,
        /// How it ended.
        ended: Ended,
        /// Where its pointers lead: what was there before for what the call reads, what is there now for what it writes.
        memory: &'a dyn Memory,
        /// The instruction pointer.
        ip: u64,
        /// Where in the program, if asked for.
        stack: Option<StackId>,
        /// The processor time that the task spent in the kernel meanwhile, if the engine knows it.
        system_ns: Option<u64>,
    },
    /// A signal is about to be delivered.
    Signal {
        /// The signal's number.
        signal: u32,
        /// `siginfo_t`, 128 bytes, in the layout of the tracer's own processor.
        siginfo: &'a [u8],
    },
    /// It was stopped by a signal, as job control does.
    Stopped {
        /// The signal's number.
        signal: u32,
    },
    /// It ended by itself.
    Exited {
        /// The exit status, 0 to 255.
        status: u8,
    },
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: u32,
        /// True if a core was dumped.
        core: bool,
    },
    /// A thread that was not the leader called exec and took over the process's number from this one.
    Superseded {
        /// The thread's number until then.
        by: Tid,
    },
    /// It is watched from now on.
    Attached,
    /// It is no longer watched, and runs on.
    Detached,
    /// So many calls before this moment, of whatever task, were not told.
    Lost {
        /// How many; 0 if nobody knows.
        count: u64,
    },
}

/// One thing that happened.
#[derive(Clone, Copy)]
pub struct Traced<'a> {
    /// When.
    pub at: Monotonic,
    /// To which process.
    pub pid: Pid,
    /// To which thread of it.
    pub tid: Tid,
    /// What.
    pub what: Happening<'a>,
}

/// An engine of `trace`: what it sees is told in the order in which it happened.
pub trait CallSource {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Tells what has happened, waiting at most `timeout` for something. What is told borrows from the source, and may
    /// stand still while it is told: be quick.
    ///
    /// # Errors
    /// If watching broke. That a task is gone is not an error: its end is told.
    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Traced<'_>),
    ) -> Result<Progress, Self::Error>;

    /// Ends watching: every task runs on as if nobody had watched it. Tells what is left to tell, `Detached` included.
    ///
    /// # Errors
    /// If that failed.
    fn stop(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<(), Self::Error>;
}
