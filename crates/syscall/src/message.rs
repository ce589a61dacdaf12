//! Descriptors that arrive in messages: `struct msghdr` and the control data it points to (recvmsg(2), cmsg(3)).

use crate::arch::Arch;
use crate::memory::{u32_in, word_in};

/// Where the control data of a received message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// Its address; 0 for none.
    pub address: u64,
    /// Its length in bytes, as the kernel left it.
    pub length: u64,
}

/// A descriptor in control data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Carried {
    /// Its number in the receiver.
    pub fd: u32,
    /// What carried it.
    pub by: Carrier,
}

/// What carries descriptors in control data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// `SCM_RIGHTS`: another process's descriptions (unix(7)).
    Rights,
    /// `SCM_PIDFD`: a pidfd of the sender (Linux 6.5), always close-on-exec.
    PidFd,
}

/// Bytes of `struct msghdr`.
pub const fn header_bytes(arch: Arch) -> usize {
    7 * arch.pointer_bytes()
}

/// Bytes of `struct mmsghdr`: a msghdr, a length, and what alignment adds.
pub const fn vector_stride(arch: Arch) -> usize {
    8 * arch.pointer_bytes()
}

/// The control data that a `struct msghdr` names; `None` if the bytes are too few.
///
/// In words of pointer size: name, namelen (an int), iov, iovlen, control, controllen, flags (an int).
pub fn control(header: &[u8], arch: Arch) -> Option<Control> {
    let word = arch.pointer_bytes();
    Some(Control {
        address: word_in(header, 4 * word, word)?,
        length: word_in(header, 5 * word, word)?,
    })
}

const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
const SCM_PIDFD: u32 = 4;

/// The descriptors in control data. Stops at the first malformed header, as the kernel's and libc's walks do.
pub fn carried(control: &[u8], arch: Arch) -> Vec<Carried> {
    let mut found = Vec::new();
    let mut rest = control;
    while let Some((level, kind, body, next)) = first_header(rest, arch) {
        let by = match (level, kind) {
            (SOL_SOCKET, SCM_RIGHTS) => Some(Carrier::Rights),
            (SOL_SOCKET, SCM_PIDFD) => Some(Carrier::PidFd),
            _ => None,
        };
        if let Some(by) = by {
            let numbers = body.chunks_exact(4).filter_map(|bytes| u32_in(bytes, 0));
            // SCM_PIDFD carries a negative error number if the pidfd could not be made.
            found.extend(numbers.filter(|fd| *fd <= i32::MAX as u32).map(|fd| Carried { fd, by }));
        }
        rest = next;
    }
    found
}

/// `struct cmsghdr`: length (pointer-sized, itself and the header included), level, type; then the body; the next one
/// is aligned to the pointer size.
fn first_header(bytes: &[u8], arch: Arch) -> Option<(u32, u32, &[u8], &[u8])> {
    let word = arch.pointer_bytes();
    let header = word + 8;
    let length = usize::try_from(word_in(bytes, 0, word)?).ok()?;
    let level = u32_in(bytes, word)?;
    let kind = u32_in(bytes, word + 4)?;
    let body = bytes.get(header..length)?;
    let next = length.checked_next_multiple_of(word)?;
    Some((level, kind, body, bytes.get(next..).unwrap_or(&[])))
}
