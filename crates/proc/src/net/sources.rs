//! What is asked of a network namespace: a row for each diagnosis, with the text tables that stand in for it.

use fdscope_model::Socket;
use rustix::io::Errno;

use super::dump::Diag;
use super::inet_diag::{self, MPTCP, Protocol, RAW, SCTP, TCP, UDP, UDPLITE};
use super::message::{Message, Messages};
use super::row::Row;
use super::{Detail, others_diag, text, unix_diag};
use crate::parse::Table;
use crate::root::PidDir;

/// A diagnosis.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// A protocol over IPv4 (0) or IPv6 (1).
    Inet(Protocol, usize),
    Unix,
    Netlink,
    Packet,
    Vsock,
    /// None: the text alone tells.
    Nobody,
}

/// In the order in which they are asked. MPTCP comes after TCP, whose subflows have the inode of the whole.
const SOURCES: &[(Ask, Option<Table>)] = &[
    (Ask::Inet(TCP, 0), Some(Table::Tcp)),
    (Ask::Inet(TCP, 1), Some(Table::Tcp6)),
    (Ask::Inet(UDP, 0), Some(Table::Udp)),
    (Ask::Inet(UDP, 1), Some(Table::Udp6)),
    (Ask::Inet(UDPLITE, 0), Some(Table::UdpLite)),
    (Ask::Inet(UDPLITE, 1), Some(Table::UdpLite6)),
    (Ask::Inet(RAW, 0), Some(Table::Raw)),
    (Ask::Inet(RAW, 1), Some(Table::Raw6)),
    (Ask::Nobody, Some(Table::Icmp)),
    (Ask::Nobody, Some(Table::Icmp6)),
    (Ask::Inet(SCTP, 0), None),
    (Ask::Inet(SCTP, 1), None),
    (Ask::Inet(MPTCP, 0), None),
    (Ask::Inet(MPTCP, 1), None),
    (Ask::Unix, Some(Table::Unix)),
    (Ask::Netlink, Some(Table::Netlink)),
    (Ask::Packet, Some(Table::Packet)),
    (Ask::Vsock, None),
];

impl Ask {
    fn request(self, detail: Detail) -> Option<Vec<u8>> {
        match self {
            Ask::Inet(protocol, version) => Some(inet_diag::request(protocol, version, detail)),
            Ask::Unix => Some(unix_diag::request(detail)),
            Ask::Netlink => Some(others_diag::netlink_request()),
            Ask::Packet => Some(others_diag::packet_request()),
            Ask::Vsock => Some(others_diag::vsock_request()),
            Ask::Nobody => None,
        }
    }

    fn parse(self, bytes: &[u8], detail: Detail) -> Option<Row> {
        match self {
            Ask::Inet(protocol, _) => inet_diag::parse(protocol, bytes, detail),
            Ask::Unix => unix_diag::parse(bytes),
            Ask::Netlink => others_diag::parse_netlink(bytes),
            Ask::Packet => others_diag::parse_packet(bytes),
            Ask::Vsock => others_diag::parse_vsock(bytes),
            Ask::Nobody => None,
        }
    }
}

/// A table that neither way gave: what was asked, and the kernel's answer.
pub(crate) struct Missing {
    pub operation: &'static str,
    pub cause: String,
}

/// Where a namespace is read from.
pub(crate) struct Reader<'a> {
    /// A diagnosis socket in it, or why there is none.
    pub diag: Result<Diag, Errno>,
    /// A process in it, and what of that process lives: `task/TID/` or nothing.
    pub process: Option<(&'a PidDir, &'a str)>,
    pub detail: Detail,
}

impl Reader<'_> {
    /// Appends every socket of the namespace to `rows`.
    pub fn read(&mut self, rows: &mut Vec<Row>) -> Vec<Missing> {
        let mut missing = Vec::new();
        for &(ask, table) in SOURCES {
            let begin = rows.len();
            let mut answer = self.ask(ask, rows);
            if answer == Err(Errno::AGAIN) {
                rows.truncate(begin);
                answer = self.ask(ask, rows);
            }
            let Err(cause) = answer else { continue };
            // A dump that changed under way twice is kept: what it lacks was born or died meanwhile.
            if cause != Errno::AGAIN {
                rows.truncate(begin);
                missing.extend(self.read_text(table, cause, rows));
            }
        }
        missing
    }

    fn ask(&mut self, ask: Ask, rows: &mut Vec<Row>) -> Result<(), Errno> {
        let detail = self.detail;
        let request = ask.request(detail).ok_or(Errno::NOENT)?;
        let diag = self.diag.as_mut().map_err(|cause| *cause)?;
        let own = diag.inode();
        diag.dump(&request, &mut |bytes| {
            rows.extend(ask.parse(bytes, detail).filter(|row| row.inode != own || own == 0));
        })
    }

    /// Reads the text table instead; says what is missing if that fails too, unless the kernel has no such sockets.
    fn read_text(&self, table: Option<Table>, why: Errno, rows: &mut Vec<Row>) -> Option<Missing> {
        let missing = |cause: String| Some(Missing { operation: "list sockets", cause });
        let (Some(table), Some((dir, place))) = (table, self.process) else {
            return if why == Errno::NOENT { None } else { missing(why.to_string()) };
        };
        let path = format!("{place}net/{}", table.file());
        let read = dir.read_lines(&path, "read net", &mut |line| {
            rows.extend(text::parse_line(table, line));
        });
        match read {
            Err(error) if !error.is_gone() => missing(error.to_string()),
            _ => None,
        }
    }
}

/// What the bytes of a row, or of a line, would be to each diagnosis and each table: all that comes from outside goes
/// through here, which is what a fuzzer needs.
pub fn parse_every_way(bytes: &[u8]) -> Vec<Socket> {
    let mut rows: Vec<Row> = Vec::new();
    for &(ask, table) in SOURCES {
        rows.extend(ask.parse(bytes, Detail::Everything));
        rows.extend(table.and_then(|table| text::parse_line(table, bytes)));
    }
    for message in Messages::new(bytes, 1) {
        let Message::Row(row) = message else { continue };
        rows.extend(Ask::Inet(TCP, 0).parse(row, Detail::Everything));
    }
    rows.iter().map(|row| row.socket(None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse_every_way(&bytes);
        }

        #[test]
        fn rows_with_any_attributes_are_taken(
            family in prop::sample::select(vec![1u8, 2, 10, 16, 17, 40]),
            fixed in proptest::collection::vec(any::<u8>(), 71),
            attributes in proptest::collection::vec(
                (0u16..24, 0u16..80, proptest::collection::vec(any::<u8>(), 0..80)),
                0..6,
            ),
        ) {
            let mut bytes = vec![family];
            bytes.extend(fixed);
            for (class, lie, value) in attributes {
                let honest = value.len() as u16 + 4;
                let length = if lie == 0 { 0 } else if lie > 60 { honest } else { lie };
                bytes.extend(length.to_ne_bytes());
                bytes.extend(class.to_ne_bytes());
                bytes.extend(value);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            for socket in parse_every_way(&bytes) {
                let kept = socket.detail.map_or(0, |detail| detail.waiting.len() * 4);
                prop_assert!(kept <= bytes.len());
            }
        }
    }
}
