//! Leaks are found, with their line; healthy neighbours are not blamed.

mod common;

use std::time::{Duration, Instant};

use common::{Watching, fdscope, is_root, verdicts};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

/// Steps the fixture about ten times a second for as long as a verdict takes.
fn step_for(fixture: &mut Fixture, span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        fixture.ask("step 1");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn level<'a>(report: &'a Value, function: &str) -> &'a str {
    let of = |verdict: &&Value| verdict["site"]["function"] == function;
    verdicts(report)
        .iter()
        .find(of)
        .and_then(|verdict| verdict["level"].as_str())
        .unwrap_or("absent")
}

#[test]
fn a_leak_among_healthy_traffic_is_named_with_its_line() {
    let source = if is_root("CAP_BPF for the bpf source") { "bpf" } else { "ptrace" };
    let mut fixture = Fixture::start(&c("leaky"), &["kind=file", "healthy=10"]);
    let pid = fixture.pid().to_string();
    let watching = Watching::start(&[
        &pid,
        "--source",
        source,
        "--json",
        "--duration",
        "10m",
        "--fail-on",
        "leak",
    ]);
    step_for(&mut fixture, Duration::from_secs(32));
    let sites = fixture.report();
    let finished = watching.report();
    assert_eq!(finished.status.code(), Some(3), "--fail-on leak");
    let report = finished.json();
    assert_eq!(level(&report, "leak_file"), "leak", "{report}");
    assert_eq!(level(&report, "healthy_file"), "steady", "{report}");
    let truth = sites.iter().find(|site| site.function == "leak_file").expect("the leaking site");
    let found =
        verdicts(&report).iter().find(|v| v["site"]["function"] == "leak_file").expect("above");
    assert_eq!(found["site"]["line"].as_u64(), Some(truth.line.into()));
    assert_eq!(found["acquired"].as_u64(), Some(truth.acquired));
    assert_eq!(found["live"].as_u64(), Some(truth.live));
    assert_eq!(found["limit"]["name"], "RLIMIT_NOFILE");
}

#[test]
fn misuse_is_told_with_its_line() {
    let source = if is_root("CAP_BPF for the bpf source") { "bpf" } else { "ptrace" };
    let mut fixture = Fixture::start(&c("misuse"), &[]);
    let pid = fixture.pid().to_string();
    let watching =
        Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m", "--follow"]);
    let said = fixture.ask("step 1");
    let report = watching.report().json();
    let told = report["misuse"].as_array().expect("a list");
    let truths: Vec<_> = said.iter().filter(|line| line.word == "misuse").collect();
    assert!(truths.len() >= 3, "{said:?}");
    for truth in truths {
        let kind = truth.text("kind");
        let found = told.iter().any(|row| row["kind"] == kind);
        assert!(found, "{kind} is not told: {told:?}");
    }
}

#[test]
fn the_demo_finds_its_leak() {
    let output = fdscope().args(["demo", "--json"]).output().expect("fdscope is built");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let worst = &verdicts(&report)[0];
    if report["source"]["name"] != "poll" {
        let function = worst["site"]["function"].as_str().expect("a name");
        assert!(function.ends_with("reject_malformed_request"), "{function}");
        assert_eq!(worst["level"], "leak", "{worst}");
        let file = worst["site"]["file"].as_str().expect("a file");
        assert!(file.ends_with("demo_target.rs"), "{file}");
    }
}

#[test]
fn the_ordinary_user_gets_a_ptrace_report() {
    let mut fixture = Fixture::start(&c("leaky"), &["kind=socket"]);
    let pid = fixture.pid().to_string();
    let watching = Watching::start(&[&pid, "--source", "ptrace", "--json", "--duration", "10m"]);
    fixture.ask("step 20");
    let report = watching.report().json();
    assert_eq!(report["source"]["name"], "ptrace");
    let blind = report["source"]["cannot_see"].as_array().expect("a list");
    assert!(!blind.is_empty(), "ptrace cannot see everything, and says so");
}
