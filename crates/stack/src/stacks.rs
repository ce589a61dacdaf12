//! [`Stacks`]: what the binary holds of this crate.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use fdscope_model::interpreter::MOST_INTERPRETER_FRAMES;
use fdscope_model::{
    CodeAddr, Frame, InterpreterFrame, InterpreterLayout, Monotonic, Pid, Registers, Stack,
    StackId, Symbolized, Symbolizer, Trace,
};
use fdscope_sys::clock::monotonic_now;
use gimli::UnwindContext;

use crate::arch::Arch;
use crate::budget::Budget;
use crate::debug_file::hexadecimal;
use crate::hash::FastMap;
use crate::module::{Code, Modules};
use crate::options::StackOptions;
use crate::python::{Python, splice};
use crate::rule::Memory;
use crate::site;
use crate::space::Space;
use crate::symbols::Symbols;
use crate::table::StackTable;
use crate::unwind::{End, Outcome, Unwinder};

/// The most ended processes whose code is still known: for events that come after the exit.
const MOST_ENDED: usize = 64;
/// Reading maps may take this share of the time a process is watched: one part in …
const MAPS_SHARE: u64 = 20;
/// … and this much in advance, in nanoseconds.
const MAPS_ADVANCE_NS: u64 = 20_000_000;

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
    scratch: Stack,
    nowhere: Stack,
}

/// What is known of one process.
#[derive(Debug)]
struct Process {
    space: Rc<RefCell<Space>>,
    budget: Budget,
    since: Monotonic,
    maps_ns: u64,
    ended: bool,
}

/// How unwinding went, for the report's honesty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Copied stacks unwound.
    pub unwound: u64,
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
            scratch: Stack::default(),
            nowhere: Stack { frames: Vec::new(), truncated: true },
        }
    }

    /// Unwinds `trace`, taken in `pid`, and returns the id of its stack; `None` and `Skipped` stay what they are.
    ///
    /// Never fails: what cannot be unwound is short and `truncated`. If there are too many distinct stacks, the
    /// answer is `Skipped` and counted.
    pub fn intern(&mut self, pid: Pid, trace: &Trace<'_>) -> Trace<'static> {
        match *trace {
            Trace::None => return Trace::None,
            Trace::Known(id) => return Trace::Known(id),
            Trace::Skipped => {
                self.counters.skipped += 1;
                return Trace::Skipped;
            }
            Trace::Addresses(addresses) => self.normalize(pid, addresses),
            Trace::Copied { regs, bytes, compat } => self.unwind(pid, regs, bytes, compat),
            Trace::Layered { regs, bytes, compat, frames } => {
                self.unwind(pid, regs, bytes, compat);
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
        let process = Process {
            space: Rc::clone(&parent.space),
            budget: parent.budget,
            since: monotonic_now(),
            maps_ns: 0,
            ended: false,
        };
        self.modules.forget(child);
        self.processes.insert(child, process);
    }

    /// `pid` runs another program. Its mappings are read at once: it may be gone when a stack comes.
    pub fn exec(&mut self, pid: Pid) {
        self.python.forget(pid);
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

    fn prepare(&mut self, pid: Pid) {
        if self.processes.contains_key(&pid) {
            return;
        }
        let since = monotonic_now();
        let space = Space::empty(pid);
        let process = Process {
            space: Rc::new(RefCell::new(space)),
            budget: Budget::default(),
            since,
            maps_ns: 0,
            ended: false,
        };
        self.processes.insert(pid, process);
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
        let Some(space) = space else { return false };
        // Children that forked before keep the old space: theirs has not changed.
        process.space = Rc::new(RefCell::new(space));
        true
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
        };
        unwinder.run(regs, &mut self.scratch.frames)
    }
}

impl Symbolizer for Stacks {
    fn symbolize(&mut self, stack: StackId) -> Symbolized {
        self.modules.find_perf_maps();
        let mut frames = Vec::new();
        let addresses = self.table.get(stack).map_or(&[][..], |stack| &stack.frames);
        for &addr in addresses.iter().skip_while(|addr| is_interpreted(addr)) {
            let module = self.modules.get(addr.module);
            let (path, build_id) = match module {
                Some(module) => (module.path.clone(), build_id_of(&module.code)),
                None => Default::default(),
            };
            for symbol in self.symbols.find(addr, module).iter() {
                frames.push(Frame {
                    symbol: symbol.clone(),
                    module: path.clone(),
                    build_id: build_id.clone(),
                    offset: addr.offset,
                    plumbing: false,
                });
            }
        }
        let at = site::mark(self.modules.options().plumbing, &mut frames);
        let interpreted = addresses.iter().take_while(|addr| is_interpreted(addr));
        let python: Vec<_> = interpreted.filter_map(|a| self.python.frame(a.offset)).collect();
        if python.is_empty() {
            return Symbolized { frames, at };
        }
        let (frames, at) = splice(frames, at, &python);
        Symbolized { frames, at }
    }
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
