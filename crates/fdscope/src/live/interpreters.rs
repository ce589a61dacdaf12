//! Finds the interpreters of watched processes, and tells the source how to walk their frames.
//!
//! A process becomes Python at exec, has its library mapped a moment later, or loads it after hours: it is looked at
//! soon and often first, and ever more rarely until something is found.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use fdscope_model::{Body, Event, Monotonic, Pid};
use fdscope_stack::Stacks;
use fdscope_sys::clock::monotonic_now;

use crate::live::source::Live;

/// The first wait between two looks, in nanoseconds; each is twice the one before.
const FIRST_WAIT_NS: u64 = 1_000_000;
/// The longest wait …
const LONGEST_WAIT_NS: u64 = 5_000_000_000;
/// … while so many processes are looked at; of more, each more rarely: a look reads its mappings.
const PROCESSES: u64 = 32;

/// When to look at one process again.
#[derive(Clone, Copy, Debug)]
struct Look {
    due: Monotonic,
    wait_ns: u64,
}

/// The processes without an interpreter so far.
#[derive(Debug, Default)]
pub struct InterpreterSearch {
    looks: BTreeMap<Pid, Look>,
}

impl InterpreterSearch {
    /// `pid` may run an interpreter from now on.
    pub fn expect(&mut self, pid: Pid) {
        self.looks.insert(pid, Look { due: Monotonic(0), wait_ns: FIRST_WAIT_NS });
    }

    /// Keeps in step with the lives of processes.
    pub fn follow(&mut self, event: &Event<'_>) {
        match event.body {
            Body::Fork { child, .. } => self.expect(child),
            Body::Exec { .. } => self.expect(event.pid),
            Body::Exit { .. } => {
                self.looks.remove(&event.pid);
            }
            _ => {}
        }
    }

    /// Looks where it is time to, and returns how long to wait for events at most, given that one may wait `timeout`.
    ///
    /// # Errors
    /// If the source broke.
    pub fn look(
        &mut self,
        live: &mut Live,
        stacks: &mut Stacks,
        timeout: Duration,
    ) -> Result<Duration> {
        if !live.walks_interpreters() {
            return Ok(timeout);
        }
        let now = monotonic_now();
        let mut found = Vec::new();
        let longest_ns = LONGEST_WAIT_NS * (1 + self.looks.len() as u64 / PROCESSES);
        for (&pid, look) in self.looks.iter_mut().filter(|(_, look)| look.due <= now) {
            match stacks.interpreter(pid) {
                Some(layout) => found.push((pid, layout)),
                None => {
                    look.due = Monotonic(now.0 + look.wait_ns);
                    look.wait_ns = (look.wait_ns * 2).min(longest_ns);
                }
            }
        }
        for (pid, layout) in found {
            live.set_interpreter(pid, &layout)?;
            self.looks.remove(&pid);
        }
        let next = self.looks.values().map(|look| look.due.since_ns(now)).min();
        Ok(next.map_or(timeout, |next| timeout.min(Duration::from_nanos(next))))
    }
}
