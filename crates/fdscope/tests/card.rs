//! One process, end to end: the card and the sections of /proc.

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use common::{is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the page is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|why| panic!("{why}: {}", stderr(&output)))
}

#[test]
fn descriptors_are_grouped_and_what_is_alike_is_said() {
    let fixture = Fixture::start(&c("many"), &["descriptors=700", "threads=5"]);
    let pid = fixture.pid().to_string();
    let card = json(&[&pid, "--json"]);
    assert_eq!((&card["schema"], &card["comm"]), (&"fdscope/card/1".into(), &"many".into()));
    assert_eq!(card["threads"], 6);
    assert_eq!(card["parent"], std::process::id());
    let groups = card["groups"].as_array().expect("a list");
    let group = groups.iter().find(|group| group["pattern"] == "/dev/null").expect("opened");
    assert_eq!(group["kind"], "char-device");
    assert!(group["count"].as_u64().is_some_and(|count| count >= 700));
    let open: u64 = groups.iter().filter_map(|group| group["count"].as_u64()).sum();
    assert_eq!(card["open"], open);
    let signs = card["signs"].as_array().expect("a list");
    assert!(signs.iter().any(|sign| sign.as_str().is_some_and(|s| s.contains("are alike"))));
    assert_eq!(card["next"], format!("fdscope leak {pid}"));
    let numbers = |list: &str| -> Vec<u64> {
        let handles = card[list].as_array().expect("a list").iter();
        handles.filter_map(|handle| handle["fd"].as_u64()).collect()
    };
    let mut fds: Vec<u64> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it lives")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    fds.sort_unstable();
    assert_eq!(
        numbers("oldest"),
        fds.iter().copied().filter(|fd| *fd > 2).take(3).collect::<Vec<_>>()
    );
    assert_eq!(numbers("newest"), fds[fds.len() - 3..]);
    // All but the pipes of this test are opened without close-on-exec.
    let seen = &card["inherited"];
    assert!(seen["looked_at"].as_u64().is_some_and(|count| (100..=256).contains(&count)), "{seen}");
    assert!(signs.iter().any(|sign| sign.as_str().is_some_and(|s| s.contains("close-on-exec"))));
    let text = stdout(&run(&[&pid]));
    assert!(text.contains("Oldest and newest") && text.contains("Next  fdscope leak"), "{text}");
    assert!(text.contains(&format!("many ({pid})")), "{text}");
    // A path is never broken, and where the program lies is not this test's choice.
    let fits = |line: &str| line.chars().count() <= 80 || line.trim().starts_with('/');
    assert!(text.lines().all(fits), "{text}");
}

#[test]
fn an_ordinary_user_gets_what_every_user_may_know() {
    if !is_root("root, to become somebody else") {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::start(&c("many"), &["descriptors=30"]);
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("our own folder");
    let program = folder.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).env_clear().uid(65534).gid(65534);
        command.output().expect("runs as nobody")
    };
    let pid = fixture.pid().to_string();
    let output = as_nobody(&[&pid]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(text.contains("failed to list descriptors: permission denied"), "{text}");
    let output = as_nobody(&["proc", &pid, "environ"]);
    assert_eq!(output.status.code(), Some(77));
    assert!(stdout(&output).contains("permission denied"));
    assert_eq!(as_nobody(&["proc", &pid, "stat"]).status.code(), Some(0));
}

#[test]
fn sections_say_what_the_kernel_says() {
    let mut command = Command::new("sleep");
    command.arg("300").env_clear().env("API_TOKEN", "hidden").env("PLAIN", "shown");
    let sleep = Fixture::spawn(command);
    let pid = sleep.pid().to_string();
    while std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm != "sleep\n") {
        std::thread::yield_now();
    }
    let value = |section: &str, name: &str| {
        let object = json(&["proc", &pid, section, "--json"]);
        let rows = object["sections"][0]["rows"].as_array().expect("a list").clone();
        let row = rows.into_iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("{section} has no {name}"))["value"].clone()
    };
    assert_eq!(value("cmdline", "1"), "300");
    assert_eq!(value("stat", "ppid"), std::process::id().to_string());
    assert_eq!(value("status", "Name"), "sleep");
    assert_eq!(value("environ", "API_TOKEN"), "hidden");
    let masked = stdout(&run(&["proc", &pid, "environ", "--mask"]));
    assert!(masked.contains("***") && masked.contains("shown") && !masked.contains("hidden"));
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("ours");
    let soft = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(value("limits", "Max open files"), soft.split_whitespace().nth(3).expect("soft"));
    assert_eq!(json(&["proc", &pid, "--json"])["sections"].as_array().map(Vec::len), Some(9));
    let unknown = run(&["proc", &pid, "stats"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("'status'"), "{}", stderr(&unknown));
}

#[test]
fn threads_tell_the_call_they_wait_in_and_mappings_what_may_be_growing() {
    let fixture = Fixture::start(&c("many"), &["descriptors=1", "threads=20"]);
    let pid = fixture.pid().to_string();
    // A young thread may not have reached its call yet.
    let deadline = std::time::Instant::now() + common::DEADLINE;
    loop {
        let text = stdout(&run(&["proc", &pid, "threads"]));
        let pausing = text.lines().filter(|line| line.contains(", pause")).count();
        if pausing == 20 && text.contains("S, poll, at ") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
    }
    let object = json(&["proc", &pid, "maps", "--json"]);
    let sections = object["sections"].as_array().expect("a list");
    assert_eq!(
        (&sections[0]["name"], &sections[1]["name"]),
        (&"maps".into(), &"candidates".into())
    );
    let mapped = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("ours");
    let first = &sections[1]["rows"][0];
    assert_eq!(first["name"], mapped.lines().count().to_string());
    assert!(
        first["meaning"].as_str().is_some_and(|text| text.contains("max_map_count")),
        "{first}"
    );
    // Twenty threads at rest are no growth of mappings.
    assert_eq!(sections[1]["rows"].as_array().map(Vec::len), Some(1), "{}", sections[1]);
    let mut grown = Fixture::start(&c("grow"), &["what=mapping"]);
    grown.ask("step 40");
    let object = json(&["proc", &grown.pid().to_string(), "candidates", "--json"]);
    let rows = object["sections"][0]["rows"].as_array().expect("a list");
    let many =
        |row: &&Value| row["meaning"].as_str().is_some_and(|text| text.contains("again and again"));
    assert!(rows.iter().any(|row| many(&row)), "{object}");
}

#[test]
fn memory_is_dumped_where_it_is_readable() {
    let fixture = Fixture::start(&c("many"), &["descriptors=1"]);
    let pid = fixture.pid().to_string();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("ours");
    let first = maps.split('-').next().expect("a mapping");
    let output = run(&["proc", &pid, "mem", &format!("0x{first}"), "32"]);
    let text = stdout(&output);
    assert!(text.starts_with(&format!("{first:0>16}  7f 45 4c 46 ")), "{text}");
    assert!(text.contains("|.ELF") && text.lines().count() == 2, "{text}");
    let check = |arguments: &[&str], code: i32| {
        let output = run(&[&["proc", pid.as_str()], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    };
    check(&["mem"], 2);
    check(&["mem", "zero"], 2);
    check(&["mem", "0", "16"], 1);
    check(&["stat", "1"], 2);
}

#[test]
fn nobody_of_that_name_is_exit_4_and_a_command_misspelt_is_told() {
    let output = run(&["lek"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("the nearest is `fdscope leak`"), "{}", stderr(&output));
    assert_eq!(run(&["4194300"]).status.code(), Some(4));
    assert_eq!(run(&["proc", "4194300", "stat"]).status.code(), Some(4));
    assert_eq!(run(&["\u{1b}[2J"]).status.code(), Some(4));
}
