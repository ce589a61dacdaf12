//! The threads of a process at one moment, one by one and in groups: what each does, what it holds, what it ran into.
//!
//! Also the threads that are no more but were never joined, whose stacks stay mapped.

use crate::fault::Fault;
use crate::id::{FdNumber, Tid};
use crate::limit::Limit;
use crate::name::Name;
use crate::process::Process;
use crate::sight::Blind;
use crate::stack::Frame;

/// A living thread.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ThreadEntry {
    /// Its number; that of the process for the first thread.
    pub tid: Tid,
    /// Its name: at most 15 bytes of any value.
    pub comm: Name,
    /// What its name has in common with those of its siblings: `work-*`.
    pub pattern: Name,
    /// The kernel's letter: `R` running, `S` sleeping, `D` waiting for a device, `T` stopped, `t` traced, `Z` ended.
    pub state: u8,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// How long ago it began, where the time since boot is known.
    pub age_ns: Option<u64>,
    /// CPU time it has used.
    pub cpu_ns: u64,
    /// Processors it kept busy between two readings: 1.0 for a whole one.
    pub cpu_cores: Option<f64>,
    /// What it is in.
    pub doing: Doing,
    /// The kernel function that it sleeps in.
    pub wait_channel: Option<Name>,
    /// The kernel's functions on its stack, innermost first, where they were asked for and permitted.
    pub kernel_stack: Option<Vec<Name>>,
    /// Its stack, where it was asked for and could be taken.
    pub stack: Option<ThreadStack>,
    /// The epoll descriptor that it waits on, with what is registered there.
    pub waits_on: Option<WaitSet>,
    /// True if it began after the reading before.
    pub is_new: Option<bool>,
    /// The function that it was started with, where its libc tells.
    pub start: Option<Frame>,
}

impl ThreadEntry {
    /// The function that it began in: the outermost on its stack that is no plumbing, if that was followed so far; else the
    /// one it was started with, or where that is if nothing names it.
    pub fn began_in(&self) -> Option<String> {
        let outermost = self.stack.as_ref().and_then(ThreadStack::entry_function);
        outermost.or_else(|| self.start.as_ref().map(start_name))
    }
}

/// What the function is called that threads were started with.
pub fn start_name(start: &Frame) -> String {
    start.symbol.function.clone().unwrap_or_else(|| {
        let module = start.module.to_string();
        format!("{}+{:#x}", module.rsplit('/').next().unwrap_or_default(), start.offset)
    })
}

/// What a thread is in.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Doing {
    /// Not permitted to see.
    #[default]
    Hidden,
    /// On a processor, or about to be.
    Running,
    /// Waiting, but in no system call: a page fault, a stop, its end.
    Outside,
    /// Waiting in a system call.
    Call(CurrentCall),
}

/// A system call that a thread waits in.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CurrentCall {
    /// Its number in the thread's interface.
    pub number: u64,
    /// Its name, where the number is known.
    pub name: Option<&'static str>,
    /// Its arguments.
    pub args: [u64; 6],
    /// The stack pointer.
    pub sp: u64,
    /// The instruction pointer: behind the call.
    pub ip: u64,
    /// True for the interface of 32-bit programs.
    pub compat: bool,
    /// The descriptor that it waits on, if the first argument is one, and what that refers to.
    pub on: Option<(FdNumber, Name)>,
}

/// An epoll descriptor and what it waits for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WaitSet {
    /// The epoll descriptor.
    pub epoll: FdNumber,
    /// The first of the registered descriptors, with what they refer to.
    pub targets: Vec<(FdNumber, Name)>,
    /// How many descriptors are registered.
    pub registered: u64,
}

/// How a stack was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Taken {
    /// Read from memory while the thread waited in a system call; it was not stopped.
    Read,
    /// The thread was stopped for a moment.
    Stopped,
}

/// A thread's stack, named.
#[derive(Clone, PartialEq, Debug)]
pub struct ThreadStack {
    /// Frames, innermost first.
    pub frames: Vec<Frame>,
    /// Index of the first frame above plumbing.
    pub at: Option<usize>,
    /// True if it could not be followed to the thread's first frame.
    pub truncated: bool,
    /// How it was taken.
    pub taken: Taken,
}

impl ThreadStack {
    /// The function that its thread began with: the outermost frame that is no plumbing, if the stack was followed so far.
    pub fn entry_function(&self) -> Option<String> {
        let outermost = self.frames.iter().rev().find(|frame| !frame.plumbing)?;
        outermost.symbol.function.clone().filter(|_| !self.truncated)
    }
}

/// Threads with a name pattern in common, and the function they began in where stacks were taken.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ThreadGroup {
    /// What their names share.
    pub pattern: Name,
    /// The function that the threads began in, where that is known.
    pub entry: Option<String>,
    /// How many there are.
    pub count: u64,
    /// How many began since the reading before, and how many ended.
    pub change: Option<Change>,
    /// How many are in each state, most first.
    pub states: Vec<(u8, u64)>,
    /// How many wait in each call, most first: `epoll_wait`, `futex`; `running`, `hidden` and `outside` in brackets.
    pub doing: Vec<(String, u64)>,
    /// How many sleep in each kernel function, most first.
    pub wait_channels: Vec<(Name, u64)>,
    /// CPU time of all.
    pub cpu_ns: u64,
    /// Processors kept busy by all between two readings.
    pub cpu_cores: Option<f64>,
    /// Age of the oldest.
    pub oldest_ns: Option<u64>,
    /// Age of the youngest.
    pub youngest_ns: Option<u64>,
    /// Threads that wait on an epoll descriptor of their own.
    pub loopers: u64,
    /// Epoll descriptors that they wait on.
    pub epolls: u64,
    /// eventfd descriptors registered there.
    pub eventfds: u64,
    /// Other descriptors registered there.
    pub others: u64,
    /// Number of its first thread.
    pub first: Tid,
    /// Different stacks with the number of threads that have them, most first.
    pub stacks: Vec<(ThreadStack, u64)>,
}

/// What came and went between two readings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Began.
    pub started: u64,
    /// Ended.
    pub ended: u64,
}

impl Change {
    /// How many more there are now.
    pub fn net(self) -> i64 {
        self.started as i64 - self.ended as i64
    }
}

/// Exited threads that nobody joined, by the size of the stacks that stay mapped for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unjoined {
    /// Bytes of each stack.
    pub stack_bytes: u64,
    /// How many there are; at least so many if not exact.
    pub count: u64,
    /// True if libc's own control blocks told the fate of each thread; else stacks without a thread were counted.
    pub exact: bool,
    /// How many more than at the reading before.
    pub grown: Option<i64>,
}

/// A limit with the time until it is reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ThreadLimit {
    /// The limit and its use.
    pub limit: Limit,
    /// Growth of this process against it, where two readings tell.
    pub per_s: Option<f64>,
    /// Seconds until it is reached at that pace; `None` without growth.
    pub reached_in_s: Option<f64>,
}

/// All that is known of a process's threads.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ThreadReport {
    /// The process.
    pub process: Process,
    /// Time between the two readings, if there were two.
    pub interval_ns: Option<u64>,
    /// Every thread, in order of number.
    pub threads: Vec<ThreadEntry>,
    /// The same in groups, largest first.
    pub groups: Vec<ThreadGroup>,
    /// What came and went between the readings.
    pub change: Option<Change>,
    /// Exited threads that nobody joined.
    pub unjoined: Vec<Unjoined>,
    /// The functions that those had begun in, with how many, most first: as libc's own list of threads has them.
    pub unjoined_in: Vec<(Frame, u64)>,
    /// Limits that threads count against.
    pub limits: Vec<ThreadLimit>,
    /// What could not be seen, and what would help.
    pub blind: Vec<Blind>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}
