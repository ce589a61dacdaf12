//! System call stops: what a thread is about to do, and what it has done, as events.

use fdscope_model::event::Slot;
use fdscope_model::{
    Body, Fail, FdNumber, HandleKey, HandleKind, Pid, Registers, Release, ReleaseCause, Tid, Trace,
};
use fdscope_sys::clock::monotonic_now;
use fdscope_sys::ptrace::registers::registers;
use fdscope_sys::ptrace::{Side, SyscallInfo, syscall_info};
use fdscope_sys::vm;
use fdscope_syscall::effect::Effect;
use fdscope_syscall::handles::{EXIT, EXIT_GROUP, by_number};
use fdscope_syscall::uses::using;
use fdscope_syscall::{Arch, Invocation, Memory};
use rustix::io::Errno;

use crate::look;
use crate::options::CloseStacks;
use crate::tasks::Call;
use crate::told::Actor;
use crate::tracer::Tracer;

/// The memory of a stopped thread's process.
pub struct Of(pub Tid);

impl Memory for Of {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        vm::read(self.0, address, buffer)
    }

    fn stack_pointer(&self) -> Option<u64> {
        registers(self.0).ok().map(|found| found.unwind.sp)
    }
}

/// EBADF, ENFILE, EMFILE: the failures worth telling.
const TOLD: [i64; 3] = [9, 23, 24];

impl Tracer {
    /// A thread stands before or after a system call.
    pub fn syscall_stop(&mut self, tid: Tid) {
        let Some((info, side)) = self.side(tid) else { return };
        let audit = info.arch;
        match side {
            Side::Entry { number, args } => {
                self.entered(tid, Arch::from_audit(audit), number, args)
            }
            Side::Exit { result } => self.returned(tid, result),
            Side::Neither => {}
        }
    }

    /// Which side of which call the thread is on; `None` if it is gone.
    pub fn side(&mut self, tid: Tid) -> Option<(SyscallInfo, Side)> {
        if !self.without_syscall_info {
            match syscall_info(tid) {
                Ok(info) => return Some((info, info.side)),
                Err(Errno::SRCH) => return None,
                Err(_) => self.without_syscall_info = true,
            }
        }
        // Older kernels: entry and exit alternate, and the width of the registers tells the interface.
        let found = registers(tid).ok()?;
        let arch = if found.compat { Arch::COMPAT } else { Some(Arch::NATIVE) };
        let is_exit = self.tasks.get(tid)?.call.is_some();
        let side = match is_exit {
            true => Side::Exit { result: found.result },
            false => Side::Entry { number: found.number as u64, args: found.args },
        };
        let Registers { ip, sp, .. } = found.unwind;
        Some((SyscallInfo { arch: arch.map_or(0, Arch::audit), ip, sp, side }, side))
    }

    fn entered(&mut self, tid: Tid, arch: Option<Arch>, number: u64, args: [u64; 6]) {
        let known = arch.and_then(|arch| {
            let call = by_number(arch, number)?;
            Invocation { arch, call, args }.resolved(&Of(tid))
        });
        let known = known.filter(|invocation| match invocation.call.kind {
            HandleKind::Mapping => self.options.mappings,
            HandleKind::Registration => self.options.registrations,
            _ => true,
        });
        let ending = match known {
            Some(invocation) => about_to_end(tid, &invocation),
            None if arch.is_some_and(|arch| EXIT.of(arch).map(u64::from) == Some(number)) => {
                self.ends_with_thread(tid)
            }
            None => Vec::new(),
        };
        if arch.is_some_and(|arch| EXIT_GROUP.of(arch).map(u64::from) == Some(number)) {
            self.queue.await_delivery();
        }
        let Some(task) = self.tasks.get_mut(tid) else { return };
        if known.is_some_and(|invocation| frees_shared_numbers(&invocation)) {
            let table = task.table;
            self.closing.extend(ending.iter().map(|fd| ((table, *fd), tid)));
        }
        let made = monotonic_now();
        task.call = Some(Call { arch, number, args, made, known, ending, ..Call::default() });
    }

    /// The descriptors that are closed when the thread ends: all, if it has a table of its own beside its siblings.
    fn ends_with_thread(&self, tid: Tid) -> Vec<u32> {
        let Some(task) = self.tasks.get(tid) else { return Vec::new() };
        let siblings =
            self.tasks.process(task.pid).is_some_and(|process| process.threads.len() > 1);
        match siblings && self.tasks.users(task.table) == 1 {
            true => look::open_between(tid, 0, u32::MAX),
            false => Vec::new(),
        }
    }

    fn returned(&mut self, tid: Tid, result: i64) {
        let Some(task) = self.tasks.get_mut(tid) else { return };
        let Some(call) = task.call.take() else { return };
        let actor = Actor { tid, pid: task.pid, table: task.table };
        if let Some(child) = call.child.filter(|_| result > 0) {
            self.parent_returned(actor, result as u32, child);
        }
        if TOLD.contains(&-result) {
            self.failed(actor, &call, result);
        }
        let Some(invocation) = call.known else { return self.send(Some(tid)) };
        let mut outcomes = Vec::new();
        invocation.outcomes(result, &Of(tid), &mut |outcome| outcomes.push(outcome));
        let mut actor = actor;
        for outcome in outcomes {
            self.came_about(&mut actor, &invocation, &call.ending, outcome);
        }
        for fd in &call.ending {
            self.closing.remove(&(actor.table, *fd));
        }
        self.send(self.wants_stack().then_some(tid));
    }

    /// fork returned to the parent: now the child's number in the target's own PID namespace is known.
    fn parent_returned(&mut self, actor: Actor, number: u32, child: Pid) {
        let Some(process) = self.tasks.process_mut(actor.pid) else { return };
        for gone in process.add_child(number, child, |pid| look::state(Tid(pid.0)).is_none()) {
            let key = HandleKey::Child(actor.pid, gone);
            let cause = ReleaseCause::Vanished;
            let body = Release { key, cause, slot: Slot::NotRead, trace: Trace::None };
            self.tell(actor.tid, actor.pid, Body::Release(body));
        }
    }

    /// Do the events of this stop carry a stack?
    pub fn wants_stack(&self) -> bool {
        let closes = self.options.close_stacks == CloseStacks::Taken;
        self.events.iter().any(|event| match event.body {
            Body::Acquire(_) | Body::Fail(_) | Body::Fork { .. } => true,
            Body::Release(_) => closes,
            _ => false,
        })
    }

    fn failed(&mut self, actor: Actor, call: &Call, result: i64) {
        let using = call.arch.and_then(|arch| using(arch, call.number));
        let (name, fd) = match (&call.known, using) {
            (Some(invocation), _) => (invocation.call.name, invocation.descriptor()),
            (None, Some(row)) => (row.name, row.arg.map(|_| call.args[0] as u32)),
            (None, None) => return,
        };
        let fd = fd.filter(|fd| *fd <= i32::MAX as u32).map(FdNumber);
        let table = actor.table;
        let fail = Fail { call: name, errno: -result as i32, fd, table, trace: Trace::None };
        self.tell(actor.tid, actor.pid, Body::Fail(fail));
    }
}

/// Does the call free numbers, before it returns, that other threads may be given?
fn frees_shared_numbers(invocation: &Invocation) -> bool {
    const CLOSE_RANGE_UNSHARE: u64 = 2;
    let flags = invocation.args[2];
    match invocation.call.effect {
        Effect::CloseRange => flags & CLOSE_RANGE_UNSHARE == 0,
        effect => effect == Effect::Close,
    }
}

/// The descriptors that a call will end if it succeeds, of those open now.
fn about_to_end(tid: Tid, invocation: &Invocation) -> Vec<u32> {
    const CLOSE_RANGE_CLOEXEC: u64 = 4;
    let [first, second, flags, ..] = invocation.args;
    let (first, second) = (first as u32, second as u32);
    match invocation.call.effect {
        Effect::Close if first <= i32::MAX as u32 => vec![first],
        Effect::DupOnto { .. } if first != second && look::is_open(tid, second) => vec![second],
        Effect::CloseRange if flags & CLOSE_RANGE_CLOEXEC == 0 => {
            look::open_between(tid, first, second)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::launch::{go, launch};
    use crate::options::Options;
    use crate::queue::Queue;

    /// The calls that a shell makes, as "+ openat" and "- close", told with or without PTRACE_GET_SYSCALL_INFO.
    fn calls_of_a_shell(without_syscall_info: bool) -> Vec<String> {
        let queue = Arc::new(Queue::default());
        let mut tracer = Tracer::new(Options::default(), Arc::clone(&queue));
        tracer.without_syscall_info = without_syscall_info;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec </dev/null; exec 7</dev/null; exec 7<&-"]).stdin(Stdio::null());
        go(launch(&mut tracer, command).expect("launching"));
        tracer.run(&AtomicBool::new(false));
        queue.close();
        let mut found = Vec::new();
        queue.deliver(Duration::ZERO, &mut |event| match &event.body {
            Body::Acquire(acquire) => {
                found.push(format!("+ {:?} {:?}", acquire.key, acquire.cause))
            }
            Body::Release(release) => {
                found.push(format!("- {:?} {:?}", release.key, release.cause))
            }
            _ => {}
        });
        found
    }

    #[test]
    fn kernels_without_syscall_info_tell_the_same() {
        let with = calls_of_a_shell(false);
        assert!(with.len() > 6, "{with:?}");
        assert_eq!(calls_of_a_shell(true), with);
    }
}
