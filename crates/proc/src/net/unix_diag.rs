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
