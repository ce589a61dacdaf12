//! Which memory each call's arguments lead to, and when to copy it: for an engine that cannot look afterwards.
//!
//! The eBPF engine copies these bytes while the call is made, and the decoders work on the copies alone. The table is
//! that of the decoders ([`crate::decode`]), so that both always agree.

use crate::arch::Arch;
use crate::decode;

/// One piece of memory to copy for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capture {
    /// The argument that points there, from 0.
    pub argument: u8,
    /// At which moment.
    pub when: When,
    /// How much, in what shape.
    pub what: What,
}

/// When memory is copied. A piece needed at both moments is named twice; [`decode::enter`] is shown the first copy,
/// [`decode::exit`] the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Before the call: what the kernel reads.
    Enter,
    /// After it: what the kernel wrote. Needed only if the call succeeded, but for a few which cost little.
    Exit,
}

/// What is at the pointer. A null pointer leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A string that ends with a zero byte, 4,096 bytes at most.
    CString,
    /// So many bytes.
    Bytes(Length),
    /// Pointers to strings, up to a null one: arguments of exec.
    Strings,
    /// `struct iovec` as many as this argument says, and what they lead to: so many bytes in all (for calls that write,
    /// `Length::Const` of all the iovecs' own lengths is meant: everything up to the string limit).
    Iovec {
        /// The argument with the count.
        count: u8,
        /// Bytes in all.
        total: Length,
    },
    /// `struct msghdr`, its name, its iovec with data, its control bytes.
    Msghdr,
    /// `struct mmsghdr`, as many as this argument says (after receiving: as many as were returned).
    Mmsghdr {
        /// The argument with the count.
        count: u8,
    },
    /// The argument structure of an ioctl: the size stands in the request (argument 1), bits 16 to 29. Terminal
    /// requests (`0x54..`) say nothing there: 60 bytes; `0x89..` likewise: 40 bytes, and for SIOCGIFCONF (0x8912) what
    /// it points to.
    Ioctl,
    /// `struct sock_fprog`: a count (16 bits), and at the next pointer that many 8-byte instructions.
    Program,
}

/// How many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// This many.
    Const(u16),
    /// The value of this argument.
    Argument(u8),
    /// The call's result.
    Returned,
    /// The value of this argument times a size.
    Times(u8, u16),
    /// The call's result times a size.
    ReturnedTimes(u16),
    /// The 32-bit number at the pointer in this argument.
    Pointed(u8),
    /// As many bits as this argument says, in whole 8-byte words: sets of descriptors.
    Bits(u8),
    /// Everything up to the string limit and no more: data whose length another structure tells.
    Limit,
}

/// What to copy for a call, in the order of its arguments.
pub fn captures(arch: Arch, number: u64) -> Vec<Capture> {
    decode::captures(arch, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arch: Arch, number: u64, expected: &[Capture]) {
        assert_eq!(captures(arch, number), expected);
    }

    #[test]
    fn pointers_are_followed_when_they_are_known() {
        let path = Capture { argument: 1, when: When::Enter, what: What::CString };
        check(Arch::X86_64, 257, &[path]);
        let data = Capture { argument: 1, when: When::Exit, what: What::Bytes(Length::Returned) };
        check(Arch::X86_64, 0, &[data]);
        check(Arch::X86_64, 39, &[]);
        check(Arch::X86_64, 9999, &[]);
    }

    #[test]
    fn arguments_in_memory_are_copied() {
        let what = What::Bytes(Length::Const(24));
        check(Arch::I386, 102, &[Capture { argument: 1, when: When::Enter, what }]);
    }

    #[test]
    fn no_capture_names_an_argument_that_is_none() {
        for row in crate::names::NAMES {
            for arch in Arch::ALL {
                let Some(number) = row.numbers.of(arch) else { continue };
                for capture in captures(arch, number.into()) {
                    assert!(capture.argument < 6, "{} {capture:?}", row.name);
                }
            }
        }
    }
}
