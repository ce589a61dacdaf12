//! A socket's two ends, as the program read them, in the model's words: what sock_diag would tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use fdscope_model::{Address, Family, Name, Socket, SocketClass, SocketDetail, SocketState};

use super::wire::HeldSocket;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_PACKET: u16 = 17;
const AF_VSOCK: u16 = 40;

const SOCK_RAW: u16 = 3;

/// Internet protocols by number: the kernel's names over IPv4 and IPv6 (`struct proto`), as sockfs tells them.
const INTERNET: &[(u16, [&str; 2])] = &[
    (6, ["TCP", "TCPv6"]),
    (17, ["UDP", "UDPv6"]),
    (136, ["UDP-Lite", "UDPLITEv6"]),
    (132, ["SCTP", "SCTPv6"]),
    (262, ["MPTCP", "MPTCPv6"]),
];

/// The socket of an inode. `own` and `peer` are UNIX names, empty for none.
pub(crate) fn socket(held: &HeldSocket, inode: u64, uid: u32, own: &[u8], peer: &[u8]) -> Socket {
    let family = family(held.family);
    let (local, remote) = addresses(held, own, peer);
    let has_state = !matches!(family, Family::Netlink | Family::Packet | Family::Other(_));
    let mut told = Socket {
        family,
        class: class(held.class),
        protocol: Name::from(protocol(held)),
        state: has_state.then(|| state(held)).flatten(),
        local,
        peer: remote,
        peer_inode: Some(held.peer_inode).filter(|&inode| inode != 0),
        namespace: Some(u64::from(held.namespace)).filter(|&inode| inode != 0),
        uid: Some(uid),
        cookie: Some(held.cookie).filter(|&cookie| cookie != 0),
        ..Socket::unknown(inode)
    };
    if matches!(family, Family::Inet | Family::Inet6 | Family::Unix) {
        told.receive_queue = Some(held.receive_queue);
        told.send_queue = Some(held.send_queue);
    }
    told.detail = detail(held, family);
    told
}

/// What few sockets have.
fn detail(held: &HeldSocket, family: Family) -> Option<Box<SocketDetail>> {
    let subprotocol = match family {
        Family::Netlink => Some(u32::from(held.protocol)),
        Family::Inet | Family::Inet6 if held.class == SOCK_RAW => Some(u32::from(held.protocol)),
        _ => None,
    };
    let is_bound = held.interface != 0 && family != Family::Packet;
    let detail = SocketDetail {
        interface: is_bound.then_some(held.interface),
        shutdown: (held.shutdown != 0).then_some(held.shutdown as u8),
        subprotocol,
        ..SocketDetail::default()
    };
    (detail != SocketDetail::default()).then(|| Box::new(detail))
}

fn family(number: u16) -> Family {
    match number {
        AF_UNIX => Family::Unix,
        AF_INET => Family::Inet,
        AF_INET6 => Family::Inet6,
        AF_NETLINK => Family::Netlink,
        AF_PACKET => Family::Packet,
        AF_VSOCK => Family::Vsock,
        other => Family::Other(other),
    }
}

fn class(number: u16) -> SocketClass {
    match number {
        1 => SocketClass::Stream,
        2 => SocketClass::Datagram,
        SOCK_RAW => SocketClass::Raw,
        4 => SocketClass::Rdm,
        5 => SocketClass::SeqPacket,
        _ => SocketClass::Unknown,
    }
}

fn protocol(held: &HeldSocket) -> &'static str {
    let version = usize::from(held.family == AF_INET6);
    match (held.family, held.class) {
        (AF_INET | AF_INET6, SOCK_RAW) => ["RAW", "RAWv6"][version],
        // An echo socket (net/ipv4/ping.c).
        (AF_INET | AF_INET6, 2) if matches!(held.protocol, 1 | 58) => ["PING", "PINGv6"][version],
        (AF_INET | AF_INET6, _) => {
            let row = INTERNET.iter().find(|row| row.0 == held.protocol);
            row.map_or("", |row| row.1[version])
        }
        (AF_UNIX, 1) => "UNIX-STREAM",
        (AF_UNIX, _) => "UNIX",
        (AF_NETLINK, _) => "NETLINK",
        (AF_PACKET, _) => "PACKET",
        (AF_VSOCK, _) => "AF_VSOCK",
        _ => "",
    }
}

/// A stream socket that is bound and does nothing else is closed, with a port; one that was connected keeps its peer's.
fn state(held: &HeldSocket) -> Option<SocketState> {
    let is_stream = matches!(held.family, AF_INET | AF_INET6) && held.class == 1;
    let is_bound = held.local_port != 0 && held.peer_port == 0;
    match SocketState::from_number(held.state) {
        Some(SocketState::Closed) if is_stream && is_bound => Some(SocketState::BoundInactive),
        state => state,
    }
}

fn addresses(held: &HeldSocket, own: &[u8], peer: &[u8]) -> (Option<Address>, Option<Address>) {
    let [first, second, third, fourth] = held.numbers;
    match held.family {
        AF_INET | AF_INET6 => {
            (internet(held, held.local, held.local_port), internet(held, held.peer, held.peer_port))
        }
        AF_UNIX => (unix(own), unix(peer)),
        AF_NETLINK => (Some(Address::Netlink(first)), Some(Address::Netlink(second))),
        AF_PACKET => (Some(Address::Packet(held.local_port, held.interface)), None),
        AF_VSOCK => (vsock(first, second), vsock(third, fourth)),
        _ => (None, None),
    }
}

/// No address and no port stand for nobody.
fn internet(held: &HeldSocket, bytes: [u8; 16], port: u16) -> Option<Address> {
    let ip = if held.family == AF_INET {
        let [a, b, c, d, ..] = bytes;
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    } else {
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    let whole = match ip {
        _ if port == 0 && ip.is_unspecified() => return None,
        IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
        IpAddr::V6(ip) => {
            let scope = if ip.is_unicast_link_local() { held.interface } else { 0 };
            SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))
        }
    };
    Some(Address::Inet(whole))
}

/// A path's closing NUL is none of it; an abstract name begins with one.
fn unix(sun_path: &[u8]) -> Option<Address> {
    let name = match sun_path {
        [] => return None,
        [0, ..] => sun_path,
        path => path.split(|&byte| byte == 0).next().unwrap_or(path),
    };
    Some(Address::Unix(Name::from(name)))
}

/// `VMADDR_PORT_ANY` stands for nobody.
fn vsock(context: u32, port: u32) -> Option<Address> {
    (port != u32::MAX).then_some(Address::Vsock(context, port))
}
