//! What the threads of a process do, one by one: state, CPU time, system call, wait channel, kernel stack, and the
//! epoll descriptors that they wait on.
//!
//! Nothing is stopped. A thread that ends meanwhile is left out. What may not be read is left unknown and counted in
//! [`ThreadReading::refused`]: another user's threads show name, state, age and CPU time only.

mod wait_sets;

use std::collections::BTreeMap;

use fdscope_model::thread::{CurrentCall, Doing, ThreadEntry};
use fdscope_model::{HandleKind, Monotonic, Name, Pid, Tid};
use fdscope_sys::clock::monotonic_now;

use crate::error::ProcError;
use crate::parse::{
    InCall, Stat, parse_kernel_stack, parse_schedstat, parse_stat, parse_syscall, parse_uptime,
    parse_wchan,
};
use crate::pattern::pattern;
use crate::root::{PidDir, ProcRoot};
use wait_sets::WaitSets;

/// What the table of system calls says of a number: its name, and whether the first argument is a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CallFacts {
    /// Its name.
    pub name: Option<&'static str>,
    /// True if the first argument is a descriptor.
    pub on_descriptor: bool,
}

/// Looks a number up, for 32-bit programs if the second argument is true.
pub type CallTable = fn(u64, bool) -> CallFacts;

/// How much is read of each thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Depth {
    /// Name, state, times: what everybody may read.
    Times,
    /// And its system call, wait channel and epoll descriptor.
    #[default]
    Calls,
    /// And the kernel's functions on its stack.
    KernelStacks,
}

/// The threads of a process, read once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ThreadReading {
    /// When.
    pub at: Monotonic,
    /// Every thread, by number.
    pub threads: Vec<ThreadEntry>,
    /// How many threads each file could not be read of for want of permission.
    pub refused: BTreeMap<&'static str, u64>,
}

impl ThreadReading {
    fn refuse(&mut self, file: &'static str, error: &ProcError) {
        if error.is_not_permitted() {
            *self.refused.entry(file).or_default() += 1;
        }
    }
}

/// Reads threads.
#[derive(Clone, Debug)]
pub struct ThreadReader {
    root: ProcRoot,
    calls: CallTable,
    tick_ns: u64,
}

impl ThreadReader {
    /// A reader that names system calls by `calls`.
    pub fn new(root: ProcRoot, calls: CallTable) -> Self {
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        ThreadReader { root, calls, tick_ns }
    }

    /// The threads of `pid` now.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn read(&self, pid: Pid, depth: Depth) -> Result<ThreadReading, ProcError> {
        let dir = self.root.pid_dir(pid)?;
        let mut reading = ThreadReading { at: monotonic_now(), ..ThreadReading::default() };
        let uptime_ns = self.root.read("uptime").ok().and_then(|bytes| parse_uptime(&bytes));
        let compat = depth > Depth::Times && is_compat(&dir);
        let mut sets = WaitSets::default();
        let mut tids = dir.tids()?;
        tids.sort_unstable();
        for tid in tids {
            let Some(mut thread) = self.read_times(&dir, tid, uptime_ns) else { continue };
            if depth > Depth::Times {
                self.read_call(&dir, &mut thread, compat, &mut reading);
                thread.waits_on = sets.of(&dir, &thread);
            }
            if depth == Depth::KernelStacks {
                match read_file(&dir, tid, "stack") {
                    Ok(bytes) => thread.kernel_stack = Some(parse_kernel_stack(&bytes)),
                    Err(error) => reading.refuse("stack", &error),
                }
            }
            reading.threads.push(thread);
        }
        if reading.threads.is_empty() { Err(ProcError::Gone { pid }) } else { Ok(reading) }
    }

    /// Name, state and times; `None` if the thread is gone.
    fn read_times(&self, dir: &PidDir, tid: Tid, uptime_ns: Option<u64>) -> Option<ThreadEntry> {
        let stat: Stat = parse_stat(&read_file(dir, tid, "stat").ok()?).ok()?;
        let exact = read_file(dir, tid, "schedstat").ok().and_then(|b| parse_schedstat(&b));
        let began_ns = stat.start_ticks.saturating_mul(self.tick_ns);
        Some(ThreadEntry {
            tid,
            pattern: pattern(HandleKind::Thread, &stat.comm),
            comm: stat.comm,
            state: stat.state.0,
            start_ticks: stat.start_ticks,
            age_ns: uptime_ns.map(|now_ns| now_ns.saturating_sub(began_ns)),
            cpu_ns: exact.unwrap_or(stat.cpu_ticks.saturating_mul(self.tick_ns)),
            ..ThreadEntry::default()
        })
    }

    fn read_call(
        &self,
        dir: &PidDir,
        thread: &mut ThreadEntry,
        compat: bool,
        reading: &mut ThreadReading,
    ) {
        let found = match read_file(dir, thread.tid, "syscall") {
            Ok(bytes) => parse_syscall(&bytes),
            Err(error) => return reading.refuse("syscall", &error),
        };
        thread.doing = match found {
            None => Doing::Hidden,
            Some(InCall::Running) => Doing::Running,
            Some(InCall::Outside) => Doing::Outside,
            Some(InCall::Call { number, args, sp, ip }) => {
                let facts = (self.calls)(number, compat);
                let on = facts.on_descriptor.then(|| descriptor(dir, thread.tid, args[0]));
                let on = on.flatten();
                let name = facts.name;
                Doing::Call(CurrentCall { number, name, args, sp, ip, compat, on })
            }
        };
        if let Ok(bytes) = read_file(dir, thread.tid, "wchan") {
            thread.wait_channel = parse_wchan(&bytes);
        }
    }
}

fn read_file(dir: &PidDir, tid: Tid, file: &str) -> Result<Vec<u8>, ProcError> {
    dir.read(&format!("task/{tid}/{file}"), "read a thread's files")
}

/// A descriptor that a thread waits on, with its link; the thread's own table counts.
fn descriptor(dir: &PidDir, tid: Tid, argument: u64) -> Option<(fdscope_model::FdNumber, Name)> {
    // The upper half of the register is not part of an int.
    let fd = argument as u32;
    let link = dir.read_link(&format!("task/{tid}/fd/{fd}"), "read link").ok()?;
    Some((fdscope_model::FdNumber(fd), link))
}

/// True for a 32-bit program: the words of its auxiliary vector are short, so that the second is not the upper half of
/// the first key.
fn is_compat(dir: &PidDir) -> bool {
    let auxv = dir.read("auxv", "read auxv").unwrap_or_default();
    auxv.get(4..8).is_some_and(|upper| upper != [0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: u64, _compat: bool) -> CallFacts {
        let name = (number == 0).then_some("read");
        CallFacts { name, on_descriptor: number == 0 }
    }

    #[test]
    fn this_process_is_read() {
        let reader = ThreadReader::new(ProcRoot::open().expect("/proc"), table);
        let own = Tid(rustix::thread::gettid().as_raw_nonzero().get() as u32);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        // A young thread has used less than the kernel's unit of time: reading is work that adds up.
        loop {
            let reading = reader.read(Pid(std::process::id()), Depth::Calls).expect("threads");
            assert!(reading.threads.is_sorted_by_key(|thread| thread.tid));
            let me = reading.threads.iter().find(|thread| thread.tid == own).expect("this thread");
            assert!(me.age_ns.is_some() && me.state == b'R', "{me:?}");
            if me.cpu_ns > 0 {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{me:?}");
        }
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let reader = ThreadReader::new(ProcRoot::open().expect("/proc"), table);
        let error = reader.read(Pid(u32::MAX - 1), Depth::Calls).expect_err("no such process");
        assert!(error.is_gone());
    }

    #[test]
    fn a_waiting_thread_tells_its_call_and_descriptor() {
        let (reader, mut writer) = std::io::pipe().expect("pipe");
        let waiting = std::thread::Builder::new().name("waits-7".to_owned()).spawn(move || {
            let mut byte = [0];
            std::io::Read::read_exact(&mut { reader }, &mut byte)
        });
        let threads = ThreadReader::new(ProcRoot::open().expect("/proc"), table);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let call = loop {
            let reading = threads.read(Pid(std::process::id()), Depth::Calls).expect("threads");
            let named = |thread: &&ThreadEntry| thread.comm == Name::from("waits-7");
            let found = reading.threads.iter().find(named).map(|thread| thread.doing.clone());
            match found {
                Some(Doing::Call(call)) if call.name == Some("read") => break call,
                _ => assert!(std::time::Instant::now() < deadline, "{found:?}"),
            }
            std::thread::yield_now();
        };
        assert!(call.on.expect("a descriptor").1.bytes().starts_with(b"pipe:["));
        std::io::Write::write_all(&mut writer, b"x").expect("write");
        waiting.expect("spawned").join().expect("joined").expect("read");
    }
}
