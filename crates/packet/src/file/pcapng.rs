//! The new format (draft-ietf-opsawg-pcapng): blocks of sections, interfaces, packets, statistics.

use std::io::Read;

use super::{FileError, Found, Head, MOST, fill};
use crate::Time;
use crate::link::LinkType;

/// The type of a section's header, the same in both byte orders.
pub const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;
const OPTION_COMMENT: u16 = 1;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;
/// The largest block that is read.
const LARGEST: u32 = 16 * 1024 * 1024;
/// More interfaces are nobody's.
const MOST_INTERFACES: usize = 65_536;

/// An interface of a section.
#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snap_length: u32,
    /// Units of its time in a second.
    per_second: u64,
    offset: i64,
}

/// A section: how its numbers stand, and its interfaces.
pub struct Section {
    big: bool,
    interfaces: Vec<Interface>,
    /// How the first interface's packets begin: the others' must too.
    first: Option<LinkType>,
}

impl Section {
    /// Reads up to the first interface, which says how packets begin. The first four bytes are read already.
    pub fn read(source: &mut impl Read) -> Result<(Self, Head), FileError> {
        let mut section = Section { big: false, interfaces: Vec::new(), first: None };
        section.begin(source)?;
        let mut body = Vec::new();
        loop {
            match section.block(source, &mut body)? {
                None => {
                    return Err(FileError::Block(
                        "the capture file has no Interface Description Blocks",
                    ));
                }
                Some(INTERFACE) => {
                    section.learn(&body)?;
                    break;
                }
                Some(PACKET | SIMPLE_PACKET | OLD_PACKET) => {
                    return Err(FileError::Block(
                        "the capture file has a packet block before any Interface Description Blocks",
                    ));
                }
                Some(_) => {}
            }
        }
        let link = section.first.unwrap_or(LinkType::ETHERNET);
        let snap = section.interfaces.first().map_or(0, |interface| interface.snap_length);
        Ok((section, Head { link, snap_length: if snap == 0 { MOST } else { snap } }))
    }

    /// The rest of a section's header, its type being read.
    fn begin(&mut self, source: &mut impl Read) -> Result<(), FileError> {
        let mut start = [0; 8];
        let got = fill(source, &mut start)?;
        if got < start.len() {
            return Err(FileError::ShortHeader { wanted: 12, got: got + 4 });
        }
        let [a, b, c, d, order @ ..] = start;
        self.big = match (u32::from_be_bytes(order), u32::from_le_bytes(order)) {
            (ORDER, _) => true,
            (_, ORDER) => false,
            _ => return Err(FileError::Unknown),
        };
        let length = self.number([a, b, c, d]);
        if !(28..=LARGEST).contains(&length) || !length.is_multiple_of(4) {
            return Err(FileError::Block("the section header block has an impossible length"));
        }
        let mut rest = vec![0; length as usize - 12];
        let got = fill(source, &mut rest)?;
        if got < rest.len() {
            return Err(FileError::ShortHeader { wanted: length as usize, got: got + 12 });
        }
        let (major, minor) = (self.u16(&rest, 0), self.u16(&rest, 2));
        if major != 1 {
            return Err(FileError::Version { major, minor });
        }
        self.interfaces.clear();
        Ok(())
    }

    /// The next block's type, and its body; none at the end.
    fn block(
        &mut self,
        source: &mut impl Read,
        body: &mut Vec<u8>,
    ) -> Result<Option<u32>, FileError> {
        loop {
            let mut kind = [0; 4];
            match fill(source, &mut kind)? {
                0 => return Ok(None),
                4 => {}
                got => return Err(FileError::ShortRecord { wanted: 8, got }),
            }
            if kind == MAGIC {
                self.begin(source)?;
                continue;
            }
            let mut length = [0; 4];
            let got = fill(source, &mut length)?;
            if got < 4 {
                return Err(FileError::ShortRecord { wanted: 8, got: got + 4 });
            }
            let length = self.number(length);
            if !(12..=LARGEST).contains(&length) || !length.is_multiple_of(4) {
                return Err(FileError::Block("a block has an impossible length"));
            }
            let wanted = length as usize - 8;
            body.clear();
            let got = source.by_ref().take(wanted as u64).read_to_end(body)?;
            if got < wanted {
                return Err(FileError::ShortPacket { wanted, got });
            }
            if self.u32(body, wanted - 4) != length {
                return Err(FileError::Block("a block's lengths at its ends differ"));
            }
            body.truncate(wanted - 4);
            return Ok(Some(self.number(kind)));
        }
    }

    pub fn next(
        &mut self,
        source: &mut impl Read,
        body: &mut Vec<u8>,
        comment: &mut Vec<u8>,
    ) -> Result<Option<Found>, FileError> {
        loop {
            let Some(kind) = self.block(source, body)? else { return Ok(None) };
            match kind {
                INTERFACE => self.learn(body)?,
                PACKET | OLD_PACKET => return self.packet(kind, body, comment).map(Some),
                SIMPLE_PACKET => return self.simple(body).map(Some),
                _ => {}
            }
        }
    }

    fn learn(&mut self, body: &[u8]) -> Result<(), FileError> {
        if body.len() < 8 {
            return Err(FileError::Block("an interface description block is too short"));
        }
        if self.interfaces.len() >= MOST_INTERFACES {
            return Err(FileError::Block("there are more interfaces than can be"));
        }
        let link = LinkType::of_file(self.u16(body, 0).into());
        let first = *self.first.get_or_insert(link);
        if first != link {
            return Err(FileError::Mixed { first: first.0, now: link.0 });
        }
        let mut interface =
            Interface { link, snap_length: self.u32(body, 4), per_second: 1_000_000, offset: 0 };
        let options = body.get(8..).unwrap_or_default();
        self.options(options, |code, value| match (code, value) {
            (OPTION_RESOLUTION, [resolution, ..]) => interface.per_second = units(*resolution),
            (OPTION_OFFSET, value) if value.len() >= 8 => {
                let (high, low) = (self.u32(value, 0), self.u32(value, 4));
                let (first, second) = if self.big { (high, low) } else { (low, high) };
                interface.offset = (u64::from(first) << 32 | u64::from(second)) as i64;
            }
            _ => {}
        });
        self.interfaces.push(interface);
        Ok(())
    }

    fn packet(&self, kind: u32, body: &[u8], comment: &mut Vec<u8>) -> Result<Found, FileError> {
        if body.len() < 20 {
            return Err(FileError::Block("a packet block is too short"));
        }
        let index = if kind == PACKET { self.u32(body, 0) } else { self.u16(body, 0).into() };
        let interface = self.interface(index as usize)?;
        let ticks = u64::from(self.u32(body, 4)) << 32 | u64::from(self.u32(body, 8));
        let (kept, length) = (self.u32(body, 12), self.u32(body, 16));
        let end = 20 + kept as usize;
        if kept > MOST {
            return Err(FileError::TooLong { length: kept, most: MOST });
        }
        if end > body.len() {
            return Err(FileError::Block("a packet block is shorter than its packet"));
        }
        let options = body.get(end.next_multiple_of(4)..).unwrap_or_default();
        self.options(options, |code, value| {
            if code == OPTION_COMMENT {
                if !comment.is_empty() {
                    comment.push(b'\n');
                }
                comment.extend_from_slice(value);
            }
        });
        Ok(Found { time: interface.time(ticks), length, link: interface.link, range: 20..end })
    }

    fn simple(&self, body: &[u8]) -> Result<Found, FileError> {
        let interface = self.interface(0)?;
        let length = self.u32(body, 0);
        let snap = if interface.snap_length == 0 { MOST } else { interface.snap_length };
        let kept = length.min(snap).min(MOST) as usize;
        if body.len() < 4 + kept {
            return Err(FileError::Block("a packet block is shorter than its packet"));
        }
        Ok(Found { time: Time::default(), length, link: interface.link, range: 4..4 + kept })
    }

    fn interface(&self, index: usize) -> Result<Interface, FileError> {
        let missing = FileError::Block("a packet is of an interface that was not described");
        self.interfaces.get(index).copied().ok_or(missing)
    }

    fn options<'a>(&self, bytes: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) {
        let mut rest = bytes;
        while rest.len() >= 4 {
            let (code, length) = (self.u16(rest, 0), usize::from(self.u16(rest, 2)));
            let Some(value) = rest.get(4..4 + length) else { return };
            if code == 0 {
                return;
            }
            each(code, value);
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        self.number(
            bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default(),
        )
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        let pair = bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        if self.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }
}

impl Interface {
    fn time(self, ticks: u64) -> Time {
        let seconds = (ticks / self.per_second) as i64;
        let part = u128::from(ticks % self.per_second);
        let nanos = (part * 1_000_000_000 / u128::from(self.per_second)) as u64;
        Time { seconds: seconds.wrapping_add(self.offset), nanos }
    }
}

/// Units in a second: a power of ten, or of two if the first bit is set. What is finer than 64 bits hold is cut.
fn units(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 != 0 { 2 } else { 10 };
    base.checked_pow(exponent).unwrap_or(u64::MAX)
}
