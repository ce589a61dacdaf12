//! A page of text: styled pieces, wrapped to a width and painted. What a piece is, and where it may break, says
//! [`piece`](crate::piece); colours are in [`style`](crate::style).

use crate::charset::Charset;
use crate::piece::{Text, Word};
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

/// A line of a page, as runs of one style.
pub type Line = Vec<(Style, String)>;

/// A page being written.
pub struct Page {
    /// How it looks.
    pub form: Form,
    lines: Vec<Line>,
    /// The line being written.
    runs: Line,
}

impl Page {
    /// An empty page.
    pub fn new(form: Form) -> Self {
        let form = Form { width: form.width.max(40), ..form };
        Page { form, lines: Vec::new(), runs: Vec::new() }
    }

    /// What was written.
    pub fn finish(self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            line.iter().for_each(|(style, run)| style.paint(run, self.form.color, &mut out));
            out.push('\n');
        }
        out
    }

    /// What was written, for those who paint it themselves.
    pub fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    /// An empty line, unless the page is empty.
    pub fn gap(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Line::new());
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
        self.lines.push(std::mem::take(&mut self.runs));
    }
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
    fn colour_wraps_pieces_and_no_space() {
        let form = Form { color: ColorChoice::Always, ..Form::default() };
        let mut page = Page::new(form);
        page.line(&Text::default().and(Style::Strong, "a").and(Style::Plain, " b"));
        assert_eq!(page.finish(), "\x1b[1ma\x1b[0m b\n");
    }
}
