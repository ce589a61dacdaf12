//! Strings in quotes, with C escapes, cut where the style says.

use super::numbers;
use super::pen::Pen;
use super::style::Quote;

/// Paths are read this far (PATH_MAX, and the zero byte is not shown).
const PATH_BYTES: usize = 4095;

/// Appends bytes with C escapes, without quotes around. `also` are further bytes to escape.
pub fn escape(out: &mut Vec<u8>, bytes: &[u8], style: Quote, also: &[u8]) {
    let hex = match style {
        Quote::HexAll => true,
        Quote::HexNonAscii => bytes.iter().any(|b| !printable(*b)),
        Quote::Escapes => false,
    };
    for (n, byte) in bytes.iter().enumerate() {
        let next_is_digit = matches!(bytes.get(n + 1), Some(b'0'..=b'7'));
        match *byte {
            byte if hex || also.contains(&byte) && style != Quote::Escapes => {
                out.extend_from_slice(b"\\x");
                numbers::padded_hex(out, byte.into(), 2);
            }
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x0b => out.extend_from_slice(b"\\v"),
            0x0c => out.extend_from_slice(b"\\f"),
            byte if (b' '..=b'~').contains(&byte) && !also.contains(&byte) => out.push(byte),
            byte => octal_escape(out, byte, next_is_digit),
        }
    }
}

/// Appends bytes in quotes.
pub fn quote(out: &mut Vec<u8>, bytes: &[u8], style: Quote) {
    out.push(b'"');
    escape(out, bytes, style, &[]);
    out.push(b'"');
}

/// Bytes that do not make a string hexadecimal under `-x`.
fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t'..=b'\r')
}

/// `\0`, `\33`, `\377`: as short as can be, unless a digit follows.
fn octal_escape(out: &mut Vec<u8>, byte: u8, next_is_digit: bool) {
    out.push(b'\\');
    if next_is_digit || byte >= 0o100 {
        out.push(b'0' + (byte >> 6));
    }
    if next_is_digit || byte >= 0o10 {
        out.push(b'0' + (byte >> 3 & 7));
    }
    out.push(b'0' + (byte & 7));
}

impl Pen<'_> {
    /// Bytes in quotes.
    pub fn quoted(&mut self, bytes: &[u8]) {
        quote(self.out, bytes, self.style.quote);
    }

    /// A field that holds a string up to its first zero byte.
    pub fn quoted_until_zero(&mut self, bytes: &[u8]) {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        self.quoted(&bytes[..end]);
    }

    /// A path: shown whole.
    pub fn path(&mut self, address: u64) {
        self.string_up_to(address, PATH_BYTES);
    }

    /// A string that ends with a zero byte, as much of it as the style shows.
    pub fn string(&mut self, address: u64) {
        self.string_up_to(address, self.style.strings);
    }

    /// The bytes before the zero byte, at most so many, and whether the zero byte was met.
    pub fn read_string(&self, address: u64, most: usize) -> Option<(Vec<u8>, bool)> {
        if address == 0 {
            return None;
        }
        let mut bytes = Vec::with_capacity(64);
        let mut chunk = [0; 256];
        while bytes.len() <= most {
            let at = self.word(address.wrapping_add(bytes.len() as u64));
            // Up to the end of a page, as the next one may not be there.
            let room = chunk.len().min(4096 - (at % 4096) as usize).min(most + 1 - bytes.len());
            let read = self.memory.read(at, &mut chunk[..room]);
            let got = &chunk[..read];
            if let Some(end) = got.iter().position(|b| *b == 0) {
                bytes.extend_from_slice(&got[..end]);
                return Some((bytes, true));
            }
            bytes.extend_from_slice(got);
            if read < room {
                return None;
            }
        }
        bytes.truncate(most);
        Some((bytes, false))
    }

    /// A string of at most so many bytes, with `...` if there is more.
    pub fn string_up_to(&mut self, address: u64, most: usize) {
        match self.read_string(address, most) {
            Some((bytes, whole)) => {
                self.quoted(&bytes);
                if !whole {
                    self.text("...");
                }
            }
            None => self.address(address),
        }
    }

    /// Data of a known length, as much of it as the style shows.
    pub fn data(&mut self, address: u64, length: u64) {
        self.data_up_to(address, length, self.style.strings as u64);
    }

    /// A path of a known length: shown whole.
    pub fn path_of(&mut self, address: u64, length: u64) {
        self.data_up_to(address, length, PATH_BYTES as u64);
    }

    fn data_up_to(&mut self, address: u64, length: u64, most: u64) {
        if address == 0 {
            return self.address(address);
        }
        let shown = length.min(most).min(1 << 24) as usize;
        let mut bytes = vec![0; shown];
        if self.memory.read(address, &mut bytes) < shown {
            return self.address(address);
        }
        self.quoted(&bytes);
        if length > most {
            self.text("...");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], style: Quote, expected: &str) {
        let mut out = Vec::new();
        quote(&mut out, bytes, style);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn escapes_are_as_short_as_can_be() {
        check(b"a\0b\x001\x1b[0m\xff\"\\", Quote::Escapes, r#""a\0b\0001\33[0m\377\"\\""#);
        check(b"\t\n\x0b\x0c\r", Quote::Escapes, r#""\t\n\v\f\r""#);
    }

    #[test]
    fn hexadecimal_is_all_or_nothing() {
        check(b"ab\n", Quote::HexNonAscii, r#""ab\n""#);
        check(b"a\xff", Quote::HexNonAscii, r#""\x61\xff""#);
        check(b"ab", Quote::HexAll, r#""\x61\x62""#);
    }
}
