//! /proc/PID/maps (proc_pid_maps(5)). One line at a time: the file can have 65,530 of them and more.

use std::fmt;

use fdscope_model::DeviceId;

use super::lines;
use super::number::{decimal, hex};

/// What a mapping may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Protection {
    /// Readable.
    pub read: bool,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub execute: bool,
    /// Changes are seen by others (`MAP_SHARED`).
    pub shared: bool,
}

impl Protection {
    /// True if it may not be used at all: a guard, or address space kept for later.
    pub fn is_none(self) -> bool {
        !self.read && !self.write && !self.execute
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |on: bool, letter: char| if on { letter } else { '-' };
        let visibility = if self.shared { 's' } else { 'p' };
        write!(
            f,
            "{}{}{}{visibility}",
            letter(self.read, 'r'),
            letter(self.write, 'w'),
            letter(self.execute, 'x')
        )
    }
}

/// One mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Map<'a> {
    /// First address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// What it may be used for.
    pub protection: Protection,
    /// Offset in the file in bytes.
    pub offset: u64,
    /// Device of the file; zero for anonymous memory.
    pub device: DeviceId,
    /// Inode of the file; 0 for anonymous memory.
    pub inode: u64,
    /// Path, `[heap]`, `[anon:NAME]` …, or nothing; a newline in a path stands as `\012`.
    pub path: &'a [u8],
}

impl Map<'_> {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// True for private memory that no file backs and nothing names.
    pub fn is_anonymous(&self) -> bool {
        self.inode == 0 && !self.protection.shared && self.path.is_empty()
    }
}

/// Parses one line; `None` if it is not one.
pub fn parse_map(line: &[u8]) -> Option<Map<'_>> {
    let (range, rest) = split_word(line)?;
    let dash = range.iter().position(|&b| b == b'-')?;
    let (start, end) = (hex(&range[..dash])?, hex(&range[dash + 1..])?);
    let (letters, rest) = split_word(rest)?;
    let &[read, write, execute, shared] = letters else { return None };
    let (offset, rest) = split_word(rest)?;
    let (device, rest) = split_word(rest)?;
    let colon = device.iter().position(|&b| b == b':')?;
    let (major, minor) = (hex(&device[..colon])?, hex(&device[colon + 1..])?);
    let (inode, rest) = split_word(rest).unwrap_or((rest, b""));
    Some(Map {
        start,
        end,
        protection: Protection {
            read: read == b'r',
            write: write == b'w',
            execute: execute == b'x',
            shared: shared == b's',
        },
        offset: hex(offset)?,
        device: DeviceId::new(major.try_into().ok()?, minor.try_into().ok()?),
        inode: decimal(inode)?,
        path: rest.trim_ascii_start(),
    })
    .filter(|map| map.start <= map.end)
}

/// The word before the first blank, and what follows that blank.
fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = text.iter().position(|&b| b == b' ')?;
    Some((&text[..blank], &text[blank + 1..]))
}

/// Hands each mapping of a whole file to `sink`.
pub fn parse_maps<'a>(bytes: &'a [u8], sink: impl FnMut(Map<'a>)) {
    lines(bytes).filter_map(parse_map).for_each(sink);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read() {
        let line = b"7f1c3d000000-7f1c3d021000 rw-s 00001000 fe:01 77                     /tmp/a b";
        let map = parse_map(line).expect("parses");
        assert_eq!((map.start, map.size(), map.offset), (0x7f1c_3d00_0000, 0x21000, 0x1000));
        assert_eq!(map.protection.to_string(), "rw-s");
        assert_eq!(
            (map.device, map.inode, map.path),
            (DeviceId::new(0xfe, 1), 77, &b"/tmp/a b"[..])
        );
    }

    #[test]
    fn anonymous_memory_has_no_name() {
        let map = parse_map(b"1000-2000 ---p 00000000 00:00 0 ").expect("parses");
        assert!(map.is_anonymous() && map.protection.is_none());
        let vdso = b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]";
        assert!(!parse_map(vdso).expect("parses").is_anonymous());
        assert!(parse_map(b"2000-1000 ---p 00000000 00:00 0").is_none());
    }
}
