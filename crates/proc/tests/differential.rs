//! The walk against the programs that people trust: ls(1) and, where it is installed, lsof(8).

use std::collections::BTreeMap;
use std::process::Command;

use fdscope_fixtures::{Fixture, c, in_path};
use fdscope_model::{Association, Pid};
use fdscope_proc::{Detail, ProcRoot};

/// Number and name of each descriptor, by the walk.
fn walked(pid: u32) -> BTreeMap<u32, String> {
    let root = ProcRoot::open().expect("/proc");
    let snapshot = root.descriptors(Pid(pid), Detail::Kind).expect("snapshot");
    let row = |handle: &fdscope_model::Handle| match handle.via {
        Association::Fd(fd) => (fd.0, String::from_utf8_lossy(handle.name.bytes()).into_owned()),
        _ => panic!("not a descriptor: {handle:?}"),
    };
    snapshot.handles.iter().map(row).collect()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn ls_lists_the_same_numbers() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    let listed = output("ls", &[&format!("/proc/{pid}/fd")]);
    let mut listed: Vec<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    listed.sort_unstable();
    assert!(listed.len() > 100);
    assert_eq!(walked(pid).into_keys().collect::<Vec<_>>(), listed);
}

#[test]
fn lsof_shows_the_same_numbers_and_paths() {
    if !in_path("lsof") {
        return;
    }
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    let walked = walked(pid);
    let mut shown = BTreeMap::new();
    let mut number = None;
    for line in output("lsof", &["-nP", "-p", &pid.to_string(), "-F", "fn"]).lines() {
        match line.split_at_checked(1) {
            Some(("f", text)) => number = text.parse::<u32>().ok(),
            Some(("n", text)) => drop(number.map(|number| shown.insert(number, text.to_owned()))),
            _ => {}
        }
    }
    assert_eq!(walked.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
    // lsof has words of its own for what is no file, and marks deleted files in another field.
    let is_file = |name: &&String| name.starts_with('/') && !name.ends_with("(deleted)");
    for (fd, name) in walked.iter().filter(|(_, name)| is_file(name)) {
        assert_eq!(Some(name), shown.get(fd), "fd {fd}");
    }
}
