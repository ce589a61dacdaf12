//! The engine that looks: which of them, and what only some can tell.

use std::time::Duration;

use anyhow::Result;
use fdscope_bpf::BpfCalls;
use fdscope_model::{Pid, Progress, Tid};
use fdscope_ptrace::{CallTracer, Ending};
use fdscope_sys::held::Held;
use fdscope_syscall::traced::{CallSource, Traced};
use rustix::process::{WaitOptions, waitpid};

/// An engine.
pub enum Engine {
    /// ptrace stops.
    Ptrace(Box<CallTracer>),
    /// eBPF.
    Bpf(Box<BpfEngine>),
}

/// eBPF, and the program that was started.
pub struct BpfEngine {
    /// The engine.
    pub calls: BpfCalls,
    launched: Option<Pid>,
    held: Option<Held>,
    ending: Option<Ending>,
}

impl BpfEngine {
    /// With the program that waits to be let go, if one was started.
    pub fn new(calls: BpfCalls, held: Option<Held>) -> Self {
        let launched = held.as_ref().map(|held| held.pid);
        BpfEngine { calls, launched, held, ending: None }
    }

    fn poll(&mut self, timeout: Duration, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<Progress> {
        if let Some(held) = self.held.take() {
            // A program that is gone meanwhile reports its end.
            let _gone = held.go();
        }
        let progress = self.calls.poll(timeout, sink)?;
        if progress == Progress::Ended {
            self.reap(WaitOptions::empty());
        }
        Ok(progress)
    }

    fn reap(&mut self, options: WaitOptions) {
        let Some(pid) = self.launched.filter(|_| self.ending.is_none()) else { return };
        let pid = rustix::process::Pid::from_raw(pid.0 as i32);
        if let Ok(Some((_, status))) = waitpid(pid, options) {
            self.ending = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Some(Ending::Exited(code)),
                (_, Some(signal)) => Some(Ending::Killed(signal)),
                _ => None,
            };
        }
    }
}

impl Engine {
    /// What there is to be said of how it looks, and of what it does not see.
    pub fn words(&self) -> String {
        let Engine::Bpf(engine) = self else { return "ptrace".to_owned() };
        let sight = engine.calls.sight();
        let mut words = format!("eBPF, {}", sight.how);
        for blind in &sight.blind {
            words += &format!("; not seen: {}", blind.what);
            if let Some(cure) = &blind.cure {
                words += &format!(" ({cure} does)");
            }
        }
        words
    }

    /// Its name, as `--source` has it.
    pub fn word(&self) -> &'static str {
        match self {
            Engine::Ptrace(_) => "ptrace",
            Engine::Bpf(_) => "bpf",
        }
    }

    /// The tasks that are traced from the beginning, each with its process.
    pub fn traced(&self) -> Vec<(Pid, Tid)> {
        match self {
            Engine::Ptrace(tracer) => tracer.traced(),
            Engine::Bpf(engine) => engine.calls.traced(),
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
            Engine::Bpf(engine) => engine.poll(timeout, sink),
        }
    }

    /// Lets every task go.
    ///
    /// # Errors
    /// If that failed.
    pub fn stop(&mut self, sink: &mut dyn FnMut(&Traced<'_>)) -> Result<()> {
        match self {
            Engine::Ptrace(tracer) => Ok(tracer.stop(sink)?),
            Engine::Bpf(engine) => Ok(engine.calls.stop(sink)?),
        }
    }

    /// Gives back what it has, which by eBPF takes the kernel seconds that nobody should wait for. What is to be done
    /// last before fdscope ends is done at the right moment: when the kernel has let go of traced programs, and before
    /// a process is left behind.
    pub fn release_around(self, last: impl FnOnce()) {
        match self {
            Engine::Ptrace(tracer) => {
                drop(tracer);
                last();
            }
            Engine::Bpf(engine) => {
                last();
                fdscope_sys::linger::release_behind();
                drop(engine);
            }
        }
    }

    /// The same where nothing is left to be done.
    pub fn release(self) {
        self.release_around(|| {});
    }

    /// The program that was started.
    pub fn launched(&self) -> Option<Pid> {
        match self {
            Engine::Ptrace(tracer) => tracer.launched(),
            Engine::Bpf(engine) => engine.launched,
        }
    }

    /// How it ended; `None` while it lives.
    pub fn ending(&self) -> Option<Ending> {
        match self {
            Engine::Ptrace(tracer) => tracer.ending(),
            Engine::Bpf(engine) => engine.ending,
        }
    }
}
