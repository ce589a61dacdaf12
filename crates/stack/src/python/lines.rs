//! From a place in a code object to its line: the tables of every format since Python 3.7.
//!
//! The tables come from the target's memory: any bytes are harmless, and give some line or none.

/// How a release writes its tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineFormat {
    /// `co_lnotab` of 3.7 to 3.9 (Objects/lnotab_notes.txt).
    Deltas,
    /// `co_linetable` of 3.10 (PEP 626).
    Ranges,
    /// `co_linetable` since 3.11 (Objects/locations.md).
    Locations,
}

/// The line of the instruction at `offset` bytes in code that begins at line `first`; `None` if the table names none.
///
/// Code that has not begun (a negative offset) is at its first line.
pub fn line(format: LineFormat, table: &[u8], first: u32, offset: i64) -> Option<u32> {
    let found = match format {
        _ if offset < 0 => Some(first.into()),
        LineFormat::Deltas => Some(by_deltas(table, first.into(), offset)),
        LineFormat::Ranges => by_ranges(table, first.into(), offset),
        LineFormat::Locations => by_locations(table, first.into(), offset),
    };
    found.and_then(|line| u32::try_from(line).ok()).filter(|&line| line > 0)
}

/// Pairs of bytes: so many bytes of code, then so many lines more.
fn by_deltas(table: &[u8], first: i64, offset: i64) -> i64 {
    let (mut at, mut line) = (0, first);
    for pair in table.chunks_exact(2) {
        at += i64::from(pair[0]);
        if at > offset {
            break;
        }
        line += i64::from(pair[1].cast_signed());
    }
    line
}

/// Pairs of bytes: the lines more of the next range, and its length; -128 lines more is a range without line.
fn by_ranges(table: &[u8], first: i64, offset: i64) -> Option<i64> {
    let (mut end, mut line) = (0, first);
    for pair in table.chunks_exact(2) {
        let delta = pair[1].cast_signed();
        end += i64::from(pair[0]);
        let has_line = delta != i8::MIN;
        if has_line {
            line += i64::from(delta);
        }
        if offset < end {
            return has_line.then_some(line);
        }
    }
    None
}

/// Entries of one to several bytes, the first with its highest bit set: a form, and a length in code units of two
/// bytes.
fn by_locations(table: &[u8], first: i64, offset: i64) -> Option<i64> {
    let (mut end, mut line) = (0, first);
    let mut bytes = table.iter().copied().peekable();
    while let Some(head) = bytes.next() {
        let form = head >> 3 & 15;
        end += (i64::from(head & 7) + 1) * 2;
        line += match form {
            10..=12 => i64::from(form) - 10,
            13 | 14 => signed(&mut bytes),
            _ => 0,
        };
        if offset < end {
            return (form != 15).then_some(line);
        }
        while bytes.next_if(|byte| byte & 0x80 == 0).is_some() {}
    }
    None
}

/// A number of six bits a byte, least first, with its sign in the lowest bit.
fn signed(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> i64 {
    let (mut value, mut shift) = (0_i64, 0);
    while let Some(byte) = bytes.next_if(|byte| byte & 0x80 == 0) {
        if shift < 60 {
            value |= i64::from(byte & 0x3f) << shift;
        }
        shift += 6;
        if byte & 0x40 == 0 {
            break;
        }
    }
    let size = value >> 1;
    if value & 1 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(format: LineFormat, table: &[u8], expected: &[Option<u32>]) {
        let got: Vec<_> =
            (0..expected.len()).map(|unit| line(format, table, 10, unit as i64 * 2)).collect();
        assert_eq!(got, expected, "{format:?} {table:?}");
    }

    #[test]
    fn deltas() {
        check(LineFormat::Deltas, &[0, 1, 4, 2, 2, 0xff], &[11, 11, 13, 12, 12].map(Some));
    }

    #[test]
    fn ranges() {
        let table = [2, 1, 4, 3, 2, 0x80, 2, 0xff];
        check(LineFormat::Ranges, &table, &[Some(11), Some(14), Some(14), None, Some(13), None]);
    }

    #[test]
    fn locations() {
        // Short, one line on, long by +70 lines, none, no column by -1.
        let table = [0x81, 0x12, 0xd8, 0, 4, 0xf0, 0x4c, 0x02, 0, 1, 1, 0xf8, 0xe8, 3];
        let expected = [Some(10), Some(10), Some(11), Some(81), None, Some(80), None];
        check(LineFormat::Locations, &table, &expected);
    }

    #[test]
    fn code_that_has_not_begun_is_at_its_first_line() {
        assert_eq!(line(LineFormat::Locations, &[], 7, -2), Some(7));
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(
            table: Vec<u8>, first: u32, offset in -10_i64..5000, form in 0..3_usize,
        ) {
            let format = [LineFormat::Deltas, LineFormat::Ranges, LineFormat::Locations][form];
            line(format, &table, first, offset);
        }
    }
}
