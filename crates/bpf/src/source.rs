//! The event source over the ring.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use fdscope_model::{
    Body, Event, EventSource, InterpreterFrame, InterpreterLayout, Memo, Monotonic, Pid, Progress,
    Registers, Sight, SourceName, StackId, TableId, Tid, Trace,
};
use fdscope_sys::clock::monotonic_now;
use fdscope_syscall::Effect;
use fdscope_syscall::handles::CALLS;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::attach::{Attached, Points, attach, fill_tables};
use crate::decode::{Brought, decode, split};
use crate::error::BpfError;
use crate::load::{Constants, HandlePrograms, KernelTypes};
use crate::memory::Memory;
use crate::pace::Pace;
use crate::support::PidNamespace;
use crate::wire::{
    Interpreter, MemoWords, Origin, RECORD_COMPAT, Record, Scope, record_type, trace_kind,
};

/// How the stacks of births are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stacks {
    /// The stack's memory is copied, to be unwound with DWARF.
    Copied,
    /// The kernel walks frame pointers: cheaper, right only for programs and libraries built with them.
    FramePointers,
    /// None.
    Off,
}

/// What to watch with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Ring size in bytes; rounded up to a power of two of at least 1 MiB.
    pub ring_bytes: u32,
    /// How stacks are taken.
    pub stacks: Stacks,
    /// Watch the children of watched processes too.
    pub follow: bool,
    /// A 32-bit process is among the watched.
    pub compat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { ring_bytes: 32 << 20, stacks: Stacks::Copied, follow: false, compat: false }
    }
}

/// How long the reader sleeps at most: programs do not wake it for less than a sixteenth of the ring.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// How much of the stack is copied before the unwinder said how much it needs.
const FIRST_STACK_BYTES: u32 = 4096;
/// Stacks kept for records that follow later: io_uring completions, descriptors passed in messages.
const MOST_KEPT: usize = 4096;

/// A watched process.
#[derive(Clone, Copy, Debug)]
struct Watched {
    scope: Scope,
    pace: Pace,
    table: Option<TableId>,
}

/// A stack kept beyond its record.
#[derive(Clone, Debug)]
struct KeptTrace {
    record: Record,
    origin: Origin,
    bytes: Vec<u8>,
    frames: Vec<InterpreterFrame>,
}

/// Which later record a kept stack belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum KeptFor {
    Thread(Tid),
    Request(u64),
}

/// Yields what the programs saw, of the processes given to [`BpfSource::watch`].
pub struct BpfSource {
    programs: HandlePrograms,
    _attached: Attached,
    stopped: bool,
    options: Options,
    watched: HashMap<Pid, Watched>,
    addresses: HashMap<i32, Vec<u64>>,
    memory: Memory,
    kept: HashMap<KeptFor, KeptTrace>,
    kept_order: VecDeque<KeptFor>,
    lost: u64,
    lost_read: Monotonic,
    sight: Sight,
}

impl BpfSource {
    /// Loads and attaches the programs. Nothing is reported before [`watch`](Self::watch).
    ///
    /// # Errors
    /// If this kernel or the caller's privilege does not allow it.
    pub fn open(types: &KernelTypes, options: Options) -> Result<Self, BpfError> {
        let points = Points::probe();
        let opened = Self::open_with(types, options, &points);
        match opened {
            // A container may refuse perf events, which the tracepoints per call need, and permit BPF.
            Err(BpfError::Attach { point, cause }) if points == Points::PerCall => {
                let why = format!("failed to attach to {point}: {cause}");
                Self::open_with(types, options, &Points::Common(why))
            }
            opened => opened,
        }
    }

    fn open_with(types: &KernelTypes, options: Options, points: &Points) -> Result<Self, BpfError> {
        let namespace = PidNamespace::of_self();
        let constants = Constants {
            pid_level: namespace.level,
            pid_namespace: namespace.inode,
            compat_only: *points == Points::PerCall,
            ring_bytes: options.ring_bytes.max(1 << 20).next_power_of_two(),
        };
        let mut programs = HandlePrograms::new(types, constants)?;
        fill_tables(&mut programs)?;
        let attached = attach(&mut programs, points, options.compat)?;
        let stacks = match options.stacks {
            Stacks::Copied => "stacks copied and unwound with DWARF",
            Stacks::FramePointers => "stacks by frame pointers",
            Stacks::Off => "no stacks",
        };
        let sight = Sight {
            source: SourceName::Bpf,
            how: format!("{}; {stacks}", attached.how),
            blind: attached.blind.clone(),
        };
        Ok(BpfSource {
            programs,
            _attached: attached,
            stopped: false,
            options,
            watched: HashMap::new(),
            addresses: HashMap::new(),
            memory: Memory::default(),
            kept: HashMap::new(),
            kept_order: VecDeque::new(),
            lost: 0,
            lost_read: Monotonic(0),
            sight,
        })
    }

    /// Watches a process from now on. Its existing descriptors are for the caller to read, afterwards.
    ///
    /// # Errors
    /// If too many are watched already.
    pub fn watch(&mut self, pid: Pid) -> Result<(), BpfError> {
        let scope = Scope {
            stack_bytes: if self.options.stacks == Stacks::Copied { FIRST_STACK_BYTES } else { 0 },
            death_every: 1,
            birth_every: 1,
            follow: u32::from(self.options.follow),
            frame_pointers: u32::from(self.options.stacks == Stacks::FramePointers),
            ..Scope::default()
        };
        self.programs.set_scope(pid.0, scope)?;
        self.adopt(pid, scope);
        Ok(())
    }

    fn adopt(&mut self, pid: Pid, scope: Scope) {
        let pace = Pace::new(monotonic_now());
        self.watched.entry(pid).or_insert(Watched { scope, pace, table: None });
    }

    /// The processes watched now.
    pub fn pids(&self) -> Vec<Pid> {
        let mut pids: Vec<Pid> = self.watched.keys().copied().collect();
        pids.sort();
        pids
    }

    /// Tells how much of a process's stacks to copy from now on, in bytes.
    ///
    /// # Errors
    /// If the kernel's map cannot be written.
    pub fn set_stack_bytes(&mut self, pid: Pid, bytes: u32) -> Result<(), BpfError> {
        let bytes = bytes.next_power_of_two().clamp(1024, 32768);
        let Some(watched) = self.watched.get_mut(&pid) else { return Ok(()) };
        if self.options.stacks != Stacks::Copied || watched.scope.stack_bytes == bytes {
            return Ok(());
        }
        watched.scope.stack_bytes = bytes;
        let scope = watched.scope;
        self.programs.change_scope(pid.0, scope)
    }

    /// Has a stack known again from now on, for as long as no code comes or goes in its process.
    ///
    /// # Errors
    /// If the kernel's map cannot be written.
    pub fn learn(&mut self, memo: &Memo) -> Result<(), BpfError> {
        if !self.watched.contains_key(&memo.pid) {
            return Ok(());
        }
        self.programs.set_memo(self.memory.place(memo), MemoWords::from(memo))
    }

    /// Has the frames of a process's interpreter walked from now on, until it runs another program.
    ///
    /// # Errors
    /// If the kernel's map cannot be written.
    pub fn set_interpreter(
        &mut self,
        pid: Pid,
        layout: &InterpreterLayout,
    ) -> Result<(), BpfError> {
        let Some(watched) = self.watched.get_mut(&pid) else { return Ok(()) };
        self.programs.set_interpreter(pid.0, Interpreter::from(layout))?;
        watched.scope.interpreter = 1;
        let scope = watched.scope;
        self.programs.change_scope(pid.0, scope)
    }

    /// Delivers all that is in the ring now. True if there was anything.
    fn drain(&mut self, sink: &mut dyn FnMut(&Event<'_>)) -> bool {
        /// A busy target can fill the ring as fast as it is read: come up for air, for Ctrl-C and for tuning.
        const MOST_AT_ONCE: usize = 65_536;
        let mut any = false;
        let mut bytes = Vec::new();
        let mut frames = Vec::new();
        for _ in 0..MOST_AT_ONCE {
            // The record is copied out: what it leads to needs the maps that the ring's item borrows.
            bytes.clear();
            if !self.programs.next(&mut |record| bytes.extend_from_slice(record)) {
                break;
            }
            any = true;
            if let Some((record, brought)) = split(&bytes, &mut frames) {
                self.deliver(&record, brought, sink);
            }
        }
        any
    }

    fn deliver(&mut self, record: &Record, stack: Brought<'_>, sink: &mut dyn FnMut(&Event<'_>)) {
        self.follow(record, sink);
        if record.kind == record_type::SUBMIT {
            return self.keep(KeptFor::Request(record.args[0]), record, stack);
        }
        let kept_for = match record.kind {
            record_type::RING => KeptFor::Request(record.args[0]),
            _ => KeptFor::Thread(Tid(record.tid)),
        };
        let brings_stack_only = record.kind == record_type::CALL
            && record.slots[0].fd < 0
            && is_receive(record)
            && record.ret >= 0;
        if brings_stack_only {
            return self.keep(kept_for, record, stack);
        }
        if record.kind == record_type::RING {
            let kept = self.kept.remove(&kept_for);
            let trace = kept.as_ref().map_or(Trace::None, |kept| kept.trace(&self.addresses));
            return decode(record, trace, &mut |event| sink(&event));
        }
        self.learn_addresses(record);
        let trace = match record.trace {
            trace_kind::SAME => {
                self.kept.get(&kept_for).map_or(Trace::None, |kept| kept.trace(&self.addresses))
            }
            _ => trace_of(record, stack, &self.addresses),
        };
        decode(record, trace, &mut |event| sink(&event));
    }

    /// Keeps the list of watched processes and their tables in step.
    fn follow(&mut self, record: &Record, sink: &mut dyn FnMut(&Event<'_>)) {
        let pid = Pid(record.pid);
        match record.kind {
            record_type::FORK if record.args[0] != 0 => {
                let scope = self.watched.get(&pid).map(|watched| watched.scope);
                self.adopt(Pid(record.slots[0].fd as u32), scope.unwrap_or_default());
            }
            record_type::EXEC => {
                if let Some(watched) = self.watched.get_mut(&pid) {
                    watched.scope.interpreter = 0;
                }
            }
            record_type::EXIT => {
                self.watched.remove(&pid);
            }
            record_type::CALL => {
                let Some(watched) = self.watched.get_mut(&pid) else { return };
                match CALLS.get(usize::from(record.call)).map(|call| call.effect) {
                    Some(Effect::Close) => watched.pace.death(),
                    Some(Effect::Unshare) => return self.unshared(record, sink),
                    _ => {}
                }
                watched.table.get_or_insert(TableId(record.table));
            }
            _ => {}
        }
    }

    fn unshared(&mut self, record: &Record, sink: &mut dyn FnMut(&Event<'_>)) {
        let Some(watched) = self.watched.get_mut(&Pid(record.pid)) else { return };
        let to = TableId(record.table);
        let from = *watched.table.get_or_insert(to);
        if from != to && record.args[0] & fdscope_syscall::outcome::CLONE_FILES != 0 {
            let (at, pid, tid) = (Monotonic(record.at), Pid(record.pid), Tid(record.tid));
            sink(&Event { at, pid, tid, body: Body::Unshare { from, to } });
        }
    }

    fn keep(&mut self, kept_for: KeptFor, record: &Record, stack: Brought<'_>) {
        self.learn_addresses(record);
        let kept = KeptTrace {
            record: *record,
            origin: stack.origin,
            bytes: stack.bytes.to_vec(),
            frames: stack.frames.to_vec(),
        };
        if self.kept.insert(kept_for, kept).is_none() {
            self.kept_order.push_back(kept_for);
        }
        while self.kept_order.len() > MOST_KEPT {
            if let Some(oldest) = self.kept_order.pop_front() {
                self.kept.remove(&oldest);
            }
        }
    }

    fn learn_addresses(&mut self, record: &Record) {
        if record.trace == trace_kind::ID && !self.addresses.contains_key(&record.stack_id) {
            let addresses = self.programs.addresses(record.stack_id);
            self.addresses.insert(record.stack_id, addresses);
        }
    }

    /// Once a second, and at the end: tell of losses. Once a second: thin out the stacks of deaths where there are many.
    fn tend(&mut self, sink: &mut dyn FnMut(&Event<'_>)) -> Result<(), BpfError> {
        let now = monotonic_now();
        let is_due = now.since_ns(self.lost_read) >= 1_000_000_000;
        if is_due || self.stopped {
            self.tell_losses(now, sink)?;
        }
        if !is_due {
            return Ok(());
        }
        self.lost_read = now;
        for (pid, watched) in &mut self.watched {
            if let Some(every) = watched.pace.adjust(now) {
                watched.scope.death_every = every;
                self.programs.change_scope(pid.0, watched.scope)?;
            }
        }
        Ok(())
    }

    fn tell_losses(
        &mut self,
        now: Monotonic,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), BpfError> {
        let lost = self.programs.lost()?;
        let count = lost - self.lost;
        self.lost = lost;
        if count > 0 {
            sink(&Event { at: now, pid: Pid(0), tid: Tid(0), body: Body::Lost { count } });
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        if self.watched.is_empty() { Progress::Ended } else { Progress::Open }
    }
}

impl EventSource for BpfSource {
    type Error = BpfError;

    fn sight(&self) -> &Sight {
        &self.sight
    }

    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Progress, BpfError> {
        if !self.drain(sink) && !self.stopped && !timeout.is_zero() {
            wait(self.programs.ring_fd(), timeout.min(TICK))?;
            self.drain(sink);
        }
        self.tend(sink)?;
        Ok(self.progress())
    }

    /// Watches nobody any more. The programs stay attached, idle, until this is dropped: detaching takes the kernel
    /// seconds (see [`fdscope_sys::linger`]), and what was seen can be told meanwhile.
    fn stop(&mut self) -> Result<(), BpfError> {
        for pid in self.pids() {
            self.programs.remove_scope(pid.0);
        }
        self.stopped = true;
        Ok(())
    }
}

pub(crate) fn wait(ring: std::os::fd::BorrowedFd<'_>, timeout: Duration) -> Result<(), BpfError> {
    let limit = Timespec::try_from(timeout).expect("a tick fits");
    match poll(&mut [PollFd::from_borrowed_fd(ring, PollFlags::IN)], Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_receive(record: &Record) -> bool {
    let call = CALLS.get(usize::from(record.call));
    call.is_some_and(|call| {
        matches!(call.effect, Effect::ReceiveMessage | Effect::ReceiveMessages | Effect::SocketCall)
    })
}

fn is_compat(record: &Record) -> bool {
    record.flags & RECORD_COMPAT != 0
}

fn trace_of<'a>(
    record: &Record,
    brought: Brought<'a>,
    addresses: &'a HashMap<i32, Vec<u64>>,
) -> Trace<'a> {
    let Brought { origin: Origin { ip, sp, fp, lr, code_since }, bytes, frames } = brought;
    let (regs, compat) = (Registers { ip, sp, fp, lr }, is_compat(record));
    let code_since = Some(Monotonic(code_since));
    let known = StackId(record.stack_id.max(0) as u32);
    match record.trace {
        trace_kind::COPIED => Trace::Copied { regs, bytes, compat, code_since },
        trace_kind::LAYERED => Trace::Layered { regs, bytes, compat, code_since, frames },
        trace_kind::KNOWN => Trace::Known(known),
        trace_kind::LAYERED_KNOWN => Trace::LayeredKnown { native: known, frames },
        trace_kind::ID => match addresses.get(&record.stack_id) {
            Some(known) => Trace::Addresses(known),
            None => Trace::Skipped,
        },
        trace_kind::SKIPPED => Trace::Skipped,
        _ => Trace::None,
    }
}

impl KeptTrace {
    fn trace<'a>(&'a self, addresses: &'a HashMap<i32, Vec<u64>>) -> Trace<'a> {
        let KeptTrace { record, origin, bytes, frames } = self;
        trace_of(record, Brought { origin: *origin, bytes, frames }, addresses)
    }
}
