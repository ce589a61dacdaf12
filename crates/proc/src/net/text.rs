//! From lines of /proc/PID/net to rows: what is left where sock_diag does not answer.
//!
//! Less is told: no cookies, no peers of UNIX sockets, no backlog of listeners, nothing of sockets that are bound and
//! do nothing.

use fdscope_model::{Family, SocketClass, SocketState, SocketTimer};

use super::others_diag::class_of;
use super::row::{Ends, Row};
use super::unix_diag::kind_of;
use crate::parse::{
    InetLine, Table, parse_inet_line, parse_netlink_line, parse_packet_line, parse_unix_line,
};

/// `USER_HZ` is 100 on every processor that Linux runs on but old alphas: clock ticks of 10 ms.
const TICK_NS: u64 = 10_000_000;

/// The row of a line; `None` for headings and for lines that are not understood.
pub(crate) fn parse_line(table: Table, line: &[u8]) -> Option<Row> {
    match table {
        Table::Unix => unix(line),
        Table::Netlink => netlink(line),
        Table::Packet => packet(line),
        _ => inet(table, line),
    }
}

/// What the sockets of an Internet table are.
fn kind(table: Table) -> (Family, SocketClass, &'static str) {
    use {Family::Inet, Family::Inet6, SocketClass as Class};
    match table {
        Table::Tcp => (Inet, Class::Stream, "TCP"),
        Table::Tcp6 => (Inet6, Class::Stream, "TCPv6"),
        Table::Udp => (Inet, Class::Datagram, "UDP"),
        Table::Udp6 => (Inet6, Class::Datagram, "UDPv6"),
        Table::UdpLite => (Inet, Class::Datagram, "UDP-Lite"),
        Table::UdpLite6 => (Inet6, Class::Datagram, "UDPLITEv6"),
        Table::Raw => (Inet, Class::Raw, "RAW"),
        Table::Raw6 => (Inet6, Class::Raw, "RAWv6"),
        Table::Icmp => (Inet, Class::Datagram, "PING"),
        Table::Icmp6 => (Inet6, Class::Datagram, "PINGv6"),
        Table::Unix | Table::Netlink | Table::Packet => {
            (Family::Other(0), SocketClass::Unknown, "")
        }
    }
}

fn inet(table: Table, line: &[u8]) -> Option<Row> {
    let (family, class, protocol) = kind(table);
    let line = parse_inet_line(line, class == SocketClass::Stream)?;
    let mut row = Row::new(line.inode, family, class, protocol);
    let (mut local, peer) = (line.local, line.remote);
    if class == SocketClass::Raw {
        row.detail_mut().subprotocol = Some(u32::from(local.port()));
        local.set_port(0);
    }
    row.ends = Ends::Inet { local: local.into(), peer: peer.into(), interface: 0 };
    row.state = SocketState::from_number(line.state);
    row.uid = Some(line.uid);
    row.receive_queue = Some(line.receive_queue);
    // Of a listener the kernel prints 0 here, which is not its backlog.
    row.send_queue = Some(line.send_queue).filter(|_| row.state != Some(SocketState::Listen));
    row.timer = timer(&line);
    Some(row)
}

fn timer(line: &InetLine) -> Option<SocketTimer> {
    let retries = line.retransmits.max(line.probes);
    let remaining_ns = line.timer_ticks.saturating_mul(TICK_NS);
    (line.timer != 0).then_some(SocketTimer { class: line.timer, remaining_ns, retries })
}

fn unix(line: &[u8]) -> Option<Row> {
    let line = parse_unix_line(line)?;
    let (class, protocol) = kind_of(line.class);
    let mut row = Row::new(line.inode, Family::Unix, class, protocol);
    row.state = Some(match line.state {
        _ if line.is_listening() => SocketState::Listen,
        3 => SocketState::Established,
        2 => SocketState::SynSent,
        _ => SocketState::Closed,
    });
    let name = match line.path {
        [] => None,
        // An abstract name's first NUL is printed as `@`; a path that begins so looks the same.
        [b'@', rest @ ..] => Some([&[0], rest].concat().into()),
        path => Some(path.into()),
    };
    row.ends = Ends::Unix { name, peer: None };
    Some(row)
}

fn netlink(line: &[u8]) -> Option<Row> {
    let line = parse_netlink_line(line)?;
    let mut row = Row::new(line.inode, Family::Netlink, SocketClass::Raw, "NETLINK");
    row.ends = Ends::Netlink { local: line.port, peer: 0 };
    row.receive_queue = Some(line.receive_queue);
    row.send_queue = Some(line.send_queue);
    row.detail_mut().subprotocol = Some(line.protocol);
    Some(row)
}

fn packet(line: &[u8]) -> Option<Row> {
    let line = parse_packet_line(line)?;
    let mut row = Row::new(line.inode, Family::Packet, class_of(line.class), "PACKET");
    row.ends = Ends::Packet { ethertype: line.ethertype, interface: line.interface };
    row.receive_queue = Some(line.receive_queue);
    row.uid = Some(line.uid);
    Some(row)
}
