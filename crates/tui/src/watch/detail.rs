//! All that is known of one site, on the whole screen: what `fdscope leak` prints of it.

use fdscope_model::verdict::Verdict;
use fdscope_render::page::Form;
use fdscope_render::style::Style;
use fdscope_render::text;
use fdscope_render::{Charset, ColorChoice};
use ratatui_core::layout::Rect;

use super::moment::Moment;
use crate::key::{Input, Key};
use crate::pen::Pen;

/// One site, opened.
pub(super) struct Detail {
    key: u64,
    top: usize,
    /// Lines that had room when it was drawn last, and all of them.
    room: usize,
    lines: usize,
}

impl Detail {
    pub fn new(key: u64) -> Self {
        Detail { key, top: 0, room: 1, lines: 0 }
    }

    /// The site.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Hears what scrolls or closes it: whether it stays. `None` for what is not its business.
    pub fn hear(&mut self, input: Input) -> Option<bool> {
        let page = self.room.saturating_sub(1).max(1).cast_signed();
        let by = match input {
            Input::Wheel { up: true, .. } => -3,
            Input::Wheel { up: false, .. } => 3,
            Input::Click { .. } => return Some(true),
            Input::Key(Key::Up | Key::Char('k')) => -1,
            Input::Key(Key::Down | Key::Char('j')) => 1,
            Input::Key(Key::PageUp) => -page,
            Input::Key(Key::PageDown) => page,
            Input::Key(Key::Home) => isize::MIN / 2,
            Input::Key(Key::End | Key::Char('G')) => isize::MAX / 2,
            Input::Key(Key::Enter | Key::Esc | Key::Char('q') | Key::Backspace) => {
                return Some(false);
            }
            _ => return None,
        };
        let last = self.lines.saturating_sub(self.room);
        self.top = self.top.saturating_add_signed(by).min(last);
        Some(true)
    }

    pub fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, moment: &Moment, verdict: &Verdict) {
        let rule = pen.either("─", "-").repeat(area.width.into());
        pen.put(area, 0, 0, Style::Dim, &rule);
        pen.put(area, 0, 1, Style::Strong, " Site ");
        let (width, charset): (usize, Charset) = (area.width.into(), pen.look.charset);
        let form = Form { width: width.saturating_sub(2), color: ColorChoice::Never, charset };
        let lines = text::verdict(&moment.report, verdict, form);
        self.lines = lines.len();
        self.room = usize::from(area.height.saturating_sub(1));
        self.top = self.top.min(self.lines.saturating_sub(self.room));
        for (row, line) in lines.iter().skip(self.top).take(self.room).enumerate() {
            let pieces = line.iter().map(|(style, text)| (*style, text.as_str()));
            pen.put_all(area, 1 + row as u16, 1, pieces);
        }
        let last = (self.top + self.room).min(self.lines);
        let standing = format!(" lines {} to {last} of {}, Esc closes ", self.top + 1, self.lines);
        pen.put_right(area, 0, 8, Style::Dim, &[&standing]);
    }
}
