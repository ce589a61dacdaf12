//! No harm: whatever happens to the tracer, and whatever the tracer does, the target does not notice.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{LIMIT, Target, assert_same, compile, drain_until, lines};
use fdscope_model::{EventSource, Pid};
use fdscope_ptrace::{Error, Options, PtraceSource};

const TRACE_PID: &str = "FDSCOPE_TEST_TRACE_PID";

fn status(pid: Pid, key: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the target lives");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("status has the key");
    line.trim_start_matches(':').trim().to_owned()
}

/// Waits until a line of /proc/PID/status begins as wanted.
fn await_status(pid: Pid, key: &str, wanted: &str) {
    let deadline = Instant::now() + LIMIT;
    while !status(pid, key).starts_with(wanted) {
        assert!(Instant::now() < deadline, "{key} stays {}", status(pid, key));
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn send(pid: Pid, signal: i32) {
    let name = format!("-{signal}");
    let sent = Command::new("kill").args([&name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

fn assert_alive(target: &mut Target) {
    target.go();
    assert_eq!(target.line(), "alive");
}

#[test]
fn a_target_let_go_works_on() {
    let Some(program) = compile("worker", &[]) else { return };
    let mut target = Target::start(program);
    for _ in 0..3 {
        let mut source =
            PtraceSource::attach(&[target.pid()], Options::default()).expect("attaching");
        drain_until(&mut source, |event| event.line.starts_with("- close"));
        assert_alive(&mut target);
        source.stop().expect("stopping");
        assert_eq!(status(target.pid(), "TracerPid"), "0");
        assert_alive(&mut target);
    }
    assert_eq!(target.end(), Some(0));
}

#[test]
fn a_source_dropped_or_not_polled_does_not_hold_its_target() {
    let Some(program) = compile("worker", &[]) else { return };
    let mut target = Target::start(program);
    let source = PtraceSource::attach(&[target.pid()], Options::default()).expect("attaching");
    for _ in 0..200 {
        assert_alive(&mut target);
    }
    drop(source);
    assert_eq!(status(target.pid(), "TracerPid"), "0");
    assert_alive(&mut target);
    assert_eq!(target.end(), Some(0));
}

/// The tracer of the next test, in a process of its own. Does nothing unless told whom to trace.
#[test]
fn trace_until_killed() {
    let Ok(pid) = std::env::var(TRACE_PID) else { return };
    let pid = Pid(pid.parse().expect("a pid"));
    let mut source = PtraceSource::attach(&[pid], Options::default()).expect("attaching");
    println!("\ntracing");
    loop {
        source.poll(Duration::from_millis(50), &mut |_| ()).expect("polling");
    }
}

#[test]
fn a_target_survives_the_sigkill_of_its_tracer() {
    let Some(program) = compile("worker", &[]) else { return };
    let mut target = Target::start(program);
    for round in 0..5 {
        let mut tracer = Command::new(std::env::current_exe().expect("this test's path"))
            .args(["--exact", "trace_until_killed", "--nocapture"])
            .env(TRACE_PID, target.pid().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs");
        let output = BufReader::new(tracer.stdout.take().expect("stdout is a pipe"));
        let says =
            |line: &std::io::Result<String>| line.as_ref().is_ok_and(|line| line == "tracing");
        assert!(output.lines().any(|line| says(&line)));
        assert_ne!(status(target.pid(), "TracerPid"), "0");
        for _ in 0..round * 3 {
            assert_alive(&mut target);
        }
        tracer.kill().expect("a child can be killed");
        tracer.wait().expect("a child can be waited for");
        await_status(target.pid(), "TracerPid", "0");
        assert_alive(&mut target);
    }
    assert_eq!(target.end(), Some(0));
}

#[test]
fn signals_stops_and_restarted_calls_are_as_without_a_tracer() {
    let Some(program) = compile("signals", &[]) else { return };
    let mut target = Target::start(program);
    let pid = target.pid();
    let mut source = PtraceSource::attach(&[pid], Options::default()).expect("attaching");
    target.go();
    assert_eq!(target.line(), "stop me");
    for _ in 0..5 {
        send(pid, libc::SIGSTOP);
        await_status(pid, "State", "t");
        send(pid, libc::SIGCONT);
        await_status(pid, "State", "S");
    }
    target.go();
    let ledger = target.ledger();
    let seen = drain_until(&mut source, |event| event.line.starts_with("- close"));
    let found: Vec<String> = lines(&seen).into_iter().filter(|l| !l.contains("child")).collect();
    assert_same(&ledger, &found);
    drop(source);
    assert_eq!(target.end(), Some(0));
}

#[test]
fn a_stopped_target_is_attached_to_and_left_stopped() {
    let Some(program) = compile("worker", &[]) else { return };
    let mut target = Target::start(program);
    let pid = target.pid();
    send(pid, libc::SIGSTOP);
    await_status(pid, "State", "T");
    let mut source = PtraceSource::attach(&[pid], Options::default()).expect("attaching");
    source.stop().expect("stopping");
    assert_eq!(status(pid, "TracerPid"), "0");
    await_status(pid, "State", "T");
    // And one that is stopped and continued while traced goes on.
    let mut source = PtraceSource::attach(&[pid], Options::default()).expect("attaching");
    send(pid, libc::SIGCONT);
    assert_alive(&mut target);
    drain_until(&mut source, |event| event.line.starts_with("- close"));
    send(pid, libc::SIGSTOP);
    await_status(pid, "State", "t");
    drop(source);
    await_status(pid, "State", "T");
    send(pid, libc::SIGCONT);
    assert_alive(&mut target);
    assert_eq!(target.end(), Some(0));
}

#[test]
fn blocked_calls_do_not_fail_when_their_thread_is_seized() {
    let Some(program) = compile("waits", &[]) else { return };
    let mut target = Target::start(program);
    for _ in 0..3 {
        let source = PtraceSource::attach(&[target.pid()], Options::default()).expect("attaching");
        drop(source);
    }
    target.go();
    assert_eq!(target.ledger(), Vec::<String>::new());
    assert_eq!(target.end(), Some(0));
}

#[test]
fn another_tracer_is_named() {
    let Some(program) = compile("worker", &[]) else { return };
    let target = Target::start(program);
    let first = PtraceSource::attach(&[target.pid()], Options::default()).expect("attaching");
    match PtraceSource::attach(&[target.pid()], Options::default()) {
        Err(Error::AlreadyTraced { pid, tracer, .. }) => {
            assert_eq!((pid, tracer), (target.pid(), Pid(std::process::id())));
        }
        other => panic!("expected AlreadyTraced: {:?}", other.err()),
    }
    drop(first);
    assert_eq!(target.end(), Some(0));
}

#[test]
fn no_such_process_and_oneself_are_refused() {
    let error = PtraceSource::attach(&[Pid(0x3fff_fff0)], Options::default()).err();
    assert!(matches!(error, Some(Error::NoSuchProcess { .. })), "{error:?}");
    let own = PtraceSource::attach(&[Pid(std::process::id())], Options::default()).err();
    let text = own.expect("refused").to_string();
    assert!(text.contains("cannot trace itself"), "{text}");
}

#[test]
fn a_thread_in_uninterruptible_sleep_is_named_and_traced_when_it_wakes() {
    let Some(program) = compile("asleep", &[]) else { return };
    let mut target = Target::start(program);
    let options = Options::default();
    let mut source = PtraceSource::attach(&[target.pid()], options).expect("attaching");
    let named = format!("the first calls of threads {}", target.pid());
    assert!(source.sight().blind.iter().any(|blind| blind.what == named), "{:?}", source.sight());
    // Letting go of a thread that never stopped must neither hang nor disturb it.
    source.stop().expect("stopping");
    assert_eq!(status(target.pid(), "TracerPid"), "0");
    let mut source = PtraceSource::attach(&[target.pid()], options).expect("attaching");
    target.go();
    let ledger = target.ledger();
    let seen = drain_until(&mut source, |event| event.line.starts_with("- close"));
    assert_same(&ledger, &lines(&seen));
    drop(source);
    assert_eq!(target.end(), Some(0));
}
