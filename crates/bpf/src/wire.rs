//! What comes over the ring and the iterator: the Rust side of `bpf/wire.h`, held to it by a test.

use fdscope_model::interpreter::{
    InterpreterFrame, InterpreterLayout, LARGEST_FRAME, ThreadIdentity,
};
use fdscope_model::{Memo, WordAt};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a record tells: `enum record_type`.
pub mod record_type {
    /// A system call of the table returned.
    pub const CALL: u16 = 1;
    /// A process was made.
    pub const FORK: u16 = 2;
    /// A thread was made.
    pub const THREAD: u16 = 3;
    /// The process runs a new program.
    pub const EXEC: u16 = 4;
    /// The process ended.
    pub const EXIT: u16 = 5;
    /// A thread ended, the process goes on.
    pub const UNTHREAD: u16 = 6;
    /// An io_uring operation completed.
    pub const RING: u16 = 7;
    /// More came or went than a record can say.
    pub const RESCAN: u16 = 8;
    /// An io_uring operation was submitted.
    pub const SUBMIT: u16 = 9;
}

/// How a record's stack was taken: `enum trace_kind`.
pub mod trace_kind {
    /// Not taken.
    pub const NONE: u16 = 0;
    /// Memory from `sp` follows the record.
    pub const COPIED: u16 = 1;
    /// `stack_id` names an entry of the map of stacks.
    pub const ID: u16 = 2;
    /// The same as the record before from this thread.
    pub const SAME: u16 = 3;
    /// Wanted, but the ring was too full or it was not its turn.
    pub const SKIPPED: u16 = 4;
    /// Interpreter frames follow the record, then memory from `sp`.
    pub const LAYERED: u16 = 5;
    /// `stack_id` is the reader's own number of a stack.
    pub const KNOWN: u16 = 6;
    /// The same, and interpreter frames follow the record.
    pub const LAYERED_KNOWN: u16 = 7;
}

/// `struct slot`: a descriptor as the table had it.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Slot {
    /// `struct file`; 0 if the number is free.
    pub file: u64,
    /// Inode number.
    pub inode: u64,
    /// Device of the file system.
    pub device: u32,
    /// `i_mode`, and in the high half the low half of the file system's magic number.
    pub mode: u32,
    /// `f_flags`, with `O_CLOEXEC` for the descriptor's flag.
    pub flags: u32,
    /// The number; -1 if there is none.
    pub fd: i32,
}

/// `struct record`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Record {
    /// CLOCK_MONOTONIC in nanoseconds.
    pub at: u64,
    /// `struct files_struct`.
    pub table: u64,
    /// The call's result.
    pub ret: i64,
    /// Its first three arguments.
    pub args: [u64; 3],
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// See [`record_type`].
    pub kind: u16,
    /// Row of the table of calls, or of ring operations.
    pub call: u16,
    /// See [`trace_kind`].
    pub trace: u16,
    /// [`RECORD_COMPAT`] and others that only the program reads.
    pub flags: u8,
    /// How many of the interpreter frames that follow are valid.
    pub frames: u8,
    /// Entry of the map of stacks, or the reader's own number.
    pub stack_id: i32,
    /// Bytes of stack that follow and are valid.
    pub stack_bytes: u32,
    /// The descriptors concerned.
    pub slots: [Slot; 2],
}

/// `struct origin`: where unwinding starts, behind a record whose stack was copied.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Origin {
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer.
    pub fp: u64,
    /// Link register.
    pub lr: u64,
    /// When code was last seen to come or go in the process.
    pub code_since: u64,
}

/// The most words of a memo.
pub const MOST_WORDS: usize = Memo::MOST_WORDS;
/// How many memos one key can have.
pub const MOST_MEMOS: u16 = 4;
/// In a memo's `at`: the word is the frame pointer.
pub const WORD_AT_FP: u16 = 0xffff;
/// In a memo's `at`: the word is the link register.
pub const WORD_AT_LR: u16 = 0xfffe;
/// The words of the stack's first so many bytes are read at once.
pub const PEEKED: usize = 4096;

/// `struct memo_key`.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct MemoKey {
    /// Instruction pointer.
    pub ip: u64,
    /// As in [`Origin`].
    pub code_since: u64,
    /// Process.
    pub pid: u32,
    /// The stack pointer within its page.
    pub depth: u16,
    /// Below [`MOST_MEMOS`].
    pub nth: u16,
}

/// `struct memo`: [`Memo`] as the program reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoWords {
    /// Bit n: word n is a distance from the stack pointer.
    pub relative: u64,
    /// The reader's number of the stack.
    pub stack: u32,
    /// Bytes of the stack that hold the words below [`PEEKED`].
    pub span: u16,
    /// How many words there are.
    pub count: u16,
    /// Where they stand: 8-byte words from the stack pointer.
    pub at: [u16; MOST_WORDS],
    /// Their values.
    pub words: [u64; MOST_WORDS],
}

impl From<&Memo> for MemoWords {
    fn from(memo: &Memo) -> Self {
        let mut made = MemoWords {
            relative: 0,
            stack: memo.stack.0,
            span: 0,
            count: memo.words.len().min(MOST_WORDS) as u16,
            at: [0; MOST_WORDS],
            words: [0; MOST_WORDS],
        };
        for (index, word) in memo.words.iter().take(MOST_WORDS).enumerate() {
            made.relative |= u64::from(word.relative) << index;
            made.words[index] = word.value;
            made.at[index] = match word.at {
                WordAt::Stack(at) => at,
                WordAt::FramePointer => WORD_AT_FP,
                WordAt::LinkRegister => WORD_AT_LR,
            };
            let end = (usize::from(made.at[index]) + 1) * size_of::<u64>();
            if end <= PEEKED {
                made.span = made.span.max(end as u16);
            }
        }
        made
    }
}

/// `struct file_row`: a row of the iterator.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct FileRow {
    /// `struct files_struct`.
    pub table: u64,
    /// `struct file`.
    pub file: u64,
    /// Inode number.
    pub inode: u64,
    /// `f_pos` in bytes.
    pub offset: u64,
    /// Process, numbered in the initial PID namespace.
    pub pid: u32,
    /// The number.
    pub fd: u32,
    /// Device of the file system.
    pub device: u32,
    /// `i_mode`.
    pub mode: u32,
    /// `f_flags`, with `O_CLOEXEC` for the descriptor's flag.
    pub flags: u32,
    /// Padding.
    pub unused: u32,
}

/// `struct action`: how the program treats a call.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Action {
    /// `enum op`.
    pub op: u8,
    /// The argument that `op` speaks of.
    pub arg: u8,
    /// `enum wants`.
    pub stack: u8,
    /// Padding.
    pub unused: u8,
    /// Bits of argument 0 that must be set.
    pub mask: u32,
    /// Row of the table.
    pub call: u16,
    /// Padding.
    pub unused2: u16,
}

/// `struct scope`: a watched process.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Scope {
    /// Bytes of stack to copy at births.
    pub stack_bytes: u32,
    /// Take the stack of every n-th death.
    pub death_every: u32,
    /// The program's counter of deaths.
    pub deaths: u32,
    /// 1: watch its children too.
    pub follow: u32,
    /// 1: stack ids by frame pointers, not copies.
    pub frame_pointers: u32,
    /// Take the stack of every n-th birth.
    pub birth_every: u32,
    /// The program's counter of births.
    pub births: u32,
    /// 1: the map `interpreters` says how to walk its interpreter's frames.
    pub interpreter: u32,
    /// So many records more wake the reader at once: the program counts them down after exec.
    pub fresh: u32,
    /// Padding.
    pub unused: u32,
    /// The program's count of executable pages.
    pub code_pages: u64,
    /// When the program saw that count change.
    pub code_since: u64,
}

impl Scope {
    /// The same with what the program keeps there, taken from `current`.
    pub fn with_counters_of(self, current: Scope) -> Scope {
        let Scope { deaths, births, fresh, code_pages, code_since, .. } = current;
        Scope { deaths, births, fresh, code_pages, code_since, ..self }
    }
}

/// In `flags` of a record: a 32-bit call.
pub const RECORD_COMPAT: u8 = 1;

/// Stands for an offset that there is none of.
pub const NO_OFFSET: u32 = u32::MAX;

/// `struct interpreter`: [`InterpreterLayout`] as the program reads it.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of InterpreterLayout")]
pub struct Interpreter {
    pub heads: u64,
    pub next_interpreter: u32,
    pub first_thread: u32,
    pub next_thread: u32,
    pub thread_id: u32,
    pub identity: u32,
    pub frame: u32,
    pub inner_frame: u32,
    pub code: u32,
    pub at: u32,
    pub previous: u32,
    pub mark: u32,
    pub frame_bytes: u32,
    pub names: u32,
    pub name_count: u32,
}

impl From<&InterpreterLayout> for Interpreter {
    fn from(layout: &InterpreterLayout) -> Self {
        Interpreter {
            heads: layout.heads,
            next_interpreter: layout.next_interpreter,
            first_thread: layout.first_thread,
            next_thread: layout.next_thread,
            thread_id: layout.thread_id,
            identity: match layout.identity {
                ThreadIdentity::Number => 0,
                ThreadIdentity::Pointer => 1,
            },
            frame: layout.frame,
            inner_frame: layout.inner_frame.unwrap_or(NO_OFFSET),
            code: layout.code,
            at: layout.at,
            previous: layout.previous,
            mark: layout.mark.unwrap_or(NO_OFFSET),
            frame_bytes: layout.frame_bytes.min(LARGEST_FRAME),
            names: layout.names,
            name_count: layout.name_count,
        }
    }
}

/// `struct interpreter_frame`: [`InterpreterFrame`] as it comes over the ring.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of InterpreterFrame")]
pub struct WalkedFrame {
    pub code: u64,
    pub at: u64,
    pub fingerprint: u64,
}

impl From<WalkedFrame> for InterpreterFrame {
    fn from(walked: WalkedFrame) -> Self {
        let WalkedFrame { code, at, fingerprint } = walked;
        InterpreterFrame { code, at, fingerprint }
    }
}

/// `struct ioctl_rule`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct IoctlRule {
    /// 1 if the descriptor is stored at `offset` of the argument, 0 if it is the result.
    pub stored: u32,
    /// Where.
    pub offset: u32,
}

/// Set in keys of the map of ioctls that are socket options.
pub const SOCKOPT_KEY: u32 = 0x8000_0000;

/// `O_CLOEXEC`, in `flags` of slots and rows.
pub const O_CLOEXEC: u32 = 0o2_000_000;
