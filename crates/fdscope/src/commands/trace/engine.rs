//! The engine that looks: which of them, and what only some can tell.

use std::time::Duration;

use anyhow::Result;
use fdscope_model::{Pid, Progress, Tid};
use fdscope_ptrace::{CallTracer, Ending};
use fdscope_syscall::traced::{CallSource, Traced};

/// An engine.
pub enum Engine {
    /// ptrace stops.
    Ptrace(Box<CallTracer>),
}

impl Engine {
    /// Its name, as `--source` has it.
    pub fn word(&self) -> &'static str {
        match self {
            Engine::Ptrace(_) => "ptrace",
        }
    }

    /// The tasks that are traced from the beginning, each with its process.
    pub fn traced(&self) -> Vec<(Pid, Tid)> {
        match self {
            Engine::Ptrace(tracer) => tracer.traced(),
        }
    }

    /// Tells what has happened.
    ///
    /// # Errors
    /// If watching broke.
    pub fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Traced<'_>),
    ) -> Result<Progress> {
        match self {
            Engine::Ptrace(tracer) => Ok(tracer.poll(timeout, sink)?),
        }
    }

    /// Lets every task go.
    ///
    /// # Errors
    /// If that failed.
    pub fn stop(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<()> {
        match self {
            Engine::Ptrace(tracer) => Ok(tracer.stop(sink)?),
        }
    }

    /// The program that was started.
    pub fn launched(&self) -> Option<Pid> {
        match self {
            Engine::Ptrace(tracer) => tracer.launched(),
        }
    }

    /// How it ended; `None` while it lives.
    pub fn ending(&self) -> Option<Ending> {
        match self {
            Engine::Ptrace(tracer) => tracer.ending(),
        }
    }
}
