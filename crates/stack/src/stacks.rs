//! [`Stacks`]: what the binary holds of this crate.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use fdscope_model::interpreter::MOST_INTERPRETER_FRAMES;
use fdscope_model::{
    CodeAddr, Frame, InterpreterFrame, InterpreterLayout, Memo, Monotonic, Pid, Registers, Stack,
    StackId, Symbolized, Symbolizer, Tid, Trace,
};
use fdscope_sys::clock::monotonic_now;
use gimli::UnwindContext;

use crate::arch::Arch;
use crate::budget::Budget;
use crate::debug_file::hexadecimal;
use crate::memos::Memos;
use crate::module::{Code, Modules};
use crate::options::StackOptions;
use crate::python::{Python, splice};
use crate::reads::Reads;
use crate::roster::{Listed, Rosters};
use crate::rule::{Memory, Rule};
use crate::site;
use crate::space::Space;
use crate::symbols::Symbols;
use crate::table::StackTable;
use crate::unwind::{End, Outcome, Unwinder};
use fdscope_model::hash::FastMap;

/// The most ended processes whose code is still known: for events that come after the exit.
const MOST_ENDED: usize = 64;
/// Reading maps may take this share of the time a process is watched: one part in …
const MAPS_SHARE: u64 = 20;
/// … and this much in advance, in nanoseconds.
const MAPS_ADVANCE_NS: u64 = 20_000_000;
/// Mappings that were read in vain, because only memory without a file came or went, are read again after this, then
/// after twice as long, and so on.
const FIRST_PATIENCE_NS: u64 = 1_000_000;
/// So often is that wait doubled at most.
const MOST_DOUBLINGS: u32 = 10;

/// Unwinds and interns the stacks of the watched processes, and names their frames.
#[derive(Debug)]
pub struct Stacks {
    pub(crate) modules: Modules,
    processes: FastMap<Pid, Process>,
    ended: VecDeque<Pid>,
    pub(crate) table: StackTable,
    pub(crate) symbols: Symbols,
    python: Python,
    counters: Counters,
    context: UnwindContext<usize>,
    reads: Reads,
    memos: Memos,
    rosters: Rosters,
    scratch: Stack,
    nowhere: Stack,
}

/// What is known of one process.
#[derive(Debug)]
struct Process {
    space: Rc<RefCell<Space>>,
    budget: Budget,
    since: Monotonic,
    /// When the mappings were read.
    maps_at: Monotonic,
    maps_ns: u64,
    /// How often in a row they were read in vain, and until when they are not for the reason that code came or went.
    vain: u32,
    patient_until: Monotonic,
    ended: bool,
}

impl Process {
    fn new(space: Rc<RefCell<Space>>, budget: Budget, maps_at: Monotonic) -> Self {
        let (vain, patient_until) = (0, Monotonic(0));
        let since = monotonic_now();
        Process { space, budget, since, maps_at, maps_ns: 0, vain, patient_until, ended: false }
    }
}

/// How unwinding went, for the report's honesty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Copied stacks unwound.
    pub unwound: u64,
    /// Stacks that the source knew again by a memo.
    pub known: u64,
    /// Of those, the ones that did not reach the thread's first frame, or only by guessing.
    pub truncated: u64,
    /// Of the truncated, the ones for which too few bytes were copied.
    pub off_copy: u64,
    /// Of the truncated, the ones with a frame found by guessing.
    pub guessed: u64,
    /// Stacks of addresses that their source unwound.
    pub given: u64,
    /// Stacks not taken because the source was too busy.
    pub skipped: u64,
    /// Stacks not kept because there were too many distinct ones.
    pub unkept: u64,
    /// Times that a process's mappings were read.
    pub maps_read: u64,
}

impl Stacks {
    /// No stacks yet.
    pub fn new(options: StackOptions) -> Self {
        Stacks {
            symbols: Symbols::new(options.debug_dirs.clone()),
            modules: Modules::new(options),
            processes: FastMap::default(),
            ended: VecDeque::new(),
            table: StackTable::default(),
            python: Python::default(),
            counters: Counters::default(),
            context: UnwindContext::new(),
            reads: Reads::default(),
            memos: Memos::default(),
            rosters: Rosters::default(),
            scratch: Stack::default(),
            nowhere: Stack { truncated: true, ..Stack::default() },
        }
    }

    /// Unwinds `trace`, taken in `pid`, and returns the id of its stack; `None` and `Skipped` stay what they are.
    ///
    /// Never fails: what cannot be unwound is short and `truncated`. If there are too many distinct stacks, the
    /// answer is `Skipped` and counted.
    pub fn intern(&mut self, pid: Pid, trace: &Trace<'_>) -> Trace<'static> {
        match *trace {
            Trace::None => return Trace::None,
            Trace::Known(id) => {
                self.counters.known += 1;
                return Trace::Known(id);
            }
            Trace::Skipped => {
                self.counters.skipped += 1;
                return Trace::Skipped;
            }
            Trace::Addresses(addresses) => self.normalize(pid, addresses),
            Trace::Copied { regs, bytes, compat, code_since } => {
                self.refresh(pid, code_since);
                self.unwind(pid, regs, bytes, compat);
                self.remember(pid, regs, code_since);
            }
            Trace::Layered { regs, bytes, compat, code_since, frames } => {
                self.refresh(pid, code_since);
                self.unwind(pid, regs, bytes, compat);
                self.remember(pid, regs, code_since);
                self.layer(pid, frames);
            }
            Trace::LayeredKnown { native, frames } => {
                self.counters.known += 1;
                self.scratch.clone_from(self.table.get(native).unwrap_or(&self.nowhere));
                self.layer(pid, frames);
            }
        }
        match self.table.intern(&mut self.scratch) {
            Some(id) => Trace::Known(id),
            None => {
                self.counters.unkept += 1;
                Trace::Skipped
            }
        }
    }

    /// `child` is a copy of `parent`: it runs the same code at the same addresses.
    pub fn fork(&mut self, parent: Pid, child: Pid) {
        self.prepare(parent);
        self.python.fork(parent, child);
        let Some(parent) = self.processes.get(&parent) else { return };
        let process = Process::new(Rc::clone(&parent.space), parent.budget, parent.maps_at);
        self.modules.forget(child);
        self.processes.insert(child, process);
    }

    /// `pid` runs another program. Its mappings are read at once: it may be gone when a stack comes.
    pub fn exec(&mut self, pid: Pid) {
        self.python.forget(pid);
        self.rosters.forget(pid);
        self.modules.forget(pid);
        self.processes.remove(&pid);
        self.prepare(pid);
    }

    /// `pid` is gone. Its stacks stay, and so do the files that name them.
    pub fn exit(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.ended) else {
            return;
        };
        process.ended = true;
        self.rosters.forget(pid);
        self.ended.push_back(pid);
        while self.ended.len() > MOST_ENDED {
            let oldest = self.ended.pop_front().expect("the queue was just found to be long");
            if self.processes.get(&oldest).is_some_and(|process| process.ended) {
                self.processes.remove(&oldest);
                self.modules.forget(oldest);
                self.python.forget(oldest);
            }
        }
    }

    /// The stack that made thread `tid`, which was just born, with the function before it that the thread begins in, as far
    /// as libc's own list tells.
    pub fn with_start(&mut self, pid: Pid, tid: Tid, trace: Trace<'static>) -> Trace<'static> {
        let Trace::Known(id) = trace else { return trace };
        let Some(routine) = self.rosters.newest(&mut self.modules, pid, tid) else { return trace };
        let Some(start) = self.function_at(pid, routine) else { return trace };
        let mut stack = self.stack(id).clone();
        stack.frames.insert(0, start);
        stack.starts = true;
        self.table.intern(&mut stack).map_or(trace, Trace::Known)
    }

    /// The threads of `pid` as its libc lists them; `None` where there is no list that can be read.
    pub fn roster(&mut self, pid: Pid) -> Option<Vec<Listed>> {
        self.rosters.read(&mut self.modules, pid)
    }

    /// The function at an address of `pid`; `None` if there is no code.
    pub fn function(&mut self, pid: Pid, address: u64) -> Option<Frame> {
        self.modules.find_perf_maps();
        let addr = self.function_at(pid, address)?;
        let mut frames = self.frames_of(addr);
        site::mark(self.modules.options().plumbing, &mut frames);
        // Of a function with others inlined at its very beginning, the function itself.
        frames.pop()
    }

    /// Where the function at an address is; `None` if there is no code.
    fn function_at(&mut self, pid: Pid, address: u64) -> Option<CodeAddr> {
        self.prepare(pid);
        self.code_at(pid, address).or_else(|| {
            self.read_maps(pid);
            self.code_at(pid, address)
        })
    }

    fn code_at(&mut self, pid: Pid, address: u64) -> Option<CodeAddr> {
        let mut space = self.processes.get(&pid)?.space.borrow_mut();
        let place = space.place(address, &mut self.modules, &mut self.context);
        (!matches!(place.rule, Rule::NotCode)).then_some(place.addr)
    }

    /// The stack with this id; an empty truncated one for an id that is not of this run.
    pub fn stack(&self, id: StackId) -> &Stack {
        self.table.get(id).unwrap_or(&self.nowhere)
    }

    /// How many distinct stacks there are.
    pub fn distinct(&self) -> usize {
        self.table.len()
    }

    /// How much of the stack a source should copy in `pid` from now on: bytes, a power of two from 1 to 64 KiB.
    pub fn wanted_bytes(&self, pid: Pid) -> usize {
        self.processes.get(&pid).map_or(Budget::default().wanted(), |p| p.budget.wanted())
    }

    /// How unwinding went so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How the source can know stacks again that were unwound since the last call.
    pub fn take_memos(&mut self) -> Vec<Memo> {
        self.memos.take()
    }

    /// Looks for an interpreter whose frames can be walked; a source that can is to be told how.
    ///
    /// `None` if there is none, or not yet: a process maps its libraries some time after exec.
    pub fn interpreter(&mut self, pid: Pid) -> Option<InterpreterLayout> {
        self.python.find(&mut self.modules, pid)
    }

    /// Puts the interpreter's frames before the native ones.
    fn layer(&mut self, pid: Pid, frames: &[InterpreterFrame]) {
        let native = std::mem::take(&mut self.scratch.frames);
        self.python.push(pid, frames, &mut self.scratch.frames);
        self.scratch.frames.extend(native);
        self.scratch.truncated |= frames.len() >= MOST_INTERPRETER_FRAMES;
    }

    /// What is known of one address: the function there, behind those that are inlined into it.
    fn frames_of(&mut self, addr: CodeAddr) -> Vec<Frame> {
        let module = self.modules.get(addr.module);
        let (path, build_id) = match module {
            Some(module) => (module.path.clone(), build_id_of(&module.code)),
            None => Default::default(),
        };
        let frame = |symbol: &fdscope_model::Symbol| Frame {
            symbol: symbol.clone(),
            module: path.clone(),
            build_id: build_id.clone(),
            offset: addr.offset,
            plumbing: false,
        };
        self.symbols.find(addr, module).iter().map(frame).collect()
    }

    fn prepare(&mut self, pid: Pid) {
        if self.processes.contains_key(&pid) {
            return;
        }
        let space = Rc::new(RefCell::new(Space::empty(pid)));
        self.processes.insert(pid, Process::new(space, Budget::default(), Monotonic(0)));
        self.read_maps(pid);
    }

    /// Reads the mappings again, unless that was done too much already. True if there are new ones.
    fn read_maps(&mut self, pid: Pid) -> bool {
        let Some(process) = self.processes.get_mut(&pid).filter(|process| !process.ended) else {
            return false;
        };
        let begun = monotonic_now();
        let allowed_ns = begun.since_ns(process.since) / MAPS_SHARE + MAPS_ADVANCE_NS;
        if process.maps_ns > allowed_ns {
            return false;
        }
        let space = Space::read(&self.modules.options().proc_root, pid);
        process.maps_ns += monotonic_now().since_ns(begun);
        self.counters.maps_read += 1;
        let Some(mut space) = space else { return false };
        if space.take_over(&process.space.borrow()) {
            let wait_ns = FIRST_PATIENCE_NS << process.vain;
            process.patient_until = Monotonic(begun.0 + wait_ns);
            process.vain = (process.vain + 1).min(MOST_DOUBLINGS);
        } else {
            process.vain = 0;
        }
        process.maps_at = begun;
        // Children that forked before keep the old space: theirs has not changed.
        process.space = Rc::new(RefCell::new(space));
        true
    }

    /// Reads the mappings again if code came or went since that was done last.
    fn refresh(&mut self, pid: Pid, code_since: Option<Monotonic>) {
        let Some(code_since) = code_since else { return };
        self.prepare(pid);
        let Some(process) = self.processes.get(&pid) else { return };
        if process.maps_at <= code_since && process.patient_until <= monotonic_now() {
            self.read_maps(pid);
        }
    }

    /// Has the source know the stack again that was just unwound, if all of it lies in files, whose code stays as it is,
    /// and if the mappings are not older than the stack.
    fn remember(&mut self, pid: Pid, regs: Registers, code_since: Option<Monotonic>) {
        let (Some(code_since), Some(words)) = (code_since, self.reads.words()) else { return };
        let current = self.processes.get(&pid).is_some_and(|process| process.maps_at > code_since);
        let in_files = |addr: &CodeAddr| self.modules.image(addr.module).is_some();
        if !current || self.scratch.truncated || !self.scratch.frames.iter().all(in_files) {
            return;
        }
        let mut native = self.scratch.clone();
        let stack = self.table.intern(&mut native).filter(|_| !native.truncated);
        if let Some(stack) = stack {
            self.memos.tell(pid, code_since, regs, words, stack);
        }
    }

    fn normalize(&mut self, pid: Pid, addresses: &[u64]) {
        self.counters.given += 1;
        self.prepare(pid);
        if !self.place_all(pid, addresses) && self.read_maps(pid) {
            self.place_all(pid, addresses);
        }
    }

    /// False if an address is in no known mapping.
    fn place_all(&mut self, pid: Pid, addresses: &[u64]) -> bool {
        self.scratch.frames.clear();
        self.scratch.truncated = false;
        let Some(process) = self.processes.get(&pid) else { return true };
        let mut space = process.space.borrow_mut();
        for address in addresses.iter().take(crate::unwind::MOST_FRAMES) {
            let place = space.place(address.wrapping_sub(1), &mut self.modules, &mut self.context);
            self.scratch.frames.push(place.addr);
        }
        self.scratch.frames.iter().all(|addr| addr.module != CodeAddr::ANONYMOUS)
    }

    fn unwind(&mut self, pid: Pid, regs: Registers, bytes: &[u8], compat: bool) {
        self.counters.unwound += 1;
        self.prepare(pid);
        let mut outcome = self.unwind_once(pid, regs, bytes, compat);
        if outcome.unknown_code && self.read_maps(pid) {
            outcome = self.unwind_once(pid, regs, bytes, compat);
        }
        self.scratch.truncated = outcome.end != End::Complete || outcome.guessed;
        self.counters.truncated += u64::from(self.scratch.truncated);
        self.counters.guessed += u64::from(outcome.guessed);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if outcome.end == End::OffCopy {
            self.counters.off_copy += 1;
            process.budget.ran_off(bytes.len());
        } else {
            process.budget.sufficed(usize::try_from(outcome.used_bytes).unwrap_or(usize::MAX));
        }
    }

    fn unwind_once(&mut self, pid: Pid, regs: Registers, bytes: &[u8], compat: bool) -> Outcome {
        self.scratch.frames.clear();
        let nothing =
            Outcome { end: End::Lost, guessed: false, unknown_code: false, used_bytes: 0 };
        let Some(process) = self.processes.get(&pid) else { return nothing };
        let arch = Arch::of_task(compat);
        let mut unwinder = Unwinder {
            arch,
            memory: Memory { base: regs.sp, bytes, word: arch.word },
            space: &mut process.space.borrow_mut(),
            modules: &mut self.modules,
            context: &mut self.context,
            outcome: nothing,
            reads: &mut self.reads,
        };
        unwinder.run(regs, &mut self.scratch.frames)
    }
}

impl Symbolizer for Stacks {
    fn symbolize(&mut self, stack: StackId) -> Symbolized {
        self.modules.find_perf_maps();
        let stack = self.table.get(stack).unwrap_or(&self.nowhere).clone();
        let (start, addresses) = match stack.frames.split_first() {
            Some((start, rest)) if stack.starts => (Some(*start), rest),
            _ => (None, &stack.frames[..]),
        };
        let mut frames = Vec::new();
        for &addr in addresses.iter().skip_while(|addr| is_interpreted(addr)) {
            frames.extend(self.frames_of(addr));
        }
        let at = site::mark(self.modules.options().plumbing, &mut frames);
        let interpreted = addresses.iter().take_while(|addr| is_interpreted(addr));
        let python: Vec<_> = interpreted.filter_map(|a| self.python.frame(a.offset)).collect();
        let (mut frames, mut at) = match python.is_empty() {
            true => (frames, at),
            false => splice(frames, at, &python),
        };
        if let Some(start) = start.and_then(|start| self.frames_of(start).pop()) {
            frames.insert(0, called_start(start));
            at = at.map(|at| at + 1);
        }
        Symbolized { frames, at }
    }
}

/// It called nothing: it is what the thread begins in.
fn called_start(mut frame: Frame) -> Frame {
    let function = frame.symbol.function.take().unwrap_or_else(|| {
        let module = frame.module.to_string();
        let base = module.rsplit('/').next().unwrap_or_default();
        format!("{base}+{:#x}", frame.offset)
    });
    frame.symbol.function = Some(format!("starts {function}"));
    frame
}

fn is_interpreted(addr: &CodeAddr) -> bool {
    addr.module == CodeAddr::INTERPRETED
}

pub(crate) fn build_id_of(code: &Code) -> Option<String> {
    match code {
        Code::File(image) if !image.elf.build_id.is_empty() => {
            Some(hexadecimal(&image.elf.build_id))
        }
        _ => None,
    }
}
