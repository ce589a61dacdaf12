//! The few socket calls that rustix lacks: options read as bytes, and the ioctls of sockets.
//!
//! Netlink sockets themselves are rustix's (`rustix::net::netlink`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SIOCGSKNS` (include/uapi/linux/sockios.h).
const SIOCGSKNS: libc::Ioctl = 0x894c;

/// A descriptor of the network namespace that a socket belongs to (since 4.9).
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over that namespace, `ENOTTY` if the descriptor is no socket.
pub fn socket_namespace(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument and writes no memory (net/socket.c, sock_ioctl).
    let fd = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor to us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Bytes that were sent through a socket and are not acknowledged or taken yet: `SIOCOUTQ`.
///
/// # Errors
/// `ENOTTY`, `EINVAL` for sockets that do not count them.
pub fn unsent_bytes(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut count: libc::c_int = 0;
    // SAFETY: SIOCOUTQ writes one int at the address given, which is that of a local.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count.max(0) as u32)
}

/// The bytes of a socket's option, as many as there are and fit into `value`.
///
/// # Errors
/// Those of getsockopt(2).
pub fn option<'a>(
    socket: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let mut length = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel writes at most `length` bytes at `value`, which is borrowed exclusively and at least that
    // long, and the length to a local.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(&value[..value.len().min(length as usize)])
}

/// The hardware type of an interface (`ARPHRD_…`), asked through any socket.
///
/// # Errors
/// `ENODEV` if there is none of that name.
pub fn hardware_type(socket: BorrowedFd<'_>, name: &[u8]) -> io::Result<u16> {
    let mut request = [0_u8; size_of::<libc::ifreq>()];
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.iter_mut().zip(name) {
        *to = *from;
    }
    // SAFETY: SIOCGIFHWADDR reads and writes one ifreq, which the array is as long as; the kernel copies bytes.
    let answer =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, request.as_mut_ptr()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let family = request.get(libc::IFNAMSIZ..).and_then(|rest| rest.first_chunk());
    Ok(family.copied().map_or(0, u16::from_ne_bytes))
}

/// `SIOCETHTOOL` (include/uapi/linux/sockios.h).
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// The answer of a driver to a command of ethtool that reads one word (`struct ethtool_value`), asked through any socket.
///
/// # Errors
/// `ENODEV` if there is no interface of that name, `EOPNOTSUPP` if its driver does not know the command.
pub fn ethtool_value(socket: BorrowedFd<'_>, name: &[u8], command: u32) -> io::Result<u32> {
    let mut value = [command, 0];
    let mut request = [0_u8; size_of::<libc::ifreq>()];
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let place = (value.as_mut_ptr() as usize).to_ne_bytes();
    for (to, from) in request.iter_mut().zip(name) {
        *to = *from;
    }
    for (to, from) in request.iter_mut().skip(libc::IFNAMSIZ).zip(place) {
        *to = from;
    }
    // SAFETY: SIOCETHTOOL reads one ifreq, which the array is as long as, and with a reading command writes one
    // ethtool_value, two words, at the address in it, which is that of a local (net/ethtool/ioctl.c).
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, request.as_mut_ptr()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value[1])
}
