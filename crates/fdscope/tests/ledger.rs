//! The ledger against the truth: a program makes descriptors in every way the kernel has and tells what it did; what
//! fdscope says must equal it, site by site.

mod common;

use std::collections::BTreeMap;

use common::{Watching, is_root, verdicts};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

/// Sites whose births no tracer of system calls sees: read(2) of a fanotify descriptor hands out a descriptor.
const UNSEEN: &[&str] = &["birth_fanotify_read"];

type Counts = (u64, u64);
type Site = (String, u64, String);

/// Acquired and released by function, line and kind, as fdscope tells it.
fn told(report: &Value) -> BTreeMap<Site, Counts> {
    let mut told = BTreeMap::new();
    for verdict in verdicts(report) {
        let site = &verdict["site"];
        let Some(function) = site["function"].as_str() else { continue };
        let key = (function.to_owned(), site["line"].as_u64().unwrap_or(0), text(&verdict["kind"]));
        let counts: &mut Counts = told.entry(key).or_default();
        counts.0 += verdict["acquired"].as_u64().expect("a number");
        counts.1 += verdict["released"].as_u64().expect("a number");
    }
    told
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn every_birth_is_told(source: &str) {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let pid = fixture.pid().to_string();
    let watching = Watching::start(&[&pid, "--source", source, "--json", "--duration", "10m"]);
    let lines = fixture.ask("go");
    let report = watching.report().json();
    let told = told(&report);
    let mut compared = 0;
    for truth in lines.iter().filter(|line| line.word == "site").map(|line| line.site()) {
        if UNSEEN.contains(&truth.function.as_str()) {
            continue;
        }
        let at = |(function, line, _): &&Site| {
            *function == truth.function && *line == u64::from(truth.line)
        };
        let found: Vec<_> = told.iter().filter(|(key, _)| at(key)).collect();
        let of_kind = found.iter().find(|(key, _)| key.2 == truth.kind).or(found.first());
        let Some((_, counts)) = of_kind else { panic!("{truth:?} is not told by {source}") };
        assert_eq!(**counts, (truth.acquired, truth.released), "{truth:?} by {source}");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} sites");
    assert_eq!(report["lost"], 0);
    let process = &report["processes"][0];
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    assert_eq!(process["open_now"].as_u64(), Some(open as u64), "descriptors open, by {source}");
}

#[test]
fn every_birth_is_told_by_bpf() {
    if is_root("CAP_BPF") {
        every_birth_is_told("bpf");
    }
}

#[test]
fn every_birth_is_told_by_ptrace() {
    if is_root("the privileges of the fixture's calls") {
        every_birth_is_told("ptrace");
    }
}

#[test]
fn polling_counts_what_stays() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let pid = fixture.pid().to_string();
    let watching =
        Watching::start(&[&pid, "--source", "poll", "--json", "--duration", "10m", "-i", "100ms"]);
    fixture.ask("go");
    let report = watching.report().json();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    assert_eq!(report["processes"][0]["open_now"].as_u64(), Some(open as u64));
    assert_eq!(report["source"]["name"], "poll");
}

#[test]
fn io_uring_is_told_with_stacks() {
    if !is_root("CAP_BPF") {
        return;
    }
    let mut fixture = Fixture::start(&c("uring"), &[]);
    let pid = fixture.pid().to_string();
    let watching = Watching::start(&[&pid, "--source", "bpf", "--json", "--duration", "10m"]);
    fixture.ask("go");
    let report = watching.report().json();
    let made: u64 = verdicts(&report)
        .iter()
        .filter(|verdict| verdict["site"]["function"] == "submitted")
        .map(|verdict| verdict["acquired"].as_u64().expect("a number"))
        .sum();
    assert!(made >= 10, "{made} by the ring");
    assert_eq!(report["processes"][0]["found"], 0, "every birth was seen");
}

/// Calls that a storm may make so that its records fit into a ring of 32 MiB even if nothing is read meanwhile: stacks
/// are copied into three quarters of it at most, and the records without (144 bytes each) take less than the rest.
const FITS: u64 = 50_000;
const CALLS_PER_PIPE: u64 = 3;
const THREADS: u64 = 8;

/// A storm of pipes by many threads, and the report after it.
fn storm(calls: u64, ring: &str, reading: bool) -> (Fixture, Value) {
    let iterations = format!("iterations={}", calls / CALLS_PER_PIPE / THREADS);
    let threads = format!("threads={THREADS}");
    let mut fixture = Fixture::start(&c("storm"), &[&iterations, &threads, "what=pipe"]);
    let pid = fixture.pid().to_string();
    let arguments = ["--source", "bpf", "--ring", ring, "--json", "--duration", "10m"];
    let watching = Watching::start(&[&[pid.as_str()], &arguments[..]].concat());
    if !reading {
        watching.signal("-STOP");
    }
    fixture.say("go");
    fixture.wait_for("done");
    if !reading {
        watching.signal("-CONT");
    }
    let report = watching.report().json();
    (fixture, report)
}

/// What is open is right in any case: the kernel's own table says it.
fn check_open(fixture: &Fixture, report: &Value) {
    let open = std::fs::read_dir(format!("/proc/{}/fd", fixture.pid())).expect("it lives").count();
    assert_eq!(report["processes"][0]["open_now"].as_u64(), Some(open as u64));
}

#[test]
fn tables_of_many_threads_settle() {
    if !is_root("CAP_BPF") {
        return;
    }
    for reading in [true, false] {
        let (fixture, report) = storm(FITS, "32M", reading);
        assert_eq!(report["lost"], 0, "read meanwhile: {reading}");
        check_open(&fixture, &report);
        let process = &report["processes"][0];
        assert_eq!(process["ledger_agrees"], true);
        assert_eq!(process["acquired"], process["released"], "each pair was closed");
    }
}

#[test]
fn what_is_lost_in_a_storm_is_counted_and_caps_verdicts() {
    if !is_root("CAP_BPF") {
        return;
    }
    // A hundred times what a ring of 1 MiB holds.
    let (fixture, report) = storm(480_000, "1M", false);
    let lost = report["lost"].as_u64().expect("a number");
    assert!((400_000..480_000).contains(&lost), "{lost} lost");
    check_open(&fixture, &report);
    assert!(verdicts(&report).iter().all(|verdict| verdict["level"] != "leak"), "{report:#}");
}
