//! Bad days: each ends in one clear sentence, the documented exit code, and an unharmed target.

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use common::{Watching, fdscope, is_root, run, verdicts};
use fdscope_fixtures::{Fixture, c};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn no_such_process() {
    let output = run(&["leak", "4194300"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(stderr(&output), "fdscope: there is no process 4194300\n");
    let output = run(&["leak", "no-such-name-anywhere"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output)
            .starts_with("fdscope: there is no process named \"no-such-name-anywhere\"\n")
    );
}

#[test]
fn several_processes_of_one_name_are_all_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("of-one-name");
    fdscope_fixtures::copy_program(c("leaky"), &program);
    let both = [Fixture::start(&program, &[]), Fixture::start(&program, &[])];
    let arguments = ["leak", "of-one-name", "--source", "poll", "--json", "--duration", "1s"];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("2 processes are named of-one-name: "), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let mut told: Vec<u64> = report["processes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|process| process["pid"].as_u64())
        .collect();
    told.sort_unstable();
    let mut expected = both.each_ref().map(|fixture| u64::from(fixture.pid()));
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn a_hostile_name_is_escaped_in_the_sentence() {
    let output = run(&["leak", "\u{1b}[2Jx"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!output.stderr.contains(&0x1b), "{:?}", stderr(&output));
}

#[test]
fn wrong_usage() {
    for arguments in [
        &["leak"][..],
        &["leak", "1", "--duration", "soon"],
        &["leak", "1", "--kind", "fil"],
        &["leak", "1", "--fail-on", "bad"],
        &["leak", "1", "--source", "magic"],
        &["--no-such-option"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_kernel_thread_holds_nothing() {
    if !is_root("the initial PID namespace") || !std::path::Path::new("/proc/2/comm").exists() {
        return;
    }
    let comm = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
    if comm.trim() != "kthreadd" {
        println!("skipped: needs to see kernel threads");
        return;
    }
    let output = run(&["leak", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is a kernel thread"));
}

#[test]
fn another_users_process_needs_privilege() {
    if !is_root("root, to become somebody else") {
        return;
    }
    let fixture = Fixture::start(&c("storm"), &[]);
    let mut command = fdscope();
    let copy = tempfile::tempdir().expect("a folder");
    let program = copy.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    make_reachable(copy.path());
    command = {
        let mut other = Command::new(&program);
        other.args(["leak", &fixture.pid().to_string()]).env_clear();
        drop(command);
        other
    };
    let output = command.uid(65534).gid(65534).output().expect("runs as nobody");
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("permission denied"), "{said}");
    assert!(said.contains("run: sudo "), "{said}");
    assert!(said.contains("sudo setcap "), "{said}");
    assert!(said.contains("descriptors open, soft limit"), "{said}");
}

fn make_reachable(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, open).expect("our own folder");
}

#[test]
fn a_target_that_exits_meanwhile_is_reported() {
    for source in sources() {
        let fixture = Fixture::start(&c("leaky"), &[]);
        let pid = fixture.pid().to_string();
        let watching = Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m"]);
        fixture.finish();
        let finished = watching.wait();
        assert_eq!(finished.status.code(), Some(0), "{source}");
        assert_eq!(finished.json()["processes"][0]["gone"], true, "{source}");
    }
}

#[test]
fn a_killed_fdscope_leaves_the_target_running() {
    for source in sources() {
        let mut fixture = Fixture::start(&c("leaky"), &[]);
        let pid = fixture.pid();
        let watching =
            Watching::start(&[&pid.to_string(), "--source", source, "--json", "--duration", "10m"]);
        fixture.ask("step 3");
        watching.signal("-KILL");
        drop(watching);
        let sites = fixture.ask("step 3");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        assert!(stat.contains("TracerPid:\t0"), "{source}: {stat}");
        assert!(!stat.contains("State:\tT"), "{source}: {stat}");
        drop(sites);
        fixture.finish();
    }
}

#[test]
fn another_tracer_is_named() {
    if !fdscope_fixtures::in_path("strace") {
        return;
    }
    let fixture = Fixture::start(&c("leaky"), &[]);
    let pid = fixture.pid().to_string();
    let mut strace = Command::new("strace")
        .args(["-o", "/dev/null", "-p", &pid])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs");
    let traced = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        !status.contains("TracerPid:\t0")
    };
    let deadline = std::time::Instant::now() + common::DEADLINE;
    while !traced() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let output = run(&["leak", &pid, "--source", "ptrace", "--duration", "1s"]);
    let _ended = strace.kill();
    let _ended = strace.wait();
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    assert!(stderr(&output).contains("already traced by process"), "{}", stderr(&output));
}

#[test]
fn a_program_that_cannot_run() {
    for source in sources() {
        let output = run(&["leak", "--source", source, "--", "/no/such/program"]);
        assert_eq!(output.status.code(), Some(127), "{source}: {}", stderr(&output));
        assert!(stderr(&output).contains("failed to run /no/such/program"), "{}", stderr(&output));
        let output = run(&["leak", "--source", source, "--", "/etc/passwd"]);
        assert_eq!(output.status.code(), Some(126), "{source}: {}", stderr(&output));
    }
}

#[test]
fn a_command_is_watched_to_its_end_and_its_code_kept() {
    for source in sources() {
        let output = run(&["leak", "-q", "--json", "--source", source, "--", "sh", "-c", "exit 7"]);
        assert_eq!(output.status.code(), Some(7), "{source}: {}", stderr(&output));
        let output =
            run(&["leak", "-q", "--json", "--source", source, "--", "sh", "-c", "kill -9 $$"]);
        assert_eq!(output.status.code(), Some(137), "{source}: {}", stderr(&output));
        let output =
            run(&["leak", "-q", "--json", "--source", source, "--fail-on", "leak", "--", "true"]);
        assert_eq!(output.status.code(), Some(0), "{source}: {}", stderr(&output));
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let script =
        format!("{} leak -q -- true | head -c 1 >/dev/null", env!("CARGO_BIN_EXE_fdscope"));
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_disk_is_said() {
    let script = format!("{} leak -q -- true >/dev/full", env!("CARGO_BIN_EXE_fdscope"));
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
}

#[test]
fn hostile_names_never_reach_the_terminal() {
    for source in sources() {
        let mut fixture = Fixture::start(&c("hostile"), &[]);
        let pid = fixture.pid().to_string();
        let watching =
            Watching::start(&[&pid, "--source", source, "--duration", "10m", "--color", "never"]);
        for _ in 0..8 {
            fixture.ask("step 1");
        }
        let text = watching.report().stdout;
        let raw: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty(), "{source}: {raw:?} in {text}");
    }
}

#[test]
fn a_huge_target_is_told_whole() {
    for source in sources() {
        let fixture = Fixture::start(&c("many"), &["descriptors=15000", "threads=1000"]);
        let pid = fixture.pid().to_string();
        let watching = Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m"]);
        let report = watching.report().json();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
        assert!(open >= 15_000);
        assert_eq!(report["processes"][0]["open_now"].as_u64(), Some(open as u64), "{source}");
    }
}

#[test]
fn exec_meanwhile_is_followed() {
    for source in sources() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; read go; exec sleep 300"]);
        let mut fixture = Fixture::spawn(command);
        fixture.wait_for("ready");
        let pid = fixture.pid().to_string();
        let watching = Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m"]);
        fixture.say("go");
        let comm = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        while comm().trim() != "sleep" {
            std::thread::yield_now();
        }
        let report = watching.report().json();
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
        let process = &report["processes"][0];
        assert_eq!(process["open_now"].as_u64(), Some(open as u64), "{source}");
        assert_eq!(process["comm"], "sleep", "{source}");
        assert!(verdicts(&report).iter().all(|verdict| verdict["level"] != "leak"), "{source}");
    }
}

/// The sources that can be had here.
fn sources() -> &'static [&'static str] {
    if is_root("CAP_BPF for the bpf source") {
        &["bpf", "ptrace", "poll"]
    } else {
        &["ptrace", "poll"]
    }
}

#[test]
fn a_command_runs_with_the_limits_of_its_caller() {
    for source in sources() {
        let program = env!("CARGO_BIN_EXE_fdscope");
        let script = format!(
            "ulimit -Sn 321; ulimit -Sl 7; \
             {program} leak -q --source {source} --folded /dev/null -- sh -c 'ulimit -Sn >&2; ulimit -Sl >&2'"
        );
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        assert!(stderr(&output).contains("321\n7\n"), "{source}: {}", stderr(&output));
    }
}

#[test]
fn what_a_full_ring_loses_is_counted_and_caps_verdicts() {
    if !is_root("CAP_BPF") {
        return;
    }
    let arguments = ["iterations=20000", "threads=2", "what=pipe"];
    let mut fixture = Fixture::start(&c("storm"), &arguments);
    let pid = fixture.pid().to_string();
    let watch = [&pid, "--source", "bpf", "--ring", "1M", "--json", "--duration", "10m"];
    let watching = Watching::start(&watch);
    // A reader that stands still loses for certain; the target must not mind.
    watching.signal("-STOP");
    fixture.say("go");
    fixture.wait_for("done");
    watching.signal("-CONT");
    let report = watching.report().json();
    assert!(report["lost"].as_u64().is_some_and(|lost| lost > 0), "{}", report["lost"]);
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    assert_eq!(report["processes"][0]["open_now"].as_u64(), Some(open as u64));
    assert!(verdicts(&report).iter().all(|verdict| verdict["level"] != "leak"), "{report:#}");
}

#[test]
fn a_number_used_again_is_another_process() {
    if !is_root("root, to choose the next process number") {
        return;
    }
    for source in sources() {
        let first = Fixture::start(&c("leaky"), &[]);
        let lasting = Fixture::start(&c("leaky"), &[]);
        let (pid, other) = (first.pid(), lasting.pid().to_string());
        let targets = [&pid.to_string(), &other, "--source", source, "--json"];
        let watching = Watching::start(&[&targets[..], &["--duration", "10m"]].concat());
        first.finish();
        let Some(mut second) = fixture_numbered(pid) else {
            println!("skipped: needs a free process number, and others took it");
            continue;
        };
        second.ask("step 50");
        let report = watching.report().json();
        let processes = report["processes"].as_array().expect("a list");
        let told = processes.iter().find(|process| process["pid"] == pid).expect("a row");
        assert_eq!(told["gone"], true, "{source}: {report:#}");
        let made = told["acquired"].as_u64().expect("a number");
        assert!(made < 50, "{source}: {made} were made by the process that has the number now");
    }
}

/// A fixture with this very number; `None` if others are quicker to take it.
fn fixture_numbered(pid: u32) -> Option<Fixture> {
    let program = c("leaky");
    for _ in 0..100 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let fixture = Fixture::start(&program, &[]);
        if fixture.pid() == pid {
            return Some(fixture);
        }
    }
    None
}
