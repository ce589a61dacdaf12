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

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;
    use fdscope_model::Address;

    fn check(table: Table, line: &str) -> fdscope_model::Socket {
        parse_line(table, line.as_bytes()).expect("a row").socket(None)
    }

    #[test]
    fn every_field_of_tcp_is_used() {
        let socket = check(
            Table::Tcp,
            "   1: 020200C0:E2C4 507100CB:01BB 01 0000000A:00000005 01:00000014 00000002  1000        3 2398673 2 00000000fd6e50aa 20 4 1 34 146",
        );
        assert_eq!(socket.local, "192.0.2.2:58052".parse().ok().map(Address::Inet));
        assert_eq!((socket.send_queue, socket.receive_queue), (Some(10), Some(5)));
        let timer = SocketTimer { class: 1, remaining_ns: 200_000_000, retries: 3 };
        assert_eq!((socket.timer, socket.uid), (Some(timer), Some(1000)));
        assert_eq!((socket.inode, socket.cookie), (2_398_673, None));
    }

    #[test]
    fn the_text_does_not_know_a_listener_s_backlog() {
        let socket = check(
            Table::Tcp,
            "   0: 00000000:07E8 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 634 1 00000000048776e3 100 0 0 10 0",
        );
        assert_eq!((socket.receive_queue, socket.send_queue), (Some(3), None));
    }

    #[test]
    fn the_port_of_a_raw_socket_is_its_protocol() {
        let socket = check(
            Table::Raw,
            "    1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 00000000048776e3 0",
        );
        assert_eq!((socket.local, socket.class), (None, SocketClass::Raw));
        assert_eq!(socket.detail.and_then(|detail| detail.subprotocol), Some(1));
    }

    #[test]
    fn unix_names_and_states() {
        let line = "ffff: 00000002 00000000 00010000 0001 01 4242 @abs";
        let socket = check(Table::Unix, line);
        assert_eq!(socket.state, Some(SocketState::Listen));
        assert_eq!(socket.local, Some(Address::Unix(b"\0abs".as_slice().into())));
        let socket = check(Table::Unix, "ffff: 00000002 00000000 00000000 0001 03 4242");
        assert_eq!((socket.state, socket.local), (Some(SocketState::Established), None));
    }

    #[test]
    fn netlink_and_packet() {
        let socket = check(Table::Netlink, "ff 15 749 00000002 5 -7 0 2 0 6");
        assert_eq!(socket.local, Some(Address::Netlink(749)));
        assert_eq!((socket.receive_queue, socket.send_queue), (Some(5), Some(0)));
        let socket = check(Table::Packet, "ff 3 3 0003 2 1 9 1000 99");
        assert_eq!((socket.inode, socket.receive_queue), (99, Some(9)));
        assert_eq!(socket.local, Some(Address::Packet(3, 2)));
    }
}
