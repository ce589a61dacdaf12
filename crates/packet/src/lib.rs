//! Packets: files of them, their layers, and the lines that tcpdump prints.
//!
//! Pure: bytes in, values and lines out; no sockets and no clock. [`mod@file`] reads and writes pcap and pcapng, [`mod@print`]
//! turns one packet into tcpdump's text, a file per protocol.
#![forbid(unsafe_code)]

pub mod bpf;
pub mod ends;
pub mod file;
pub mod link;
pub mod print;

/// When a packet was seen: since 1970, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds within the second; a file may say more than there are in one.
    pub nanos: u64,
}

/// A packet as a file or a ring holds it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was seen.
    pub time: Time,
    /// Its length on the wire, in bytes.
    pub length: u32,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How its bytes begin.
    pub link: link::LinkType,
}
