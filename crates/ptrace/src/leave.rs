//! Lets every target go, so that it does not notice.
//!
//! A running thread is let go by the kernel when the tracer thread ends, without being touched. A thread in a stop is
//! woken as by a signal; that is harmless unless it stands before a system call, which then may fail with EINTR. So no
//! thread may stand there when this thread ends: those that are not inside a call are made to run free first.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use fdscope_model::Tid;
use fdscope_sys::clock::monotonic_now;
use fdscope_sys::ptrace::{self, Status, Stop, wait};

use crate::restart::resume_interrupted_call;
use crate::source::Ending;
use crate::tasks::Phase;
use crate::tracer::{Next, Tracer, carry_out, has_passed};

/// How long to wait for threads that run: each answers at once, unless the machine is overloaded.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

impl Tracer {
    /// Lets all run free. What still stops afterwards, the kernel undoes when this thread ends: signals not waited for
    /// are delivered, group stops stay, new children run.
    pub fn let_go(&mut self) {
        for (tid, _) in self.early.drain() {
            carry_out(tid, Next::Leave(0));
        }
        let outside_calls = self
            .tasks
            .iter()
            .filter(|(_, task)| task.call.is_none() && task.phase == Phase::Traced);
        let mut asked: HashSet<Tid> = outside_calls.map(|(tid, _)| tid).collect();
        asked.retain(|tid| ptrace::interrupt(*tid).is_ok());
        let begun = monotonic_now();
        loop {
            match wait(false) {
                Ok(Some((tid, status))) => self.set_free(tid, status, &mut asked),
                Ok(None) if asked.is_empty() || has_passed(ANSWER_LIMIT, begun) => return,
                Ok(None) => thread::sleep(Duration::from_micros(200)),
                Err(_) => return,
            }
        }
    }

    fn set_free(&mut self, tid: Tid, status: Status, asked: &mut HashSet<Tid>) {
        let signal = match status {
            Status::Stopped(Stop::Group(_)) => {
                asked.remove(&tid);
                return;
            }
            Status::Stopped(Stop::Interrupted) => {
                asked.remove(&tid);
                resume_interrupted_call(tid);
                0
            }
            Status::Stopped(Stop::Signal(signal)) => signal,
            Status::Stopped(_) => 0,
            Status::Exited(code) => {
                asked.remove(&tid);
                return self.died(tid, Ending::Exited(code));
            }
            Status::Killed(signal, _) => {
                asked.remove(&tid);
                return self.died(tid, Ending::Killed(signal));
            }
        };
        // A thread that is gone meanwhile needs nothing.
        let _ = ptrace::resume(tid, signal);
    }
}
