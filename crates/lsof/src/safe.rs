//! Text from outside made printable as lsof does it: `\n`, `^G`, `\x1b`.

use std::io::Write;

/// What may be printed as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// ASCII only: the C locale.
    Ascii,
    /// Printable UTF-8 too.
    Utf8,
}

/// Appends the text; printable characters of several bytes stay whole if the character set has them.
pub(crate) fn push(out: &mut Vec<u8>, text: &[u8], charset: Charset) {
    if text.iter().all(|&b| is_plain(b)) {
        out.extend_from_slice(text);
        return;
    }
    if charset == Charset::Ascii {
        text.iter().for_each(|&b| push_byte(out, b));
        return;
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut utf8 = [0; 4];
            let utf8 = c.encode_utf8(&mut utf8).as_bytes();
            if utf8.len() > 1 && is_printable(c) {
                out.extend_from_slice(utf8);
            } else {
                utf8.iter().for_each(|&b| push_byte(out, b));
            }
        }
        chunk.invalid().iter().for_each(|&b| push_byte(out, b));
    }
}

/// The text in exactly so many columns, cut before an escape that does not fit, padded with blanks. Blanks inside are
/// escaped, so that the column stays one word.
pub(crate) fn push_column(out: &mut Vec<u8>, text: &[u8], width: usize) {
    let mut used = 0;
    for &byte in text {
        let mut piece = Vec::with_capacity(4);
        push_word_byte(&mut piece, byte);
        if used + piece.len() > width {
            break;
        }
        used += piece.len();
        out.extend_from_slice(&piece);
    }
    out.resize(out.len() + width - used, b' ');
}

/// How many columns the text takes as a word. lsof counts two for a byte above 0x7f and prints four.
pub(crate) fn word_width(text: &[u8]) -> usize {
    let width = |&byte: &u8| match byte {
        b' ' => 4,
        byte if is_plain(byte) => 1,
        b'\\' | 0..0x20 | 0x80.. => 2,
        _ => 4,
    };
    text.iter().map(width).sum()
}

fn push_word_byte(out: &mut Vec<u8>, byte: u8) {
    if byte == b' ' { out.extend_from_slice(b"\\x20") } else { push_byte(out, byte) }
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'\\'
}

/// What iswprint(3) would say, but that what reorders or hides text counts as unprintable.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        byte if is_plain(byte) => out.push(byte),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        byte if byte < 0x20 => out.extend_from_slice(&[b'^', byte + 0x40]),
        byte => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_as_lsof_escapes_it() {
        let check = |text: &[u8], charset, expected: &str| {
            let mut out = Vec::new();
            push(&mut out, text, charset);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(b"a b\nc\x1b[2J\\", Charset::Utf8, "a b\\nc^[[2J\\\\");
        check("caf\u{e9}".as_bytes(), Charset::Utf8, "caf\u{e9}");
        check("caf\u{e9}".as_bytes(), Charset::Ascii, "caf\\xc3\\xa9");
        check(b"\xff\x7f", Charset::Utf8, "\\xff\\x7f");
        check("\u{202e}x".as_bytes(), Charset::Utf8, "\\xe2\\x80\\xaex");
    }

    #[test]
    fn a_column_is_one_word_of_a_width() {
        let check = |text: &[u8], width, expected: &str| {
            let mut out = Vec::new();
            push_column(&mut out, text, width);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(b"nginx", 9, "nginx    ");
        check(b"nginx: worker", 9, "nginx:   ");
        check(b"a b", 9, "a\\x20b   ");
        check(b"redis-server", 9, "redis-ser");
        assert_eq!(word_width(b"a b"), 6);
        assert_eq!(word_width(b"\xc3\n"), 4);
    }
}
