//! Python frames of a program that stands still, compared with what it says of itself.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use fdscope_model::{Pid, Registers, Symbolizer, Tid, Trace};
use fdscope_stack::{StackOptions, Stacks, Walker};

/// Says which functions are on its stack, innermost first, and waits.
const PROGRAM: &str = r#"
import sys, threading
def say():
    frame, lines = sys._getframe(0), []
    while frame:
        code = frame.f_code
        lines.append("%s:%d" % (getattr(code, "co_qualname", code.co_name), frame.f_lineno))
        frame = frame.f_back
    print(threading.get_ident(), *lines[1:], flush=True)
    sys.stdin.read()
class Deep:
    def down(self, left):
        if left:
            return self.down(left - 1)
        return sorted([1], key=lambda _: next(self.generator()))
    def generator(self):
        say(); yield 1
Deep().down(3)
"#;

fn interpreters() -> Vec<String> {
    let numbered = (7..20).map(|minor| format!("python3.{minor}"));
    let names = ["/usr/bin/python3".to_owned(), "python3".to_owned()].into_iter().chain(numbered);
    let found = names.filter_map(|name| {
        let say = "import sys; print(sys.executable)";
        let output = Command::new(name).args(["-c", say]).output().ok()?;
        let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(path)
    });
    let mut found: Vec<String> = found.collect();
    found.dedup();
    if found.is_empty() {
        println!("skipped: needs python3");
    }
    found
}

fn check(interpreter: &str) {
    let mut command = Command::new(interpreter);
    command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let (pid, tid) = (Pid(child.id()), Tid(child.id()));
    // It has said so in line 9, and is in line 10 once it waits to be told more.
    while !std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") S ") {
        std::thread::yield_now();
    }
    let mut words = said.split_whitespace();
    let pointer = words.next().unwrap().parse().unwrap();

    let mut stacks = Stacks::new(StackOptions::default());
    let layout = stacks.interpreter(pid).unwrap_or_else(|| panic!("{interpreter} is not known"));
    let mut frames = Vec::new();
    Walker { layout }.walk(tid, child.id(), pointer, &mut frames);
    let regs = Registers::default();
    let trace =
        Trace::Layered { regs, bytes: &[], compat: false, code_since: None, frames: &frames };
    let Trace::Known(id) = stacks.intern(pid, &trace) else { panic!("not interned") };
    assert_eq!(stacks.intern(pid, &trace), Trace::Known(id), "the same stack is the same");
    let symbolized = stacks.symbolize(id);
    let python = symbolized.frames.iter().filter(|f| f.symbol.file.as_deref() == Some("<string>"));
    let names = python.map(|frame| {
        let symbol = &frame.symbol;
        format!("{}:{}", symbol.function.as_deref().unwrap(), symbol.line.unwrap())
    });
    let names: Vec<String> = names.collect();
    assert_eq!(names[0], "say:10", "{interpreter}");
    assert_eq!(names[1..], words.collect::<Vec<_>>(), "{interpreter}");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn frames_are_those_that_the_program_sees_itself() {
    for interpreter in interpreters() {
        check(&interpreter);
    }
}
