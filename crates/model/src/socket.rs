//! A socket as the kernel's diagnosis or its text tables tell it. What is not known is `None`, never 0.

use std::net::SocketAddr;

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
            ends: Vec::new(),
        }
    }
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
