//! Frames: records packed together, compressed, with their length before and their checksum behind them.
//!
//! A frame is whole or it is not there: a file cut at any byte ends with its last whole frame.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// The version that is written.
pub const VERSION: u16 = 2;
/// The first bytes. The first is no text, the last but one tells a transfer that translated line ends.
pub(crate) const MAGIC: [u8; 12] = *b"\x89fdscope-r\r\n";
/// Magic and version.
pub(crate) const HEAD: usize = MAGIC.len() + 2;
/// The most bytes of a frame, packed or not.
pub(crate) const MOST: usize = 64 << 20;

/// What a frame's mark says of it.
const PACKED: u8 = 1;
const THINNED: u8 = 2;

/// The first bytes of a recording.
pub(crate) fn head() -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    head
}

/// A frame of these records.
pub(crate) fn pack(records: &[u8], thinned: bool) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 5];
    // Level 3: a fifth larger than level 9 at a fifth of its time.
    let mut packer = DeflateEncoder::new(&mut frame, Compression::new(3));
    packer.write_all(records)?;
    packer.finish()?;
    let length = u32::try_from(frame.len() - 5).map_err(io::Error::other)?;
    let mark = PACKED | if thinned { THINNED } else { 0 };
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4] = mark;
    let checksum = checksum(&frame);
    frame.extend_from_slice(&checksum.to_le_bytes());
    Ok(frame)
}

/// A recording of one frame with these records, whatever they are: for tests and fuzzing of what reads records.
pub fn framed(records: &[u8]) -> Vec<u8> {
    let mut file = head();
    file.extend(pack(records, false).unwrap_or_default());
    file
}

/// What was read where a frame should be.
pub(crate) enum Found {
    /// A frame: its records, its bytes in the file, and whether it was thinned.
    Frame(Vec<u8>, Vec<u8>, bool),
    /// The end of the file.
    End,
    /// The beginning of a frame whose end is missing.
    Cut,
    /// Bytes that are no frame.
    Damaged,
}

/// Reads a frame.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn read(file: &mut impl Read) -> io::Result<Found> {
    let mut frame = Vec::new();
    match file.by_ref().take(5).read_to_end(&mut frame)? {
        0 => return Ok(Found::End),
        5 => {}
        _ => return Ok(Found::Cut),
    }
    let length = frame.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize;
    let mark = frame.get(4).copied().unwrap_or(0);
    if length > MOST || mark & !(PACKED | THINNED) != 0 {
        return Ok(Found::Damaged);
    }
    let wanted = length + 4;
    if file.by_ref().take(wanted as u64).read_to_end(&mut frame)? < wanted {
        return Ok(Found::Cut);
    }
    let (body, tail) = frame.split_at(frame.len() - 4);
    if tail != checksum(body).to_le_bytes() {
        return Ok(Found::Damaged);
    }
    let packed = body.get(5..).unwrap_or_default();
    let records = if mark & PACKED != 0 { unpack(packed) } else { Some(packed.to_vec()) };
    Ok(match records {
        Some(records) => Found::Frame(records, frame, mark & THINNED != 0),
        None => Found::Damaged,
    })
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut records = Vec::new();
    let mut unpacker = DeflateDecoder::new(packed).take(MOST as u64 + 1);
    unpacker.read_to_end(&mut records).ok()?;
    (records.len() <= MOST).then_some(records)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
