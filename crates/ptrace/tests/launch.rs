//! Programs watched from their first instruction, and bad days: killed in the midst of everything, not permitted.

mod common;

use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use common::{Target, assert_same, compile, drain, drain_until, lines};
use fdscope_model::{Body, HandleKey, Pid};
use fdscope_ptrace::{Ending, Error, Follow, Options, PtraceSource};

const REFUSED_PID: &str = "FDSCOPE_TEST_REFUSED_PID";

#[test]
fn a_launched_program_is_seen_from_its_first_instruction() {
    let Some(program) = compile("calls", &[]) else { return };
    let output = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = Command::new(&program.path);
    let (input, mut words) = std::io::pipe().expect("a pipe");
    words.write_all(b"\n\n").expect("a pipe takes two bytes");
    command.stdin(input).stdout(output.reopen().expect("the file opens"));
    let options = Options { mappings: false, ..Options::default() };
    let mut source = PtraceSource::launch(command, options).expect("launching");
    let pid = source.launched().expect("it was launched");

    // Held before its first instruction: what it inherited can be read now.
    let table = source.tables();
    assert_eq!((table.len(), table[0].pid, table[0].tid.0), (1, pid, pid.0));
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).expect("the program is loaded");
    assert_eq!(exe, program.path);
    assert_eq!(source.ending(pid), None);
    assert!(source.is_watching());

    let found = lines(&drain(&mut source));
    assert_eq!(source.ending(pid), Some(Ending::Exited(0)));
    let text = std::fs::read_to_string(output.path()).expect("the ledger");
    let is_told = |line: &&str| {
        *line != "ready"
            && *line != "done"
            && !line.contains("mapping")
            && !line.contains("registration")
    };
    let mut expected: Vec<String> = text.lines().filter(is_told).map(Into::into).collect();
    expected.push("exit".into());
    assert_same(&expected, &found);
}

#[test]
fn a_launched_shell_is_followed_through_its_pipeline() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cat /dev/null | cat; exec cat /dev/null"]).stdin(Stdio::null());
    let options = Options { follow: Follow::Children, ..Options::default() };
    let mut source = PtraceSource::launch(command, options).expect("launching");
    let seen = drain(&mut source);
    let count = |line: &str| seen.iter().filter(|event| event.line == line).count();
    assert_eq!(count("exec cat"), 3);
    assert_eq!(count("exit"), 3);
    let forks = seen.iter().filter(|event| matches!(event.body, Body::Fork { .. })).count();
    assert_eq!(forks, 2);
    let reaped = |event: &&common::Seen| match &event.body {
        Body::Release(release) => matches!(release.key, HandleKey::Child(..)),
        _ => false,
    };
    assert_eq!(seen.iter().filter(reaped).count(), 2);
}

#[test]
fn what_cannot_be_run_is_said_with_the_reason() {
    let text = |name: &str| {
        let error = PtraceSource::launch(Command::new(name), Options::default()).err();
        error.expect("it cannot be run").to_string()
    };
    assert!(text("/nowhere/x").contains("failed to run /nowhere/x: No such file"));
    let empty = tempfile::NamedTempFile::new().expect("a temporary file");
    assert!(text(&empty.path().to_string_lossy()).contains("Permission denied"));
}

#[test]
fn a_launched_program_never_polled_for_is_let_go_to_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("made");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("echo ran > {}", path.display()));
    let source = PtraceSource::launch(command, Options::default()).expect("launching");
    drop(source);
    let deadline = std::time::Instant::now() + common::LIMIT;
    while std::fs::read(&path).unwrap_or_default() != b"ran\n" {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn a_target_killed_while_it_makes_threads_and_processes_ends_the_watch() {
    let Some(mut program) = compile("churn", &[]) else { return };
    for follow in [Follow::No, Follow::Children, Follow::Children] {
        let mut target = Target::start(program);
        let options = Options { follow, stack_bytes: 0, ..Options::default() };
        let mut source = PtraceSource::attach(&[target.pid()], options).expect("attaching");
        drain_until(&mut source, |event| event.line.starts_with("- child"));
        target.child.kill().expect("a child can be killed");
        drain(&mut source);
        assert_eq!(source.ending(target.pid()), Some(Ending::Killed(libc::SIGKILL)));
        program = target.program;
    }
}

#[test]
fn a_target_let_go_while_it_makes_threads_and_processes_makes_more() {
    let Some(program) = compile("churn", &[]) else { return };
    let mut target = Target::start(program);
    for _ in 0..5 {
        let options = Options { follow: Follow::Children, ..Options::default() };
        let mut source = PtraceSource::attach(&[target.pid()], options).expect("attaching");
        drain_until(&mut source, |event| event.line.starts_with("- child"));
    }
    // Nothing of the family may be left stopped.
    for _ in 0..20 {
        for line in family_states(target.pid()) {
            assert!(!line.contains('t') && !line.contains('T'), "{line}");
        }
    }
    target.child.kill().expect("a child can be killed");
    target.child.wait().expect("a child can be waited for");
}

/// The state letters of the process's threads and children.
fn family_states(pid: Pid) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for task in tasks.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let paths = children.split_whitespace().map(|child| format!("/proc/{child}").into());
        for path in paths.chain([task.path()]) {
            let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').next());
            found.push(state.unwrap_or_default().to_owned());
        }
    }
    found
}

/// Runs as another user in the next test. Does nothing unless told whom to trace.
#[test]
fn trace_without_permission() {
    let Ok(pid) = std::env::var(REFUSED_PID) else { return };
    let pid = Pid(pid.parse().expect("a pid"));
    let error = PtraceSource::attach(&[pid], Options::default()).err();
    assert!(matches!(error, Some(Error::NotPermitted { .. })), "{error:?}");
}

#[test]
fn another_users_process_is_refused_with_a_reason() {
    if !rustix_is_root() {
        println!("skipped: needs root");
        return;
    }
    let Some(program) = compile("worker", &[]) else { return };
    let target = Target::start(program);
    // A copy that the other user may run, wherever the build lives.
    let copy = tempfile::Builder::new().tempdir_in("/tmp").expect("a temporary directory");
    let path = copy.path().join("test");
    std::fs::copy(std::env::current_exe().expect("this test's path"), &path).expect("copying");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(copy.path(), open).expect("the directory is ours");
    let mut command = Command::new(&path);
    command.args(["--exact", "trace_without_permission"]).uid(65534).gid(65534);
    command.env(REFUSED_PID, target.pid().to_string()).stdout(Stdio::null());
    // Another test's fork may hold the copy open for writing for a moment.
    let status = loop {
        match command.status() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            status => break status.expect("the test runs"),
        }
    };
    assert!(status.success());
    assert_eq!(target.end(), Some(0));
}

fn rustix_is_root() -> bool {
    rustix::process::geteuid().is_root()
}
