//! What the writer of lines asks of this machine.

use std::cell::Cell;
use std::rc::Rc;

use fdscope_model::{Monotonic, Pid, StackId, Tid};
use fdscope_strace::options::{FdWords, Stamp};
use fdscope_strace::{Host, Options};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};
use fdscope_sys::zone::local_time_of;
use fdscope_syscall::capture::When;
use fdscope_syscall::decode::{self, Names, NoNames};
use fdscope_syscall::{Arch, Memory};

use super::log::Log;
use super::names::{TaskNames, comm};
use super::sockets::Sockets;
use super::stacks::CallStacks;

/// The machine, and the log on it.
pub struct Machine<'a> {
    options: &'a Options,
    /// Where lines go.
    pub log: Log,
    sockets: Sockets,
    /// How far the wall clock is ahead of the monotonic one, and up to when that may be believed.
    ahead: Cell<(u64, Monotonic)>,
    stacks: Option<CallStacks>,
    /// Messages are shown: of which family a netlink socket is will be asked.
    messages: bool,
}

impl<'a> Machine<'a> {
    /// The machine, with an open log.
    pub fn new(options: &'a Options, log: Log, stacks: Option<CallStacks>) -> Self {
        let ahead = Cell::new((0, Monotonic(0)));
        let arches = [Some(Arch::NATIVE), Arch::COMPAT].into_iter().flatten();
        let messages = arches.into_iter().any(|arch| {
            let of_messages = |number: &u64| decode::carries_messages(arch, *number);
            (0..512).filter(of_messages).any(|number| options.trace.has(arch, number))
        });
        Machine { options, log, sockets: Sockets::default(), ahead, stacks, messages }
    }
}

impl Host for Machine<'_> {
    fn put(&mut self, tid: Tid, bytes: &[u8]) {
        self.log.put(tid, bytes);
    }

    fn say(&mut self, words: &[u8]) {
        self.log.flush();
        super::say(self.options.program, words);
    }

    fn wall_ns(&self, at: Monotonic) -> u64 {
        const BELIEVED_NS: u64 = 10_000_000;
        let (mut ahead, until) = self.ahead.get();
        if at >= until {
            ahead = wall_now_ns().saturating_sub(monotonic_now().0);
            self.ahead.set((ahead, Monotonic(at.0.saturating_add(BELIEVED_NS))));
        }
        ahead.saturating_add(at.0)
    }

    fn local(&self, second: u64, stamp: Stamp) -> Vec<u8> {
        let format: &[u8] = if stamp == Stamp::Date { b"%F %T" } else { b"%T" };
        let found = i64::try_from(second).ok().and_then(|second| local_time_of(format, second));
        found.unwrap_or_else(|| second.to_string().into_bytes())
    }

    fn comm(&self, tid: Tid) -> Vec<u8> {
        comm(tid)
    }

    fn names<'n>(
        &'n self,
        pid: Pid,
        tid: Tid,
        told: (&'n dyn Memory, When),
    ) -> Box<dyn Names + 'n> {
        let Options { fd_words: words, pid_names: comms, .. } = *self.options;
        let by_path = !self.options.paths.is_empty() || !self.options.beyond.globs.is_empty();
        let by_kind = !self.options.beyond.kinds.is_empty();
        if words == FdWords::default() && !comms && !by_path && !by_kind && !self.messages {
            return Box::new(NoNames);
        }
        let words = FdWords { path: words.path || by_path, ..words };
        Box::new(TaskNames { pid, tid, told, words, comms, sockets: &self.sockets })
    }

    fn returned(&mut self, pid: Pid, name: &str) {
        match name {
            "bind" | "connect" | "listen" | "accept" | "accept4" | "socketpair" | "sendto"
            | "sendmsg" | "sendmmsg" => self.sockets.changed(),
            "execve" | "execveat" => {
                if let Some(stacks) = &self.stacks {
                    stacks.exec(pid);
                }
            }
            _ => {}
        }
    }

    fn frames(&mut self, _: Pid, stack: StackId) -> Rc<[Vec<u8>]> {
        let lines = self.options.stack_lines;
        self.stacks.as_mut().map_or_else(|| Rc::from([]), |stacks| stacks.frames(stack, lines))
    }
}
