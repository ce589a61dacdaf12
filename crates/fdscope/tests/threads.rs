//! `fdscope threads` against programs that make the situations for real.

mod common;

use common::{fdscope, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

fn json(arguments: &[&str]) -> Value {
    let output = fdscope().arg("threads").args(arguments).arg("--json").output().expect("built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).expect("one object")
}

fn group<'a>(report: &'a Value, pattern: &str) -> &'a Value {
    let groups = report["processes"][0]["groups"].as_array().expect("groups");
    let found = groups.iter().find(|group| group["pattern"] == pattern);
    found.unwrap_or_else(|| panic!("no group {pattern}: {groups:?}"))
}

/// Steps the fixture and waits until all its threads wait in `call`.
fn settled(pid: &str, pattern: &str, call: &str, count: u64) -> Value {
    let deadline = std::time::Instant::now() + common::DEADLINE;
    loop {
        let report = json(&[pid]);
        let first = &group(&report, pattern)["calls"][0];
        if first["word"] == call && first["count"] == count {
            return report;
        }
        assert!(std::time::Instant::now() < deadline, "{report}");
    }
}

#[test]
fn loopers_are_told_with_their_eventfd_and_epoll() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=looper", "size=30"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let report = settled(&pid, "Looper-*", "epoll_wait", 30);
    let loopers = group(&report, "Looper-*");
    for key in ["count", "loopers", "epolls", "eventfds"] {
        assert_eq!(loopers[key], 30, "{key}");
    }
    let text = run(&["threads", &pid]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("30 loopers `Looper-*`: 30 threads + 30 eventfd + 30 epoll"), "{text}");
}

#[test]
fn unjoined_threads_are_counted_with_what_they_keep_mapped() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=unjoined", "size=60"]);
    fixture.ask("step 1");
    let report = json(&[&fixture.pid().to_string()]);
    let process = &report["processes"][0];
    assert_eq!(process["threads"].as_array().map(Vec::len), Some(1));
    let unjoined = process["unjoined"].as_array().expect("a list");
    let count: u64 = unjoined.iter().filter_map(|row| row["count"].as_u64()).sum();
    let mapped: u64 = unjoined.iter().filter_map(|row| row["mapped_bytes"].as_u64()).sum();
    // Without libc's blocks (another processor), those that libc may keep for new threads are left out.
    let least = if cfg!(target_arch = "x86_64") { 60 } else { 20 };
    assert!((least..=60).contains(&count) && mapped >= count * (16 << 10), "{unjoined:?}");
    assert!(process["limits"].as_array().expect("limits").iter().any(|limit| {
        limit["name"] == "vm.max_map_count" && limit["used"].as_u64() > Some(count)
    }));
}

/// How many of the functions that unjoined threads had begun in are called `name`.
fn ended_in(report: &Value, name: &str) -> u64 {
    let began = report["processes"][0]["unjoined_began_in"].as_array().expect("a list");
    let rows = began.iter().filter(|row| row["frame"]["function"] == name);
    rows.filter_map(|row| row["count"].as_u64()).sum()
}

/// True where this machine's libc tells debuggers of its threads.
fn libc_tells() -> bool {
    let is = cfg!(all(target_env = "gnu", target_pointer_width = "64"));
    if !is {
        println!("skipped: needs glibc");
    }
    is
}

#[test]
fn libc_tells_the_function_that_threads_began_in() {
    if !libc_tells() {
        return;
    }
    let mut fixture = Fixture::start(&c("threads"), &["mode=leak", "size=5"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let report = settled(&pid, "worker-*", "pause", 5);
    let workers = group(&report, "worker-*");
    assert_eq!(workers["began_in"], "wait_for_ever", "{workers}");
    let text = run(&["threads", &pid, "--group-by", "entry"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("    5  wait_for_ever"), "{text}");
    let text = run(&["threads", &pid]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("BEGAN IN") && text.contains("wait_for_ever"), "{text}");
    fixture.finish();
    let mut fixture = Fixture::start(&c("threads"), &["mode=unjoined", "size=40"]);
    fixture.ask("step 1");
    let report = json(&[&fixture.pid().to_string()]);
    assert_eq!(ended_in(&report, "end_at_once"), 40, "{report}");
    fixture.finish();
    let mut fixture = Fixture::start(&c("threads"), &["mode=joined", "size=40"]);
    fixture.ask("step 1");
    let report = json(&[&fixture.pid().to_string()]);
    assert_eq!(ended_in(&report, "end_at_once"), 0, "{report}");
}

#[test]
fn a_static_program_tells_it_too() {
    if !libc_tells() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("a.c"), folder.path().join("a"));
    let text = "#include <pthread.h>\n#include <unistd.h>\n\
                static void *serve(void *a) { for (;;) pause(); return a; }\n\
                static void *hurry(void *a) { return a; }\n\
                int main(void) { pthread_t t, u; char c; pthread_create(&t, 0, serve, 0); \
                pthread_create(&u, 0, hurry, 0); write(1, \"r\", 1); return (int)read(0, &c, 1); }\n";
    std::fs::write(&source, text).expect("room");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-g", "-static", "-pthread", "-w", "-o"]).arg(&program).arg(&source);
    if !compiler.output().is_ok_and(|done| done.status.success()) {
        return println!("skipped: needs cc and a static libc");
    }
    let mut command = std::process::Command::new(&program);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("just linked");
    let mut ready = [0];
    let stdout = child.stdout.as_mut().expect("piped");
    std::io::Read::read_exact(stdout, &mut ready).expect("it is ready");
    let deadline = std::time::Instant::now() + common::DEADLINE;
    let is_told = |report: &Value| {
        let threads = report["processes"][0]["threads"].as_array().expect("a list").clone();
        threads.iter().any(|thread| thread["began_in"] == "serve") && ended_in(report, "hurry") == 1
    };
    // The second thread may still be about to end.
    loop {
        let report = json(&[&child.id().to_string()]);
        if is_told(&report) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{report}");
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
}

/// A leak of threads says what they begin in, by every source that sees births.
#[test]
fn leak_tells_what_the_threads_begin_in() {
    if !libc_tells() {
        return;
    }
    for source in ["bpf", "ptrace"] {
        if source == "bpf" && !is_root("CAP_BPF for the bpf source") {
            continue;
        }
        let mut fixture = Fixture::start(&c("threads"), &["mode=leak", "size=3"]);
        let pid = fixture.pid().to_string();
        let watching =
            common::Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m"]);
        fixture.ask("step 4");
        let report = watching.report().json();
        let found = common::verdicts(&report).iter().find(|v| v["kind"] == "thread");
        let frames = &found.unwrap_or_else(|| panic!("{source}: {report}"))["site"]["frames"];
        assert_eq!(frames[0]["function"], "starts wait_for_ever", "{source}: {frames}");
        assert!(frames[0]["file"].as_str().is_some_and(|file| file.ends_with("threads.c")));
        assert_eq!(found.expect("above")["site"]["function"], "start_worker", "{source}");
        fixture.finish();
    }
}

#[test]
fn stacks_part_groups_by_the_function_that_threads_began_in() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=leak", "size=5"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    settled(&pid, "worker-*", "pause", 5);
    let report = json(&[&pid, "--stack"]);
    let workers = group(&report, "worker-*");
    assert_eq!(workers["began_in"], "wait_for_ever", "{workers}");
    assert_eq!(workers["stacks"][0]["count"], 5);
    // And they live on, undisturbed.
    fixture.ask("step 1");
    settled(&pid, "worker-*", "pause", 10);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    assert!(status.contains("TracerPid:\t0\n"));
}

#[test]
fn threads_are_filtered_and_counted_as_every_listing() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=looper", "size=12"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    settled(&pid, "Looper-*", "epoll_wait", 12);
    let out = |arguments: &[&str]| {
        let output = run(&[&["threads", &pid], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = out(&["-f", "name = Looper-7", "-o", "name,call,eventfd"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[1].starts_with("Looper-7  epoll_wait"), "{text}");
    assert!(
        lines[1].split_whitespace().nth(2).is_some_and(|fd| fd.parse::<u32>().is_ok()),
        "{text}"
    );
    let text = out(&["--group-by", "pattern,call"]);
    assert!(text.contains("   12  Looper-*"), "{text}");
    let report = json(&[&pid, "-f", "tid > 0 and not pattern = nothing"]);
    assert_eq!(group(&report, "Looper-*")["count"], 12);
    let report = json(&[&pid, "-f", "pattern ~ Looper and fd > 0"]);
    assert_eq!(report["processes"][0]["groups"].as_array().map(Vec::len), Some(1));
    let output = run(&["threads", &pid, "--sort", "-busy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--interval"), "{output:?}");
    let text = String::from_utf8_lossy(&run(&["threads", "--list-columns"]).stdout).into_owned();
    assert!(text.contains("began-in"), "{text}");
}

#[test]
fn a_watch_ends_with_its_target() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=pool"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let mut command = fdscope();
    command.args(["threads", &pid, "--watch", "--interval", "100ms", "--json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("built");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let first: Value =
        serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert!(first["processes"][0]["interval_ns"].as_u64() > Some(0));
    assert_eq!(group(&first, "pool-*")["change"]["started"], 0);
    drop(fixture);
    assert!(lines.all(|line| line.is_ok()));
    assert_eq!(child.wait().expect("a child of ours").code(), Some(0));
}

#[test]
fn wrong_usage_and_missing_targets_have_their_codes() {
    let check = |arguments: &[&str], code| {
        assert_eq!(run(arguments).status.code(), Some(code), "{arguments:?}");
    };
    check(&["threads"], 2);
    check(&["threads", "1", "--no-stop"], 2);
    check(&["threads", "4194305"], 4);
    check(&["threads", "no such program"], 4);
}

#[test]
fn without_privilege_the_gap_is_counted() {
    if !is_root("root, to become nobody") {
        return;
    }
    let mut fixture = Fixture::start(&c("threads"), &["mode=pool", "size=3"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let copy = tempfile::Builder::new().prefix("fdscope").tempdir().expect("a folder");
    let program = copy.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
    let mut command = std::process::Command::new(&program);
    std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    let output = command.args(["threads", &pid, "--stack", "--json"]).output().expect("runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let process = &report["processes"][0];
    assert_eq!(group(&report, "pool-*")["count"], 3);
    let gaps = process["cannot_see"].as_array().expect("a list");
    assert!(
        gaps.iter().any(|gap| gap["what"].as_str().is_some_and(|what| what.contains("4 threads"))),
        "{gaps:?}"
    );
    assert!(gaps.len() >= 3, "{gaps:?}");
}
