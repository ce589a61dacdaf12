//! Asking sock_diag(7): one request, then datagrams until the end. Needs no privilege in one's own namespace.

use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, sendto, socket_with};

use super::message::{Message, Messages, dump_request};

/// More than the kernel puts into one datagram of a dump (32 KiB; net/netlink/af_netlink.c, netlink_dump).
const DATAGRAM: usize = 64 * 1024;

/// The kernel answers within the call; this is for a kernel that does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// A netlink socket in one network namespace. It stays there whatever the thread does that opened it.
#[derive(Debug)]
pub(crate) struct Diag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diag {
    /// A socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Errno> {
        Ok(Self::over(open_socket()?))
    }

    /// Over a socket opened elsewhere.
    pub fn over(socket: OwnedFd) -> Self {
        Diag { socket, buffer: vec![0; DATAGRAM], sequence: 0 }
    }

    /// Hands every row that answers the request to `sink`.
    ///
    /// `ENOENT` if the kernel has no such diagnosis, `EAGAIN` for a dump that stopped or changed under way.
    pub fn dump(&mut self, request: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        self.sequence += 1;
        let request = dump_request(self.sequence, request);
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &request, SendFlags::empty(), &kernel)?;
        loop {
            let (_, length) = recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC)?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            let mut messages = Messages::new(datagram, self.sequence);
            while let Some(message) = messages.next() {
                match message {
                    Message::Row(row) => sink(row),
                    Message::End(0) if messages.interrupted => return Err(Errno::AGAIN),
                    Message::End(0) => return Ok(()),
                    Message::End(code) => return Err(Errno::from_raw_os_error(code)),
                    Message::Broken => return Err(Errno::BADMSG),
                }
            }
        }
    }
}

/// A netlink socket for sock_diag in the network namespace of the calling thread.
pub(crate) fn open_socket() -> Result<OwnedFd, Errno> {
    let protocol = Some(SOCK_DIAG);
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}
