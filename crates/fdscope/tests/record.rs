//! A recording is judged as its watch was, whole or cut; what it is not said to hold, it says.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Watching, fdscope, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

/// Makes events until the recording holds many seconds of them.
fn step_for(fixture: &mut Fixture, span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        fixture.ask("step 1");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The report without what may differ: who tells it, and what was typed.
fn comparable(mut report: Value) -> Value {
    let object = report.as_object_mut().expect("a report is an object");
    object.remove("source").expect("documented");
    object.remove("command").expect("documented");
    report
}

fn leak(arguments: &[&str]) -> Value {
    let output = run(&[&["leak"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"))
}

fn live_and_recorded_agree(source: &str) {
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.fdr");
    let path = path.to_str().expect("ASCII");
    let mut fixture = Fixture::start(&c("leaky"), &["kind=file", "healthy=10"]);
    let pid = fixture.pid().to_string();
    let watching =
        Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m", "-o", path]);
    step_for(&mut fixture, Duration::from_secs(6));
    let live = watching.report().json();
    drop(fixture);
    let replayed = leak(&[path, "--json"]);
    assert_eq!(replayed["source"]["name"], "recording");
    assert_eq!(replayed["source"]["cannot_see"], live["source"]["cannot_see"]);
    assert!(live["events"].as_u64() > Some(10), "{live}");
    assert_eq!(comparable(replayed), comparable(live));
    cut_recordings_say_so(path);
}

/// Half a file is half a watch, and says so.
fn cut_recordings_say_so(path: &str) {
    let bytes = fs::read(path).expect("just written");
    fs::write(path, &bytes[..bytes.len() - bytes.len() / 3]).expect("room");
    let cut = leak(&[path, "--json"]);
    let unseen = cut["source"]["cannot_see"].to_string();
    assert!(unseen.contains("cut off"), "{unseen}");
    let early = leak(&[path, "--json", "--to", "+1s"]);
    assert!(early["events"].as_u64() < cut["events"].as_u64(), "{early}");
    let late = leak(&[path, "--json", "--from", "+1s"]);
    let existing = late["verdicts"][0]["existing"].as_u64();
    assert!(late["processes"][0]["open_at_start"].as_u64() > Some(0), "{existing:?} {late}");
    let nothing = run(&["leak", path, "--from", "+10m"]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn a_recorded_watch_by_ebpf_is_judged_as_it_was_live() {
    if is_root("CAP_BPF for the bpf source") {
        live_and_recorded_agree("bpf");
    }
}

#[test]
fn a_recorded_watch_by_ptrace_is_judged_as_it_was_live() {
    live_and_recorded_agree("ptrace");
}

#[test]
fn a_recorded_watch_by_sampling_is_judged_as_it_was_live() {
    live_and_recorded_agree("poll");
}

/// Reads what fdscope says until it says `words`.
fn wait_for(words: &str, said: &mut impl BufRead) {
    let mut all = String::new();
    while !all.contains(words) {
        let before = all.len();
        said.read_line(&mut all).expect("text");
        assert!(all.len() > before, "fdscope ended before that: {all}");
    }
}

#[test]
fn a_recording_of_everybody_has_this_one() {
    if !is_root("CAP_BPF for the bpf source") {
        return;
    }
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.fdr");
    let path = path.to_str().expect("ASCII");
    let mut fixture = Fixture::start(&c("leaky"), &["kind=file", "healthy=10"]);
    let pid = fixture.pid();
    let open = || fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count() as u64;
    let before = open();
    let mut recording = fdscope();
    recording.args(["record", "--all", "-o", path]).stderr(Stdio::piped());
    let mut child = recording.spawn().expect("fdscope is built");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    wait_for("recording ", &mut said);
    fixture.ask("step 5");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill is everywhere").success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert!(child.wait().expect("a child of ours").success(), "{rest}");
    let output = run(&["diff", path, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let handles = found["handles"].as_array().expect("documented");
    let count = |change: &str| {
        let is_one = |handle: &&Value| {
            handle["change"] == change && handle["pid"] == pid && handle["fd"].is_u64()
        };
        handles.iter().filter(is_one).count() as u64
    };
    assert_eq!(before + count("new") - count("gone"), open(), "{rest}");
    assert!(count("new") > 0);
}

#[test]
fn wrong_files_and_options_are_told_apart() {
    let check = |arguments: &[&str], code: i32, words: &str| {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    check(&["record"], 2, "--output");
    check(&["record", "1"], 2, "--output");
    check(&["record", "1", "--all", "-o", "/tmp/never.fdr"], 2, "cannot be used with");
    check(&["leak", "1", "--from", "14:02"], 2, "for recordings");
    check(&["record", "self-that-is-nobody", "-o", "/tmp/never.fdr"], 4, "no process");
    check(&["leak", "/etc/passwd"], 4, "no process");
}

/// The data in a page are the report's.
fn a_page_is_read_back(recording: &str, page: &str) {
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.html");
    fs::write(&path, page).expect("room");
    let path = path.to_str().expect("ASCII");
    let json = |file: &str| -> Value {
        let output = run(&["report", file, "-o", "-", "--format", "json"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    assert_eq!(comparable(json(path)), comparable(json(recording)));
    let output = run(&["report", path, "-o", "-", "--format", "markdown"]);
    assert_eq!(output.status.code(), Some(1), "a page has no events");
}

#[test]
fn every_format_is_written_and_hostile_names_stay_inert() {
    let recording =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/recordings/every-record-1.fdr");
    for format in ["html", "markdown", "folded", "speedscope", "pprof", "sarif", "junit"] {
        let output = run(&["report", recording, "-o", "-", "--format", format]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{format}: {said}");
        assert!(!output.stdout.contains(&0x1b), "{format}");
        if format == "html" {
            let page = String::from_utf8(output.stdout).expect("UTF-8");
            assert_eq!(page.matches("</script>").count(), 4, "three of data, one of code");
            a_page_is_read_back(recording, &page);
        }
    }
}
