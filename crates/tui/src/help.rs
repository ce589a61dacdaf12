//! The page of keys, and the word for those whose terminal is too small.

use fdscope_render::style::Style;
use ratatui_core::layout::Rect;

use crate::key::{BINDINGS, On};
use crate::pen::Pen;

/// Fewer columns or rows than this show nothing that could be read.
const LEAST: (u16, u16) = (60, 16);

/// Draws the help over the middle of `area`.
pub(crate) fn draw(pen: &mut Pen<'_>, area: Rect, allowed: impl Fn(On) -> bool, notes: &[String]) {
    let rows: Vec<_> =
        BINDINGS.iter().filter(|row| allowed(row.on) && !row.shown.is_empty()).collect();
    let height = (rows.len() + 4 + notes.len()) as u16;
    let width = 64.min(area.width);
    let height = height.min(area.height);
    let inner = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    pen.clear(inner);
    let rule = pen.either("─", "-").repeat(width.into());
    pen.put(inner, 0, 0, Style::Dim, &rule);
    pen.put(inner, 0, 2, Style::Strong, " Keys ");
    let mut line = 1;
    for row in rows {
        pen.put(inner, line, 3, Style::Strong, row.shown);
        pen.put(inner, line, 15, Style::Plain, row.what);
        line += 1;
    }
    pen.put(inner, line, 3, Style::Strong, "mouse");
    pen.put(inner, line, 15, Style::Plain, "click selects, again opens; Shift: mark and copy");
    for note in notes {
        line += 1;
        pen.put(inner, line + 1, 3, Style::Dim, note);
    }
    pen.put(inner, height.saturating_sub(1), 0, Style::Dim, &rule);
    pen.put(inner, height.saturating_sub(1), 2, Style::Dim, " any key closes this ");
}

/// Says that the terminal is too small, if it is.
pub(crate) fn too_small(pen: &mut Pen<'_>, area: Rect) -> bool {
    if area.width >= LEAST.0 && area.height >= LEAST.1 {
        return false;
    }
    let size = format!("{}x{}", area.width, area.height);
    pen.put(area, 0, 0, Style::Suspect, &format!("{size} is too small:"));
    pen.put(area, 1, 0, Style::Plain, &format!("needs {}x{},", LEAST.0, LEAST.1));
    pen.put(area, 2, 0, Style::Plain, "better 80x24.");
    pen.put(area, 3, 0, Style::Plain, "q leaves");
    true
}
