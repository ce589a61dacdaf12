//! What the programs of trace send and are told: the Rust side of `bpf/told.h`, held to it by a test.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::Scope;

/// What a record tells: `enum told_type`.
pub mod told_type {
    /// A call returned, or its thread ended in it.
    pub const EXIT: u16 = 1;
    /// A call was entered.
    pub const ENTER: u16 = 2;
    /// A signal is delivered.
    pub const SIGNAL: u16 = 3;
    /// It stops the process.
    pub const STOPPED: u16 = 4;
    /// A new thread or process is watched.
    pub const ATTACHED: u16 = 5;
    /// A thread ended.
    pub const ENDED: u16 = 6;
    /// A thread took its leader's number by exec.
    pub const SUPERSEDED: u16 = 7;
    /// A process runs another program.
    pub const RAN: u16 = 8;
}

/// Flags of a record: `enum told_flags`.
pub mod told_flags {
    /// A 32-bit call.
    pub const COMPAT: u8 = 1;
    /// The result is not known.
    pub const UNKNOWN: u8 = 2;
    /// A record told when it was entered.
    pub const HAS_ENTER: u8 = 4;
    /// It was seen to be entered.
    pub const ENTERED: u8 = 8;
}

/// `struct told`: a record; pieces follow.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Told {
    /// CLOCK_MONOTONIC in nanoseconds.
    pub at: u64,
    /// The same, of when the call was entered.
    pub entered: u64,
    /// Instruction pointer.
    pub ip: u64,
    /// The result, or what [`told_type`] says.
    pub ret: i64,
    /// The arguments.
    pub args: [u64; 6],
    /// How many calls were not told until now.
    pub lost: u64,
    /// How long the thread had no processor since the call was entered, in nanoseconds; if asked for.
    pub away: u64,
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// The call's number.
    pub number: u32,
    /// Bytes of all pieces.
    pub bytes: u32,
    /// The reader's own number of a stack.
    pub stack_id: i32,
    /// See [`told_type`].
    pub kind: u16,
    /// See [`told_flags`].
    pub flags: u8,
    /// See [`crate::wire::trace_kind`].
    pub trace: u8,
}

/// What a piece is: `enum piece_kind`.
pub mod piece_kind {
    /// Memory.
    pub const MEMORY: u32 = 0;
    /// The stack, from its pointer upwards.
    pub const STACK: u32 = 1;
    /// Where unwinding starts.
    pub const ORIGIN: u32 = 2;
    /// The beginning of `siginfo_t`.
    pub const SIGNAL: u32 = 3;
    /// A [`super::Named`], of the descriptor that stands for the address.
    pub const DESCRIPTOR: u32 = 4;
}

/// Flags of [`Named`]: `enum named_flags`.
pub mod named_flags {
    /// It is in no folder any more.
    pub const DELETED: u16 = 1;
    /// It is not named by where it is in a tree.
    pub const BY_ITSELF: u16 = 2;
    /// A `struct held_socket` follows, then room for its name and its peer's.
    pub const SOCKET: u16 = 4;
}

/// `struct named`: what a descriptor leads to. At the end stand the names of a path, the last first, each with its NUL.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Named {
    /// Inode number.
    pub inode: u64,
    /// Magic number of the file system.
    pub magic: u32,
    /// `i_rdev`.
    pub node: u32,
    /// Of a pidfd: the process.
    pub pid: u32,
    /// Padding.
    pub unused: u32,
    /// `i_mode`.
    pub mode: u16,
    /// See [`named_flags`].
    pub flags: u16,
    /// Bytes of a socket's own name.
    pub own_bytes: u16,
    /// Bytes of the names.
    pub text_bytes: u16,
}

/// `struct piece`: the head of bytes that stood at an address.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct PieceHead {
    /// The address.
    pub address: u64,
    /// How many.
    pub length: u32,
    /// See [`piece_kind`].
    pub kind: u32,
}

/// What is at a pointer: `enum step_what`.
pub mod step_what {
    /// A string.
    pub const STRING: u8 = 1;
    /// Bytes.
    pub const BYTES: u8 = 2;
    /// Pointers to strings.
    pub const STRINGS: u8 = 3;
    /// iovecs.
    pub const IOVEC: u8 = 4;
    /// A message.
    pub const MSGHDR: u8 = 5;
    /// Messages.
    pub const MMSGHDR: u8 = 6;
    /// An ioctl's argument.
    pub const IOCTL: u8 = 7;
    /// A classic BPF program.
    pub const PROGRAM: u8 = 8;
    /// A descriptor; in the place of argument 6, the result.
    pub const DESCRIPTOR: u8 = 9;
    /// Descriptors in memory.
    pub const DESCRIPTORS: u8 = 10;
    /// A descriptor, if it is a netlink socket.
    pub const NETLINK: u8 = 11;
}

/// How many bytes: `enum step_length`.
pub mod step_length {
    /// `amount`.
    pub const CONST: u8 = 0;
    /// An argument times `amount`.
    pub const ARGUMENT: u8 = 1;
    /// The result times `amount`.
    pub const RETURNED: u8 = 2;
    /// The number that an argument points to.
    pub const POINTED: u8 = 3;
    /// As many bits as an argument says.
    pub const BITS: u8 = 4;
    /// Up to the string limit.
    pub const LIMIT: u8 = 5;
}

/// `struct step`: a piece of memory to copy for a call.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Step {
    /// The argument that points there.
    pub argument: u8,
    /// See [`step_what`].
    pub what: u8,
    /// See [`step_length`].
    pub length: u8,
    /// The argument that `length` asks for.
    pub operand: u8,
    /// The argument with the number of iovecs or messages.
    pub count: u8,
    /// 1: no more than the string limit is shown.
    pub text: u8,
    /// See [`step_length`].
    pub amount: u16,
}

/// The most steps of a plan.
pub const MOST_STEPS: usize = 10;

/// `struct plan`: how a call is treated.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Plan {
    /// 1: it is told.
    pub selected: u8,
    /// The first so many steps are taken before the call.
    pub enters: u8,
    /// So many there are.
    pub steps: u8,
    /// 1: its stack is taken.
    pub stack: u8,
    /// 1: the first steps must not be taken later, even if their memory is not there yet.
    pub early: u8,
    /// 1: it is seen to be entered.
    pub paired: u8,
    /// 1: it makes tasks.
    pub forks: u8,
    /// Padding.
    pub unused: u8,
    /// The steps.
    pub step: [Step; MOST_STEPS],
}

/// `struct watched`: how a process is watched.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Watched {
    /// Of this `follow`, `stack_bytes` and what stacks are known by.
    pub scope: Scope,
    /// Only this thread; 0: all.
    pub thread: u32,
    /// Padding.
    pub unused: u32,
}
