//! [`SocketStates`]: which process begins, ends and uses which connection, told while it does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fdscope_model::{FdNumber, Monotonic, Name, Pid, SocketState, Tid};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::error::BpfError;
use crate::load::StatePrograms;
use crate::support::PidNamespace;

/// `IPPROTO_UDP`.
const UDP: u16 = 17;
/// `AF_INET6`.
const INET6: u16 = 10;

/// `struct socket_change`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Record {
    /// On the monotonic clock, ns.
    pub at: u64,
    /// When another thread sent by the socket last, or a connection was begun, ns; 0: neither.
    pub since: u64,
    /// In sockfs; 0 if it has none.
    pub inode: u64,
    /// In fdscope's PID namespace; 0: not done by a process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// -1: not known.
    pub fd: i32,
    /// Inode of the network namespace.
    pub namespace: u32,
    /// `AF_INET`, `AF_INET6`.
    pub family: u16,
    /// `IPPROTO_…`.
    pub protocol: u16,
    /// The own port.
    pub local_port: u16,
    /// 0: not connected.
    pub peer_port: u16,
    /// IPv4: the first four.
    pub local: [u8; 16],
    /// IPv4: the first four.
    pub peer: [u8; 16],
    /// The process's name.
    pub comm: [u8; 16],
    /// The thread's name.
    pub thread: [u8; 16],
    /// The state before; 0 if it sends.
    pub before: u8,
    /// The state now; 0 if it sends.
    pub after: u8,
    /// Nothing.
    pub unused: [u8; 6],
}

/// What a process did with a socket, or became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// When.
    pub at: Monotonic,
    /// Of one that sends: when another thread did so last. Of one that was connected: when that began. Else 0.
    pub since: Monotonic,
    /// The socket; 0 if no descriptor ever was it.
    pub inode: u64,
    /// The process; 0: no process did it, but a segment or a timer.
    pub pid: Pid,
    /// Its thread.
    pub tid: Tid,
    /// The process's name.
    pub comm: Name,
    /// The thread's name.
    pub thread: Name,
    /// By which descriptor, where that is known.
    pub fd: Option<FdNumber>,
    /// Of UDP, else of TCP.
    pub is_udp: bool,
    /// The own end.
    pub local: SocketAddr,
    /// The other one, if it is connected.
    pub peer: Option<SocketAddr>,
    /// The state that it was in before; none if it sends.
    pub before: Option<SocketState>,
    /// The state that it is in now; none if it sends.
    pub state: Option<SocketState>,
}

impl Change {
    /// When the connection was begun, came, or was listened for, if this says so.
    pub fn born(&self) -> Option<Monotonic> {
        use SocketState::{Closed, Established, Listen, SynReceived, SynSent};
        match (self.before?, self.state?) {
            (SynSent, _) if self.since.0 != 0 => Some(self.since),
            (SynReceived, Established) | (Closed, Listen) => Some(self.at),
            _ => None,
        }
    }

    /// What a record says; none of one that is cut.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (record, _) = Record::read_from_prefix(bytes).ok()?;
        let address = |bytes: [u8; 16]| match (record.family, bytes) {
            (INET6, bytes) => IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical(),
            (_, [a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
        };
        let peer = SocketAddr::new(address(record.peer), record.peer_port);
        let name = |bytes: &[u8]| bytes.split(|&byte| byte == 0).next().map(Name::from);
        Some(Change {
            at: Monotonic(record.at),
            since: Monotonic(record.since),
            inode: record.inode,
            pid: Pid(record.pid),
            tid: Tid(record.tid),
            comm: name(&record.comm).unwrap_or_default(),
            thread: name(&record.thread).unwrap_or_default(),
            fd: u32::try_from(record.fd).ok().map(FdNumber),
            is_udp: record.protocol == UDP,
            local: SocketAddr::new(address(record.local), record.local_port),
            peer: (record.peer_port != 0).then_some(peer),
            before: SocketState::from_number(record.before),
            state: SocketState::from_number(record.after),
        })
    }
}

/// Which changes are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Those that a process makes: it connects, listens, closes, and sends as another thread than the last time; and
    /// connections that come to a listener.
    Doers,
    /// Those that segments and timers make, too.
    Every,
}

/// Tells of every socket of TCP that a process connects, listens on or closes, and by which sockets its threads send.
pub struct SocketStates {
    programs: StatePrograms,
}

impl SocketStates {
    /// Loads the programs; all is told from now on.
    ///
    /// # Errors
    /// If this kernel or the caller's privilege does not allow it.
    pub fn open(told: Told) -> Result<Self, BpfError> {
        let every = told == Told::Every;
        Ok(SocketStates { programs: StatePrograms::new(PidNamespace::of_self(), every)? })
    }

    /// Tells what happened since the last call. Waits for nothing.
    pub fn poll(&mut self, sink: &mut dyn FnMut(Change)) {
        let mut tell = |bytes: &[u8]| {
            if let Some(change) = Change::parse(bytes) {
                sink(change);
            }
        };
        while self.programs.next(&mut tell) {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Record};
    use zerocopy::IntoBytes;

    #[test]
    fn records_are_read_and_cut_ones_are_not() {
        let mut record = Record { family: 2, protocol: 6, fd: -1, after: 2, ..Record::default() };
        (record.local_port, record.comm[0]) = (80, b'x');
        record.local[..4].copy_from_slice(&[10, 0, 0, 1]);
        let change = Change::parse(record.as_bytes()).expect("whole");
        assert_eq!((change.local.to_string().as_str(), change.peer), ("10.0.0.1:80", None));
        assert_eq!((change.comm.to_string().as_str(), change.fd), ("x", None));
        assert_eq!(change.before, None);
        assert_eq!(change.state.map(|state| state.word()), Some("syn-sent"));
        assert_eq!(Change::parse(&record.as_bytes()[1..]), None);
        record.family = 10;
        record.local[..].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2]);
        let change = Change::parse(record.as_bytes()).expect("whole");
        assert_eq!(change.local.to_string(), "10.0.0.2:80");
    }
}
