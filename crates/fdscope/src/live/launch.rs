//! A command started to be watched: paused before its first instruction, let go, and asked how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;
use fdscope_model::{Name, Pid};
use fdscope_ptrace::PtraceSource;
use fdscope_sys::spawn::{Paused, Started, paused};
use rustix::process::{WaitOptions, waitpid};

use crate::ending::{Ending, Failure};

/// The command.
pub struct Launched {
    pid: Pid,
    paused: Option<Paused>,
    started: Option<Started>,
    status: Option<i32>,
}

impl Launched {
    /// Makes the process; the command does not run yet.
    ///
    /// # Errors
    /// If it can already be told that it cannot run.
    pub fn pause(command: Command) -> Result<Self> {
        let program = Name::from(command.get_program().as_encoded_bytes());
        let paused = paused(command).map_err(|error| not_run(&program, &error))?;
        Ok(Launched { pid: paused.pid(), paused: Some(paused), started: None, status: None })
    }

    /// The command that the ptrace source started; it runs with the first poll.
    pub fn traced(pid: Pid) -> Self {
        Launched { pid, paused: None, started: None, status: None }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it run, and waits a moment for whether it does.
    ///
    /// # Errors
    /// If it cannot run: no such program, not executable.
    pub fn go(&mut self, program: &str) -> Result<()> {
        /// Running a program takes milliseconds, unless its file system is slow: then it is known later.
        const PATIENCE: u32 = 500;
        let Some(paused) = self.paused.take() else { return Ok(()) };
        let started = paused.go().map_err(|error| not_run(&Name::from(program), &error))?;
        for _ in 0..PATIENCE {
            if started.is_known() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.started = Some(started);
        self.check(program)
    }

    /// Whether it could be run, once that is known.
    ///
    /// # Errors
    /// If it could not.
    pub fn check(&mut self, program: &str) -> Result<()> {
        match self.started.take_if(|started| started.is_known()) {
            Some(started) => {
                Ok(started.outcome().map_err(|error| not_run(&Name::from(program), &error))?)
            }
            None => Ok(()),
        }
    }

    /// Its exit code as a shell would give it (128 + signal if killed); `None` while it runs.
    pub fn ended(&mut self, source: Option<&PtraceSource>) -> Option<i32> {
        if self.status.is_none() {
            self.status = match source.and_then(|source| source.ending(self.pid)) {
                Some(fdscope_ptrace::Ending::Exited(code)) => Some(code),
                Some(fdscope_ptrace::Ending::Killed(signal)) => Some(128 + signal),
                // A wait beside the tracer's own would steal the stops that it lives by.
                None if source.is_some_and(PtraceSource::is_watching) => None,
                None => self.reap(),
            };
        }
        self.status
    }

    fn reap(&self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(self.pid.0 as i32)?;
        let (_, status) = waitpid(Some(pid), WaitOptions::NOHANG).ok()??;
        let status = ExitStatus::from_raw(status.as_raw());
        status.code().or_else(|| status.signal().map(|signal| 128 + signal))
    }
}

/// As a shell has it: 127 not found, 126 found but not to be run.
pub fn not_run(program: &Name, error: &std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::new(Ending::AsCommand(code), format!("failed to run {program}: {error}"))
}
