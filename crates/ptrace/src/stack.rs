//! Copies the user stack of a thread that stands in a stop.

use fdscope_model::{Registers, Tid};
use fdscope_sys::ptrace::registers::registers;
use fdscope_sys::vm;

use crate::queue::Copied;

/// Copies stacks, into one buffer used again and again.
pub struct Stacks {
    buffer: Vec<u8>,
}

impl Stacks {
    /// For copies of at most `bytes`; 0 for registers only.
    pub fn new(bytes: usize) -> Self {
        Stacks { buffer: vec![0; bytes] }
    }

    /// The thread's registers and its stack from the stack pointer upwards, as far as readable; `None` if the thread
    /// is not in a stop, or gone.
    pub fn copy(&mut self, tid: Tid) -> Option<Copied<'_>> {
        let found = registers(tid).ok()?;
        let Registers { sp, .. } = found.unwind;
        let read = vm::read(tid, sp, &mut self.buffer);
        let bytes = &self.buffer[..read];
        Some(Copied { regs: found.unwind, compat: found.compat, bytes })
    }
}
