//! Fixtures: C programs compiled on the spot that copy their own stack and tell the truth about it.
#![allow(dead_code)] // Each test file uses its own part.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use fdscope_model::{Pid, Registers, Stack, StackId, Symbolized, Symbolizer, Trace};
use fdscope_stack::Stacks;

/// Where the fixtures' sources are.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// True if `program` can be run; prints why a test is skipped otherwise.
pub fn have(program: &str) -> bool {
    let mut command = Command::new(program);
    let found =
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: needs {program}");
    }
    found
}

/// True if fixtures can be compiled and run here.
pub fn can_compile() -> bool {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("skipped: needs x86-64");
        return false;
    }
    have("cc")
}

/// Compiles a fixture.
pub fn compile(compiler: &str, name: &str, flags: &[&str], output: &Path) {
    let status = Command::new(compiler)
        .args(["-g", "-pthread"])
        .args(flags)
        .arg(source(name))
        .arg("-o")
        .arg(output)
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(status.success(), "{compiler} {name} {flags:?}");
}

/// Runs a tool that must succeed.
pub fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

/// A fixture that runs.
pub struct Fixture {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// One stack that it copied.
pub struct Copied {
    /// Names of functions, outermost first.
    pub truth: Vec<String>,
    pub regs: Registers,
    pub bytes: Vec<u8>,
}

impl Fixture {
    pub fn start(command: &mut Command) -> Fixture {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Fixture { child, input, output: BufReader::new(output) }
    }

    pub fn pid(&self) -> Pid {
        Pid(self.child.id())
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn capture(&mut self) -> Copied {
        let truth = self.line();
        let truth = truth.strip_prefix("TRUTH ").unwrap_or_else(|| panic!("truth: {truth:?}"));
        let truth = truth.split(' ').map(str::to_owned).collect();
        let numbers = self.line();
        let numbers: Vec<u64> = numbers
            .strip_prefix("STACK ")
            .unwrap()
            .split(' ')
            .map(|n| n.parse().unwrap())
            .collect();
        let mut bytes = vec![0; numbers[3] as usize];
        self.output.read_exact(&mut bytes).unwrap();
        let regs = Registers { ip: numbers[0], sp: numbers[1], fp: numbers[2], lr: 0 };
        Copied { truth, regs, bytes }
    }

    /// Lets it end.
    pub fn end(&mut self) {
        self.input = None;
        self.child.wait().unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Copied {
    pub fn trace(&self) -> Trace<'_> {
        Trace::Copied { regs: self.regs, bytes: &self.bytes, compat: false, code_since: None }
    }

    /// Unwinds and interns it.
    pub fn intern(&self, stacks: &mut Stacks, pid: Pid) -> StackId {
        id(stacks.intern(pid, &self.trace()))
    }
}

pub fn id(trace: Trace<'static>) -> StackId {
    match trace {
        Trace::Known(id) => id,
        other => panic!("not interned: {other:?}"),
    }
}

/// Names of functions, outermost first; `?` for none.
pub fn names(symbolized: &Symbolized) -> Vec<String> {
    let name = |frame: &fdscope_model::Frame| frame.symbol.function.clone();
    symbolized.frames.iter().rev().map(|frame| name(frame).unwrap_or("?".into())).collect()
}

/// Asserts that the truth is in the names in this order, and the innermost is the same.
pub fn assert_truth(copied: &Copied, symbolized: &Symbolized, stack: &Stack) {
    let got = names(symbolized);
    let mut rest = got.iter();
    for wanted in &copied.truth {
        assert!(rest.any(|name| name == wanted), "{wanted} of {:?} in {got:?}", copied.truth);
    }
    let last = got.last().map(String::as_str);
    assert_eq!(last, copied.truth.last().map(String::as_str), "{got:?} {stack:?}");
}

/// Names the frames of `copied` in `pid` and compares them with the truth.
pub fn check(stacks: &mut Stacks, pid: Pid, copied: &Copied) -> Symbolized {
    let id = copied.intern(stacks, pid);
    let symbolized = stacks.symbolize(id);
    assert_truth(copied, &symbolized, stacks.stack(id));
    symbolized
}
