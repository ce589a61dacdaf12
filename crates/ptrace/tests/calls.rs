//! Every call of the table, by programs that tell what they did.

mod common;

use common::{Program, Target, assert_same, compile, lines};
use fdscope_model::{Body, HandleKind};
use fdscope_ptrace::Options;

fn check_all_calls(program: Program) {
    let options = Options { mappings: true, registrations: true, ..Options::default() };
    let (ledger, seen) = Target::start(program).trace(options);
    let mut found = lines(&seen);
    assert_eq!(found.pop().as_deref(), Some("exit"));
    assert_same(&ledger, &found);
    check_kinds_and_stacks(&seen);
}

fn check_kinds_and_stacks(seen: &[common::Seen]) {
    let first = seen.iter().find_map(|event| match &event.body {
        Body::Acquire(acquire) => Some((acquire.kind, acquire.name.clone())),
        _ => None,
    });
    let (kind, name) = first.expect("the program opens /dev/null first");
    assert_eq!((kind, name.expect("a name").bytes()), (HandleKind::CharDevice, &b"/dev/null"[..]));
    for event in seen {
        if matches!(event.body, Body::Acquire(_) | Body::Release(_) | Body::Fail(_)) {
            let (ip, bytes, _) = event.stack.expect("every birth, death and failure has its stack");
            assert!(ip != 0 && bytes > 1000, "{event:?}");
        }
    }
}

#[test]
fn every_call_is_told_as_the_program_tells_it() {
    if let Some(program) = compile("calls", &[]) {
        check_all_calls(program);
    }
}

#[test]
fn every_call_of_a_32_bit_program_is_told_as_the_program_tells_it() {
    if let Some(program) = compile("calls", &["-m32"]) {
        check_all_calls(program);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_through_the_32_bit_gate_of_a_64_bit_program_are_told() {
    let Some(program) = compile("int80", &["-no-pie"]) else { return };
    let (ledger, seen) = Target::start(program).trace(Options::default());
    let mut found = lines(&seen);
    assert_eq!(found.pop().as_deref(), Some("exit"));
    assert_same(&ledger, &found);
    assert!(seen.iter().all(|event| event.stack.is_none_or(|(_, _, compat)| !compat)));
}
