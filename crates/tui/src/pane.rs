//! A table that can be walked, searched, filtered and sorted: what every part of a screen is made of.
//!
//! The line that is selected is known by its key, so that it stays selected while lines come, go and change places.

use fdscope_render::piece::Text;
use fdscope_render::style::Style;
use fdscope_render::table::{Cell, Column, Table};
use fdscope_render::units;
use ratatui_core::layout::{Position, Rect};

use crate::pen::Pen;
use crate::rows::{Row, compare};

/// A table with a line selected.
pub(crate) struct Pane {
    /// Its heading.
    pub title: &'static str,
    columns: Vec<Column>,
    /// Headings of columns that are not shown.
    without: Vec<&'static str>,
    rows: Vec<Row>,
    /// The rows that pass the filter, in order.
    shown: Vec<usize>,
    /// The line selected; `None` for the first, whichever that is.
    selected: Option<u64>,
    /// Where among the shown the selected line is.
    place: usize,
    /// The first line on the screen.
    top: usize,
    /// The column sorted by; `None` for the order in which rows are given.
    sort: Option<usize>,
    reversed: bool,
    filter: String,
    search: String,
    /// What stands there while there is no row.
    empty: String,
    /// Where it was drawn last, heading excluded.
    area: Rect,
}

impl Pane {
    pub fn new(title: &'static str, columns: &[Column]) -> Self {
        Pane {
            title,
            columns: columns.to_vec(),
            without: Vec::new(),
            rows: Vec::new(),
            shown: Vec::new(),
            selected: None,
            place: 0,
            top: 0,
            sort: None,
            reversed: false,
            filter: String::new(),
            search: String::new(),
            empty: String::new(),
            area: Rect::ZERO,
        }
    }

    /// Takes the rows of another moment.
    pub fn set(&mut self, rows: Vec<Row>) {
        self.rows = rows;
        self.arrange();
    }

    /// Says why there are no rows.
    pub fn say_empty(&mut self, why: impl Into<String>) {
        self.empty = why.into();
    }

    fn arrange(&mut self) {
        let (without, text) = match self.filter.strip_prefix('!') {
            Some(text) => (true, text.to_lowercase()),
            None => (false, self.filter.to_lowercase()),
        };
        let passes = |row: &Row| text.is_empty() || row.has(&text) != without;
        let Pane { rows, shown, .. } = self;
        shown.clear();
        shown.extend((0..rows.len()).filter(|&index| passes(&rows[index])));
        if let Some(column) = self.sort {
            shown.sort_by(|&a, &b| compare(&rows[a], &rows[b], column));
        }
        if self.reversed {
            shown.reverse();
        }
        let last = self.shown.len().saturating_sub(1);
        let Some(key) = self.selected else {
            self.place = 0;
            return;
        };
        let place = self.shown.iter().position(|&index| self.rows[index].key == key);
        self.go(place.unwrap_or(self.place.min(last)));
    }

    /// Selects the line at a place; the first of all stays the first, whichever that will be.
    fn go(&mut self, place: usize) {
        self.place = place.min(self.shown.len().saturating_sub(1));
        let row = self.shown.get(self.place).and_then(|&index| self.rows.get(index));
        self.selected = row.map(|row| row.key);
    }

    /// The key of the line selected.
    pub fn selected(&self) -> Option<u64> {
        let index = *self.shown.get(self.place)?;
        self.rows.get(index).map(|row| row.key)
    }

    /// Selects the line with this key, if it is shown.
    pub fn select(&mut self, key: u64) {
        let is_it = |index: &usize| self.rows.get(*index).is_some_and(|row| row.key == key);
        if let Some(place) = self.shown.iter().position(is_it) {
            self.go(place);
        }
    }

    /// Moves the selection by lines.
    pub fn step(&mut self, lines: isize) {
        self.go(self.place.saturating_add_signed(lines));
    }

    /// Moves the selection by pages.
    pub fn page(&mut self, pages: isize) {
        self.step(pages * isize::from(self.area.height.saturating_sub(2).max(1).cast_signed()));
    }

    /// Selects the first line, and again whichever is first.
    pub fn first(&mut self) {
        (self.place, self.top, self.selected) = (0, 0, None);
    }

    /// Selects the last line.
    pub fn last(&mut self) {
        self.go(usize::MAX);
    }

    /// Sorts by the next column; after the last, as given.
    pub fn sort_by_next(&mut self) {
        self.sort = match self.sort {
            None => Some(0),
            Some(column) if column + 1 < self.columns.len() => Some(column + 1),
            Some(_) => None,
        };
        self.reversed = false;
        self.arrange();
    }

    /// Turns the order round.
    pub fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.arrange();
    }

    /// The filter's text.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Shows only rows with this text in them, or, after `!`, without.
    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.arrange();
    }

    /// Selects the next line with this text, from the selected one on. False if there is none.
    pub fn find(&mut self, text: &str) -> bool {
        self.search = text.to_lowercase();
        self.find_from(0, 1)
    }

    /// Selects the next line, or the one before, with the text looked for.
    pub fn find_again(&mut self, forward: bool) -> bool {
        if forward { self.find_from(1, 1) } else { self.find_from(self.shown.len().max(1) - 1, -1) }
    }

    fn find_from(&mut self, first: usize, step: isize) -> bool {
        let count = self.shown.len();
        if count == 0 || self.search.is_empty() {
            return false;
        }
        let place = |turn: usize| match step {
            1.. => (self.place + first + turn) % count,
            _ => (self.place + first + count * 2 - turn) % count,
        };
        let has = |place: &usize| {
            let row = self.shown.get(*place).and_then(|&index| self.rows.get(index));
            row.is_some_and(|row| row.has(&self.search))
        };
        let found = (0..count).map(place).find(has);
        if let Some(place) = found {
            self.go(place);
        }
        found.is_some()
    }

    /// How many rows there are, how they are sorted and what is left out: for the heading.
    pub fn standing(&self) -> String {
        let mut parts = Vec::new();
        let column = self.sort.and_then(|column| self.columns.get(column));
        let turned = if self.reversed { ", reversed" } else { "" };
        match column {
            Some(column) => parts.push(format!("by {}{turned}", column.header.to_lowercase())),
            None if self.reversed => parts.push("reversed".to_owned()),
            None => {}
        }
        if !self.filter.is_empty() {
            let all = units::count(self.rows.len() as u64);
            let shown = units::count(self.shown.len() as u64);
            let filter = fdscope_model::name::escape(self.filter.as_bytes());
            parts.push(format!("{shown} of {all} with \"{filter}\""));
        }
        parts.join(", ")
    }

    /// How many rows there are: `1,024`, and `7/1,024` if a filter leaves rows out.
    pub fn count(&self) -> String {
        let all = units::count(self.rows.len() as u64);
        match self.filter.is_empty() {
            true => all,
            false => format!("{}/{all}", units::count(self.shown.len() as u64)),
        }
    }

    /// Has columns give way as these do, and leaves those with these headings out.
    pub fn set_columns(&mut self, columns: Vec<Column>, without: Vec<&'static str>) {
        (self.columns, self.without) = (columns, without);
    }

    /// Draws it; the line selected is marked.
    pub fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, focused: bool) {
        self.area = area;
        if self.shown.is_empty() {
            let why = match self.rows.is_empty() {
                true => self.empty.clone(),
                false => "no line passes the filter".to_owned(),
            };
            pen.put(area, 0, 1, Style::Dim, &why);
            return;
        }
        let cells = |&index: &usize| -> Vec<Cell> {
            self.rows[index].fields.iter().map(|field| field.cell.clone()).collect()
        };
        let mut table =
            Table { columns: self.columns.clone(), rows: self.shown.iter().map(cells).collect() };
        self.without.iter().for_each(|header| table.remove(header));
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        let laid = table.lay_out(inner.width.into(), pen.look.charset);
        let room = usize::from(area.height.saturating_sub(1));
        self.scroll_into(room);
        let sorted = self.sort.and_then(|column| self.columns.get(column));
        let header = laid.lines.first().into_iter().flat_map(Text::pieces);
        let marked = header.map(|(style, text)| match sorted {
            Some(column) if column.header == text => (Style::Wait, text),
            _ => (style, text),
        });
        pen.put_all(inner, 0, 0, marked);
        for (row, line) in laid.lines.iter().skip(1 + self.top).take(room).enumerate() {
            let place = self.top + row;
            let row = 1 + row as u16;
            pen.put_text(inner, row, line);
            if place == self.place {
                pen.paint_row(area, row, pen.look.selected(focused));
            }
        }
    }

    fn scroll_into(&mut self, room: usize) {
        let last = self.shown.len().saturating_sub(room.max(1));
        self.top = self.top.min(last).min(self.place);
        self.top = self.top.max((self.place + 1).saturating_sub(room.max(1)));
    }

    /// True if a place of the screen is in it.
    pub fn is_at(&self, column: u16, row: u16) -> bool {
        self.area.contains(Position { x: column, y: row })
    }

    /// Selects the line at a row of the screen. True if it was selected before.
    pub fn click(&mut self, row: u16) -> bool {
        let Some(line) = row.checked_sub(self.area.y + 1) else { return false };
        let place = self.top + usize::from(line);
        if place >= self.shown.len() {
            return false;
        }
        let before = self.place == place && self.selected.is_some();
        self.go(place);
        before
    }

    /// It is not on the screen.
    pub fn hide(&mut self) {
        self.area = Rect::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Field;

    const COLUMNS: &[Column] = &[Column::left("NAME"), Column::right("OPEN")];

    fn rows(rows: &[(&str, u64)]) -> Vec<Row> {
        let row = |(name, open): &(&str, u64)| {
            Row::new(name, vec![Field::text(Style::Plain, *name), Field::count(*open)])
        };
        rows.iter().map(row).collect()
    }

    fn pane() -> Pane {
        let mut pane = Pane::new("Test", COLUMNS);
        pane.set(rows(&[("beta", 2), ("alpha", 30), ("gamma", 1)]));
        pane
    }

    fn name(pane: &Pane) -> String {
        pane.rows[pane.shown[pane.place]].fields[0].cell.text.clone()
    }

    #[test]
    fn the_selected_line_stays_selected_while_others_come_and_go() {
        let mut pane = pane();
        pane.step(1);
        assert_eq!(name(&pane), "alpha");
        pane.set(rows(&[("new", 9), ("beta", 2), ("gamma", 1), ("alpha", 31)]));
        assert_eq!(name(&pane), "alpha");
        pane.set(rows(&[("new", 9), ("beta", 2)]));
        assert_eq!(name(&pane), "beta");
        pane.set(Vec::new());
        assert_eq!(pane.selected(), None);
    }

    #[test]
    fn the_first_line_is_whichever_is_first() {
        let mut pane = pane();
        pane.set(rows(&[("new", 9), ("beta", 2)]));
        assert_eq!(name(&pane), "new");
        pane.step(1);
        pane.first();
        pane.set(rows(&[("newer", 9), ("new", 9)]));
        assert_eq!(name(&pane), "newer");
    }

    #[test]
    fn sorting_goes_through_the_columns_and_back() {
        let mut pane = pane();
        let mut order = |change: fn(&mut Pane)| -> Vec<String> {
            change(&mut pane);
            pane.first();
            let text = |&index: &usize| pane.rows[index].fields[0].cell.text.clone();
            pane.shown.iter().map(text).collect()
        };
        assert_eq!(order(Pane::sort_by_next), ["alpha", "beta", "gamma"]);
        assert_eq!(order(Pane::sort_by_next), ["alpha", "beta", "gamma"]);
        assert_eq!(order(Pane::reverse), ["gamma", "beta", "alpha"]);
        assert_eq!(order(Pane::sort_by_next), ["beta", "alpha", "gamma"]);
    }

    #[test]
    fn filters_keep_or_leave_out() {
        let mut pane = pane();
        pane.set_filter("A");
        assert_eq!(pane.shown.len(), 3);
        pane.set_filter("lph");
        assert_eq!((pane.shown.len(), name(&pane).as_str()), (1, "alpha"));
        pane.set_filter("!alpha");
        assert_eq!(pane.shown.len(), 2);
        assert_eq!(pane.standing(), "2 of 3 with \"!alpha\"");
        pane.set_filter("");
        assert_eq!(pane.standing(), "");
    }

    #[test]
    fn searching_goes_round_both_ways() {
        let mut pane = pane();
        assert!(pane.find("MM"));
        assert_eq!(name(&pane), "gamma");
        assert!(pane.find("a"));
        assert_eq!(name(&pane), "gamma");
        assert!(pane.find_again(true));
        assert_eq!(name(&pane), "beta");
        assert!(pane.find_again(false));
        assert_eq!(name(&pane), "gamma");
        assert!(pane.find_again(false));
        assert_eq!(name(&pane), "alpha");
        assert!(!pane.find("nowhere"));
        assert_eq!(name(&pane), "alpha");
    }
}
