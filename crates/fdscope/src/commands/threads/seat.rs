//! One process, looked at again and again: a reading, what changed since the one before, and what could not be seen.

use std::collections::BTreeMap;

use fdscope_analyze::{group_threads, thread_limits};
use fdscope_model::thread::{Change, ThreadEntry, ThreadReport, Unjoined};
use fdscope_model::{Blind, Fault, Limit, LimitName, Monotonic, Name, Pid, Process, Tid};
use fdscope_proc::threads::Depth;
use fdscope_proc::{CallFacts, ProcError, ProcRoot, ThreadReader, ThreadReading, UnjoinedThreads};
use fdscope_syscall::{Arch, handles, names, uses};

use super::stacks::StackReader;
use crate::args::Threads;

/// What one reading leaves for the next.
struct Before {
    at: Monotonic,
    threads: BTreeMap<(Tid, u64), (Name, u64)>,
    mappings: Option<u64>,
}

/// A process under observation.
pub struct Seat {
    proc: ProcRoot,
    process: Process,
    reader: ThreadReader,
    unjoined: UnjoinedThreads,
    stacks: Option<StackReader>,
    wants_stacks: bool,
    depth: Depth,
    before: Option<Before>,
}

impl Seat {
    /// Ready to look at `process` as the arguments say.
    pub fn new(proc: &ProcRoot, process: Process, arguments: &Threads) -> Self {
        let pid = process.id.pid;
        Seat {
            proc: proc.clone(),
            reader: ThreadReader::new(proc.clone(), call_facts),
            unjoined: UnjoinedThreads::new(proc.clone(), pid),
            stacks: Some(StackReader::new(pid, !arguments.no_stop)),
            wants_stacks: arguments.stack,
            depth: if arguments.kernel_stack { Depth::KernelStacks } else { Depth::Calls },
            process,
            before: None,
        }
    }

    /// Ready to look at the groups of `process` again and again.
    pub fn of_groups(proc: &ProcRoot, process: Process) -> Self {
        Seat { stacks: None, ..Seat::new(proc, process, &Threads::default()) }
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.process.id.pid
    }

    /// Looks without a report, so that the next one can tell what changed. False if the process is gone.
    pub fn look(&mut self) -> bool {
        let Ok(reading) = self.reader.read(self.pid(), Depth::Times) else { return false };
        // Not permitted is said by the report.
        let _ = self.unjoined.read();
        let limits = self.proc.limits(self.pid()).unwrap_or_default();
        self.before = Some(keep(&reading, &limits));
        true
    }

    /// The report of now.
    ///
    /// # Errors
    /// If the process is gone, its number given to another included, or may not be seen at all.
    pub fn report(&mut self) -> Result<ThreadReport, ProcError> {
        let pid = self.pid();
        let process = self.proc.process(pid)?;
        if process.id != self.process.id {
            return Err(ProcError::Gone { pid });
        }
        let mut reading = self.reader.read(pid, self.depth)?;
        let (mut blind, mut faults) = (blind_of(&reading), Vec::new());
        let mut unjoined_in = Vec::new();
        if let Some(stacks) = &mut self.stacks {
            if self.wants_stacks {
                stacks.read(&mut reading.threads, &mut blind);
            }
            unjoined_in = stacks.read_starts(&mut reading.threads);
        }
        let unjoined = self.read_unjoined(&mut blind, &mut faults);
        let limits = self.proc.limits(pid).unwrap_or_default();
        let now = keep(&reading, &limits);
        let before = self.before.replace(now);
        let since = before.as_ref().map(|before| compare(before, &mut reading));
        let per_s = |count: f64| {
            let interval_ns = since.as_ref()?.interval_ns;
            (interval_ns > 0).then(|| count * 1e9 / interval_ns as f64)
        };
        let threads_per_s = since.as_ref().and_then(|since| per_s(since.change.net() as f64));
        let mappings = || Some(mappings_of(&limits)? as f64 - before.as_ref()?.mappings? as f64);
        let mappings_per_s = mappings().and_then(per_s);
        let ended = since.as_ref().map_or(&[][..], |since| &since.ended);
        Ok(ThreadReport {
            groups: group_threads(&reading.threads, ended),
            threads: reading.threads,
            interval_ns: since.as_ref().map(|since| since.interval_ns),
            change: since.as_ref().map(|since| since.change),
            unjoined,
            unjoined_in,
            limits: thread_limits(&limits, threads_per_s, mappings_per_s),
            process,
            blind,
            faults,
        })
    }

    fn read_unjoined(&mut self, blind: &mut Vec<Blind>, faults: &mut Vec<Fault>) -> Vec<Unjoined> {
        match self.unjoined.read() {
            Ok(rows) => rows,
            Err(error) if error.is_not_permitted() => {
                blind.push(Blind {
                    what: "exited threads that nobody joined".to_owned(),
                    why: "the mappings may not be read".to_owned(),
                    cure: Some(cure()),
                });
                Vec::new()
            }
            // It ended, and has no mappings any more.
            Err(error) if error.is_gone() => Vec::new(),
            Err(error) => {
                let (pid, cause) = (Some(self.process.id.pid), error.to_string());
                faults.push(Fault { pid, fd: None, operation: "count unjoined threads", cause });
                Vec::new()
            }
        }
    }
}

/// What to do for more.
pub fn cure() -> String {
    "run it with sudo, or give fdscope CAP_SYS_PTRACE".to_owned()
}

/// What the tables say of a call.
pub fn call_facts(number: u64, compat: bool) -> CallFacts {
    let arch = if compat { Arch::COMPAT.unwrap_or(Arch::NATIVE) } else { Arch::NATIVE };
    let name = names::name(arch, number);
    let uses = uses::using(arch, number).is_some_and(|call| call.arg == Some(0));
    // Of the calls that concern handles, those that a thread waits in with a descriptor first.
    const WAIT: &[&str] =
        &["accept", "accept4", "recvmsg", "recvmmsg", "ioctl", "fcntl", "getsockopt", "close"];
    let waits = handles::by_number(arch, number).is_some_and(|call| WAIT.contains(&call.name));
    CallFacts { name, on_descriptor: uses || waits }
}

fn keep(reading: &ThreadReading, limits: &[Limit]) -> Before {
    let row = |thread: &ThreadEntry| {
        ((thread.tid, thread.start_ticks), (thread.pattern.clone(), thread.cpu_ns))
    };
    Before {
        at: reading.at,
        threads: reading.threads.iter().map(row).collect(),
        mappings: mappings_of(limits),
    }
}

fn mappings_of(limits: &[Limit]) -> Option<u64> {
    limits.iter().find(|limit| limit.name == LimitName::MaxMapCount).map(|limit| limit.used)
}

/// What changed since the reading before.
struct Since {
    interval_ns: u64,
    change: Change,
    ended: Vec<Name>,
}

/// Marks new threads, gives each its share of a processor, and finds those that ended.
fn compare(before: &Before, reading: &mut ThreadReading) -> Since {
    let interval_ns = reading.at.since_ns(before.at);
    let mut left: BTreeMap<&(Tid, u64), &Name> =
        before.threads.iter().map(|(key, (pattern, _))| (key, pattern)).collect();
    let mut started = 0;
    for thread in &mut reading.threads {
        let key = (thread.tid, thread.start_ticks);
        let old = before.threads.get(&key);
        left.remove(&key);
        started += u64::from(old.is_none());
        thread.is_new = Some(old.is_none());
        let used_ns = thread.cpu_ns.saturating_sub(old.map_or(0, |(_, cpu_ns)| *cpu_ns));
        thread.cpu_cores = (interval_ns > 0).then(|| used_ns as f64 / interval_ns as f64);
    }
    let ended: Vec<Name> = left.into_values().cloned().collect();
    Since { interval_ns, change: Change { started, ended: ended.len() as u64 }, ended }
}

/// What may not be read, in sentences with counts.
fn blind_of(reading: &ThreadReading) -> Vec<Blind> {
    let what = |file: &str, count: u64| {
        let threads = fdscope_render::units::count_of(count, "thread", "threads");
        match file {
            "stack" => format!("kernel stacks of {threads}"),
            _ => format!("system calls, wait channels and descriptors of {threads}"),
        }
    };
    let row = |(file, count): (&&'static str, &u64)| Blind {
        what: what(file, *count),
        why: "not permitted".to_owned(),
        cure: Some(match *file {
            "stack" => "run it with sudo: the kernel asks for CAP_SYS_ADMIN".to_owned(),
            _ => cure(),
        }),
    };
    reading.refused.iter().map(row).collect()
}
