//! What lsof says of sockets: type, protocol, addresses, state.

use std::net::SocketAddr;

use fdscope_model::socket::{Address, Family, SocketClass};
use fdscope_model::{Entry, Facts, Socket, SocketState};

use crate::file::{Node, OpenFile};
use crate::show::Show;
use crate::world::{Listed, Protocol, World};

/// What belongs to a socket beyond its columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Connection {
    /// TCP, UDP, UDP-Lite.
    Internet(Internet),
    /// UNIX: the word of its state.
    Unix(&'static str),
}

/// An Internet socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Internet {
    pub protocol: Protocol,
    pub is_v6: bool,
    pub local: Option<SocketAddr>,
    pub peer: Option<SocketAddr>,
    pub state: Option<SocketState>,
    pub receive_queue: Option<u64>,
    pub send_queue: Option<u64>,
}

/// Fills in what the row knows of the socket.
pub(crate) fn describe(entry: &Entry, show: Show<'_>, file: &mut OpenFile) {
    let world = show.world;
    let inode = inode(entry);
    let unknown;
    let socket = if let Facts::Socket(socket) = &entry.facts {
        socket
    } else {
        unknown = Socket::unknown(inode);
        &unknown
    };
    file.inode = Some(inode);
    file.node = Node::Inode(inode);
    let is_known = match socket.family {
        Family::Inet | Family::Inet6 if show.options.skip_internet && !is_raw(socket) => false,
        Family::Inet | Family::Inet6 => internet(socket, world, file),
        Family::Unix => unix(socket, world, file),
        Family::Netlink => netlink(socket, world, file),
        Family::Packet => packet(socket, file),
        _ => false,
    };
    if !is_known {
        file.kind = "sock";
        file.device =
            entry.handle.inode.map(|id| id.device).or(entry.status.map(|s| s.inode.device));
        file.name = match socket.protocol.bytes() {
            _ if show.options.skip_internet => b"can't identify protocol (-X specified)".to_vec(),
            b"" => b"can't identify protocol".to_vec(),
            protocol => [b"protocol: ", protocol].concat(),
        };
    }
}

fn inode(entry: &Entry) -> u64 {
    let digits =
        entry.handle.name.bytes().strip_prefix(b"socket:[").and_then(|d| d.strip_suffix(b"]"));
    let linked = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    linked.or(entry.handle.inode.map(|id| id.inode)).unwrap_or_default()
}

/// False for a socket that the kernel's tables do not list, whose protocol is all that is known.
fn internet(socket: &Socket, world: &dyn World, file: &mut OpenFile) -> bool {
    let (protocol, word) = match socket.protocol.bytes() {
        b"TCP" | b"TCPv6" | b"MPTCP" | b"MPTCPv6" => (Protocol::Tcp, "TCP"),
        b"UDP" | b"UDPv6" => (Protocol::Udp, "UDP"),
        b"UDPLITE" | b"UDPLITEv6" | b"UDP-Lite" => (Protocol::UdpLite, "UDPLITE"),
        _ => return raw(socket, world, file),
    };
    let (local, peer) = (inet(socket.local.as_ref()), inet(socket.peer.as_ref()));
    if local.is_none() && peer.is_none() {
        return false;
    }
    let is_v6 = socket.family == Family::Inet6;
    file.kind = if is_v6 { "IPv6" } else { "IPv4" };
    file.node = Node::Protocol(word);
    file.device_text = socket.inode.to_string().into_bytes();
    file.connection = Some(Connection::Internet(Internet {
        protocol,
        is_v6,
        local,
        peer,
        state: socket.state,
        receive_queue: socket.receive_queue,
        // A listener's is how many may wait, which lsof does not show: nothing is on its way out.
        send_queue: if socket.state == Some(SocketState::Listen) {
            Some(0)
        } else {
            socket.send_queue
        },
    }));
    true
}

/// The address, an IPv4 one out of its IPv6 cover; `None` for one of zeros.
fn inet(address: Option<&Address>) -> Option<SocketAddr> {
    let Some(Address::Inet(address)) = address else { return None };
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    (!address.ip().is_unspecified() || address.port() != 0).then_some(address)
}

fn is_raw(socket: &Socket) -> bool {
    [&b"RAW"[..], b"PING"].iter().any(|word| socket.protocol.bytes().starts_with(word))
}

/// Raw sockets are shown as /proc/net/raw has them: hexadecimal, with the protocol's number for a port.
fn raw(socket: &Socket, world: &dyn World, file: &mut OpenFile) -> bool {
    let is_icmp = socket.protocol.bytes().starts_with(b"PING");
    let Some(Listed::Raw([local, peer, state])) = world.listed(socket.inode) else { return false };
    file.kind = match socket.family {
        _ if is_icmp => "icmp",
        Family::Inet6 => "raw6",
        _ => "raw",
    };
    file.name = [&local[..], b"->", &peer].concat();
    if !is_icmp {
        file.name.extend_from_slice(b" st=");
        file.name.extend_from_slice(&state);
    }
    true
}

fn unix(socket: &Socket, world: &dyn World, file: &mut OpenFile) -> bool {
    file.kind = "unix";
    if let Some(Listed::Unix(address)) = world.listed(socket.inode) {
        file.device_text = address;
    }
    if let Some(Address::Unix(path)) = &socket.local {
        // /proc/net/unix shows the NUL before an abstract name, and NULs inside it, as `@`.
        file.name.extend(path.bytes().iter().map(|&b| if b == 0 { b'@' } else { b }));
        file.name.push(b' ');
    }
    file.name.extend_from_slice(b"type=");
    file.name.extend_from_slice(class_word(socket.class).as_bytes());
    file.connection = Some(Connection::Unix(match socket.state {
        Some(SocketState::Listen) => "LISTEN",
        Some(SocketState::Established) => "CONNECTED",
        _ => "UNCONNECTED",
    }));
    true
}

fn class_word(class: SocketClass) -> &'static str {
    match class {
        SocketClass::Stream => "STREAM",
        SocketClass::Datagram => "DGRAM",
        SocketClass::SeqPacket => "SEQPACKET",
        SocketClass::Raw => "RAW",
        SocketClass::Rdm => "RDM",
        SocketClass::Unknown => "unknown",
    }
}

/// Protocols of netlink (include/uapi/linux/netlink.h), by number.
const NETLINK: &[(u32, &str)] = &[
    (0, "ROUTE"),
    (1, "UNUSED"),
    (2, "USERSOCK"),
    (3, "FIREWALL"),
    (4, "INET_DIAG"),
    (5, "NFLOG"),
    (6, "XFRM"),
    (7, "SELINUX"),
    (8, "ISCSI"),
    (9, "AUDIT"),
    (10, "FIB_LOOKUP"),
    (11, "CONNECTOR"),
    (12, "NETFILTER"),
    (13, "IP6_FW"),
    (14, "DNRTMSG"),
    (15, "KOBJECT_UEVENT"),
    (16, "GENERIC"),
    (18, "SCSITRANSPORT"),
    (19, "ECRYPTFS"),
    (20, "RDMA"),
    (21, "CRYPTO"),
    (22, "SMC"),
];

/// One that was never bound is in no table, and its protocol is not known.
fn netlink(socket: &Socket, world: &dyn World, file: &mut OpenFile) -> bool {
    let Some(Listed::Netlink(number)) = world.listed(socket.inode) else { return false };
    file.kind = "netlink";
    let named = NETLINK.iter().find(|row| row.0 == number).map(|row| row.1.to_owned());
    file.name = named.unwrap_or_else(|| format!("unknown protocol: {number}")).into_bytes();
    true
}

/// Ethernet's protocols as lsof spells them in seven letters; others by number (include/uapi/linux/if_ether.h).
const ETHERNET: &[(u16, &str)] = &[
    (0x0001, "802.3"),
    (0x0003, "ALL"),
    (0x0004, "802.2"),
    (0x0060, "LOOP"),
    (0x0800, "IP"),
    (0x0806, "ARP"),
    (0x8035, "RARP"),
    (0x8100, "8021Q"),
    (0x86dd, "IPV6"),
    (0x8847, "MPLS_UC"),
    (0x8848, "MPLS_MC"),
    (0x8863, "PPP_DIS"),
    (0x8864, "PPP_SES"),
    (0x888e, "PAE"),
    (0x88a8, "8021AD"),
    (0x88cc, "LLDP"),
    (0x88e5, "MACSEC"),
];

fn packet(socket: &Socket, file: &mut OpenFile) -> bool {
    file.kind = "pack";
    let number = if let Some(Address::Packet(protocol, _)) = socket.local { protocol } else { 0 };
    let known = ETHERNET.iter().find(|row| row.0 == number).map(|row| row.1);
    file.node = Node::Protocol(known.unwrap_or(if number == 0 { "0" } else { "?" }));
    file.device_text = socket.inode.to_string().into_bytes();
    file.name = format!("type=SOCK_{}", class_word(socket.class)).into_bytes();
    true
}
