//! Call stacks: as copied from a thread, as addresses in files, and as names for people.

use crate::id::{Monotonic, StackId};
use crate::interpreter::InterpreterFrame;
#[cfg(doc)]
use crate::interpreter::MOST_INTERPRETER_FRAMES;
use crate::name::Name;

/// The registers that unwinding starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registers {
    /// Instruction pointer (x86-64 `rip`, aarch64 `pc`).
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer (x86-64 `rbp`, aarch64 `x29`).
    pub fp: u64,
    /// Link register (aarch64 `x30`); 0 where the processor has none.
    pub lr: u64,
}

/// The stack of an event as its source delivers it, before unwinding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace<'a> {
    /// Not taken, by design: the source cannot, or the event needs none.
    None,
    /// Not taken because the source was too busy; counted and stated in the report.
    Skipped,
    /// Return addresses, innermost first, unwound by the source (frame pointers).
    Addresses(&'a [u64]),
    /// Registers and the stack's bytes from `regs.sp` upwards, to be unwound with DWARF.
    Copied {
        /// Registers at the system call.
        regs: Registers,
        /// Memory from `regs.sp`; may end before the stack does.
        bytes: &'a [u8],
        /// True for a 32-bit task.
        compat: bool,
        /// When the source last saw code come or go in the process; `None` if it does not look.
        code_since: Option<Monotonic>,
    },
    /// As `Copied`, with the frames of the interpreter that the thread runs, innermost first.
    Layered {
        /// Registers at the system call.
        regs: Registers,
        /// Memory from `regs.sp`; may end before the stack does.
        bytes: &'a [u8],
        /// True for a 32-bit task.
        compat: bool,
        /// As in `Copied`.
        code_since: Option<Monotonic>,
        /// The interpreter's frames; if there are [`MOST_INTERPRETER_FRAMES`], there may be more.
        frames: &'a [InterpreterFrame],
    },
    /// Already unwound and known.
    Known(StackId),
    /// The native frames are known; those of the interpreter are as in `Layered`.
    LayeredKnown {
        /// The native frames.
        native: StackId,
        /// The interpreter's.
        frames: &'a [InterpreterFrame],
    },
}

/// A place in code that survives ASLR, exit and other hosts: a module and an offset in its file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CodeAddr {
    /// Index into the run's table of modules; `ANONYMOUS` for code outside any file (JIT).
    pub module: u32,
    /// Offset in the module's file in bytes; the virtual address for anonymous code.
    pub offset: u64,
}

impl CodeAddr {
    /// The module number of code that no file backs.
    pub const ANONYMOUS: u32 = u32::MAX;
    /// The module number of interpreted code; the offset is an index into the run's table of interpreted frames.
    pub const INTERPRETED: u32 = u32::MAX - 1;
}

/// An unwound stack: innermost frame first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stack {
    /// Addresses; every one but the first is a return address, already moved back into the call. Interpreted frames
    /// stand before the native ones, whose order among each other is known only once those have names.
    pub frames: Vec<CodeAddr>,
    /// True if unwinding stopped before the thread's first frame.
    pub truncated: bool,
    /// True if the first frame called nothing: it is the function that a new thread begins in, and the others are the
    /// stack that made the thread.
    pub starts: bool,
}

/// One function of one frame. An address inside inlined code yields several symbols, innermost first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Symbol {
    /// Demangled name; `None` where nothing names the address.
    pub function: Option<String>,
    /// Source file as the debug information gives it.
    pub file: Option<String>,
    /// Line in the source file, from 1.
    pub line: Option<u32>,
    /// True if this function was inlined into the next symbol's.
    pub inlined: bool,
}

/// A frame for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What the address means.
    pub symbol: Symbol,
    /// The module's path (escaped on printing); empty for anonymous code.
    pub module: Name,
    /// The module's GNU build id in hexadecimal, if it has one.
    pub build_id: Option<String>,
    /// Offset in the module's file; the virtual address for anonymous code, the line for interpreted code.
    pub offset: u64,
    /// True for frames that stand between the system call and the code at fault (libc wrappers, `std::fs` …).
    pub plumbing: bool,
}
