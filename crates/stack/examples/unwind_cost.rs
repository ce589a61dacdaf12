//! Prints what interning costs: nanoseconds per stack of about 15 frames, for one call path and for many.
//!
//! `cargo run --release -p fdscope-stack --example unwind_cost`. Needs a C compiler.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use fdscope_model::{Pid, Registers, Trace};
use fdscope_stack::{StackOptions, Stacks};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chain.c");
const ROUNDS: u32 = 200_000;

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("chain");
    let compile = Command::new("cc")
        .args(["-O2", "-g", SOURCE, "-ldl", "-pthread", "-o"])
        .arg(&program)
        .status();
    assert!(compile.is_ok_and(|status| status.success()), "the fixture compiles");
    for (mode, depth) in [("plain", "0"), ("nest", "6"), ("nest", "50")] {
        let mut child = Command::new(&program)
            .args([mode, depth])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the fixture starts");
        measure(mode, &mut child);
        drop(child.stdin.take());
        child.wait().expect("the fixture ends");
    }
}

fn measure(mode: &str, child: &mut Child) {
    let pid = Pid(child.id());
    let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
    let (regs, bytes) = capture(&mut output);
    let mut stacks = Stacks::new(StackOptions::default());
    let begun = Instant::now();
    let trace = Trace::Copied { regs, bytes: &bytes, compat: false, code_since: None };
    let first = stacks.intern(pid, &trace);
    let first_us = begun.elapsed().as_micros();
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        assert_eq!(black_box(stacks.intern(pid, black_box(&trace))), first);
    }
    let each_ns = begun.elapsed().as_nanos() / u128::from(ROUNDS);
    let Trace::Known(id) = first else { return println!("{mode}: not interned") };
    let frames = stacks.stack(id).frames.len();
    println!("{mode}: {frames} frames, first {first_us} us, then {each_ns} ns a stack");
}

fn capture(output: &mut impl BufRead) -> (Registers, Vec<u8>) {
    let mut line = String::new();
    while !line.starts_with("STACK ") {
        line.clear();
        output.read_line(&mut line).expect("the fixture prints its stack");
    }
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let mut bytes = vec![0; numbers[3] as usize];
    output.read_exact(&mut bytes).expect("the fixture prints its stack");
    (Registers { ip: numbers[0], sp: numbers[1], fp: numbers[2], lr: 0 }, bytes)
}
