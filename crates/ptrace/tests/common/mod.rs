//! Programs that tell what they did, and the tracer's account of the same, line by line.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fdscope_model::{
    AcquireCause, Body, Event, EventSource, HandleKey, Pid, Progress, ReleaseCause, Trace,
};
use fdscope_ptrace::{Ending, Options, PtraceSource};
use tempfile::TempDir;

/// No test waits longer than this for anything.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A compiled program; its directory lives as long as it.
pub struct Program {
    pub path: PathBuf,
    directory: TempDir,
}

/// Compiles tests/programs/NAME.c; `None` (and says so) if this machine's compiler cannot.
pub fn compile(name: &str, flags: &[&str]) -> Option<Program> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let made = Command::new("cc")
        .args([
            "-g",
            "-O1",
            "-Wall",
            "-Wno-unused-function",
            "-Wno-return-type",
            "-Werror",
            "-pthread",
            "-static",
        ])
        .args(flags)
        .arg("-o")
        .args([&path, &source])
        .output();
    match made {
        Ok(output) if output.status.success() => Some(Program { path, directory }),
        Ok(output) if flags.contains(&"-m32") && missing_32(&output.stderr) => {
            println!("skipped: needs a compiler for 32-bit programs (gcc-multilib)");
            None
        }
        Ok(output) => panic!("{name}.c: {}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: needs cc");
            None
        }
    }
}

fn missing_32(stderr: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stderr);
    text.contains("bits/") || text.contains("-lgcc") || text.contains("sys/cdefs.h")
}

/// A running program that waits to be told to go on.
pub struct Target {
    pub child: Child,
    pub program: Program,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Target {
    /// Starts a program that waits for its tracer.
    pub fn start(program: Program) -> Self {
        let mut child = Command::new(&program.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a compiled program runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut target = Target { child, program, input, output };
        assert_eq!(target.line(), "ready");
        target
    }

    pub fn pid(&self) -> Pid {
        Pid(self.child.id())
    }

    /// Tells the program to go on.
    pub fn go(&mut self) {
        self.input.as_mut().expect("stdin is a pipe").write_all(b"\n").expect("it reads");
    }

    /// The program's next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it writes");
        line.trim_end().to_owned()
    }

    /// The program's lines until "done".
    pub fn ledger(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line() {
                line if line == "done" => return lines,
                line if line.is_empty() => panic!("the program ended early: {lines:?}"),
                line => lines.push(line),
            }
        }
    }

    /// Attaches, lets the program work, and returns its ledger and the tracer's events.
    pub fn trace(mut self, options: Options) -> (Vec<String>, Vec<Seen>) {
        let mut source = PtraceSource::attach(&[self.pid()], options).expect("attaching");
        self.go();
        let ledger = self.ledger();
        self.input = None;
        let seen = drain(&mut source);
        assert_eq!(source.ending(self.pid()), Some(Ending::Exited(0)));
        (ledger, seen)
    }

    /// Lets the program end while nobody traces it, and says how.
    pub fn end(mut self) -> Option<i32> {
        self.input = None;
        self.child.wait().expect("a child can be waited for").code()
    }
}

/// An event, kept.
#[derive(Clone, Debug)]
pub struct Seen {
    pub pid: u32,
    pub tid: u32,
    pub line: String,
    pub body: Body<'static>,
    /// The instruction pointer and the length of the stack, if one was taken.
    pub stack: Option<(u64, usize, bool)>,
}

/// All events until the last target is gone.
pub fn drain(source: &mut PtraceSource) -> Vec<Seen> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + LIMIT;
    loop {
        let progress = source.poll(Duration::from_millis(200), &mut |event| seen.push(keep(event)));
        if progress.expect("polling") == Progress::Ended {
            return seen;
        }
        assert!(Instant::now() < deadline, "the targets did not end: {seen:#?}");
    }
}

/// Polls until an event fits.
pub fn drain_until(source: &mut PtraceSource, fits: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while !seen.iter().any(&fits) {
        source
            .poll(Duration::from_millis(200), &mut |event| seen.push(keep(event)))
            .expect("polling");
        assert!(Instant::now() < deadline, "the event did not come: {seen:#?}");
    }
    seen
}

fn keep(event: &Event<'_>) -> Seen {
    let trace = match &event.body {
        Body::Acquire(acquire) => acquire.trace,
        Body::Release(release) => release.trace,
        Body::Fail(fail) => fail.trace,
        Body::Fork { trace, .. } => *trace,
        _ => Trace::None,
    };
    let stack = match trace {
        Trace::Copied { regs, bytes, compat, .. } => Some((regs.ip, bytes.len(), compat)),
        _ => None,
    };
    Seen { pid: event.pid.0, tid: event.tid.0, line: line(&event.body), body: forget(event), stack }
}

/// The body without what it borrows.
fn forget(event: &Event<'_>) -> Body<'static> {
    let trace = Trace::None;
    match event.body.clone() {
        Body::Acquire(a) => Body::Acquire(fdscope_model::Acquire {
            key: a.key,
            kind: a.kind,
            file: a.file,
            inode: a.inode,
            cloexec: a.cloexec,
            cause: a.cause,
            name: a.name,
            trace,
        }),
        Body::Release(r) => Body::Release(fdscope_model::Release {
            key: r.key,
            cause: r.cause,
            slot: r.slot,
            trace,
        }),
        Body::Fail(f) => Body::Fail(fdscope_model::Fail {
            call: f.call,
            errno: f.errno,
            fd: f.fd,
            table: f.table,
            trace,
        }),
        Body::CloseOnExec { key, on } => Body::CloseOnExec { key, on },
        Body::Fork { child, child_table, parent_table, .. } => {
            Body::Fork { child, child_table, parent_table, trace }
        }
        Body::Unshare { from, to } => Body::Unshare { from, to },
        Body::Exec { table, comm } => Body::Exec { table, comm },
        Body::Exit { table } => Body::Exit { table },
        Body::Lost { count } => Body::Lost { count },
        Body::Reconcile { reason } => Body::Reconcile { reason },
    }
}

/// An event in the words of the programs' ledgers.
fn line(body: &Body<'_>) -> String {
    match body {
        Body::Acquire(acquire) => match (acquire.key, acquire.cause) {
            (HandleKey::Descriptor(_, fd), AcquireCause::Call(call)) => format!("+ {call} {fd}"),
            (HandleKey::Descriptor(_, fd), AcquireCause::Dup(call, _)) => format!("+ {call} {fd}"),
            (key, _) => format!("+ {}", other(key)),
        },
        Body::Release(release) => match (release.key, release.cause) {
            (HandleKey::Descriptor(_, fd), ReleaseCause::Call(call)) => format!("- {call} {fd}"),
            (HandleKey::Descriptor(_, fd), ReleaseCause::DupOver) => format!("- over {fd}"),
            (key, _) => format!("- {}", other(key)),
        },
        Body::Fail(fail) => match fail.fd {
            Some(fd) => format!("fail {} {} {fd}", fail.call, fail.errno),
            None => format!("fail {} {} none", fail.call, fail.errno),
        },
        Body::CloseOnExec { key, .. } => format!("flag {}", key.fd().expect("a descriptor")),
        Body::Fork { child, .. } => format!("fork {child}"),
        Body::Unshare { .. } => "unshare".into(),
        Body::Exec { comm, .. } => format!("exec {comm}"),
        Body::Exit { .. } => "exit".into(),
        Body::Lost { count } => format!("lost {count}"),
        Body::Reconcile { reason } => format!("reconcile {reason}"),
    }
}

fn other(key: HandleKey) -> String {
    match key {
        HandleKey::Descriptor(_, fd) => format!("descriptor {fd}"),
        HandleKey::Thread(tid) => format!("thread {tid}"),
        HandleKey::Child(_, child) => format!("child {child}"),
        HandleKey::Timer(_, id) => format!("timer {id}"),
        HandleKey::Watch(_, _, watch) => format!("watch {watch}"),
        HandleKey::Registration(_, _, fd) => format!("registration {fd}"),
        HandleKey::Mapping(_, start) => format!("mapping {start:#x}"),
    }
}

/// The lines of events, as a ledger: with "cloexec" after births that say so.
pub fn lines(seen: &[Seen]) -> Vec<String> {
    let mut lines = Vec::new();
    for event in seen {
        lines.push(event.line.clone());
        if let Body::Acquire(acquire) = &event.body
            && let (Some(true), Some(fd)) = (acquire.cloexec, acquire.key.fd())
        {
            lines.push(format!("cloexec {fd}"));
        }
    }
    lines
}

/// Fails at the first line that differs, showing what is around it.
pub fn assert_same(expected: &[String], found: &[String]) {
    let differs = expected.iter().zip(found).position(|(one, other)| one != other);
    let at = differs.unwrap_or(expected.len().min(found.len()));
    if at < expected.len() || at < found.len() {
        let from = at.saturating_sub(5);
        let show =
            |lines: &[String]| lines[from.min(lines.len())..lines.len().min(at + 5)].join("\n  ");
        panic!("line {at} differs\nprogram:\n  {}\ntracer:\n  {}", show(expected), show(found));
    }
}
