//! The radar end to end: what `fdscope` and `fdscope ps` print of programs whose numbers are known.

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use common::{fdscope, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the table is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", stderr(output)))
}

/// The process of that number in the object.
fn of(object: &Value, pid: u32) -> &Value {
    let processes = object["processes"].as_array().expect("a list");
    processes.iter().find(|process| process["pid"] == pid).expect("it lives")
}

fn open(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count()
}

/// The cells of the row that begins with that number.
fn row(text: &str, pid: u32) -> Vec<String> {
    let is_it = |line: &&str| line.split_whitespace().next() == Some(&pid.to_string());
    let line = text.lines().find(is_it).unwrap_or_else(|| panic!("no {pid} in {text}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn descriptors_limit_share_and_threads_are_shown() {
    let script = format!("ulimit -n 1000; exec {}", c("many").display());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script} descriptors=0 threads=3")]);
    // The fixture takes its hard limit, which is the same here.
    let mut fixture = Fixture::spawn(command);
    fixture.wait_for("ready");
    fixture.ask("step 500");
    let (pid, expected) = (fixture.pid(), open(fixture.pid()));
    for arguments in [&["ps"][..], &["ps", "many"], &["ps", &pid.to_string()], &[]] {
        let output = run(arguments);
        let row = row(&stdout(&output), pid);
        let share = format!("{} %", (expected as f64 / 10.0).round());
        assert_eq!(row[1..], ["many", &row[2], &expected.to_string(), "1,000", &share, "4"]);
        assert_eq!(output.status.code(), Some(0));
    }
    let object = json(&run(&["ps", "--json"]));
    assert_eq!(object["schema"], "fdscope/ps/1");
    let process = of(&object, pid);
    assert_eq!(process["open"], expected);
    assert_eq!((&process["open_limit"], &process["threads"]), (&1000.into(), &4.into()));
    assert_eq!(process["nearest_limit"]["name"], "RLIMIT_NOFILE");
    assert_eq!(process["nearest_share"], expected as f64 / 1000.0);
    assert_eq!(process["growth"], Value::Null);
}

#[test]
fn growth_is_told_between_two_looks() {
    let mut fixture = Fixture::start(&c("many"), &["descriptors=10"]);
    let pid = fixture.pid();
    let mut command = fdscope();
    command.args(["ps", "--json", "--watch=20ms", &pid.to_string()]).stdout(Stdio::piped());
    let mut watching = command.spawn().expect("fdscope is built for its tests");
    let mut lines = BufReader::new(watching.stdout.take().expect("piped")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("it looks on").expect("text");
        serde_json::from_str(&line).expect("one object a line")
    };
    let before = of(&next(), pid)["open"].as_u64().expect("a count");
    fixture.ask("step 25");
    let grown = loop {
        let object = next();
        let process = of(&object, pid);
        if process["open"] == before + 25 {
            break process.clone();
        }
    };
    assert_eq!(grown["growth"]["open"], 25);
    assert!(grown["growth"]["open_per_min"].as_f64().is_some_and(|rate| rate > 25.0));
    assert!(grown["limit_reached_in_s"].is_u64(), "{grown}");
    let ended = Command::new("kill").args(["-INT", &watching.id().to_string()]).status();
    assert!(ended.expect("kill is everywhere").success());
    assert_eq!(watching.wait().expect("a child of ours").code(), Some(0));
}

#[test]
fn every_process_is_told_to_an_ordinary_user() {
    if !is_root("root, to become somebody else") {
        return;
    }
    let fixture = Fixture::start(&c("many"), &["descriptors=300"]);
    let folder = tempfile::tempdir().expect("a folder");
    make_reachable(folder.path());
    let program = folder.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    let mut command = Command::new(&program);
    command.args(["ps", "--json", "--limits"]).env_clear().uid(65534).gid(65534);
    let object = json(&command.output().expect("runs as nobody"));
    let process = of(&object, fixture.pid());
    // Kernels before 6.2 do not count, and listing is not permitted.
    if process["open"] != Value::Null {
        assert_eq!(process["open"], open(fixture.pid()));
    }
    assert!(process["open_limit"].is_u64());
    let mappings = object["limits"].as_array().expect("a list").iter();
    let mappings = mappings.clone().find(|limit| limit["name"] == "vm.max_map_count");
    assert_eq!(mappings.expect("listed")["is_at_least"], true);
}

fn make_reachable(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, open).expect("our own folder");
}

#[test]
fn hostile_names_are_escaped_and_zombies_named_by_their_parent() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join(std::ffi::OsStr::from_bytes(b"a) \x1b[2Jb\n"));
    fdscope_fixtures::copy_program("/bin/sleep", &program);
    let mut child = Command::new(&program).arg("300").spawn().expect("runs");
    // A child of this test that has ended, and is waited for at the end only.
    let mut zombie = Command::new("true").spawn().expect("runs");
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", zombie.id())).expect("ours");
    while !state().contains(") Z ") {
        std::thread::yield_now();
    }
    let output = run(&["ps"]);
    assert!(!output.stdout.contains(&0x1b));
    assert_eq!(row(&stdout(&output), child.id())[1], "a) \\x1b[2Jb\\n");
    let object = json(&run(&["ps", "--json"]));
    let zombies = object["zombies"].as_array().expect("a list");
    let own = zombies.iter().find(|row| row["parent"] == std::process::id()).expect("it is there");
    assert!(own["count"].as_u64().is_some_and(|count| count > 0));
    let _ended = (child.kill(), child.wait(), zombie.wait());
}

#[test]
fn lines_keep_to_the_width() {
    let _fixture = Fixture::start(&c("many"), &["descriptors=1500"]);
    for width in [40, 80, 120] {
        let output = fdscope().args(["ps", "--limits"]).env("COLUMNS", width.to_string()).output();
        let text = stdout(&output.expect("fdscope is built for its tests"));
        let long = text.lines().find(|line| line.chars().count() > width);
        assert_eq!(long, None, "{width}");
    }
}

#[test]
fn top_sort_and_pattern_choose() {
    let one = Fixture::start(&c("many"), &["descriptors=40"]);
    let two = Fixture::start(&c("many"), &["descriptors=90", "threads=2"]);
    let first = |arguments: &[&str]| json(&run(arguments))["processes"][0]["pid"].clone();
    assert_eq!(first(&["ps", "many descriptors=40", "--json"]), one.pid());
    assert_eq!(first(&["ps", "descriptors=90", "--json"]), two.pid());
    let object = json(&run(&["ps", "--json", "--top", "3", "--sort", "threads"]));
    let processes = object["processes"].as_array().expect("a list");
    let threads: Vec<u64> = processes.iter().filter_map(|p| p["threads"].as_u64()).collect();
    assert_eq!(threads.len(), 3);
    assert!(threads.is_sorted_by(|a, b| a >= b), "{threads:?}");
    assert!(object["left_out"]["beyond_top"].as_u64().is_some_and(|count| count > 0));
}

#[test]
fn wrong_arguments_are_said() {
    let check = |arguments: &[&str], code: i32, said: &str| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    };
    check(&["ps", "--sort", "thread"], 2, "'threads'");
    check(&["ps", "--top", "many"], 2, "--top");
    check(&["ps", "--watch=never"], 2, "500ms, 10s");
    check(&["ps", "--watch", "--interval", "1s"], 2, "cannot be used with");
    check(&["ps", "no-such-name-anywhere"], 4, "no process has \"no-such-name-anywhere\"");
    check(&["ps", "\u{1b}[2J"], 4, "\\x1b[2J");
}

#[test]
fn a_closed_pipe_ends_the_watch() {
    let script = format!("{} ps --watch=1ms | head -n 1", env!("CARGO_BIN_EXE_fdscope"));
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
    assert_eq!(stderr(&output), "");
    assert!(stdout(&output).contains("PID"));
}
