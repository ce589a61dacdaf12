//! Text that came from the kernel: bytes until printed, escaped when printed.

use std::fmt;

/// A path, `comm` or other name as the kernel gave it. It may hold any byte but NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The name's bytes, unescaped: for comparing and for system calls, never for a terminal.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Name(bytes.into())
    }
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Self {
        Name(bytes.into())
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name(text.as_bytes().into())
    }
}

/// Prints reversibly and harmlessly: printable UTF-8 as it is, a backslash doubled, every other byte as `\xHH`
/// (`\n` and `\t` by their letters). Bidirectional and other format controls count as unprintable.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escape(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", escape(&self.0))
    }
}

/// Escapes bytes for a terminal or a JSON string, reversibly: see the `Display` of [`Name`].
pub fn escape(bytes: &[u8]) -> String {
    // Nearly every name is printable ASCII without a backslash, and a listing has 100,000 of them.
    let plain = bytes.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\');
    if let (true, Ok(text)) = (plain, std::str::from_utf8(bytes)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if is_hazardous(c) => {
                    let mut utf8 = [0; 4];
                    c.encode_utf8(&mut utf8).bytes().for_each(|b| push_hex(&mut out, b));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&b| push_hex(&mut out, b));
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Control characters, and the format characters that can reorder or hide what follows (Unicode TR36).
fn is_hazardous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &str) {
        assert_eq!(escape(input), expected);
    }

    #[test]
    fn hostile_names_are_escaped_reversibly() {
        check(b"/etc/passwd", "/etc/passwd");
        check("/tmp/caf\u{e9}".as_bytes(), "/tmp/caf\u{e9}");
        check(b"\x1b[2J\x07", "\\x1b[2J\\x07");
        check(b"a\nb\tc\\d", "a\\nb\\tc\\\\d");
        check(b"\xff\xfe", "\\xff\\xfe");
        check("\u{202e}gpj".as_bytes(), "\\xe2\\x80\\xaegpj");
    }
}
