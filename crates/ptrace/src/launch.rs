//! Starts a program under trace, and holds it before its first instruction.

use std::process::Command;

use fdscope_model::{Name, Pid, Tid};
use fdscope_sys::ptrace::{self, Status, Stop, wait};
use fdscope_sys::spawn;
use rustix::io::Errno;

use crate::attach::{EVENTS, refusal};
use crate::error::Error;
use crate::tasks::Phase;
use crate::tracer::{Next, Tracer, carry_out};

/// Starts `command` and returns when its program is loaded and stands still.
pub fn launch(tracer: &mut Tracer, command: Command) -> Result<Pid, Error> {
    let program = Name::from(command.get_program().as_encoded_bytes());
    let failed = |cause| Error::Launch { program: program.clone(), cause };
    let paused = spawn::paused(command).map_err(failed)?;
    let pid = paused.pid();
    let tid = Tid(pid.0);
    ptrace::seize(tid, EVENTS).map_err(|_| refusal(pid, 0))?;
    let table = tracer.tasks.new_table();
    tracer.tasks.add(tid, pid, table, Phase::Traced);
    tracer.targets.insert(pid, None);
    tracer.launching = Some(pid);
    let started = paused.go().map_err(failed)?;
    await_exec(tracer, tid);
    started.outcome().map_err(failed)?;
    Ok(pid)
}

/// Serves the child's stops until it has run exec, or ended. Its end, if exec fails, is for the spawner to wait for.
fn await_exec(tracer: &mut Tracer, tid: Tid) {
    while tracer.launching.is_some() {
        match wait::await_change(tid) {
            Ok(false) => {}
            Err(Errno::INTR) => continue,
            Ok(true) | Err(_) => {
                tracer.tasks.remove(tid);
                return;
            }
        }
        match wait(true) {
            Ok(Some((tid, Status::Stopped(Stop::Exec)))) => {
                tracer.exec(tid);
                tracer.launching = None;
            }
            Ok(Some((tid, status))) => tracer.handle(tid, status),
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Lets the launched program run.
pub fn go(pid: Pid) {
    carry_out(Tid(pid.0), Next::Resume(0));
}
