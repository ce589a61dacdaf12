//! Stacks of Python programs name Python lines: compared with what the program says of itself.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::{Watching, fdscope, is_root, verdicts};
use serde_json::Value;

/// How often the program leaks in every way.
const STEPS: u64 = 12;
/// How often it opens and closes a file in between: with 9,144 bytes for each of two stacks this fits into [`RING`]
/// below the mark from which stacks are left out, three quarters, however late fdscope reads.
const BURST: u64 = 2_000;
const RING: &str = "64M";

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs/sites.py")
}

/// Every CPython that can be run here, by the path that it gives itself.
fn interpreters() -> Vec<String> {
    let names = ["/usr/bin/python3".to_owned(), "python3".to_owned()];
    let numbered = (7..20).map(|minor| format!("python3.{minor}"));
    let say = "import sys; print(sys.executable if sys.implementation.name == 'cpython' else '')";
    let mut found: Vec<String> = Vec::new();
    for name in names.into_iter().chain(numbered) {
        let Ok(output) = Command::new(name).args(["-c", say]).output() else { continue };
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !path.is_empty() && !found.contains(&path) {
            found.push(path);
        }
    }
    if found.is_empty() {
        println!("skipped: needs python3");
    }
    found
}

/// The program, run by one interpreter.
struct Target {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Target {
    fn start(interpreter: &str) -> Target {
        let mut command = Command::new(interpreter);
        command.arg(program()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it could be run before");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut target = Target { child, input, output };
        // It has begun when it answers.
        target.ask("truth");
        target
    }

    /// Has a command done, and returns the ledger after it.
    fn ask(&mut self, command: &str) -> Value {
        writeln!(self.input, "{command}").expect("the program reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the program answers");
        serde_json::from_str(&answer).unwrap_or_else(|why| panic!("{why}: {answer:?}"))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The verdict on a function's handles of a kind that are alive.
fn find<'a>(report: &'a Value, function: &str, kind: &str) -> Option<&'a Value> {
    verdicts(report).iter().find(|verdict| {
        verdict["site"]["function"] == function && verdict["kind"] == kind && verdict["live"] != 0
    })
}

fn check(report: &Value, truth: &Value) {
    let truth = truth.as_object().expect("a ledger");
    assert!(truth.len() >= 9, "{truth:?}");
    for (function, expected) in truth {
        let kind = expected["kind"].as_str().expect("a kind");
        let found = find(report, function, kind)
            .unwrap_or_else(|| panic!("{function} is no site of {kind}s: {report:#}"));
        let file = found["site"]["file"].as_str().expect("a file");
        assert!(program().ends_with(file) || file.ends_with("sites.py"), "{file}");
        assert_eq!(found["site"]["line"], expected["line"], "line of {function}");
        assert_eq!(found["live"], expected["live"], "living handles of {function}");
    }
}

#[test]
fn every_leaking_function_is_a_site_with_its_line() {
    if !is_root("CAP_BPF for the bpf source") {
        return;
    }
    for interpreter in interpreters() {
        println!("{interpreter}");
        let mut target = Target::start(&interpreter);
        let pid = target.child.id().to_string();
        let arguments = ["--source", "bpf", "--ring", RING, "--json", "--duration", "10m"];
        let watching = Watching::start(&[&[pid.as_str()], &arguments[..]].concat());
        target.ask(&format!("burst {BURST}"));
        let mut truth = Value::Null;
        for _ in 0..STEPS {
            truth = target.ask("step");
        }
        let report = watching.report().json();
        check(&report, &truth);
        let healthy = verdicts(&report).iter().filter(|v| v["site"]["function"] == "healthy");
        let acquired: u64 = healthy.filter_map(|verdict| verdict["acquired"].as_u64()).sum();
        assert_eq!(acquired, BURST, "{interpreter}");
        assert_eq!(report["lost"], 0, "{interpreter}");
    }
}

#[test]
fn a_shell_that_becomes_python_is_python() {
    if !is_root("CAP_BPF for the bpf source") {
        return;
    }
    let Some(interpreter) = interpreters().into_iter().next() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger");
    let (source, said) = (program(), ledger.display());
    let script = format!("yes step | head -{STEPS} | {interpreter} {} > {said}", source.display());
    let arguments = ["leak", "-q", "--source", "bpf", "--json", "--", "sh", "-c", &script];
    let output = fdscope().args(arguments).output().expect("fdscope is built for its tests");
    let report = String::from_utf8_lossy(&output.stdout);
    let report: Value =
        serde_json::from_str(&report).unwrap_or_else(|why| panic!("{why}: {report}"));
    let said = std::fs::read_to_string(&ledger).expect("the program said something");
    let truth = said.lines().next_back().expect("at least a line");
    let truth: Value = serde_json::from_str(truth).expect("the program's ledger");
    for (function, expected) in truth.as_object().expect("a ledger") {
        let found = verdicts(&report).iter().find(|verdict| {
            verdict["site"]["function"] == function.as_str() && verdict["kind"] == expected["kind"]
        });
        let line = found.map(|verdict| &verdict["site"]["line"]);
        assert_eq!(line, Some(&expected["line"]), "{function}: {report:#}");
    }
}
