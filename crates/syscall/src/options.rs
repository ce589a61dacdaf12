//! The getsockopt(2) options that make descriptors: the value's last `int` is the new descriptor.

use fdscope_model::HandleKind;

use crate::effect::Cloexec;

/// A socket option whose reading makes a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandleOption {
    /// Its name in the kernel's headers.
    pub name: &'static str,
    /// Its protocol level.
    pub level: u32,
    /// Its number.
    pub option: u32,
    /// Offset of the descriptor in the option's value.
    pub offset: u16,
    /// The new descriptor's close-on-exec flag.
    pub cloexec: Cloexec,
    /// What it makes.
    pub kind: HandleKind,
}

/// The table: SOL_SOCKET 1 (include/uapi/asm-generic/socket.h), SOL_SCTP 132 (include/uapi/linux/sctp.h).
pub const OPTIONS: &[HandleOption] = &[
    option("SO_PEERPIDFD", 1, 77, 0, Cloexec::Always, HandleKind::PidFd),
    option("SCTP_SOCKOPT_PEELOFF", 132, 102, 4, Cloexec::Never, HandleKind::Socket),
    option("SCTP_SOCKOPT_PEELOFF_FLAGS", 132, 122, 4, Cloexec::Unknown, HandleKind::Socket),
];

const fn option(
    name: &'static str,
    level: u32,
    option: u32,
    offset: u16,
    cloexec: Cloexec,
    kind: HandleKind,
) -> HandleOption {
    HandleOption { name, level, option, offset, cloexec, kind }
}

/// The row of a socket option, if reading it makes a descriptor.
pub fn socket_option(level: u32, option: u32) -> Option<&'static HandleOption> {
    OPTIONS.iter().find(|row| row.level == level && row.option == option)
}
