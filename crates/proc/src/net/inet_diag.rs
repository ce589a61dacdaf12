//! inet_diag (include/uapi/linux/inet_diag.h): requests for, and rows of, TCP, UDP, raw, MPTCP, SCTP sockets. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fdscope_model::{Family, SocketClass, SocketDetail, SocketMemory, SocketState, SocketTimer};

use super::Detail;
use super::message::{attributes, cookie_at, u32_at, u64_at};
use super::row::{Ends, Point, Row};

/// A protocol that inet_diag may know, and what its sockets are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Protocol {
    /// IPPROTO_*.
    pub number: u16,
    /// The kernel's names of it over IPv4 and IPv6.
    pub names: [&'static str; 2],
    /// The type of its sockets.
    pub class: SocketClass,
}

const fn protocol(number: u16, names: [&'static str; 2], class: SocketClass) -> Protocol {
    Protocol { number, names, class }
}

/// Those asked for, MPTCP after TCP: its subflows are TCP sockets with the inode of the whole.
pub(crate) const TCP: Protocol = protocol(6, ["TCP", "TCPv6"], SocketClass::Stream);
pub(crate) const UDP: Protocol = protocol(17, ["UDP", "UDPv6"], SocketClass::Datagram);
pub(crate) const UDPLITE: Protocol =
    protocol(136, ["UDP-Lite", "UDPLITEv6"], SocketClass::Datagram);
pub(crate) const RAW: Protocol = protocol(255, ["RAW", "RAWv6"], SocketClass::Raw);
pub(crate) const SCTP: Protocol = protocol(132, ["SCTP", "SCTPv6"], SocketClass::Stream);
pub(crate) const MPTCP: Protocol = protocol(262, ["MPTCP", "MPTCPv6"], SocketClass::Stream);

/// AF_INET, AF_INET6.
const FAMILIES: [u8; 2] = [2, 10];

/// `INET_DIAG_REQ_PROTOCOL`, for protocols whose number is more than a byte.
const REQ_PROTOCOL: u16 = 3;

/// Bits of `idiag_ext`: `1 << (INET_DIAG_* - 1)`.
const EXT_INFO: u8 = 1 << (INFO - 1);
const EXT_SKMEMINFO: u8 = 1 << (SKMEMINFO - 1);

const INFO: u16 = 2;
const SKMEMINFO: u16 = 7;
const SHUTDOWN: u16 = 8;
const PROTOCOL: u16 = 10;
const MARK: u16 = 15;
const CGROUP_ID: u16 = 21;

/// The fixed part of a row: `struct inet_diag_msg`.
const FIXED: usize = 72;

/// A request for every socket of a protocol over IPv4 (0) or IPv6 (1), in every state, bound ones included (since 6.8).
pub(crate) fn request(protocol: Protocol, version: usize, detail: Detail) -> Vec<u8> {
    let extensions = match detail {
        Detail::Ends => 0,
        Detail::Everything => EXT_INFO | EXT_SKMEMINFO,
    };
    let mut bytes = vec![FAMILIES[version], protocol.number as u8, extensions, 0];
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.resize(56, 0);
    if protocol.number > 255 {
        bytes.extend_from_slice(&8u16.to_ne_bytes());
        bytes.extend_from_slice(&REQ_PROTOCOL.to_ne_bytes());
        bytes.extend_from_slice(&u32::from(protocol.number).to_ne_bytes());
    }
    bytes
}

/// One row; `None` if it is cut off or of another family.
pub(crate) fn parse(protocol: Protocol, bytes: &[u8], detail: Detail) -> Option<Row> {
    let fixed: &[u8; FIXED] = bytes.first_chunk()?;
    let version = usize::from(fixed[0] == FAMILIES[1]);
    let family = if version == 0 { Family::Inet } else { Family::Inet6 };
    if fixed[0] != FAMILIES[version] {
        return None;
    }
    let inode = u64::from(u32_at(fixed, 68)?);
    let mut row = Row::new(inode, family, protocol.class, protocol.names[version]);
    let interface = u32_at(fixed, 40)?;
    let (local, peer) = (point(fixed, version, 4, 8), point(fixed, version, 6, 24));
    row.ends = Ends::Inet { local, peer, interface };
    row.state = state(fixed[1], protocol, local);
    row.cookie = cookie_at(fixed, 44)?;
    row.timer = timer(fixed);
    row.receive_queue = u32_at(fixed, 56);
    row.send_queue = u32_at(fixed, 60);
    row.uid = u32_at(fixed, 64);
    if interface != 0 {
        row.detail_mut().interface = Some(interface);
    }
    for (class, value) in attributes(&bytes[FIXED..]) {
        match class {
            // Almost every row has it.
            CGROUP_ID if detail == Detail::Ends => {}
            _ => take_attribute(&mut row, protocol, class, value),
        }
    }
    Some(row)
}

/// A connected state needs a peer; a bound socket that does nothing else comes as closed, with a port.
fn state(number: u8, protocol: Protocol, local: Point) -> Option<SocketState> {
    match SocketState::from_number(number) {
        Some(SocketState::Closed) if protocol.class == SocketClass::Stream && local.port != 0 => {
            Some(SocketState::BoundInactive)
        }
        state => state,
    }
}

fn point(fixed: &[u8; FIXED], version: usize, port: usize, address: usize) -> Point {
    let port = u16::from_be_bytes([fixed[port], fixed[port + 1]]);
    let mut octets = [0; 16];
    octets.copy_from_slice(&fixed[address..address + 16]);
    let ip = match version {
        0 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        _ => IpAddr::V6(Ipv6Addr::from(octets)),
    };
    Point { ip, port }
}

fn timer(fixed: &[u8; FIXED]) -> Option<SocketTimer> {
    let (class, retries) = (fixed[2], u32::from(fixed[3]));
    let remaining_ns = u64::from(u32_at(fixed, 52)?) * 1_000_000;
    (class != 0).then_some(SocketTimer { class, remaining_ns, retries })
}

fn take_attribute(row: &mut Row, protocol: Protocol, class: u16, value: &[u8]) {
    match class {
        INFO if protocol == TCP => take_tcp_info(row.detail_mut(), value),
        SKMEMINFO => row.detail_mut().memory = memory(value),
        // Every row has it; what is open in both directions is not worth keeping.
        SHUTDOWN => {
            if let Some(&directions) = value.first().filter(|&&directions| directions != 0) {
                row.detail_mut().shutdown = Some(directions);
            }
        }
        PROTOCOL if protocol == RAW => {
            row.detail_mut().subprotocol = value.first().map(|&number| u32::from(number));
        }
        CGROUP_ID => row.detail_mut().cgroup = u64_at(value, 0),
        MARK => {
            if let Some(mark) = u32_at(value, 0).filter(|&mark| mark != 0) {
                row.detail_mut().mark = Some(mark);
            }
        }
        _ => {}
    }
}

/// `struct tcp_info`, of which old kernels give less.
fn take_tcp_info(detail: &mut SocketDetail, info: &[u8]) {
    let milliseconds = |at| u32_at(info, at).map(|ms| u64::from(ms) * 1_000_000);
    detail.last_sent_ns = milliseconds(44);
    detail.last_received_ns = milliseconds(52);
    detail.last_acknowledged_ns = milliseconds(56);
    detail.round_trip_ns = u32_at(info, 68).map(|us| u64::from(us) * 1000);
    detail.retransmits = u32_at(info, 100);
    detail.acknowledged = u64_at(info, 120);
    detail.received = u64_at(info, 128);
}

/// The words of `SK_MEMINFO_*`; old kernels give fewer.
pub(crate) fn memory(value: &[u8]) -> Option<SocketMemory> {
    let word = |index: usize| u32_at(value, index * 4);
    Some(SocketMemory {
        receive: word(0)?,
        receive_limit: word(1)?,
        send: word(2)?,
        send_limit: word(3)?,
        forward: word(4)?,
        queued: word(5)?,
        options: word(6)?,
        backlog: word(7).unwrap_or(0),
        drops: word(8).unwrap_or(0),
    })
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::super::message::unhex;
    use super::*;
    use fdscope_model::Address;

    /// A client over ::1 that sent 5 bytes and shut down sending; all that may be asked, `tcp_info` cut as old kernels do.
    const CLIENT: &str = "
        0a040100 86481151 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000001
        00000000 21000000 00000000 cc000000 00000000 01000000 00000000 49942600 05000800 02000000
        08000f00 00000000 0c001500 01000000 00000000 06001600 12000000 28000700 00000000 00000200
        00000000 001e3c00 c00c0000 40030000 00000000 00000000 00000000 70000200 04000000 0007aa01
        e01c0300 00000000 00800000 18020000 01000000 00000000 00000000 00000000 00000000 00000000
        00000000 00000000 00000000 00000100 c4ff0000 17000000 0d000000 ffffff7f 0b000000 b8ff0000
        03000000 00000000 c4ff0000 00000000 18037760";

    const LISTENER: &str = "
        0a0a0000 11510000 00000000000000000000000000000001 00000000000000000000000000000000
        00000000 1c100000 00000000 00000000 01000000 07000000 00000000 9f812600
        05000800 00000000 05000b00 01000000";

    const BOUND: &str = "
        02070000 92ff0000 7f000001000000000000000000000000 00000000000000000000000000000000
        00000000 02000000 00000000 00000000 00000000 00000000 00000000 9fa02400";

    fn check(protocol: Protocol, hex: &str, detail: Detail) -> fdscope_model::Socket {
        let bytes = unhex(hex);
        let row = parse(protocol, &bytes, detail).expect("a row");
        assert!((0..FIXED).all(|length| parse(protocol, &bytes[..length], detail).is_none()));
        row.socket(Some(1))
    }

    #[test]
    fn a_connection_tells_ends_timer_and_queues() {
        let socket = check(TCP, CLIENT, Detail::Ends);
        assert_eq!((socket.inode, socket.cookie), (2_528_329, Some(33)));
        assert_eq!((socket.family, socket.protocol), (Family::Inet6, "TCPv6".into()));
        assert_eq!(socket.state, Some(SocketState::FinWait1));
        assert_eq!(socket.local, "[::1]:34376".parse().ok().map(Address::Inet));
        assert_eq!(socket.peer, "[::1]:4433".parse().ok().map(Address::Inet));
        let timer = SocketTimer { class: 1, remaining_ns: 204_000_000, retries: 0 };
        assert_eq!(socket.timer, Some(timer));
        assert_eq!((socket.receive_queue, socket.send_queue), (Some(0), Some(1)));
        assert_eq!((socket.uid, socket.namespace), (Some(0), Some(1)));
        let detail = socket.detail.expect("it was shut down");
        assert_eq!((detail.shutdown, detail.cgroup), (Some(2), None));
    }

    #[test]
    fn what_was_asked_for_is_told() {
        let detail = *check(TCP, CLIENT, Detail::Everything).detail.expect("details");
        let memory = detail.memory.expect("memory");
        assert_eq!((memory.receive_limit, memory.send_limit), (0x20000, 0x3c1e00));
        assert_eq!((memory.queued, memory.drops), (0x340, 0));
        assert_eq!(detail.cgroup, Some(1));
        assert_eq!((detail.retransmits, detail.received), (Some(0), None));
        assert_eq!((detail.last_sent_ns, detail.round_trip_ns), (Some(0), Some(23_000)));
    }

    #[test]
    fn a_listener_has_its_backlog() {
        let socket = check(TCP, LISTENER, Detail::Ends);
        assert_eq!(socket.state, Some(SocketState::Listen));
        assert_eq!((socket.receive_queue, socket.send_queue), (Some(1), Some(7)));
        assert_eq!((socket.peer, socket.timer, socket.detail), (None, None, None));
    }

    #[test]
    fn closed_with_a_port_is_bound() {
        let socket = check(TCP, BOUND, Detail::Ends);
        assert_eq!(socket.state, Some(SocketState::BoundInactive));
        assert_eq!(socket.local, "127.0.0.1:37631".parse().ok().map(Address::Inet));
        assert_eq!(check(UDP, BOUND, Detail::Ends).state, Some(SocketState::Closed));
    }

    #[test]
    fn another_family_is_no_row() {
        let mut bytes = unhex(BOUND);
        bytes[0] = 1;
        assert_eq!(parse(TCP, &bytes, Detail::Ends), None);
    }

    #[test]
    fn a_protocol_above_a_byte_has_an_attribute() {
        assert_eq!(request(TCP, 0, Detail::Ends).len(), 56);
        let bytes = request(MPTCP, 1, Detail::Ends);
        assert_eq!((bytes[0], &bytes[56..]), (10, &[8, 0, 3, 0, 6, 1, 0, 0][..]));
    }
}
