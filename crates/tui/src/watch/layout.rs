//! Where panes stand: all at once where there is room, else some behind others, whose names stay in sight.

use fdscope_render::style::Style;
use ratatui_core::layout::{Position, Rect};

use super::panes::{PANES, Part};
use crate::pane::Pane;
use crate::pen::Pen;

/// From so many columns and rows on, every pane has a place of its own.
const WIDE: (u16, u16) = (110, 30);

/// A place on the screen with the panes that share it.
pub(super) struct Place {
    pub area: Rect,
    pub members: &'static [Part],
    /// The one on top.
    pub top: Part,
}

/// Which panes are on top, and where headings were drawn.
pub(super) struct Frame {
    left: Part,
    right: Part,
    headings: Vec<(Rect, Part)>,
}

const LEFT: &[Part] = &[Part::Kinds, Part::Sockets, Part::Threads];
const RIGHT: &[Part] = &[Part::Stack, Part::Handles];

impl Default for Frame {
    fn default() -> Self {
        Frame { left: Part::Kinds, right: Part::Stack, headings: Vec::new() }
    }
}

impl Frame {
    /// Puts a pane on top of those it shares its place with.
    pub fn bring_up(&mut self, part: Part) {
        if LEFT.contains(&part) {
            self.left = part;
        }
        if RIGHT.contains(&part) {
            self.right = part;
        }
    }

    /// The places in `body`; one for all if a pane is expanded.
    pub fn place(&self, body: Rect, expanded: Option<Part>) -> Vec<Place> {
        if let Some(part) = expanded {
            return vec![Place { area: body, members: alone(part), top: part }];
        }
        if body.width >= WIDE.0 && body.height >= WIDE.1 {
            return wide(body);
        }
        let (upper, lower) = split_rows(body, body.height * 9 / 20);
        let (left, right) = split_columns(lower, lower.width / 2);
        vec![
            Place { area: upper, members: alone(Part::Sites), top: Part::Sites },
            Place { area: left, members: LEFT, top: self.left },
            Place { area: right, members: RIGHT, top: self.right },
        ]
    }

    pub fn forget_headings(&mut self) {
        self.headings.clear();
    }

    pub fn remember_headings(&mut self, headings: Vec<(Rect, Part)>) {
        self.headings.extend(headings);
    }

    /// The pane whose name stands at a place of the screen.
    pub fn heading_at(&self, column: u16, row: u16) -> Option<Part> {
        let at = Position { x: column, y: row };
        self.headings.iter().find(|(area, _)| area.contains(at)).map(|(_, part)| *part)
    }
}

fn alone(part: Part) -> &'static [Part] {
    static ALL: [Part; PANES] = Part::ALL;
    ALL.get(part as usize).map_or(&[], std::slice::from_ref)
}

fn wide(body: Rect) -> Vec<Place> {
    let (upper, rest) = split_rows(body, body.height / 3);
    let (middle, lower) = split_rows(rest, rest.height / 2);
    let (kinds, rest) = split_columns(middle, middle.width / 3);
    let (sockets, threads) = split_columns(rest, rest.width / 2);
    let (handles, stack) = split_columns(lower, lower.width * 11 / 20);
    let parts = [
        (upper, Part::Sites),
        (kinds, Part::Kinds),
        (sockets, Part::Sockets),
        (threads, Part::Threads),
        (handles, Part::Handles),
        (stack, Part::Stack),
    ];
    parts.into_iter().map(|(area, top)| Place { area, members: alone(top), top }).collect()
}

fn split_rows(area: Rect, first: u16) -> (Rect, Rect) {
    let first = first.min(area.height);
    let rest = Rect { y: area.y + first, height: area.height - first, ..area };
    (Rect { height: first, ..area }, rest)
}

/// With a column between them.
fn split_columns(area: Rect, first: u16) -> (Rect, Rect) {
    let first = first.min(area.width);
    let gap = 1.min(area.width - first);
    let rest = Rect { x: area.x + first + gap, width: area.width - first - gap, ..area };
    (Rect { width: first, ..area }, rest)
}

/// Draws the names of the panes of a place, and how the one on top is sorted and filtered. Answers where names are.
pub(super) fn draw_heading(
    pen: &mut Pen<'_>,
    place: &Place,
    panes: &[Pane; PANES],
    focus: Part,
) -> Vec<(Rect, Part)> {
    let area = place.area;
    let rule = pen.either("─", "-").repeat(area.width.into());
    pen.put(area, 0, 0, Style::Dim, &rule);
    let mut column = 1;
    let mut headings = Vec::new();
    for &part in place.members {
        let pane = &panes[part as usize];
        let name = format!(" {} {} ", pane.title, pane.count());
        let from = column;
        column = match (part == focus, part == place.top) {
            (true, _) => {
                let paint = pen.look.selected(true).patch(pen.look.paint(Style::Strong));
                pen.put_painted(area, 0, column, paint, &name)
            }
            (false, true) => pen.put(area, 0, column, Style::Strong, &name),
            (false, false) => pen.put(area, 0, column, Style::Dim, &name),
        };
        let width = column.min(area.width).saturating_sub(from);
        headings.push((Rect { x: area.x + from, y: area.y, width, height: 1 }, part));
    }
    let standing = panes[place.top as usize].standing();
    if !standing.is_empty() {
        pen.put_right(area, 0, column + 1, Style::Wait, &[&format!(" {standing} ")]);
    }
    headings
}
