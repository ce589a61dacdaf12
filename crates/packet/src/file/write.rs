//! Capture files, written: pcap as tcpdump writes it, pcapng where there is more to say than packets.

use std::io::{self, Write};

use super::MOST;
use crate::Packet;
use crate::link::LinkType;

/// Which format, and how fine its time is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// pcap with µs.
    Pcap,
    /// pcap with ns.
    PcapNanos,
    /// pcapng with ns, comments and statistics.
    Pcapng,
}

/// What an interface lost, as pcapng keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// When they were taken, in ns since 1970.
    pub at_ns: u64,
    /// Packets that came, those that the filter left out not among them.
    pub received: u64,
    /// Packets that came and did not fit.
    pub dropped: u64,
}

/// Writes a capture file and counts its bytes.
pub struct Writer<W> {
    sink: W,
    format: Format,
    written: u64,
    scratch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the header; `device` and `filter` are told in pcapng.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(
        sink: W,
        format: Format,
        link: LinkType,
        snap_length: u32,
        (device, filter): (&[u8], &[u8]),
    ) -> io::Result<Self> {
        let mut writer = Writer { sink, format, written: 0, scratch: Vec::new() };
        let snap_length = if snap_length == 0 { MOST } else { snap_length };
        match format {
            Format::Pcap | Format::PcapNanos => {
                let magic: u32 = if format == Format::Pcap { 0xa1b2_c3d4 } else { 0xa1b2_3c4d };
                writer.scratch.extend_from_slice(&magic.to_ne_bytes());
                writer.scratch.extend_from_slice(&2_u16.to_ne_bytes());
                writer.scratch.extend_from_slice(&4_u16.to_ne_bytes());
                for word in [0, 0, snap_length, link.0] {
                    writer.scratch.extend_from_slice(&word.to_ne_bytes());
                }
            }
            Format::Pcapng => writer.head(link, snap_length, device, filter),
        }
        writer.flush_scratch()?;
        Ok(writer)
    }

    fn head(&mut self, link: LinkType, snap_length: u32, device: &[u8], filter: &[u8]) {
        let mut section = Vec::new();
        section.extend_from_slice(&0x1a2b_3c4d_u32.to_ne_bytes());
        section.extend_from_slice(&1_u16.to_ne_bytes());
        section.extend_from_slice(&0_u16.to_ne_bytes());
        section.extend_from_slice(&u64::MAX.to_ne_bytes());
        option(&mut section, 4, concat!("fdscope ", env!("CARGO_PKG_VERSION")).as_bytes());
        option(&mut section, 0, &[]);
        self.block(0x0a0d_0d0a, &section);
        let mut interface = Vec::new();
        interface.extend_from_slice(&(link.0 as u16).to_ne_bytes());
        interface.extend_from_slice(&0_u16.to_ne_bytes());
        interface.extend_from_slice(&snap_length.to_ne_bytes());
        if !device.is_empty() {
            option(&mut interface, 2, device);
        }
        option(&mut interface, 9, &[9]);
        if !filter.is_empty() {
            let text: Vec<u8> = std::iter::once(0).chain(filter.iter().copied()).collect();
            option(&mut interface, 11, &text);
        }
        option(&mut interface, 0, &[]);
        self.block(1, &interface);
    }

    /// Writes a packet; its comment is kept in pcapng only.
    ///
    /// # Errors
    /// Those of writing.
    pub fn packet(&mut self, packet: &Packet<'_>, comment: &[u8]) -> io::Result<()> {
        let kept = packet.bytes.len() as u32;
        let time = packet.time;
        if self.format == Format::Pcapng {
            let ticks = (time.seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(time.nanos);
            let mut body = Vec::with_capacity(packet.bytes.len() + comment.len() + 40);
            for word in [0, (ticks >> 32) as u32, ticks as u32, kept, packet.length] {
                body.extend_from_slice(&word.to_ne_bytes());
            }
            body.extend_from_slice(packet.bytes);
            body.resize(body.len().next_multiple_of(4), 0);
            if !comment.is_empty() {
                option(&mut body, 1, comment);
                option(&mut body, 0, &[]);
            }
            self.block(6, &body);
            return self.flush_scratch();
        }
        let fraction = if self.format == Format::Pcap { time.nanos / 1000 } else { time.nanos };
        for word in [time.seconds as u32, fraction as u32, kept, packet.length] {
            self.scratch.extend_from_slice(&word.to_ne_bytes());
        }
        self.scratch.extend_from_slice(packet.bytes);
        self.flush_scratch()
    }

    /// Writes what was lost; pcap has no place for it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn statistics(&mut self, statistics: Statistics) -> io::Result<()> {
        if self.format != Format::Pcapng {
            return Ok(());
        }
        let Statistics { at_ns, received, dropped } = statistics;
        let mut body = Vec::new();
        for word in [0, (at_ns >> 32) as u32, at_ns as u32] {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        option(&mut body, 4, &received.to_ne_bytes());
        option(&mut body, 5, &dropped.to_ne_bytes());
        option(&mut body, 0, &[]);
        self.block(5, &body);
        self.flush_scratch()
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Hands all to the system.
    ///
    /// # Errors
    /// Those of writing.
    pub fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// What is written to.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (body.len() + 12) as u32;
        self.scratch.extend_from_slice(&kind.to_ne_bytes());
        self.scratch.extend_from_slice(&length.to_ne_bytes());
        self.scratch.extend_from_slice(body);
        self.scratch.extend_from_slice(&length.to_ne_bytes());
    }

    /// A record goes out whole, so that a full disk leaves no half of one that a buffer could have kept.
    fn flush_scratch(&mut self) -> io::Result<()> {
        self.written += self.scratch.len() as u64;
        let result = self.sink.write_all(&self.scratch);
        self.scratch.clear();
        result
    }
}

/// Appends an option, filled up to four bytes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..value.len().min(usize::from(u16::MAX))).unwrap_or_default();
    body.extend_from_slice(&code.to_ne_bytes());
    body.extend_from_slice(&(value.len() as u16).to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
