//! Unwinding of arbitrary stack bytes from arbitrary registers, by the real unwind information of this very process.
#![no_main]

use fdscope_model::{Pid, Registers, Trace};
use fdscope_stack::{StackOptions, Stacks};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    static STACKS: RefCell<Stacks> = RefCell::new(Stacks::new(StackOptions::default()));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((words, bytes)) = bytes.split_first_chunk::<24>() else { return };
    let word = |at: usize| {
        words[at..at + 8].iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte))
    };
    // Begins somewhere near this function, so that there is unwind information for it.
    let ip = (near as *const () as u64).wrapping_add(word(0) % 0x10_0000);
    let regs = Registers { ip, sp: word(8), fp: word(16), lr: 0 };
    let trace = Trace::Copied { regs, bytes, compat: false, code_since: None };
    let pid = Pid(std::process::id());
    STACKS.with_borrow_mut(|stacks| stacks.intern(pid, &trace));
});

fn near() {}
