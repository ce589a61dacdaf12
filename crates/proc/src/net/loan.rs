//! A socket that no table lists, asked itself: through a copy of the descriptor that pidfd_getfd(2) makes.
//!
//! Why a copy is harmless. It shares the open file description, and all that is done with it is getsockopt(2),
//! getsockname(2), getpeername(2) and ioctls that only read; none of them waits for anybody. Two things that a copy
//! does by existing are guarded against:
//!
//! - If the target closes its own descriptor meanwhile, closing the copy is what ends the socket. For a target, that
//!   is the same end some microseconds later. For fdscope, it could mean waiting (SO_LINGER): such a copy is closed by a
//!   thread that may wait. Sockets that a table lists are never copied.
//! - Receiving a socket stamps the receiver's net_cls class and net_prio index on it (net/core/scm.c and fs/file.c,
//!   `__receive_sock`). Where such a cgroup hierarchy is mounted and the target is elsewhere in it, nothing is copied.

use fdscope_model::{Family, FdNumber, Pid, SocketClass, SocketState};
use fdscope_sys::net::{option, socket_namespace, unsent_bytes};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{
    socket_acceptconn, socket_cookie, socket_domain, socket_linger, socket_protocol, socket_type,
};
use rustix::net::{SocketAddrAny, getpeername, getsockname};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::message::u32_at;
use super::others_diag::class_of;
use super::row::{Ends, Row};
use super::space::namespace_inode;
use super::unix_diag::{kind_of, name_of};
use crate::parse::parse_cgroup;
use crate::root::ProcRoot;

/// Copies descriptors of one process after the other.
#[derive(Debug, Default)]
pub(crate) struct Lender {
    /// The process last asked of, and its pidfd if copying from it is possible and harmless.
    last: Option<(Pid, Option<OwnedFd>)>,
}

impl Lender {
    /// A copy of a descriptor, if it still is the socket with that inode.
    pub fn borrow(&mut self, root: &ProcRoot, pid: Pid, fd: FdNumber, inode: u64) -> Option<Loan> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != pid) {
            self.last = Some((pid, open_lender(root, pid)));
        }
        let (_, pidfd) = self.last.as_ref()?;
        let fd = i32::try_from(fd.0).ok()?;
        let copy = pidfd_getfd(pidfd.as_ref()?, fd, PidfdGetfdFlags::empty()).ok()?;
        let loan = Loan { socket: Some(copy) };
        let stat = rustix::fs::fstat(loan.socket()?).ok()?;
        (stat.st_ino == inode).then_some(loan)
    }

    /// A copy of a descriptor of the network namespace with that inode; `None` if the descriptor is gone or another
    /// thing by now.
    ///
    /// # Errors
    /// If it may not be copied.
    pub fn borrow_space(
        &mut self,
        pid: Pid,
        fd: FdNumber,
        inode: u64,
    ) -> Result<Option<OwnedFd>, Errno> {
        let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
        let (Some(raw), Ok(fd)) = (raw, i32::try_from(fd.0)) else { return Ok(None) };
        let copied = pidfd_open(raw, PidfdFlags::empty())
            .and_then(|pidfd| pidfd_getfd(pidfd, fd, PidfdGetfdFlags::empty()));
        let copy = match copied {
            Err(Errno::SRCH | Errno::BADF | Errno::INVAL) => return Ok(None),
            copied => copied?,
        };
        // The link's text is the kernel's own: no file system is asked.
        let path = format!("/proc/thread-self/fd/{}", copy.as_raw_fd());
        let link = rustix::fs::readlink(path, Vec::new())?;
        if namespace_inode(link.to_bytes()) == Some(inode) {
            return Ok(Some(copy));
        }
        // Another file took the number meanwhile; to close the copy of that one may mean waiting.
        let _ = std::thread::Builder::new().spawn(move || drop(copy));
        Ok(None)
    }
}

fn open_lender(root: &ProcRoot, pid: Pid) -> Option<OwnedFd> {
    let raw = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw)?;
    let copying_is_harmless = root.is_own() && net_cgroups(root, pid) == net_cgroups_of_self(root);
    if !copying_is_harmless {
        return None;
    }
    pidfd_open(raw, PidfdFlags::empty()).ok()
}

/// Where a process is in the hierarchies of net_cls and net_prio; `None` if its cgroups cannot be read.
fn net_cgroups(root: &ProcRoot, pid: Pid) -> Option<Vec<Vec<u8>>> {
    let bytes = root.pid_dir(pid).ok()?.read("cgroup", "read cgroup").ok()?;
    let entries = parse_cgroup(&bytes);
    let found = entries.into_iter().filter(|entry| entry.has(b"net_cls") || entry.has(b"net_prio"));
    Some(found.map(|entry| entry.path.to_vec()).collect())
}

fn net_cgroups_of_self(root: &ProcRoot) -> Option<Vec<Vec<u8>>> {
    net_cgroups(root, Pid(std::process::id()))
}

/// A copy of another process's socket, held as shortly as can be.
#[derive(Debug)]
pub(crate) struct Loan {
    socket: Option<OwnedFd>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else { return };
        let may_wait = socket_linger(&socket).is_ok_and(|time| time.is_some_and(|t| !t.is_zero()));
        if may_wait {
            // If no thread can be made, the closure and with it the copy is dropped here.
            let _ = std::thread::Builder::new().spawn(move || drop(socket));
        }
    }
}

impl Loan {
    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Its network namespace, with CAP_NET_ADMIN over it.
    pub fn space(&self) -> Option<OwnedFd> {
        socket_namespace(self.socket()?).ok()
    }

    /// What it says of itself.
    pub fn describe(&self, inode: u64) -> Option<Row> {
        let socket = self.socket()?;
        let domain = socket_domain(socket).ok()?.as_raw();
        let class = socket_type(socket).map_or(0, |class| class.as_raw() as u8);
        let number = socket_protocol(socket).ok().flatten().map_or(0, |p| p.as_raw().get());
        let mut row = kind(domain, class, number, inode);
        row.cookie = socket_cookie(socket).unwrap_or(0);
        row.uid = rustix::fs::fstat(socket).ok().map(|stat| stat.st_uid);
        row.ends = ends(socket, row.family);
        row.state = state(socket, &row);
        row.receive_queue =
            rustix::io::ioctl_fionread(socket).ok().map(|n| n.min(u32::MAX.into()) as u32);
        row.send_queue = unsent_bytes(socket).ok();
        if matches!(row.family, Family::Netlink) || row.class == SocketClass::Raw {
            row.detail_mut().subprotocol = Some(number);
        }
        Some(row)
    }
}

/// Family, class and name of the protocol, as sockfs would give them.
fn kind(domain: u16, class: u8, protocol: u32, inode: u64) -> Row {
    let (family, name) = match (i32::from(domain), class, protocol) {
        (1, ..) => (Family::Unix, kind_of(class).1),
        (2, ..) => (Family::Inet, inet_name(class, protocol)[0]),
        (10, ..) => (Family::Inet6, inet_name(class, protocol)[1]),
        (16, ..) => (Family::Netlink, "NETLINK"),
        (17, ..) => (Family::Packet, "PACKET"),
        (40, ..) => (Family::Vsock, "AF_VSOCK"),
        _ => (Family::Other(domain), family_name(domain)),
    };
    Row::new(inode, family, class_of(class), name)
}

fn inet_name(class: u8, protocol: u32) -> [&'static str; 2] {
    match (class, protocol) {
        (1, 6) => ["TCP", "TCPv6"],
        (1, 262) => ["MPTCP", "MPTCPv6"],
        (_, 132) => ["SCTP", "SCTPv6"],
        (2, 17) => ["UDP", "UDPv6"],
        (2, 136) => ["UDP-Lite", "UDPLITEv6"],
        (2, 1 | 58) => ["PING", "PINGv6"],
        (3, _) => ["RAW", "RAWv6"],
        _ => ["", ""],
    }
}

/// Families without a table, by the names of their protocols in the kernel.
fn family_name(domain: u16) -> &'static str {
    match domain {
        15 => "KEY",
        21 => "RDS",
        29 => "CAN",
        30 => "TIPC",
        31 => "BLUETOOTH",
        33 => "RXRPC",
        38 => "ALG",
        41 => "KCM",
        42 => "QIPCRTR",
        43 => "SMC",
        44 => "XDP",
        _ => "",
    }
}

fn ends(socket: BorrowedFd<'_>, family: Family) -> Ends {
    let local = getsockname(socket).ok();
    let peer = getpeername(socket).ok().flatten();
    match family {
        Family::Inet | Family::Inet6 => {
            let nobody = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
            let point = |address: Option<SocketAddrAny>| {
                address
                    .and_then(|a| std::net::SocketAddr::try_from(a).ok())
                    .unwrap_or(nobody)
                    .into()
            };
            Ends::Inet { local: point(local), peer: point(peer), interface: 0 }
        }
        Family::Unix => Ends::Unix { name: local.and_then(unix_name), peer: None },
        Family::Netlink => {
            let port = |address: Option<SocketAddrAny>| {
                let address = address?;
                rustix::net::netlink::SocketAddrNetlink::try_from(address).ok().map(|a| a.pid())
            };
            Ends::Netlink { local: port(local).unwrap_or(0), peer: port(peer).unwrap_or(0) }
        }
        _ => Ends::Unknown,
    }
}

fn unix_name(address: SocketAddrAny) -> Option<Box<[u8]>> {
    let address = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    if let Some(name) = address.abstract_name() {
        return Some([&[0], name].concat().into());
    }
    address.path_bytes().map(|path| name_of(path).into())
}

/// IPPROTO_TCP and TCP_INFO, whose first byte is the state.
const TCP: i32 = 6;
const TCP_INFO: i32 = 11;
/// Where TCP_INFO says how many segments were sent (since 4.2; include/uapi/linux/tcp.h), and its length with that.
const SEGMENTS_OUT: usize = 136;
const INFO_LENGTH: usize = 140;

fn state(socket: BorrowedFd<'_>, row: &Row) -> Option<SocketState> {
    if socket_acceptconn(socket).unwrap_or(false) {
        return Some(SocketState::Listen);
    }
    let mut info = [0; INFO_LENGTH];
    if row.protocol.starts_with("TCP") && option(socket, TCP, TCP_INFO, &mut info).is_ok() {
        let is_bound = matches!(row.ends, Ends::Inet { local, .. } if local.port != 0);
        // One that was connected and is over keeps the port that getsockname(2) tells, and is not bound to it.
        let was_connected = u32_at(&info, SEGMENTS_OUT).is_some_and(|sent| sent > 0);
        return match SocketState::from_number(info[0]) {
            Some(SocketState::Closed) if is_bound && !was_connected => {
                Some(SocketState::BoundInactive)
            }
            state => state,
        };
    }
    let connected = getpeername(socket).is_ok_and(|peer| peer.is_some());
    let has_states =
        matches!(row.family, Family::Inet | Family::Inet6 | Family::Unix | Family::Vsock);
    has_states.then_some(if connected { SocketState::Established } else { SocketState::Closed })
}
