//! What comes over the ring and the iterator: the Rust side of `bpf/wire.h`, held to it by a test.

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
    /// `i_mode`.
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
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer.
    pub fp: u64,
    /// Link register.
    pub lr: u64,
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
    /// 1 for a 32-bit call.
    pub compat: u16,
    /// Entry of the map of stacks.
    pub stack_id: i32,
    /// Bytes of stack that follow and are valid.
    pub stack_bytes: u32,
    /// The descriptors concerned.
    pub slots: [Slot; 2],
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
    /// Padding.
    pub unused: u32,
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
