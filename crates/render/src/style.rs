//! Colours as one small table: what a piece of text is decides how it looks, never the place that prints it.

use fdscope_model::verdict::Level;

/// Whether to colour. The caller decides, from `--color`, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM` and the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ColorChoice {
    /// No escape sequence at all.
    #[default]
    Never,
    /// SGR sequences of the 16 colours that every terminal's theme defines.
    Always,
}

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    /// Running text.
    #[default]
    Plain,
    /// A heading, or the word a line is about.
    Strong,
    /// The level word of a leak.
    Leak,
    /// The level word of a suspect.
    Suspect,
    /// The level word of a verdict that has to wait.
    Wait,
    /// Something that is in order.
    Good,
    /// The site: the function and line to read first.
    Site,
    /// A label at the left.
    Label,
    /// Plumbing, and what only completes the picture.
    Dim,
    /// The curve of a site.
    Curve,
}

/// SGR parameters of each style, in the order of declaration; empty for none.
const SGR: [&str; 10] = ["", "1", "1;31", "1;33", "36", "32", "1;36", "2", "2", "33"];

impl Style {
    /// The style of a level's word.
    pub fn of(level: Level) -> Style {
        match level {
            Level::Leak => Style::Leak,
            Level::Suspect => Style::Suspect,
            Level::TooSoon => Style::Wait,
            Level::Bounded | Level::Steady => Style::Good,
        }
    }

    /// Appends `text` to `out` in this style.
    pub fn paint(self, text: &str, color: ColorChoice, out: &mut String) {
        let sgr = SGR[self as usize];
        if color == ColorChoice::Never || sgr.is_empty() || text.is_empty() {
            return out.push_str(text);
        }
        out.push_str("\x1b[");
        out.push_str(sgr);
        out.push('m');
        out.push_str(text);
        out.push_str("\x1b[0m");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_given_only_when_told_and_always_taken_back() {
        let check = |style: Style, color, expected: &str| {
            let mut out = String::new();
            style.paint("x", color, &mut out);
            assert_eq!(out, expected);
        };
        check(Style::Leak, ColorChoice::Never, "x");
        check(Style::Leak, ColorChoice::Always, "\x1b[1;31mx\x1b[0m");
        check(Style::Plain, ColorChoice::Always, "x");
        check(Style::Curve, ColorChoice::Always, "\x1b[33mx\x1b[0m");
    }
}
