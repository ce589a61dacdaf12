//! The old format (draft-ietf-opsawg-pcap): a header, then packets. In either byte order, in µs or ns.

use std::io::Read;

use super::{FileError, Found, Head, MOST, fill};
use crate::Time;
use crate::link::LinkType;

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
const HEADER: usize = 24;
const RECORD: usize = 16;

/// How numbers stand in the file.
pub struct Format {
    big: bool,
    nano: bool,
}

impl Format {
    pub fn read(magic: [u8; 4], source: &mut impl Read) -> Result<(Self, Head), FileError> {
        let (big, little) = (u32::from_be_bytes(magic), u32::from_le_bytes(magic));
        let format = match (big, little) {
            (MICRO, _) => Format { big: true, nano: false },
            (NANO, _) => Format { big: true, nano: true },
            (_, MICRO) => Format { big: false, nano: false },
            (_, NANO) => Format { big: false, nano: true },
            _ => return Err(FileError::Unknown),
        };
        let mut rest = [0; HEADER - 4];
        let got = fill(source, &mut rest)?;
        if got < rest.len() {
            return Err(FileError::ShortHeader { wanted: HEADER, got });
        }
        let versions = format.u32(&rest, 0);
        let [a, b, c, d] = if format.big { versions.to_be_bytes() } else { versions.to_le_bytes() };
        let (major, minor) = if format.big {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        } else {
            (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
        };
        if major != 2 {
            return Err(FileError::Version { major, minor });
        }
        let told = format.u32(&rest, 12);
        // 0 and what is more than 31 bits hold are "all".
        let snap_length = if told == 0 || told > i32::MAX as u32 { MOST } else { told };
        let link = LinkType::of_file(format.u32(&rest, 16));
        Ok((format, Head { link, snap_length }))
    }

    pub fn next(
        &self,
        source: &mut impl Read,
        head: Head,
        packet: &mut Vec<u8>,
    ) -> Result<Option<Found>, FileError> {
        let mut header = [0; RECORD];
        match fill(source, &mut header)? {
            0 => return Ok(None),
            RECORD => {}
            got => return Err(FileError::ShortRecord { wanted: RECORD, got }),
        }
        let fraction = self.u32(&header, 4);
        let nanos = u64::from(fraction) * if self.nano { 1 } else { 1000 };
        let time = Time { seconds: i64::from(self.u32(&header, 0) as i32), nanos };
        let (kept, length) = (self.u32(&header, 8), self.u32(&header, 12));
        if kept > MOST {
            return Err(FileError::TooLong { length: kept, most: MOST });
        }
        let wanted = kept as usize;
        packet.resize(wanted, 0);
        let got = fill(source, packet)?;
        if got < wanted {
            return Err(FileError::ShortPacket { wanted, got });
        }
        // No more is shown than the file says it keeps.
        let end = wanted.min(head.snap_length as usize);
        Ok(Some(Found { time, length, link: head.link, range: 0..end }))
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        if self.big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }
}
