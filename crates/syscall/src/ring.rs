//! The io_uring operations that make or end descriptors.
//!
//! No system call hook sees them: they run in the kernel's workers or inside io_uring_enter. BPF reads them from the
//! tracepoints `io_uring:io_uring_submit_req` and `io_uring:io_uring_complete`; ptrace cannot.

use fdscope_model::HandleKind;

/// An io_uring operation that concerns descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingOperation {
    /// Its number: `IORING_OP_*` of linux/io_uring.h.
    pub opcode: u8,
    /// Its name in lower case, as the kernel's tracepoints print it.
    pub name: &'static str,
    /// What it does, if it succeeds.
    pub effect: RingEffect,
    /// The kind of what it makes.
    pub kind: HandleKind,
}

/// What an operation does. All but the last three act on a direct descriptor (a slot of the ring, not a number in
/// the table) if the submission's `file_index` is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingEffect {
    /// The completion's result is a new descriptor.
    Returns,
    /// The submission's `fd` is closed.
    Close,
    /// `int[2]` at the submission's `addr`.
    Pair,
    /// Descriptors may come in the control data of the `struct msghdr` at `addr`.
    ReceiveMessage,
    /// The result is a new descriptor for the slot in `fd`: close-on-exec unless `install_fd_flags` is 1.
    Install,
    /// The registration in `off` (descriptor) with the epoll descriptor in `fd` changes; operation in `len`.
    EpollControl,
}

macro_rules! operations {
    ($($opcode:literal $name:literal $kind:ident $effect:ident;)*) => {
        /// The table.
        pub const OPERATIONS: &[RingOperation] = &[$(RingOperation {
            opcode: $opcode,
            name: $name,
            effect: RingEffect::$effect,
            kind: HandleKind::$kind,
        }),*];
    };
}

operations! {
    10 "recvmsg" UnknownDescriptor ReceiveMessage;
    13 "accept" Socket Returns;
    18 "openat" UnknownDescriptor Returns;
    19 "close" UnknownDescriptor Close;
    28 "openat2" UnknownDescriptor Returns;
    29 "epoll_ctl" Registration EpollControl;
    45 "socket" Socket Returns;
    54 "fixed_fd_install" UnknownDescriptor Install;
    62 "pipe" Pipe Pair;
}

/// The row of an operation by its number; `None` for those that leave descriptors alone.
pub fn operation(opcode: u8) -> Option<&'static RingOperation> {
    OPERATIONS.iter().find(|row| row.opcode == opcode)
}
