//! Seizes every thread of a process, those born meanwhile included, or says why not.

use std::collections::HashSet;
use std::fs;

use fdscope_model::{Pid, Tid};
use fdscope_sys::ptrace::{self, options};
use rustix::io::Errno;

use crate::error::Error;
use crate::look;

/// Threads, forks and execs of tracees are seen; system call stops are told from SIGTRAP.
pub const EVENTS: i32 =
    options::SYSCALL_GOOD | options::FORK | options::VFORK | options::CLONE | options::EXEC;

/// Seizes all threads of `pid` and asks each to stop. Calls `seized` for each.
///
/// A thread born from one already seized is traced by itself; one born from another is found by the next scan. The
/// scans end when one finds nothing new.
///
/// Answers with threads seized by mistake: their numbers had passed to other processes since they were listed. They
/// are to be let go when they stop.
pub fn seize_all(pid: Pid, events: i32, seized: &mut dyn FnMut(Tid)) -> Result<Vec<Tid>, Error> {
    let mut known = HashSet::new();
    let (mut count, mut strays) = (0, Vec::new());
    loop {
        let mut found_new = false;
        for tid in look::threads(pid) {
            if known.insert(tid) {
                found_new = true;
                match seize_one(pid, tid, events)? {
                    Seized::Gone => {}
                    Seized::Stray => strays.push(tid),
                    Seized::Thread => {
                        count += 1;
                        seized(tid);
                    }
                }
            }
        }
        if !found_new {
            break;
        }
    }
    if count == 0 { Err(Error::NoSuchProcess { pid }) } else { Ok(strays) }
}

/// Seizes one thread, whatever its process, and asks it to stop.
pub fn seize_thread(tid: Tid, events: i32) -> Result<Pid, Error> {
    let pid = Pid(look::status_number(tid, "Tgid").unwrap_or(tid.0));
    match seize_one(pid, tid, events)? {
        Seized::Thread => Ok(pid),
        Seized::Stray | Seized::Gone => Err(Error::NoSuchProcess { pid: Pid(tid.0) }),
    }
}

enum Seized {
    /// A thread of the process.
    Thread,
    /// A thread of another process.
    Stray,
    /// Nothing: it is gone, dying, or traced by us since its birth.
    Gone,
}

/// Seizes one thread and asks it to stop.
fn seize_one(pid: Pid, tid: Tid, events: i32) -> Result<Seized, Error> {
    match ptrace::seize(tid, events) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(Seized::Gone),
        Err(_) if is_over(tid) => return Ok(Seized::Gone),
        Err(_) => {
            return match look::status_number(tid, "TracerPid") {
                Some(tracer) if tracer == our_tid() => Ok(Seized::Gone),
                tracer => Err(refusal(pid, tracer.unwrap_or(0))),
            };
        }
    }
    // A thread that died meanwhile reports its end.
    let _ = ptrace::interrupt(tid);
    let is_ours = look::is_thread_of(tid, pid) || is_over(tid);
    Ok(if is_ours { Seized::Thread } else { Seized::Stray })
}

/// Has the thread exited without being reaped? (A leader whose other threads live on is a zombie.)
fn is_over(tid: Tid) -> bool {
    matches!(look::state(tid), None | Some('Z' | 'X'))
}

fn our_tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

/// Why the kernel does not let us trace: another tracer, or a rule.
pub fn refusal(pid: Pid, tracer: u32) -> Error {
    if tracer != 0 {
        let comm = look::comm(Tid(tracer));
        // The kernel names the tracing thread; people know the process.
        let tracer = look::status_number(Tid(tracer), "Tgid").unwrap_or(tracer);
        return Error::AlreadyTraced { pid, tracer: Pid(tracer), comm };
    }
    Error::NotPermitted { pid, reason: reason(pid) }
}

fn reason(pid: Pid) -> String {
    if pid.0 == std::process::id() {
        return "a process cannot trace itself".into();
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    match scope.trim() {
        "1" => "kernel.yama.ptrace_scope is 1, which allows only a process's own children".into(),
        "2" => "kernel.yama.ptrace_scope is 2, which demands CAP_SYS_PTRACE".into(),
        "3" => "kernel.yama.ptrace_scope is 3, which forbids tracing until the next boot".into(),
        _ => "it belongs to another user, holds capabilities, or a sandbox forbids ptrace".into(),
    }
}
