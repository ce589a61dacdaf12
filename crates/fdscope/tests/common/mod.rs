//! Runs the real fdscope against real programs.
#![allow(dead_code, reason = "every test file uses a part of this")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// Bounds only the time that a broken test hangs.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// An fdscope that watches.
pub struct Watching {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    /// What it said on standard error before it watched.
    pub said: String,
}

/// A finished run: its exit code and what it printed.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
}

impl Finished {
    /// The report as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("{why}: {:?}", self.stdout))
    }
}

pub fn fdscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fdscope"));
    command.env_remove("NO_COLOR").env_remove("COLUMNS").env_remove("CLICOLOR_FORCE");
    command
}

/// Runs fdscope to its end.
pub fn run(arguments: &[&str]) -> Output {
    fdscope().args(arguments).output().expect("fdscope is built for its tests")
}

impl Watching {
    /// Starts `fdscope leak ARGUMENTS` and waits until it watches.
    pub fn start(arguments: &[&str]) -> Watching {
        let mut command = fdscope();
        command.arg("leak").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("fdscope is built for its tests");
        let mut stdout = child.stdout.take().expect("piped");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ended = stdout.read_to_end(&mut all);
            sender.send(all)
        });
        let mut said = String::new();
        while !said.contains("watching ") {
            let before = said.len();
            stderr.read_line(&mut said).expect("text");
            assert!(said.len() > before, "fdscope ended before it watched: {said}");
        }
        std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        Watching { child, stdout: bytes, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.expect("kill is everywhere").success());
    }

    /// Ctrl-C, and then the report.
    pub fn report(self) -> Finished {
        self.signal("-INT");
        self.wait()
    }

    /// The report once it comes by itself.
    pub fn wait(mut self) -> Finished {
        let bytes = self.stdout.recv_timeout(DEADLINE).expect("a report in time");
        let status = self.child.wait().expect("a child of ours");
        Finished { status, stdout: String::from_utf8(bytes).expect("the report is UTF-8") }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Gone already, where the test went well.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// True for root; else says what is skipped for lack of it.
pub fn is_root(needs: &str) -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !root {
        println!("skipped: needs {needs}");
    }
    root
}

/// The verdicts of a report as (function, line, kind, acquired, released, live, level).
pub fn verdicts(report: &Value) -> &Vec<Value> {
    report["verdicts"].as_array().expect("a report has verdicts")
}
