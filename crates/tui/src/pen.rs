//! Writing on a buffer: clipped to where it may write, in the styles of `fdscope-render`.

use fdscope_render::piece::{Text, width};
use fdscope_render::style::Style;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style as Paint;

use crate::palette::Look;

/// Writes on a buffer.
pub(crate) struct Pen<'a> {
    pub buffer: &'a mut Buffer,
    pub look: Look,
}

impl Pen<'_> {
    /// Writes `text` at a column of a row of `area`, and answers the column behind it. What has no room is left out.
    pub fn put(&mut self, area: Rect, row: u16, column: u16, style: Style, text: &str) -> u16 {
        let paint = self.look.paint(style);
        self.put_painted(area, row, column, paint, text)
    }

    /// As [`Self::put`], in a look of its own.
    pub fn put_painted(
        &mut self,
        area: Rect,
        row: u16,
        column: u16,
        paint: Paint,
        text: &str,
    ) -> u16 {
        let area = area.intersection(self.buffer.area);
        if row >= area.height || column >= area.width {
            return column.saturating_add(u16::try_from(width(text)).unwrap_or(u16::MAX));
        }
        let (x, y, room) = (area.x + column, area.y + row, area.width - column);
        let (after, _) = self.buffer.set_stringn(x, y, text, room.into(), paint);
        after - area.x
    }

    /// Writes pieces one after the other.
    pub fn put_all<'p>(
        &mut self,
        area: Rect,
        row: u16,
        column: u16,
        pieces: impl IntoIterator<Item = (Style, &'p str)>,
    ) -> u16 {
        let put = |column, (style, text): (Style, &str)| self.put(area, row, column, style, text);
        pieces.into_iter().fold(column, put)
    }

    /// Writes a laid out line.
    pub fn put_text(&mut self, area: Rect, row: u16, text: &Text) {
        self.put_all(area, row, 0, text.pieces());
    }

    /// Writes at the right edge the first text that does not reach what stands before `after`.
    pub fn put_right(&mut self, area: Rect, row: u16, after: u16, style: Style, texts: &[&str]) {
        for text in texts {
            let columns = u16::try_from(width(text)).unwrap_or(u16::MAX);
            if let Some(column) = area.width.checked_sub(columns).filter(|column| *column >= after)
            {
                self.put(area, row, column, style, text);
                return;
            }
        }
    }

    /// Gives a whole row of `area` a look.
    pub fn paint_row(&mut self, area: Rect, row: u16, paint: Paint) {
        if row < area.height {
            let line = Rect { y: area.y + row, height: 1, ..area };
            self.buffer.set_style(line.intersection(self.buffer.area), paint);
        }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// One character for UTF-8, another for ASCII.
    pub fn either(&self, utf8: &'static str, ascii: &'static str) -> &'static str {
        if self.look.charset == fdscope_render::Charset::Utf8 { utf8 } else { ascii }
    }
}
