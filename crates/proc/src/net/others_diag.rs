//! netlink_diag, packet_diag and vsock_diag (include/uapi/linux/*_diag.h): requests and rows. Pure.

use fdscope_model::{Family, SocketClass, SocketState};

use super::message::{attributes, cookie_at, u16_at, u32_at};
use super::row::{Ends, Row};

const AF_NETLINK: u8 = 16;
const AF_PACKET: u8 = 17;
const AF_VSOCK: u8 = 40;

/// `NDIAG_PROTO_ALL`.
const EVERY_PROTOCOL: u8 = 0xff;

const PACKET_SHOW_INFO: u32 = 1;
const PACKET_INFO: u16 = 0;
const PACKET_UID: u16 = 5;

/// A request for every netlink socket.
pub(crate) fn netlink_request() -> Vec<u8> {
    let mut bytes = vec![AF_NETLINK, EVERY_PROTOCOL, 0, 0];
    bytes.resize(20, 0);
    bytes
}

/// A row of netlink_diag: `struct netlink_diag_msg`.
pub(crate) fn parse_netlink(bytes: &[u8]) -> Option<Row> {
    let fixed: &[u8; 28] = bytes.first_chunk()?;
    let inode = u64::from(u32_at(fixed, 16)?);
    let mut row = Row::new(inode, Family::Netlink, class_of(fixed[1]), "NETLINK");
    row.cookie = cookie_at(fixed, 20)?;
    row.ends = Ends::Netlink { local: u32_at(fixed, 4)?, peer: u32_at(fixed, 8)? };
    row.detail_mut().subprotocol = Some(u32::from(fixed[2]));
    Some(row)
}

/// A request for every packet socket.
pub(crate) fn packet_request() -> Vec<u8> {
    let mut bytes = vec![AF_PACKET, 0, 0, 0];
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(&PACKET_SHOW_INFO.to_ne_bytes());
    bytes.resize(20, 0);
    bytes
}

/// A row of packet_diag: `struct packet_diag_msg`. `pdiag_num` is in the machine's order (net/packet/diag.c).
pub(crate) fn parse_packet(bytes: &[u8]) -> Option<Row> {
    let fixed: &[u8; 16] = bytes.first_chunk()?;
    let inode = u64::from(u32_at(fixed, 4)?);
    let mut row = Row::new(inode, Family::Packet, class_of(fixed[1]), "PACKET");
    row.cookie = cookie_at(fixed, 8)?;
    let mut interface = 0;
    for (class, value) in attributes(&bytes[16..]) {
        match class {
            PACKET_INFO => interface = u32_at(value, 0).unwrap_or(0),
            PACKET_UID => row.uid = u32_at(value, 0),
            _ => {}
        }
    }
    row.ends = Ends::Packet { ethertype: u16_at(fixed, 2)?, interface };
    Some(row)
}

/// A request for every VM socket.
pub(crate) fn vsock_request() -> Vec<u8> {
    let mut bytes = vec![AF_VSOCK, 0, 0, 0];
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.resize(24, 0);
    bytes
}

/// A row of vsock_diag: `struct vsock_diag_msg`.
pub(crate) fn parse_vsock(bytes: &[u8]) -> Option<Row> {
    let fixed: &[u8; 32] = bytes.first_chunk()?;
    let inode = u64::from(u32_at(fixed, 20)?);
    let mut row = Row::new(inode, Family::Vsock, class_of(fixed[1]), "AF_VSOCK");
    row.state = SocketState::from_number(fixed[2]);
    row.cookie = cookie_at(fixed, 24)?;
    let local = (u32_at(fixed, 4)?, u32_at(fixed, 8)?);
    row.ends = Ends::Vsock { local, peer: (u32_at(fixed, 12)?, u32_at(fixed, 16)?) };
    if fixed[3] != 0 {
        row.detail_mut().shutdown = Some(fixed[3]);
    }
    Some(row)
}

/// The class of a `SOCK_*` number.
pub(crate) fn class_of(number: u8) -> SocketClass {
    match number {
        1 => SocketClass::Stream,
        2 => SocketClass::Datagram,
        3 => SocketClass::Raw,
        4 => SocketClass::Rdm,
        5 => SocketClass::SeqPacket,
        _ => SocketClass::Unknown,
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::super::message::unhex;
    use super::*;
    use fdscope_model::Address;

    #[test]
    fn a_netlink_socket_has_its_port_and_protocol() {
        let bytes = unhex("10030f07 ed020000 00000000 00000000 a6812600 27100000 00000000");
        let socket = parse_netlink(&bytes).expect("a row").socket(None);
        assert_eq!((socket.inode, socket.class), (2_523_558, SocketClass::Raw));
        assert_eq!(socket.local, Some(Address::Netlink(749)));
        assert_eq!(socket.detail.and_then(|detail| detail.subprotocol), Some(15));
        assert_eq!(parse_netlink(&bytes[..27]), None);
    }

    #[test]
    fn a_packet_socket_has_its_type_and_interface() {
        let bytes = unhex(
            "11030300 a8812600 28100000 00000000
             1c000000 01000000 00000000 00000000 00000000 00000000 01000000 08000500 e8030000",
        );
        let socket = parse_packet(&bytes).expect("a row").socket(None);
        assert_eq!(socket.local, Some(Address::Packet(3, 1)));
        assert_eq!((socket.uid, socket.cookie), (Some(1000), Some(0x1028)));
        assert_eq!(parse_packet(&bytes[..15]), None);
    }

    #[test]
    fn a_vsock_without_a_port_has_no_address() {
        let bytes =
            unhex("28010103 03000000 88130000 02000000 ffffffff 2a000000 07000000 00000000");
        let socket = parse_vsock(&bytes).expect("a row").socket(None);
        assert_eq!((socket.local, socket.peer), (Some(Address::Vsock(3, 5000)), None));
        assert_eq!((socket.inode, socket.state), (42, Some(SocketState::Established)));
        assert_eq!(parse_vsock(&bytes[..31]), None);
    }
}
