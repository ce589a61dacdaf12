//! User stacks of threads: read from memory where the thread waits in a system call, which disturbs nothing; else
//! taken in a short stop, if that is allowed.
//!
//! /proc tells the stack and instruction pointers of a waiting thread, but not its frame pointer. A stack that can be
//! unwound without is whole; one that cannot is cut short and taken again in a stop.

use std::collections::{BTreeMap, HashMap};

use fdscope_model::thread::{Doing, Taken, ThreadEntry, ThreadStack};
use fdscope_model::{Blind, Frame, Pid, Registers, StackId, Symbolized, Symbolizer, Tid, Trace};
use fdscope_ptrace::glance::{Look, glance};
use fdscope_stack::{Listed, StackOptions, Stacks};
use fdscope_sys::vm;

/// Bytes copied of a stack.
const COPIED: usize = 64 << 10;

/// No place for a frame: unwinding that asks for the frame pointer fails instead of going astray.
const UNKNOWN_FP: u64 = 1;

/// Reads the stacks of one process's threads.
pub struct StackReader {
    pid: Pid,
    may_stop: bool,
    stacks: Stacks,
    named: HashMap<StackId, Symbolized>,
    /// Functions that threads were started with, by address.
    functions: HashMap<u64, Option<Frame>>,
    buffer: Vec<u8>,
}

impl StackReader {
    /// For a process; stops its threads only if that is allowed.
    pub fn new(pid: Pid, may_stop: bool) -> Self {
        let options = StackOptions::from_environment(|name| std::env::var_os(name));
        let (stacks, buffer) = (Stacks::new(options), vec![0; COPIED]);
        StackReader {
            pid,
            may_stop,
            stacks,
            named: HashMap::new(),
            functions: HashMap::new(),
            buffer,
        }
    }

    /// Gives each thread the function that it was started with, where libc's own list tells; and counts those of exited
    /// threads that nobody joined, most first.
    pub fn read_starts(&mut self, threads: &mut [ThreadEntry]) -> Vec<(Frame, u64)> {
        let Some(roster) = self.stacks.roster(self.pid) else { return Vec::new() };
        let (mut living, mut ended) = (HashMap::new(), BTreeMap::<u64, u64>::new());
        for Listed { tid, routine } in roster.into_iter().filter(|listed| listed.routine != 0) {
            match tid {
                Some(tid) => drop(living.insert(tid, routine)),
                None => *ended.entry(routine).or_default() += 1,
            }
        }
        for thread in threads {
            thread.start = living.get(&thread.tid).and_then(|routine| self.function(*routine));
        }
        let mut counts: Vec<(Frame, u64)> = Vec::new();
        for (routine, count) in ended {
            counts.extend(self.function(routine).map(|frame| (frame, count)));
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    fn function(&mut self, address: u64) -> Option<Frame> {
        let (pid, stacks) = (self.pid, &mut self.stacks);
        self.functions.entry(address).or_insert_with(|| stacks.function(pid, address)).clone()
    }

    /// Gives each thread its stack, and tells of those without.
    pub fn read(&mut self, threads: &mut [ThreadEntry], blind: &mut Vec<Blind>) {
        let mut others = Vec::new();
        for (index, thread) in threads.iter_mut().enumerate() {
            thread.stack = self.read_waiting(thread);
            if thread.stack.as_ref().is_none_or(|stack| stack.truncated) {
                others.push(index);
            }
        }
        let refusal = if self.may_stop { self.stop(threads, &others) } else { None };
        let without = threads.iter().filter(|thread| thread.stack.is_none()).count() as u64;
        if without == 0 {
            return;
        }
        let count = fdscope_render::units::count_of(without, "thread", "threads");
        let (why, cure) = match refusal {
            Some(refusal) => (refusal, None),
            None if !self.may_stop => {
                ("they run, or their stacks cannot be read".to_owned(), Some("leave out --no-stop"))
            }
            None => ("they ended, or did not stop in time".to_owned(), None),
        };
        let (what, cure) = (format!("stacks of {count}"), cure.map(str::to_owned));
        blind.push(Blind { what, why, cure });
    }

    fn read_waiting(&mut self, thread: &ThreadEntry) -> Option<ThreadStack> {
        let Doing::Call(call) = &thread.doing else { return None };
        let length = vm::read(thread.tid, call.sp, &mut self.buffer);
        let regs = Registers { ip: call.ip, sp: call.sp, fp: UNKNOWN_FP, lr: 0 };
        let buffer = std::mem::take(&mut self.buffer);
        let stack = (length > 0)
            .then(|| self.name(regs, &buffer[..length], call.compat, Taken::Read))
            .flatten();
        self.buffer = buffer;
        stack
    }

    /// Stops threads one by one. Says why, if that is refused.
    fn stop(&mut self, threads: &mut [ThreadEntry], indices: &[usize]) -> Option<String> {
        let tids: Vec<Tid> = indices.iter().map(|index| threads[*index].tid).collect();
        if tids.is_empty() {
            return None;
        }
        let looks = match glance(self.pid, &tids, COPIED) {
            Ok(looks) => looks,
            Err(error) => return Some(error.to_string()),
        };
        for (index, look) in indices.iter().zip(looks) {
            if let Look::Seen(seen) = look {
                let stack = self.name(seen.regs, &seen.bytes, seen.compat, Taken::Stopped);
                threads[*index].stack = stack.or(threads[*index].stack.take());
            }
        }
        None
    }

    fn name(
        &mut self,
        regs: Registers,
        bytes: &[u8],
        compat: bool,
        taken: Taken,
    ) -> Option<ThreadStack> {
        let trace =
            self.stacks.intern(self.pid, &Trace::Copied { regs, bytes, compat, code_since: None });
        let Trace::Known(id) = trace else { return None };
        let truncated = self.stacks.stack(id).truncated;
        let stacks = &mut self.stacks;
        let Symbolized { frames, at } =
            self.named.entry(id).or_insert_with(|| stacks.symbolize(id)).clone();
        Some(ThreadStack { frames, at, truncated, taken })
    }
}
