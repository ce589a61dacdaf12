//! What a terminal can show: names made harmless, and plain letters where UTF-8 would be noise.
//!
//! Everything that came from a target passes through here before it is printed: names as bytes by
//! [`Charset::name`], symbols by [`Charset::symbol`], finished sentences by [`Charset::sentence`].

use fdscope_model::name::{Name, escape};

/// The characters that may be printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Charset {
    /// All of Unicode, as UTF-8.
    #[default]
    Utf8,
    /// ASCII only: a C locale, `TERM=dumb`.
    Ascii,
}

/// Characters of fdscope's own sentences that have an ASCII spelling.
const SPELLINGS: &[(char, &str)] = &[
    ('µ', "u"),
    ('…', "..."),
    ('–', "-"),
    ('—', "-"),
    ('−', "-"),
    ('→', "->"),
    ('↔', "<->"),
    ('×', "x"),
    ('≥', ">="),
    ('≤', "<="),
    ('≈', "~"),
    ('‘', "'"),
    ('’', "'"),
    ('“', "\""),
    ('”', "\""),
    ('·', "-"),
    ('\u{a0}', " "),
];

impl Charset {
    /// A name from the kernel: reversibly escaped, every byte visible.
    pub fn name(self, name: &Name) -> String {
        self.escaped(name.bytes())
    }

    /// A symbol or source path from a target's debug information: escaped like a name.
    pub fn symbol(self, text: &str) -> String {
        self.escaped(text.as_bytes())
    }

    /// A sentence made by fdscope, which may quote names that are escaped already: backslashes stay single.
    pub fn sentence(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match SPELLINGS.iter().find(|(special, _)| *special == c) {
                _ if c == '\\' => out.push(c),
                Some((_, plain)) if self == Charset::Ascii => out.push_str(plain),
                _ => out.push_str(&self.escaped(c.encode_utf8(&mut [0; 4]).as_bytes())),
            }
        }
        out
    }

    fn escaped(self, bytes: &[u8]) -> String {
        let text = escape(bytes);
        if self == Charset::Utf8 || text.is_ascii() {
            return text;
        }
        let mut out = String::with_capacity(text.len() * 2);
        for byte in text.bytes() {
            match byte {
                0..128 => out.push(char::from(byte)),
                _ => out.push_str(&format!("\\x{byte:02x}")),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_ascii_has_only_ascii() {
        let check = |bytes: &[u8], utf8: &str, ascii: &str| {
            assert_eq!(Charset::Utf8.name(&Name::from(bytes)), utf8);
            assert_eq!(Charset::Ascii.name(&Name::from(bytes)), ascii);
        };
        check(b"/etc/passwd", "/etc/passwd", "/etc/passwd");
        check("caf\u{e9}".as_bytes(), "caf\u{e9}", "caf\\xc3\\xa9");
        check(b"\x1b[2J\xff\n", "\\x1b[2J\\xff\\n", "\\x1b[2J\\xff\\n");
        check("…".as_bytes(), "…", "\\xe2\\x80\\xa6");
    }

    #[test]
    fn sentences_keep_escapes_of_names_and_lose_controls() {
        let check = |text: &str, utf8: &str, ascii: &str| {
            assert_eq!(Charset::Utf8.sentence(text), utf8);
            assert_eq!(Charset::Ascii.sentence(text), ascii);
        };
        check("opens a\\x1b", "opens a\\x1b", "opens a\\x1b");
        check("1.2 µs…", "1.2 µs…", "1.2 us...");
        check("\u{1b}[31m\u{9b}", "\\x1b[31m\\xc2\\x9b", "\\x1b[31m\\xc2\\x9b");
        check("π", "π", "\\xcf\\x80");
    }
}
