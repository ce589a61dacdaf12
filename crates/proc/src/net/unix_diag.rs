//! unix_diag (include/uapi/linux/unix_diag.h): the request for, and rows of, UNIX sockets. Pure.

use fdscope_model::{Family, SocketClass, SocketState};

use super::Detail;
use super::inet_diag::memory;
use super::message::{attributes, cookie_at, u32_at};
use super::row::{Ends, Row, bound_file};

const AF_UNIX: u8 = 1;

/// `UDIAG_SHOW_*`: name, file, peer, pending connections, queue length, owner.
const SHOW: u32 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40;
const SHOW_MEMINFO: u32 = 0x20;

const NAME: u16 = 0;
const VFS: u16 = 1;
const PEER: u16 = 2;
const ICONS: u16 = 3;
const RQLEN: u16 = 4;
const MEMINFO: u16 = 5;
const SHUTDOWN: u16 = 6;
const UID: u16 = 7;

/// The fixed part of a row: `struct unix_diag_msg`.
const FIXED: usize = 16;

/// A request for every UNIX socket.
pub(crate) fn request(detail: Detail) -> Vec<u8> {
    let show = match detail {
        Detail::Ends => SHOW,
        Detail::Everything => SHOW | SHOW_MEMINFO,
    };
    let mut bytes = vec![AF_UNIX, 0, 0, 0];
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(&show.to_ne_bytes());
    bytes.resize(24, 0);
    bytes
}

/// One row; `None` if it is cut off.
pub(crate) fn parse(bytes: &[u8]) -> Option<Row> {
    let fixed: &[u8; FIXED] = bytes.first_chunk()?;
    let (class, protocol) = kind_of(fixed[1]);
    let mut row = Row::new(u64::from(u32_at(fixed, 4)?), Family::Unix, class, protocol);
    row.state = SocketState::from_number(fixed[2]);
    row.cookie = cookie_at(fixed, 8)?;
    let (mut name, mut peer) = (None, None);
    for (class, value) in attributes(&bytes[FIXED..]) {
        match class {
            NAME => name = Some(name_of(value).into()),
            PEER => peer = u32_at(value, 0),
            _ => take_attribute(&mut row, class, value),
        }
    }
    row.ends = Ends::Unix { name, peer };
    Some(row)
}

/// A socket type's class, and the protocol's name as sockfs has it (net/unix/af_unix.c).
pub(crate) fn kind_of(number: u8) -> (SocketClass, &'static str) {
    match number {
        1 => (SocketClass::Stream, "UNIX-STREAM"),
        2 => (SocketClass::Datagram, "UNIX"),
        5 => (SocketClass::SeqPacket, "UNIX"),
        _ => (SocketClass::Unknown, "UNIX"),
    }
}

/// A name as bind(2) took it: a path's closing NUL is none of it, an abstract name begins with one.
pub(crate) fn name_of(sun_path: &[u8]) -> &[u8] {
    match sun_path {
        [0, ..] => sun_path,
        path => path.split(|&b| b == 0).next().unwrap_or(path),
    }
}

fn take_attribute(row: &mut Row, class: u16, value: &[u8]) {
    match class {
        VFS => {
            if let (Some(inode), Some(device)) = (u32_at(value, 0), u32_at(value, 4)) {
                row.detail_mut().bound = Some(bound_file(inode, device));
            }
        }
        ICONS if !value.is_empty() => {
            let inodes = value.chunks_exact(4).filter_map(|word| u32_at(word, 0));
            row.detail_mut().waiting = inodes.map(u64::from).collect();
        }
        RQLEN => {
            row.receive_queue = u32_at(value, 0);
            row.send_queue = u32_at(value, 4);
        }
        MEMINFO => row.detail_mut().memory = memory(value),
        SHUTDOWN => {
            if let Some(&directions) = value.first().filter(|&&directions| directions != 0) {
                row.detail_mut().shutdown = Some(directions);
            }
        }
        UID => row.uid = u32_at(value, 0),
        _ => {}
    }
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::super::message::unhex;
    use super::*;
    use fdscope_model::{Address, DeviceId, InodeId};

    fn check(hex: &str) -> fdscope_model::Socket {
        let bytes = unhex(hex);
        assert!((0..FIXED).all(|length| parse(&bytes[..length]).is_none()));
        parse(&bytes).expect("a row").socket(None)
    }

    #[test]
    fn a_listener_has_its_file_and_who_waits() {
        let socket = check(
            "01010a00 a2812600 20100000 00000000 10000000 2f746d702f732e736f636b00
             0c000100 46c09800 0000e00f 08000300 a3812600 0c000400 01000000 05000000
             28000500 00000000 00400300 00000000 00400300 00000000 00000000 00000000 00000000 00000000
             05000600 00000000 08000700 e8030000",
        );
        assert_eq!((socket.inode, socket.state), (2_523_554, Some(SocketState::Listen)));
        assert_eq!(socket.local, Some(Address::Unix("/tmp/s.sock".into())));
        assert_eq!((socket.receive_queue, socket.send_queue), (Some(1), Some(5)));
        assert_eq!(socket.uid, Some(1000));
        let detail = socket.detail.expect("details");
        let file = InodeId { device: DeviceId::new(254, 0), inode: 0x98c046 };
        assert_eq!((detail.bound, detail.waiting), (Some(file), vec![2_523_555]));
        assert_eq!(detail.memory.map(|memory| memory.receive_limit), Some(0x34000));
    }

    #[test]
    fn a_client_not_accepted_has_a_peer_that_nobody_holds() {
        let bytes = unhex("01010100 a3812600 1f100000 00000000 08000200 00000000");
        let row = parse(&bytes).expect("a row");
        assert_eq!(row.ends, Ends::Unix { name: None, peer: Some(0) });
        assert_eq!(row.ends.peer_inode(), None);
    }

    #[test]
    fn abstract_names_keep_their_nul_bytes() {
        let socket = check("01020700 a4812600 25100000 00000000 0a000000 006162730078 0000");
        assert_eq!(socket.local, Some(Address::Unix(b"\0abs\0x".as_slice().into())));
        assert_eq!((socket.class, socket.protocol), (SocketClass::Datagram, "UNIX".into()));
    }
}
