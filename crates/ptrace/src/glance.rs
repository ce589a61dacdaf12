//! The user stack of a thread, taken in one short stop.
//!
//! For a thread that runs, or whose stack cannot be followed from what /proc tells of it. It is seized, asked to stop,
//! looked at, its interrupted call made to go on, and let go: some tens of microseconds. No signal is sent. A thread
//! that does not stop (it waits for a device) is given up after [`ANSWER_LIMIT`]; the kernel forgets that it was asked.

use std::thread;
use std::time::Duration;

use fdscope_model::{Pid, Registers, Tid};
use fdscope_sys::clock::monotonic_now;
use fdscope_sys::ptrace::{self, Status, Stop, wait};
use rustix::io::Errno;

use crate::attach::refusal;
use crate::error::Error;
use crate::look;
use crate::queue::Copied;
use crate::restart::resume_interrupted_call;
use crate::stack::Stacks;

/// How long a thread may take to stop.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(200);

/// A thread's stack as it was for a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glance {
    /// The registers that unwinding starts from.
    pub regs: Registers,
    /// Memory from the stack pointer upwards.
    pub bytes: Vec<u8>,
    /// True for a 32-bit task.
    pub compat: bool,
}

/// What came of looking at one thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// Its stack.
    Seen(Glance),
    /// It ended, or was no thread of the process any more.
    Gone,
    /// It did not stop in time.
    Unmoved,
}

/// Looks at some threads of `pid`, one after the other, copying at most `bytes` of each stack. Answers in the order of
/// `tids`. Every thread is let go before the next is asked.
///
/// # Errors
/// If tracing is not permitted, or another tracer has the process. Nothing was stopped then.
pub fn glance(pid: Pid, tids: &[Tid], bytes: usize) -> Result<Vec<Look>, Error> {
    // A thread of its own: what it still traces when it ends, the kernel lets go.
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("glance".to_owned());
        let looking = worker.spawn_scoped(scope, || {
            let mut stacks = Stacks::new(bytes);
            tids.iter().map(|tid| look_at(pid, *tid, &mut stacks)).collect()
        });
        looking.map_err(Error::Start)?.join().map_err(|_panic| Error::ThreadGone)?
    })
}

fn look_at(pid: Pid, tid: Tid, stacks: &mut Stacks) -> Result<Look, Error> {
    match ptrace::seize(tid, 0) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(Look::Gone),
        Err(_) => {
            return match (look::state(tid), look::status_number(tid, "TracerPid")) {
                (None | Some('Z' | 'X'), _) => Ok(Look::Gone),
                (_, tracer) => Err(refusal(pid, tracer.unwrap_or(0))),
            };
        }
    }
    // A thread that died meanwhile reports its end.
    let _ = ptrace::interrupt(tid);
    let begun = monotonic_now();
    while monotonic_now().since_ns(begun) < ANSWER_LIMIT.as_nanos() as u64 {
        match wait(false) {
            // One that was given up before and has stopped at last.
            Ok(Some((other, Status::Stopped(stop)))) if other != tid => let_go(other, stop),
            Ok(Some((_, Status::Stopped(stop)))) => return Ok(take(pid, tid, stop, stacks)),
            Ok(Some((other, _))) if other != tid => {}
            Ok(Some(_)) | Err(Errno::CHILD) => return Ok(Look::Gone),
            Ok(None) | Err(_) => thread::sleep(Duration::from_micros(50)),
        }
    }
    Ok(Look::Unmoved)
}

/// Copies the stack of a stopped thread and lets it go.
fn take(pid: Pid, tid: Tid, stop: Stop, stacks: &mut Stacks) -> Look {
    let is_ours = look::is_thread_of(tid, pid);
    let seen = stacks.copy(tid).filter(|_| is_ours).map(|copied| {
        let Copied { regs, compat, bytes } = copied;
        Look::Seen(Glance { regs, bytes: bytes.to_vec(), compat })
    });
    let_go(tid, stop);
    seen.unwrap_or(Look::Gone)
}

/// Lets a stopped thread go, with the signal that it was about to get.
fn let_go(tid: Tid, stop: Stop) {
    let signal = match stop {
        Stop::Signal(signal) => signal,
        Stop::Interrupted => {
            resume_interrupted_call(tid);
            0
        }
        _ => 0,
    };
    // A thread that was killed meanwhile needs nothing.
    let _ = ptrace::detach(tid, signal);
}
