//! [`BpfCalls`]: the engine of `trace` by eBPF. System calls are told with the memory that was copied when they were made.
//!
//! The program in `bpf/trace.bpf.c` holds no policy: `plan` tells it which calls and what to copy for each. Records
//! are made into happenings in `teller`.

mod attach;
mod named;
pub mod pieces;
mod plan;
mod teller;
mod under_way;
pub mod wire;

use std::os::fd::OwnedFd;
use std::time::Duration;

use fdscope_model::{Memo, Pid, Progress, Sight, StackId, Tid, Trace};
use fdscope_sys::clock::monotonic_now;
use fdscope_syscall::Arch;
use fdscope_syscall::traced::{Call, CallSource, Happening, Traced};

use crate::error::BpfError;
use crate::load::CallPrograms;
use crate::memory::Memory;
use crate::source::{TICK, wait};
use crate::wire::{MemoWords, Scope};
use attach::{attach, attach_enters, load_enters};
use pieces::Pieces;
use plan::Looks;
use teller::Teller;
use under_way::UnderWay;
use wire::Watched;

/// Makes stacks of what was copied of them.
pub trait Unwinder {
    /// The number of a stack.
    fn unwind(&mut self, pid: Pid, trace: &Trace<'_>) -> Option<StackId>;

    /// How the programs can know stacks again that were unwound since the last call.
    fn memos(&mut self) -> Vec<Memo>;

    /// How much of a process's stacks to copy, in bytes.
    fn wanted_bytes(&self, pid: Pid) -> u32;

    /// A process made another.
    fn fork(&mut self, parent: Pid, child: Pid);

    /// A process runs another program.
    fn exec(&mut self, pid: Pid);
}

/// Which calls are told: asked once for every number of every interface.
pub type Wanted<'a> = &'a dyn Fn(Arch, u64) -> bool;

/// When calls are told as they are entered, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Enters {
    /// Only where it cannot be done without.
    #[default]
    Never,
    /// If more than one task is watched.
    OfSeveral,
    /// Always.
    Always,
}

/// What the caller chooses.
pub struct CallOptions<'a> {
    /// Which calls are told.
    pub wanted: Wanted<'a>,
    /// What tasks make is told of too; of a process watched, all threads.
    pub follow: bool,
    /// When calls are told as they are entered, too.
    pub enters: Enters,
    /// When calls were entered is told with their ends. Without it, and without `enters`, wanted calls cost less.
    pub moments: bool,
    /// How long calls had a processor is told with their ends.
    pub times: bool,
    /// 32-bit programs are to be watched. Others are noticed when they are met, a few calls late.
    pub compat: bool,
    /// So much of strings is copied, in bytes.
    pub text_limit: u32,
    /// What descriptors lead to is noted.
    pub descriptors: bool,
    /// Signals are told.
    pub signals: bool,
    /// Takes stacks.
    pub unwinder: Option<Box<dyn Unwinder>>,
    /// Ring size in bytes; rounded up to a power of two of at least 1 MiB.
    pub ring_bytes: u32,
}

impl Default for CallOptions<'_> {
    fn default() -> Self {
        CallOptions {
            wanted: &|_, _| true,
            follow: false,
            enters: Enters::Never,
            moments: true,
            times: false,
            compat: false,
            text_limit: 33,
            descriptors: false,
            signals: true,
            unwinder: None,
            ring_bytes: 32 << 20,
        }
    }
}

/// How much of the stack is copied before the unwinder said how much it needs.
const FIRST_STACK_BYTES: u32 = 8192;
/// The most that is.
const MOST_STACK_BYTES: u32 = 16384;
/// The longest text that a record has room for.
const MOST_TEXT: u32 = 16384;

/// Tells system calls by eBPF.
pub struct BpfCalls {
    programs: CallPrograms,
    teller: Teller,
    memory: Memory,
    /// Calls that were under way when watching began, not told yet.
    under_way: Vec<UnderWay>,
    wanted: WantedCalls,
    /// The tracepoints per call.
    _links: Vec<OwnedFd>,
    /// 32-bit calls are seen to be entered.
    compat: bool,
    /// What it takes to see them is loaded.
    prepared: bool,
    follow: bool,
    stopped: bool,
    looked: u64,
    sight: Sight,
}

impl BpfCalls {
    /// Loads and attaches the programs. Nothing is told before [`watch`](Self::watch).
    ///
    /// # Errors
    /// If this kernel or the caller's privilege does not allow it.
    pub fn open(options: CallOptions<'_>) -> Result<Self, BpfError> {
        let CallOptions { follow, unwinder, .. } = options;
        let asked = attach::Asked {
            wanted: options.wanted,
            looks: match (options.enters, options.moments || options.times) {
                (Enters::Always, _) => Looks::Tells,
                (Enters::OfSeveral, _) => Looks::TellsOfSeveral,
                (Enters::Never, true) => Looks::AtBoth,
                (Enters::Never, false) => Looks::AtExit,
            },
            times: options.times,
            descriptors: options.descriptors,
            signals: options.signals,
            text_limit: options.text_limit.clamp(1, MOST_TEXT),
            stack_most: unwinder.as_ref().map_or(0, |_| MOST_STACK_BYTES),
            ring_bytes: options.ring_bytes.max(1 << 20).next_power_of_two(),
        };
        let attached = attach(&asked, options.compat)?;
        let mut teller = Teller::new(unwinder);
        teller.times = options.times;
        Ok(BpfCalls {
            programs: attached.programs,
            teller,
            memory: Memory::default(),
            under_way: Vec::new(),
            wanted: WantedCalls::of(options.wanted),
            _links: attached.links,
            compat: attached.compat,
            prepared: attached.compat,
            follow,
            stopped: false,
            looked: 0,
            sight: attached.sight,
        })
    }

    /// How calls are seen, and what is not.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Watches a process from now on; without [`CallOptions::follow`] only the thread of this number. Answers with how
    /// many threads are watched.
    ///
    /// # Errors
    /// If there is none, or too many are watched already.
    pub fn watch(&mut self, number: Pid) -> Result<usize, BpfError> {
        let table = |cause| BpfError::Table { pid: number, cause };
        let pid = process_of(number).map_err(table)?;
        if !self.compat && runs_32_bit(pid) {
            attach_enters(&mut self.programs)?;
            self.compat = true;
        }
        let mut thread = if self.follow { 0 } else { number.0 };
        if self.programs.watched(pid.0).is_some_and(|known| known.thread != thread) {
            // Two threads of one process: the program cannot tell them from the others, so the teller does.
            thread = 0;
        }
        let before = self.waiting(pid, number);
        let scope = Scope {
            follow: self.follow.into(),
            stack_bytes: FIRST_STACK_BYTES,
            ..Scope::default()
        };
        self.programs.set_watched(pid.0, Watched { scope, thread, unused: 0 })?;
        // Who waits in the same call before and after that waits in it still, as good as surely.
        let after = self.waiting(pid, number);
        self.under_way.extend(before.into_iter().filter(|call| after.contains(call)));
        if !self.follow {
            self.teller.adopt(Tid(number.0), pid);
            self.teller.only_known = true;
            self.programs.set_tasks(self.teller.tasks.len() as u64)?;
            return Ok(1);
        }
        let threads = threads_of(pid).map_err(table)?;
        for &tid in &threads {
            self.teller.adopt(tid, pid);
        }
        self.programs.set_tasks(self.teller.tasks.len() as u64)?;
        Ok(threads.len())
    }

    /// The wanted calls that threads of a process wait in. With times on a processor none: nobody knows theirs.
    fn waiting(&self, pid: Pid, number: Pid) -> Vec<UnderWay> {
        if self.teller.launching == Some(pid) || self.teller.times {
            return Vec::new();
        }
        let arch = Arch::COMPAT.filter(|_| runs_32_bit(pid)).unwrap_or(Arch::NATIVE);
        let threads = match self.follow {
            true => threads_of(pid).unwrap_or_default(),
            false => vec![Tid(number.0)],
        };
        let calls = threads.into_iter().filter_map(|tid| UnderWay::read(pid, tid, arch));
        calls.filter(|call| self.wanted.has(&call.call)).collect()
    }

    /// Watches a process that is about to run a program: it is told of from that exec on.
    ///
    /// # Errors
    /// If it is gone.
    pub fn watch_launched(&mut self, pid: Pid) -> Result<(), BpfError> {
        self.teller.launching = Some(pid);
        self.watch(pid).map(drop)
    }

    /// The threads that are watched now, each with its process.
    pub fn traced(&self) -> Vec<(Pid, Tid)> {
        let mut traced: Vec<(Pid, Tid)> =
            self.teller.tasks.iter().map(|(tid, pid)| (*pid, *tid)).collect();
        traced.sort_unstable();
        traced
    }

    /// How many threads are watched now.
    pub fn tasks(&self) -> usize {
        self.teller.tasks.len()
    }

    /// Gets ready for 32-bit programs among those to be made, when there is nothing else to do.
    fn prepare(&mut self) -> Result<(), BpfError> {
        if self.follow && !std::mem::replace(&mut self.prepared, true) {
            load_enters(&mut self.programs)?;
        }
        Ok(())
    }

    /// Tells what was under way when watching began.
    fn tell_under_way(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) {
        let at = monotonic_now();
        for UnderWay { pid, tid, call, ip } in self.under_way.drain(..) {
            let memory = &Pieces { pieces: &[], absent: Some(tid) };
            sink(&Traced { at, pid, tid, what: Happening::Enter { call, memory, ip } });
        }
    }

    /// Delivers what is in the ring now, and answers how much there was.
    fn drain(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<usize, BpfError> {
        /// Come up for air, for Ctrl-C and the caller's own chores.
        const MOST_AT_ONCE: usize = 16_384;
        let BpfCalls { programs, teller, memory, compat, .. } = self;
        let mut count = 0;
        while count < MOST_AT_ONCE && programs.next(&mut |record| teller.tell(record, sink)) {
            count += 1;
            for memo in teller.memos.drain(..) {
                programs.set_memo(memory.place(&memo), MemoWords::from(&memo))?;
            }
            if !teller.compat.is_empty() {
                teller.compat.clear();
                if !std::mem::replace(compat, true) {
                    attach_enters(programs)?;
                }
            }
            for pid in teller.gone.drain(..) {
                programs.remove_watched(pid.0);
            }
            for (pid, bytes) in teller.depths.drain(..) {
                if let Some(mut watched) = programs.watched(pid.0) {
                    watched.scope.stack_bytes = bytes;
                    programs.set_watched(pid.0, watched)?;
                }
            }
        }
        Ok(count)
    }

    /// Tells of losses that no record came after. To be called when the ring was found empty.
    fn tell_losses(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<(), BpfError> {
        self.teller.lose(monotonic_now(), self.programs.untold()?, sink);
        Ok(())
    }

    /// Ends of threads keep room in the ring, but a ring may be full of them: now and then the system is asked.
    fn look_for_the_dead(&mut self) {
        const EVERY_NS: u64 = 1_000_000_000;
        let now = monotonic_now();
        if now.0.saturating_sub(self.looked) < EVERY_NS {
            return;
        }
        let is_first = self.looked == 0;
        self.looked = now.0;
        if !is_first {
            self.teller.forget_the_dead();
        }
    }
}

impl CallSource for BpfCalls {
    type Error = BpfError;

    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Traced<'_>),
    ) -> Result<Progress, BpfError> {
        self.tell_under_way(sink);
        if self.drain(sink)? == 0 {
            self.tell_losses(sink)?;
            if !self.stopped && !timeout.is_zero() {
                wait(self.programs.ring_fd(), timeout.min(TICK))?;
            }
            if self.drain(sink)? == 0 {
                self.look_for_the_dead();
                self.prepare()?;
            }
        }
        Ok(if self.teller.tasks.is_empty() { Progress::Ended } else { Progress::Open })
    }

    fn stop(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<(), BpfError> {
        for pid in self.programs.pids() {
            self.programs.remove_watched(pid);
        }
        self.stopped = true;
        while self.drain(sink)? > 0 {}
        self.tell_losses(sink)?;
        self.teller.let_go(monotonic_now(), sink);
        Ok(())
    }
}

/// Which calls are wanted, kept.
struct WantedCalls(Vec<(Arch, u64)>);

impl WantedCalls {
    fn of(wanted: Wanted<'_>) -> Self {
        let arches = [Some(Arch::NATIVE), Arch::COMPAT].into_iter().flatten();
        let calls = arches.flat_map(|arch| (0..512).map(move |number| (arch, number)));
        WantedCalls(calls.filter(|(arch, number)| wanted(*arch, *number)).collect())
    }

    fn has(&self, call: &Call) -> bool {
        self.0.contains(&(call.arch, call.number))
    }
}

/// The process of a thread.
fn process_of(number: Pid) -> std::io::Result<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{number}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    let pid = line.and_then(|digits| digits.trim().parse().ok());
    pid.map(Pid).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// Does a process run a 32-bit program? Its auxiliary vector has words of that width, and no key is as high as an
/// address: so no file of its needs to be opened. One that cannot be looked at is taken for a 64-bit one.
fn runs_32_bit(pid: Pid) -> bool {
    let vector = std::fs::read(format!("/proc/{pid}/auxv")).unwrap_or_default();
    let first = vector.first_chunk::<8>().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    Arch::COMPAT.is_some() && first > u64::from(u32::MAX)
}

fn threads_of(pid: Pid) -> std::io::Result<Vec<Tid>> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = entry?.file_name();
        threads.extend(name.to_str().and_then(|name| name.parse().ok()).map(Tid));
    }
    threads.sort_unstable();
    Ok(threads)
}
