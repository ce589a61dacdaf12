//! How styles look on the terminal at hand: without colour, in 16, in 256 or in all of them.
//!
//! What a piece of text is says `fdscope-render`'s [`Style`]; here is only what it looks like. Colours keep their
//! distance to both black and white, for nobody tells which of them the background is.

use fdscope_render::Charset;
use fdscope_render::style::Style;
use ratatui_core::style::{Color, Modifier, Style as Paint};

/// How many colours the terminal has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Depth {
    /// None: bold, dim and reversed only.
    #[default]
    Mono,
    /// The 16 of the terminal's theme.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// Red, green and blue of 8 bits each.
    True,
}

/// How a screen is to look, decided by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Its colours.
    pub depth: Depth,
    /// Which characters may be used.
    pub charset: Charset,
}

/// A hue at each depth.
struct Hue {
    sixteen: Color,
    indexed: u8,
    rgb: (u8, u8, u8),
}

const RED: Hue = Hue { sixteen: Color::Red, indexed: 167, rgb: (222, 73, 73) };
const ORANGE: Hue = Hue { sixteen: Color::Yellow, indexed: 172, rgb: (205, 127, 28) };
const GREEN: Hue = Hue { sixteen: Color::Green, indexed: 71, rgb: (76, 159, 80) };
const CYAN: Hue = Hue { sixteen: Color::Cyan, indexed: 37, rgb: (32, 153, 168) };
const BLUE: Hue = Hue { sixteen: Color::Blue, indexed: 68, rgb: (84, 134, 206) };

impl Look {
    fn hue(self, hue: &Hue) -> Paint {
        let (r, g, b) = hue.rgb;
        match self.depth {
            Depth::Mono => Paint::new(),
            Depth::Sixteen => Paint::new().fg(hue.sixteen),
            Depth::Indexed => Paint::new().fg(Color::Indexed(hue.indexed)),
            Depth::True => Paint::new().fg(Color::Rgb(r, g, b)),
        }
    }

    /// How a style looks.
    pub(crate) fn paint(self, style: Style) -> Paint {
        match style {
            Style::Plain => Paint::new(),
            Style::Strong => Paint::new().add_modifier(Modifier::BOLD),
            Style::Leak => self.hue(&RED).add_modifier(Modifier::BOLD),
            Style::Suspect => self.hue(&ORANGE).add_modifier(Modifier::BOLD),
            Style::Wait => self.hue(&CYAN),
            Style::Good => self.hue(&GREEN),
            Style::Site => self.hue(&CYAN).add_modifier(Modifier::BOLD),
            Style::Label | Style::Dim => Paint::new().add_modifier(Modifier::DIM),
            Style::Curve => self.hue(&BLUE),
        }
    }

    /// The line on which the keys act.
    pub(crate) fn selected(self, focused: bool) -> Paint {
        match focused {
            true => Paint::new().add_modifier(Modifier::REVERSED),
            false => Paint::new().add_modifier(Modifier::UNDERLINED),
        }
    }

    /// The bar of a limit of which this share is used: from green to red where there are colours between them.
    pub(crate) fn heat(self, share: f64) -> Paint {
        let share = share.clamp(0.0, 1.0);
        if self.depth != Depth::True {
            return self.hue(match share {
                0.9.. => &RED,
                0.7.. => &ORANGE,
                _ => &GREEN,
            });
        }
        let (from, to, part) = match share {
            0.7.. => (ORANGE.rgb, RED.rgb, (share - 0.7) / 0.3),
            _ => (GREEN.rgb, ORANGE.rgb, share / 0.7),
        };
        let mix =
            |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
        Paint::new().fg(Color::Rgb(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_there_is_none() {
        let look = Look::default();
        for style in [Style::Leak, Style::Suspect, Style::Good, Style::Site, Style::Curve] {
            assert_eq!(look.paint(style).fg, None);
        }
        assert_eq!(look.heat(0.95).fg, None);
    }

    #[test]
    fn heat_goes_from_green_over_orange_to_red() {
        let at = |depth, share| Look { depth, ..Look::default() }.heat(share).fg;
        assert_eq!(at(Depth::Sixteen, 0.1), Some(Color::Green));
        assert_eq!(at(Depth::Sixteen, 0.7), Some(Color::Yellow));
        assert_eq!(at(Depth::Sixteen, 1.5), Some(Color::Red));
        assert_eq!(at(Depth::True, 0.0), Some(Color::Rgb(76, 159, 80)));
        assert_eq!(at(Depth::True, 1.0), Some(Color::Rgb(222, 73, 73)));
        assert_eq!(at(Depth::Sixteen, f64::NAN), Some(Color::Green));
    }
}
