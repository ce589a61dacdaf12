//! A page of text: styled pieces, wrapped to a width and painted.
//!
//! Lines break at spaces of running text only. A solid piece (a path, a number with its unit, a command) is never
//! broken or cut: when it alone is wider than the page it runs over, and the terminal wraps it unharmed.

use unicode_width::UnicodeWidthStr;

use crate::charset::Charset;
use crate::style::{ColorChoice, Style};

/// How text is to look, decided by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Columns to fill: the terminal's, or 80 or more for a file. Less than 40 is taken as 40.
    pub width: usize,
    /// Whether to colour.
    pub color: ColorChoice,
    /// Which characters may be used.
    pub charset: Charset,
}

impl Default for Form {
    fn default() -> Self {
        Form { width: 80, color: ColorChoice::Never, charset: Charset::Utf8 }
    }
}

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
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

    /// Columns it takes on one line.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|piece| width(&piece.text)).sum()
    }

    /// Words in order, each with the spaces before it.
    fn words(&self) -> Vec<Word<'_>> {
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
struct Word<'a> {
    gap: usize,
    width: usize,
    parts: Vec<(Style, &'a str)>,
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

/// A page being written.
pub struct Page {
    /// How it looks.
    pub form: Form,
    out: String,
    /// The line being written, as runs of one style.
    runs: Vec<(Style, String)>,
}

impl Page {
    /// An empty page.
    pub fn new(form: Form) -> Self {
        let form = Form { width: form.width.max(40), ..form };
        Page { form, out: String::new(), runs: Vec::new() }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.out
    }

    /// An empty line, unless the page is empty.
    pub fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// One line, not wrapped.
    pub fn line(&mut self, text: &Text) {
        text.words().iter().for_each(|word| self.word(word, word.gap));
        self.end_line();
    }

    /// A paragraph: `text` wrapped to the page, its first line from the left edge, the others from column `hang`.
    pub fn paragraph(&mut self, text: &Text, hang: usize) {
        let mut column = 0;
        for (index, word) in text.words().iter().enumerate() {
            let mut gap = word.gap;
            if index > 0 && column + gap + word.width > self.form.width {
                self.end_line();
                (column, gap) = (0, hang);
            }
            self.word(word, gap);
            column += gap + word.width;
        }
        self.end_line();
    }

    fn word(&mut self, word: &Word<'_>, gap: usize) {
        let mut gap = " ".repeat(gap);
        for &(style, text) in &word.parts {
            // Names are ASCII by now if they must be: what is left are fdscope's own "µs" and the like.
            let plain = match self.form.charset {
                Charset::Ascii if !text.is_ascii() => Some(self.form.charset.sentence(text)),
                _ => None,
            };
            let text = plain.as_deref().unwrap_or(text);
            match self.runs.last_mut() {
                Some((same, run)) if *same == style => run.extend([&gap, text]),
                _ => self.runs.extend([(Style::Plain, gap.clone()), (style, text.to_string())]),
            }
            gap.clear();
        }
    }

    fn end_line(&mut self) {
        for (style, run) in self.runs.drain(..) {
            style.paint(&run, self.form.color, &mut self.out);
        }
        self.out.push('\n');
    }
}

/// `text` in at most `columns`, its middle replaced by an ellipsis. Never for numbers, addresses or descriptors.
pub fn shorten(text: &str, columns: usize, charset: Charset) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mark = if charset == Charset::Utf8 { "…" } else { "..." };
    let room = columns.saturating_sub(width(mark));
    let head = fitting(text.chars(), room.div_ceil(2));
    let tail: String = fitting(text.chars().rev(), room - width(&head)).chars().rev().collect();
    format!("{head}{mark}{tail}")
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

    fn page(width: usize) -> Page {
        Page::new(Form { width, ..Form::default() })
    }

    #[test]
    fn paragraphs_break_at_spaces_and_hang() {
        let mut page = page(40);
        let text = Text::plain("LEAK  ")
            .and(Style::Plain, "the quick brown fox jumps over the lazy dog and on it goes");
        page.paragraph(&text, 6);
        assert_eq!(
            page.finish(),
            "LEAK  the quick brown fox jumps over the\n      lazy dog and on it goes\n"
        );
    }

    #[test]
    fn a_unit_stays_with_its_number() {
        let mut page = page(40);
        page.paragraph(&Text::plain("a sample of the process is taken each 500 ms, always"), 0);
        assert_eq!(page.finish(), "a sample of the process is taken each\n500 ms, always\n");
    }

    #[test]
    fn solid_pieces_stay_whole_even_when_too_wide() {
        let mut page = page(40);
        let path = format!("/a b/{}", "x".repeat(50));
        page.paragraph(&Text::plain("in ").and_solid(Style::Plain, path.clone()), 2);
        assert_eq!(page.finish(), format!("in\n  {path}\n"));
    }

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
        check("日本日本日本", 7, Charset::Utf8, "日…日本");
    }

    #[test]
    fn colour_wraps_pieces_and_no_space() {
        let form = Form { color: ColorChoice::Always, ..Form::default() };
        let mut page = Page::new(form);
        page.line(&Text::default().and(Style::Strong, "a").and(Style::Plain, " b"));
        assert_eq!(page.finish(), "\x1b[1ma\x1b[0m b\n");
    }
}
