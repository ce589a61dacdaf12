//! Stacks copied by a program itself are unwound to the chain of calls that it states.

mod common;

use std::process::Command;

use common::{Fixture, can_compile, check, compile, names};
use fdscope_model::{Symbolizer, Trace};
use fdscope_stack::{StackOptions, Stacks};

/// Every way of compiling that changes how to unwind.
const FLAGS: &[&[&str]] = &[
    &["-O2", "-fomit-frame-pointer"],
    &["-O2", "-fomit-frame-pointer", "-no-pie"],
    &["-O0", "-fno-omit-frame-pointer"],
    &["-O2", "-fomit-frame-pointer", "-Wl,--no-eh-frame-hdr"],
    &["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-gdwarf-4"],
    &["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-gz"],
    &["-O2", "-static"],
];

const MODES: &[&str] = &["plain", "bare", "alloca", "aligned", "deep", "signal", "thread"];

#[test]
fn every_chain_is_unwound_whole() {
    if !can_compile() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("chain");
    for flags in FLAGS {
        compile("cc", "chain.c", flags, &program);
        for mode in MODES {
            let mut fixture = Fixture::start(Command::new(&program).arg(mode));
            let copied = fixture.capture();
            let mut stacks = Stacks::new(StackOptions::default());
            let symbolized = check(&mut stacks, fixture.pid(), &copied);
            let counters = stacks.counters();
            assert_eq!(counters.guessed, 0, "{flags:?} {mode} {:?}", names(&symbolized));
            assert_eq!(counters.truncated, 0, "{flags:?} {mode} {:?}", names(&symbolized));
        }
    }
}

#[test]
fn a_library_loaded_later_is_found() {
    if !can_compile() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (program, library) = (directory.path().join("chain"), directory.path().join("late.so"));
    compile("cc", "chain.c", &["-O2"], &program);
    compile("cc", "library.c", &["-O2", "-shared", "-fPIC"], &library);
    let mut fixture = Fixture::start(Command::new(&program).arg("late").arg(&library));
    let mut stacks = Stacks::new(StackOptions::default());
    let early = fixture.capture();
    check(&mut stacks, fixture.pid(), &early);
    let late = fixture.capture();
    check(&mut stacks, fixture.pid(), &late);
}

#[test]
fn a_short_copy_is_truncated_and_more_is_wanted() {
    if !can_compile() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("chain");
    compile("cc", "chain.c", &["-O2"], &program);
    let mut fixture = Fixture::start(Command::new(&program).arg("deep"));
    let copied = fixture.capture();
    let mut stacks = Stacks::new(StackOptions::default());
    let wanted = stacks.wanted_bytes(fixture.pid());
    let short = &copied.bytes[..512];
    let trace = Trace::Copied { regs: copied.regs, bytes: short, compat: false, code_since: None };
    let id = common::id(stacks.intern(fixture.pid(), &trace));
    assert!(stacks.stack(id).truncated);
    assert_eq!(stacks.counters().off_copy, 1);
    assert_eq!(stacks.wanted_bytes(fixture.pid()), wanted, "the copy was shorter than wanted");
    assert_eq!(
        stacks.symbolize(id).frames.last().unwrap().symbol.function.as_deref(),
        Some("recurse")
    );
}

#[test]
fn equal_stacks_have_one_id_and_children_share_it() {
    if !can_compile() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("chain");
    compile("cc", "chain.c", &["-O2"], &program);
    let mut stacks = Stacks::new(StackOptions::default());
    let mut ids = Vec::new();
    // Another run has other addresses, and is the same code.
    for _ in 0..3 {
        let mut fixture = Fixture::start(Command::new(&program).arg("plain"));
        let copied = fixture.capture();
        ids.push(copied.intern(&mut stacks, fixture.pid()));
        // A forked child that is gone before anyone could look at it.
        stacks.fork(fixture.pid(), fdscope_model::Pid(u32::MAX));
        ids.push(copied.intern(&mut stacks, fdscope_model::Pid(u32::MAX)));
        stacks.exit(fdscope_model::Pid(u32::MAX));
        ids.push(copied.intern(&mut stacks, fdscope_model::Pid(u32::MAX)));
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn exec_and_a_reused_number_are_another_program() {
    if !can_compile() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("chain");
    compile("cc", "chain.c", &["-O2", "-no-pie"], &program);
    let script = format!("echo ready; read line; exec {} plain", program.display());
    let mut fixture = Fixture::start(Command::new("sh").args(["-c", &script]));
    assert_eq!(fixture.line(), "ready");
    let mut stacks = Stacks::new(StackOptions::default());
    // The shell is known now, with whatever it has at the addresses of the program to come.
    stacks.intern(fixture.pid(), &Trace::Addresses(&[0x40_1000]));
    let reads = stacks.counters().maps_read;
    fixture.say("go");
    let copied = fixture.capture();
    stacks.exec(fixture.pid());
    assert_eq!(stacks.counters().maps_read, reads + 1, "exec reads the mappings at once");
    check(&mut stacks, fixture.pid(), &copied);
    // Gone, and its number forked again: the child is what its parent is.
    fixture.end();
    stacks.exit(fixture.pid());
    let other = Fixture::start(Command::new("sleep").arg("60"));
    stacks.fork(other.pid(), fixture.pid());
    let id = copied.intern(&mut stacks, fixture.pid());
    let symbolized = stacks.symbolize(id);
    assert!(!names(&symbolized).contains(&"first".to_owned()), "{:?}", names(&symbolized));
}
