//! Programs blocked in a real system call of a C library, with and without unwind information, 64-bit and 32-bit.
//!
//! Stack pointer and instruction pointer come from /proc/PID/syscall, the bytes from /proc/PID/mem; the frame pointer
//! is not to be had this way, so that these stacks are unwound without it.

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use common::{can_compile, have, names, source};
use fdscope_model::{Pid, Registers, Symbolized, Symbolizer, Trace};
use fdscope_stack::{StackOptions, Stacks};

/// The numbers of open and openat on x86-64 and i386.
const OPENS: [&str; 4] = ["2", "257", "5", "295"];
const FIRST_COPY: usize = 16 << 10;

fn check(compiler: &str, flags: &[&str], compat: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (program, fifo) = (directory.path().join("fifo"), directory.path().join("pipe"));
    let mut build = Command::new(compiler);
    build.args(["-g", "-w"]).args(flags).arg(source("fifo.c")).arg("-o").arg(&program);
    if !build.status().unwrap().success() {
        eprintln!("skipped: needs {compiler} {flags:?}");
        return;
    }
    common::run("mkfifo", &[fifo.to_str().unwrap()]);
    // The last ends with the call, which compilers make a jump where they can.
    let ways: [&[&str]; 3] = [&["by_open"], &["by_fopen"], &["caller", "by_jump"]];
    for (extra, sites) in ways.iter().enumerate() {
        let mut command = Command::new(&program);
        command.arg(&fifo).args(vec!["x"; extra]);
        let mut child = command.spawn().unwrap();
        let symbolized = stack_of(&child, compat);
        let _ = child.kill();
        child.wait().unwrap();
        let got = names(&symbolized);
        let at = symbolized.frames[symbolized.at.unwrap()].symbol.function.clone();
        let right = at.as_deref().is_some_and(|at| sites.contains(&at));
        assert!(right, "{at:?} is not of {sites:?}: {compiler} {flags:?} {got:?}");
        let outer: Vec<&String> = got.iter().skip_while(|name| *name != "main").collect();
        assert_eq!(outer[..2], ["main", "caller"], "{compiler} {flags:?} {got:?}");
    }
}

/// Waits until the child is in open, and names its stack.
fn stack_of(child: &Child, compat: bool) -> Symbolized {
    let deadline = Instant::now() + Duration::from_secs(30);
    let process = Path::new("/proc").join(child.id().to_string());
    let (sp, ip) = loop {
        let text = std::fs::read_to_string(process.join("syscall")).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        if OPENS.contains(&words[0]) {
            let number = |i: usize| u64::from_str_radix(&words[i][2..], 16).unwrap();
            break (number(7), number(8));
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut bytes = vec![0; FIRST_COPY];
    let memory = File::open(process.join("mem")).unwrap();
    let copied = memory.read_at(&mut bytes, sp).unwrap();
    let regs = Registers { ip, sp, fp: u64::MAX, lr: 0 };
    let mut stacks = Stacks::new(StackOptions::default());
    let trace = Trace::Copied { regs, bytes: &bytes[..copied], compat, code_since: None };
    let id = common::id(stacks.intern(Pid(child.id()), &trace));
    stacks.symbolize(id)
}

#[test]
fn glibc() {
    if can_compile() {
        check("cc", &["-O2", "-fomit-frame-pointer"], false);
        check("cc", &["-O2", "-fomit-frame-pointer", "-static"], false);
    }
}

#[test]
fn musl_without_unwind_information() {
    if can_compile() && have("musl-gcc") {
        check("musl-gcc", &["-O2", "-fomit-frame-pointer"], false);
        check("musl-gcc", &["-O2", "-fomit-frame-pointer", "-static"], false);
    }
}

#[test]
fn a_32_bit_program() {
    if can_compile() {
        check("cc", &["-O2", "-m32", "-fomit-frame-pointer"], true);
    }
}
