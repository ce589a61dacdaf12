//! Asking sock_diag(7): one request, then datagrams until the end. Needs no privilege in one's own namespace.

use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, sendto, socket_with};

use super::message::{Message, Messages, SOCK_DIAG_BY_FAMILY, dump_request, request};

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
    inode: u64,
}

impl Diag {
    /// A socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Errno> {
        Ok(Self::over(open_socket()?))
    }

    /// Over a socket opened elsewhere.
    pub fn over(socket: OwnedFd) -> Self {
        let inode = rustix::fs::fstat(&socket).map_or(0, |stat| stat.st_ino);
        Diag { socket, buffer: vec![0; DATAGRAM], sequence: 0, inode }
    }

    /// Its own inode: it is among the sockets that it lists, and nobody asks for it.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Hands every row that answers the request to `sink`.
    ///
    /// `ENOENT` if the kernel has no such diagnosis, `EAGAIN` for a dump that stopped or changed under way.
    pub fn dump(&mut self, request: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        self.sequence += 1;
        let request = dump_request(self.sequence, request);
        self.exchange(&request, SOCK_DIAG_BY_FAMILY, sink)
    }

    /// One request of rtnetlink(7), and every row of its answer, whose type is `row`.
    pub fn route(
        class: u16,
        flags: u16,
        payload: &[u8],
        row: u16,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Errno> {
        // NETLINK_ROUTE is protocol 0.
        let mut route = Self::over(open_netlink(None)?);
        let request = request(class, flags, route.sequence, payload);
        route.exchange(&request, row, sink)
    }

    fn exchange(
        &mut self,
        request: &[u8],
        row: u16,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Errno> {
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        loop {
            let (_, length) = recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC)?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            let mut messages = Messages::of(datagram, self.sequence, row);
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
    open_netlink(Some(SOCK_DIAG))
}

/// A netlink socket for a protocol in the network namespace of the calling thread.
fn open_netlink(protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}
