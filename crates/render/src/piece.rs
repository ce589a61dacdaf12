//! Pieces of styled text: how wide they are, where lines may break in them, and how the long ones are shortened.
//!
//! Lines break at spaces of running text only, and not between a number and its unit. A solid piece (a path, an
//! address, a command) is never broken: when it alone is wider than the page it runs over, and the terminal wraps it
//! unharmed. Painting and wrapping is [`page`](crate::page)'s affair.

use unicode_width::UnicodeWidthStr;

use crate::charset::Charset;
use crate::style::Style;

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    // As nearly all text is. Control characters are in none of it.
    if text.is_ascii() { text.len() } else { text.width() }
}

/// A line's worth or more of styled pieces, without control characters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    style: Style,
    text: String,
    solid: bool,
}

impl Text {
    /// Running text in the plain style.
    pub fn plain(text: impl Into<String>) -> Self {
        Text::default().and(Style::Plain, text)
    }

    /// One solid piece.
    pub fn solid(style: Style, text: impl Into<String>) -> Self {
        Text::default().and_solid(style, text)
    }

    /// Adds running text, which may break at its spaces.
    #[must_use]
    pub fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.pieces.push(Piece { style, text: text.into(), solid: false });
        self
    }

    /// Adds a piece that is never broken.
    #[must_use]
    pub fn and_solid(mut self, style: Style, text: impl Into<String>) -> Self {
        self.pieces.push(Piece { style, text: text.into(), solid: true });
        self
    }

    /// Adds everything of `other`.
    #[must_use]
    pub fn and_text(mut self, other: Text) -> Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Adds spaces until `columns` are filled.
    #[must_use]
    pub fn pad_to(self, columns: usize) -> Self {
        let missing = columns.saturating_sub(self.width());
        self.and(Style::Plain, " ".repeat(missing))
    }

    /// Its pieces in order, for those who paint them themselves.
    pub fn pieces(&self) -> impl Iterator<Item = (Style, &str)> {
        self.pieces.iter().map(|piece| (piece.style, piece.text.as_str()))
    }

    /// The words alone, without styles.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Columns it takes on one line.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|piece| width(&piece.text)).sum()
    }

    /// Words in order, each with the spaces before it.
    pub(crate) fn words(&self) -> Vec<Word<'_>> {
        let mut words: Vec<Word<'_>> = Vec::new();
        let mut gap = 0;
        let mut open = false;
        for piece in &self.pieces {
            let parts: Vec<&str> =
                if piece.solid { vec![&piece.text] } else { piece.text.split(' ').collect() };
            for (index, part) in parts.into_iter().enumerate() {
                if index > 0 {
                    (gap, open) = (gap + 1, false);
                }
                if part.is_empty() {
                    continue;
                }
                match words.last_mut() {
                    Some(word) if open || (gap == 1 && word.takes_unit(part)) => {
                        word.push(gap, piece.style, part);
                    }
                    _ => words.push(Word::new(gap, piece.style, part)),
                }
                (gap, open) = (0, true);
            }
        }
        words
    }
}

/// What stands between two places where a line may break.
pub(crate) struct Word<'a> {
    /// Spaces before it.
    pub gap: usize,
    /// Its columns.
    pub width: usize,
    /// Its parts, painted one by one.
    pub parts: Vec<(Style, &'a str)>,
}

/// Words that stay on the line of the number before them.
const UNITS: &[&str] =
    &["ns", "µs", "us", "ms", "s", "min", "h", "d", "%", "B", "KiB", "MiB", "GiB"];

impl<'a> Word<'a> {
    fn new(gap: usize, style: Style, text: &'a str) -> Self {
        Word { gap, width: width(text), parts: vec![(style, text)] }
    }

    fn push(&mut self, gap: usize, style: Style, text: &'a str) {
        if gap > 0 {
            self.parts.push((Style::Plain, " "));
        }
        self.width += gap + width(text);
        self.parts.push((style, text));
    }

    /// True if this word ends in a number and `next` is its unit.
    fn takes_unit(&self, next: &str) -> bool {
        let number =
            self.parts.last().is_some_and(|(_, text)| text.ends_with(|c: char| c.is_ascii_digit()));
        number && UNITS.contains(&next.trim_end_matches([',', '.', ';', ':', ')']))
    }
}

/// `text` in at most `columns`, its middle replaced by an ellipsis. Never for numbers, addresses or descriptors:
/// of `module+0xoffset` only the module is shortened, and `0xaddress` is left as it is.
pub fn shorten(text: &str, columns: usize, charset: Charset) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let address = text.rfind("0x").filter(|at| is_hexadecimal(&text[at + 2..]));
    if let Some(at) = address.map(|at| at - usize::from(text[..at].ends_with('+'))) {
        let (module, address) = text.split_at(at);
        let room = columns.saturating_sub(address.len()).max(module.len().min(4));
        return shorten(module, room, charset) + address;
    }
    let mark = if charset == Charset::Utf8 { "…" } else { "..." };
    let room = columns.saturating_sub(width(mark));
    let head = fitting(text.chars(), room.div_ceil(2));
    let tail: String = fitting(text.chars().rev(), room - width(&head)).chars().rev().collect();
    format!("{head}{mark}{tail}")
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn fitting(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut out = String::new();
    for c in chars {
        out.push(c);
        if width(&out) > columns {
            out.pop();
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_count_as_shown() {
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(Text::plain("日").pad_to(4).width(), 4);
    }

    #[test]
    fn shortened_text_keeps_both_ends() {
        let check = |text: &str, columns, charset, expected: &str| {
            assert_eq!(shorten(text, columns, charset), expected);
            assert!(width(expected) <= columns);
        };
        check("abcdef", 6, Charset::Utf8, "abcdef");
        check("abcdefgh", 5, Charset::Utf8, "ab…gh");
        check("abcdefghij", 7, Charset::Ascii, "ab...ij");
        check("libvendor.so.1+0x7f3d20", 16, Charset::Utf8, "lib…o.1+0x7f3d20");
        check("日本日本日本", 7, Charset::Utf8, "日…日本");
    }

    #[test]
    fn addresses_are_never_shortened() {
        let check =
            |text: &str, expected: &str| assert_eq!(shorten(text, 8, Charset::Utf8), expected);
        check("0x7f0012345678", "0x7f0012345678");
        check("libvendor.so+0x7f3d2012", "li…o+0x7f3d2012");
    }
}
