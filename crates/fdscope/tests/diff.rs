//! What two moments differ in is what the kernel's tables differ in, whichever source recorded.

mod common;

use std::fs;

use common::{Watching, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/recordings/every-record-1.fdr");

fn diff(arguments: &[&str]) -> Value {
    let output = run(&[&["diff"], arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"))
}

fn open(pid: &str) -> i64 {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    i64::try_from(open).expect("few")
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("a number, not {value}"))
}

/// Changes of descriptors only.
fn descriptors(found: &Value, change: &str) -> i64 {
    let handles = found["handles"].as_array().expect("documented");
    let is_one = |handle: &&Value| handle["change"] == change && handle["fd"].is_u64();
    i64::try_from(handles.iter().filter(is_one).count()).expect("few")
}

fn differs_as_the_kernel_does(source: &str) {
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.fdr");
    let path = path.to_str().expect("ASCII");
    let mut fixture = Fixture::start(&c("leaky"), &["kind=file", "healthy=10"]);
    let pid = fixture.pid().to_string();
    let before = open(&pid);
    let watching =
        Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m", "-o", path]);
    fixture.ask("step 5");
    let after = open(&pid);
    drop(watching.report());
    assert!(after > before, "it leaks");
    let found = diff(&[path]);
    let grown = descriptors(&found, "new") - descriptors(&found, "gone");
    assert_eq!(grown, after - before, "{found}");
    let now = diff(&[path, &pid]);
    assert_eq!((number(&now["new"]), number(&now["gone"])), (0, 0), "{now}");
    assert_eq!(number(&now["kept"]), after, "{now}");
    fixture.ask("step 3");
    let now = diff(&[path, &pid]);
    assert_eq!(number(&now["new"]) - number(&now["gone"]), open(&pid) - after, "{now}");
    let back = diff(&[&pid, path]);
    assert_eq!((&back["gone"], &back["new"]), (&now["new"], &now["gone"]), "{back}");
}

#[test]
fn a_watch_by_ebpf_differs_as_the_kernels_table_does() {
    if is_root("CAP_BPF for the bpf source") {
        differs_as_the_kernel_does("bpf");
    }
}

#[test]
fn a_watch_by_ptrace_differs_as_the_kernels_table_does() {
    differs_as_the_kernel_does("ptrace");
}

#[test]
fn a_recording_compared_with_itself_keeps_everything() {
    let found = diff(&[RECORDING, RECORDING, "--all"]);
    assert_eq!((number(&found["new"]), number(&found["gone"])), (0, 0), "{found}");
    assert!(number(&found["kept"]) > 0, "{found}");
}

#[test]
fn wrong_sides_are_told_apart() {
    let check = |arguments: &[&str], code: i32, words: &str| {
        let output = run(&[&["diff"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    check(&["1"], 2, "is no recording");
    check(&["1", "2"], 2, "needs a recording");
    check(&["/etc/passwd", RECORDING], 2, "is no recording");
    check(&[RECORDING, "no-such-process"], 4, "no process");
    check(&[RECORDING, "1", "--to", "14:02"], 2, "as it is now");
    check(&[RECORDING, "--by", "colour"], 2, "the words are");
    check(&[RECORDING, "--at", "+1s", "--from", "+1s"], 2, "cannot be used with");
}
