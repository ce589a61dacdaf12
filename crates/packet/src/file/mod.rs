//! Capture files: pcap and pcapng read, both written.
//!
//! [`Reader`] takes any stream; it allocates no more than a packet may have, whatever the file says.

mod pcap;
mod pcapng;
mod write;

pub use write::{Format, Statistics, Writer};

use std::io::{self, Read};

use crate::link::LinkType;
use crate::{Packet, Time};

/// What may be wrong with a capture file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It begins as no capture file does.
    #[error("unknown file format")]
    Unknown,
    /// It ends within its header.
    #[error("truncated dump file; tried to read {wanted} file header bytes, only got {got}")]
    ShortHeader {
        /// Bytes that a header has.
        wanted: usize,
        /// Bytes that were there.
        got: usize,
    },
    /// It ends within a packet's header.
    #[error("truncated dump file; tried to read {wanted} header bytes, only got {got}")]
    ShortRecord {
        /// Bytes that a header has.
        wanted: usize,
        /// Bytes that were there.
        got: usize,
    },
    /// It ends within a packet.
    #[error("truncated dump file; tried to read {wanted} captured bytes, only got {got}")]
    ShortPacket {
        /// Bytes that the packet has.
        wanted: usize,
        /// Bytes that were there.
        got: usize,
    },
    /// A packet says that more was kept of it than may be.
    #[error("invalid packet capture length {length}, bigger than maximum of {most}")]
    TooLong {
        /// What it says.
        length: u32,
        /// What may be.
        most: u32,
    },
    /// A version that nobody wrote yet.
    #[error("unsupported version {major}.{minor}")]
    Version {
        /// The part before the point.
        major: u16,
        /// The part behind it.
        minor: u16,
    },
    /// A block of a pcapng file is not as it must be.
    #[error("{0}")]
    Block(&'static str),
    /// Interfaces of one file differ in how their packets begin.
    #[error(
        "an interface has a type {now} different from the type of the first interface, {first}"
    )]
    Mixed {
        /// The first interface's.
        first: u32,
        /// The other's.
        now: u32,
    },
}

/// The most that may be kept of a packet, whatever the file says.
const MOST: u32 = 262_144;

/// What a file says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// How packets begin.
    pub link: LinkType,
    /// The most that was to be kept of a packet.
    pub snap_length: u32,
}

/// A packet of a file, with what was noted about it.
#[derive(Debug)]
pub struct Record<'a> {
    /// The packet.
    pub packet: Packet<'a>,
    /// Its comments (pcapng), one a line.
    pub comment: &'a [u8],
}

/// Reads a capture file.
pub struct Reader<R> {
    source: R,
    head: Head,
    kind: Kind,
    packet: Vec<u8>,
    comment: Vec<u8>,
}

enum Kind {
    Pcap(pcap::Format),
    Pcapng(pcapng::Section),
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is no capture file, or cannot be read.
    pub fn new(mut source: R) -> Result<Self, FileError> {
        let mut magic = [0; 4];
        let got = fill(&mut source, &mut magic)?;
        if got < magic.len() {
            return Err(FileError::ShortHeader { wanted: 4, got });
        }
        let (kind, head) = if magic == pcapng::MAGIC {
            let (section, head) = pcapng::Section::read(&mut source)?;
            (Kind::Pcapng(section), head)
        } else {
            let (format, head) = pcap::Format::read(magic, &mut source)?;
            (Kind::Pcap(format), head)
        };
        Ok(Reader { source, head, kind, packet: Vec::new(), comment: Vec::new() })
    }

    /// What the file says of itself.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The next packet; none at the file's end.
    ///
    /// # Errors
    /// If the file ends within a packet, or is damaged.
    pub fn record(&mut self) -> Result<Option<Record<'_>>, FileError> {
        self.comment.clear();
        let found = match &mut self.kind {
            Kind::Pcap(format) => format.next(&mut self.source, self.head, &mut self.packet)?,
            Kind::Pcapng(section) => {
                section.next(&mut self.source, &mut self.packet, &mut self.comment)?
            }
        };
        let Some(Found { time, length, link, range }) = found else { return Ok(None) };
        let bytes = self.packet.get(range).unwrap_or_default();
        let packet = Packet { time, length, bytes, link };
        Ok(Some(Record { packet, comment: &self.comment }))
    }
}

/// A packet that was read, and where it stands in the buffer.
struct Found {
    time: Time,
    length: u32,
    link: LinkType,
    range: std::ops::Range<usize>,
}

/// Reads as much as there is; less than asked for only at the end.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
