//! Memos: how a source knows a stack again that was copied and unwound once.

use crate::id::{Monotonic, Pid, StackId};

/// What must be equal for a stack to be one that was unwound before.
///
/// Unwinding is a function of the registers and of the words that it reads: where the instruction pointer, the code
/// and those words are the same, so is the stack. Places are counted from the stack pointer, so that it serves every
/// thread that came the same way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memo {
    /// The process.
    pub pid: Pid,
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer of the stack that was unwound.
    pub sp: u64,
    /// Holds as long as the source has not seen code come or go since.
    pub code_since: Monotonic,
    /// What must be equal.
    pub words: Vec<MemoWord>,
    /// Which stack it is then.
    pub stack: StackId,
}

/// One of the words that an unwinding read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoWord {
    /// Where it stands.
    pub at: WordAt,
    /// Its value, or with `relative` its distance from the stack pointer.
    pub value: u64,
    /// True for a frame pointer that was used: it points into the stack.
    pub relative: bool,
}

/// Where a word stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordAt {
    /// So many 8-byte words from the stack pointer.
    Stack(u16),
    /// In the frame pointer.
    FramePointer,
    /// In the link register.
    LinkRegister,
}

impl Memo {
    /// The most words of one; a stack that needs more is always copied.
    pub const MOST_WORDS: usize = 48;
}
