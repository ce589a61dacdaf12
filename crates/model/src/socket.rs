//! A socket as the kernel's diagnosis or its text tables tell it. What is not known is `None`, never 0.

use std::net::SocketAddr;

use crate::handle::Association;
use crate::id::{InodeId, Pid};
use crate::inventory::End;
use crate::name::Name;

/// A socket.
#[derive(Clone, PartialEq, Debug)]
pub struct Socket {
    /// The inode in sockfs, by which descriptors are matched: `socket:[N]`. 0 for one that no descriptor has.
    pub inode: u64,
    /// The address family.
    pub family: Family,
    /// The type.
    pub class: SocketClass,
    /// The protocol's name in the kernel's words: `TCP`, `UDPv6`, `UNIX-STREAM`, `NETLINK`. Empty if not known.
    pub protocol: Name,
    /// Its state, for families that have one.
    pub state: Option<SocketState>,
    /// Its own address; `None` for one never bound.
    pub local: Option<Address>,
    /// The other side's; `None` for one not connected.
    pub peer: Option<Address>,
    /// The inode of the other side, for UNIX sockets.
    pub peer_inode: Option<u64>,
    /// Bytes received and not read. For a listener, connections waiting to be accepted.
    pub receive_queue: Option<u64>,
    /// Bytes sent and not acknowledged. For a listener, the most that may wait (backlog).
    pub send_queue: Option<u64>,
    /// The network namespace's inode.
    pub namespace: Option<u64>,
    /// Owner's user id.
    pub uid: Option<u32>,
    /// The kernel's own number of it, unique while the machine is up.
    pub cookie: Option<u64>,
    /// A running timer: retransmission, keepalive …
    pub timer: Option<SocketTimer>,
    /// Since data was last sent, ns.
    pub last_sent_ns: Option<u64>,
    /// Since data was last received, ns.
    pub last_received_ns: Option<u64>,
    /// Descriptors in flight towards it over SCM_RIGHTS (UNIX).
    pub in_flight: Option<u64>,
    /// What only some sockets have, and what is told only when asked for.
    pub detail: Option<Box<SocketDetail>>,
    /// Who holds the other end, of UNIX sockets and of Internet connections within the machine.
    pub ends: Vec<End>,
}

impl Socket {
    /// A socket of which only the inode is known.
    pub fn unknown(inode: u64) -> Self {
        Socket {
            inode,
            family: Family::Other(0),
            class: SocketClass::Unknown,
            protocol: Name::default(),
            state: None,
            local: None,
            peer: None,
            peer_inode: None,
            receive_queue: None,
            send_queue: None,
            namespace: None,
            uid: None,
            cookie: None,
            timer: None,
            last_sent_ns: None,
            last_received_ns: None,
            in_flight: None,
            detail: None,
            ends: Vec::new(),
        }
    }
}

/// What only some sockets have, and what is told only when asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SocketDetail {
    /// The interface that it is bound to, by index.
    pub interface: Option<u32>,
    /// The directions that were shut down: 1 for receiving, 2 for sending, 3 for both.
    pub shutdown: Option<u8>,
    /// The cgroup (v2) that made it: the inode of its directory.
    pub cgroup: Option<u64>,
    /// `SO_MARK`; told to CAP_NET_ADMIN only.
    pub mark: Option<u32>,
    /// The file that a UNIX socket is bound to; its device in the kernel's internal encoding.
    pub bound: Option<InodeId>,
    /// The inodes of the clients whose connections a listening UNIX socket has not accepted; 0 for one that is gone.
    pub waiting: Vec<u64>,
    /// The netlink protocol (`NETLINK_*`) or the IP protocol of a raw socket.
    pub subprotocol: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<SocketMemory>,
    /// Segments sent again since the connection began.
    pub retransmits: Option<u32>,
    /// Since data was last sent, ns.
    pub last_sent_ns: Option<u64>,
    /// Since data was last received, ns.
    pub last_received_ns: Option<u64>,
    /// Since an acknowledgement was last received, ns.
    pub last_acknowledged_ns: Option<u64>,
    /// Smoothed round-trip time, ns.
    pub round_trip_ns: Option<u64>,
    /// Bytes that the peer acknowledged.
    pub acknowledged: Option<u64>,
    /// Bytes received.
    pub received: Option<u64>,
}

/// Why no descriptor of any process is a socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unheld {
    /// Its connection is over; the kernel keeps the pair of addresses from reuse.
    TimeWait,
    /// A connection that is being made; the peer has not answered yet.
    HalfOpen,
    /// It waits in the accept queue of the listener with this inode (0 if that was not found): who listens does not
    /// call accept(2) as fast as clients come. It stays, even in CLOSE_WAIT, until accepted.
    AcceptQueue(u64),
    /// Closed by its process; the kernel still sends, or waits for the peer to close.
    Orphan,
    /// The kernel's own.
    Kernel,
    /// It is in the table of registered files of an io_uring.
    Ring,
    /// Its packet ring is mapped: the mapping keeps it alive after its descriptor was closed.
    Mapped,
    /// It was sent over a UNIX socket (SCM_RIGHTS) and nobody received it yet. The kernel tells where descriptors wait
    /// and not which, so this is a conclusion: every process was looked into, and none of the others is true.
    InFlight,
    /// It has an inode, so somebody holds it: a process that may not be looked into, or the kernel.
    NotSeen,
}

/// Who keeps a socket alive by other means than a descriptor; or who would have to accept or receive it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Keeper {
    /// The process.
    pub pid: Pid,
    /// Its name.
    pub comm: Name,
    /// By what.
    pub via: Association,
}

impl Unheld {
    /// The word used in filters, JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Unheld::TimeWait => "time-wait",
            Unheld::HalfOpen => "half-open",
            Unheld::AcceptQueue(_) => "accept-queue",
            Unheld::Orphan => "orphan",
            Unheld::Kernel => "kernel",
            Unheld::Ring => "ring",
            Unheld::Mapped => "mapped",
            Unheld::InFlight => "in-flight",
            Unheld::NotSeen => "not-seen",
        }
    }
}

/// Memory of a socket in bytes (`SK_MEMINFO_*`, include/uapi/linux/sock_diag.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SocketMemory {
    /// Taken by what was received.
    pub receive: u32,
    /// `SO_RCVBUF`.
    pub receive_limit: u32,
    /// Taken by what is on its way out.
    pub send: u32,
    /// `SO_SNDBUF`.
    pub send_limit: u32,
    /// Reserved ahead.
    pub forward: u32,
    /// Queued to be sent, or sent and not acknowledged.
    pub queued: u32,
    /// Options and filters.
    pub options: u32,
    /// Received while the owner was busy with the socket.
    pub backlog: u32,
    /// Packets dropped.
    pub drops: u32,
}

/// An address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// AF_INET.
    Inet,
    /// AF_INET6.
    Inet6,
    /// AF_UNIX.
    Unix,
    /// AF_NETLINK.
    Netlink,
    /// AF_PACKET.
    Packet,
    /// AF_VSOCK.
    Vsock,
    /// Another, by its AF number; 0 if not known.
    Other(u16),
}

/// A socket's type (socket(2)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SocketClass {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    SeqPacket,
    /// SOCK_RAW.
    Raw,
    /// SOCK_RDM.
    Rdm,
    /// Not known.
    Unknown,
}

/// A socket's state: TCP's (include/net/tcp_states.h), of which other protocols use a few.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the names are the kernel's, less TCP_")]
pub enum SocketState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    NewSynReceived,
    /// Bound and neither listening nor connected (since 6.8 told by sock_diag).
    BoundInactive,
}

/// The rows of the table of states: the kernel's number, fdscope's word, and the word that ss prints.
const STATES: &[(SocketState, u8, &str, &str)] = &[
    (SocketState::Established, 1, "established", "ESTAB"),
    (SocketState::SynSent, 2, "syn-sent", "SYN-SENT"),
    (SocketState::SynReceived, 3, "syn-recv", "SYN-RECV"),
    (SocketState::FinWait1, 4, "fin-wait-1", "FIN-WAIT-1"),
    (SocketState::FinWait2, 5, "fin-wait-2", "FIN-WAIT-2"),
    (SocketState::TimeWait, 6, "time-wait", "TIME-WAIT"),
    (SocketState::Closed, 7, "closed", "UNCONN"),
    (SocketState::CloseWait, 8, "close-wait", "CLOSE-WAIT"),
    (SocketState::LastAck, 9, "last-ack", "LAST-ACK"),
    (SocketState::Listen, 10, "listen", "LISTEN"),
    (SocketState::Closing, 11, "closing", "CLOSING"),
    (SocketState::NewSynReceived, 12, "new-syn-recv", "NEW-SYN-RECV"),
    (SocketState::BoundInactive, 13, "bound-inactive", "BOUND"),
];

impl SocketState {
    /// Every state, in the kernel's order.
    pub fn all() -> impl Iterator<Item = SocketState> {
        STATES.iter().map(|row| row.0)
    }

    /// The state of a kernel's number (`TCP_ESTABLISHED` is 1).
    pub fn from_number(number: u8) -> Option<SocketState> {
        STATES.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// The word used in filters, JSON and tables: `close-wait`.
    pub fn word(self) -> &'static str {
        STATES[self as usize].2
    }

    /// The state that a word names: fdscope's or ss's, in any case.
    pub fn from_word(word: &str) -> Option<SocketState> {
        let is = |text: &str| text.eq_ignore_ascii_case(word);
        STATES.iter().find(|row| is(row.2) || is(row.3)).map(|row| row.0)
    }
}

/// An address of a socket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// Internet: address and port.
    Inet(SocketAddr),
    /// UNIX: a path, or with a leading NUL byte an abstract name.
    Unix(Name),
    /// Netlink: port id (0 is the kernel).
    Netlink(u32),
    /// Packet: EtherType and interface index.
    Packet(u16, u32),
    /// VM socket: context id and port.
    Vsock(u32, u32),
}

/// A running timer of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketTimer {
    /// Which: the kernel's number in sock_diag (1 retransmission, 2 keepalive, 3 TIME_WAIT, 4 zero window probe).
    pub class: u8,
    /// Until it fires, ns.
    pub remaining_ns: u64,
    /// How often it fired without an answer.
    pub retries: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_the_row_at_its_place() {
        for (index, row) in STATES.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{}", row.2);
            assert_eq!(SocketState::from_number(row.1), Some(row.0));
            assert_eq!(SocketState::from_word(row.2), Some(row.0));
            assert_eq!(SocketState::from_word(row.3), Some(row.0));
        }
    }
}
