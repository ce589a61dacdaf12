//! Column tables: aligned, and narrow enough by leaving out whole columns, never by cutting a number.
//!
//! One column at most may be flexible: its texts are shortened in the middle before any column is dropped. What was
//! dropped is returned, so that the caller can say so.

use crate::charset::Charset;
use crate::piece::{Text, shorten, width};
use crate::style::Style;

/// To which side of its column a cell goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// What may be done to a column when the table is too wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// It stays as it is.
    Always,
    /// It may be left out; the highest number goes first.
    Drop(u8),
    /// It stays, its texts shortened to no fewer columns than this.
    Shorten(usize),
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its heading; the name by which it is said to be left out.
    pub header: &'static str,
    /// Where its cells go.
    pub align: Align,
    /// Whether it can give way.
    pub keep: Keep,
}

impl Column {
    /// A column of text that stays.
    pub const fn left(header: &'static str) -> Self {
        Column { header, align: Align::Left, keep: Keep::Always }
    }

    /// A column of numbers that stays.
    pub const fn right(header: &'static str) -> Self {
        Column { header, align: Align::Right, keep: Keep::Always }
    }

    /// The same column, with another rule.
    pub const fn keep(self, keep: Keep) -> Self {
        Column { keep, ..self }
    }
}

/// A cell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// Its text, without control characters.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// True if it is never shortened, whatever its column allows: numbers, endpoints.
    pub whole: bool,
}

impl Cell {
    /// A plain cell.
    pub fn new(text: impl Into<String>) -> Self {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A cell in a style.
    pub fn styled(style: Style, text: impl Into<String>) -> Self {
        Cell { style, ..Cell::new(text) }
    }
}

/// A table: every row has one cell for each column.
#[derive(Clone, Debug)]
pub struct Table {
    /// The columns, from the left.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A table made to fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaidOut {
    /// The heading and the rows, one line each.
    pub lines: Vec<Text>,
    /// Headings of the columns left out for want of room, from the left.
    pub dropped: Vec<&'static str>,
}

/// Spaces between columns.
pub(crate) const GAP: usize = 2;

impl Table {
    /// Takes out the column with this heading, because it would say the same in every row.
    pub fn remove(&mut self, header: &str) {
        if let Some(index) = self.columns.iter().position(|column| column.header == header) {
            self.columns.remove(index);
            self.rows.iter_mut().filter(|row| index < row.len()).for_each(|row| {
                row.remove(index);
            });
        }
    }

    /// Lines of at most `columns` columns, if leaving out and shortening allow it.
    pub fn lay_out(&self, columns: usize, charset: Charset) -> LaidOut {
        let all = 0..self.columns.len();
        let natural: Vec<usize> = all.clone().map(|index| self.natural_width(index)).collect();
        let least: Vec<usize> = all.map(|index| self.least(index, natural[index])).collect();
        let widths = fit(&self.columns, &natural, &least, columns);
        let dropped = self.columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
        let header = self.columns.iter().map(|column| Cell::styled(Style::Label, column.header));
        let mut lines = vec![self.line(&header.collect::<Vec<_>>(), &widths, charset)];
        lines.extend(self.rows.iter().map(|row| self.line(row, &widths, charset)));
        LaidOut { lines, dropped: dropped.map(|(column, _)| column.header).collect() }
    }

    fn cells(&self, index: usize) -> impl Iterator<Item = &Cell> {
        self.rows.iter().filter_map(move |row| row.get(index))
    }

    fn natural_width(&self, index: usize) -> usize {
        let cells = self.cells(index).map(|cell| width(&cell.text));
        cells.chain([width(self.columns[index].header)]).max().unwrap_or(0)
    }

    /// The least width of a column that stays.
    fn least(&self, index: usize, natural: usize) -> usize {
        let Keep::Shorten(least) = self.columns[index].keep else { return natural };
        let whole = self.cells(index).filter(|cell| cell.whole).map(|cell| width(&cell.text));
        let least = whole.chain([least, width(self.columns[index].header)]).max().unwrap_or(0);
        natural.min(least)
    }

    fn line(&self, row: &[Cell], widths: &[Option<usize>], charset: Charset) -> Text {
        let mut line = Text::default();
        // Where the next column begins, and where the text ends so far.
        let (mut filled, mut written) = (0, 0);
        for (column, (cell, columns)) in self.columns.iter().zip(row.iter().zip(widths)) {
            let Some(columns) = columns else { continue };
            let shown = match column.keep {
                Keep::Shorten(_) if !cell.whole => shorten(&cell.text, *columns, charset),
                _ => cell.text.clone(),
            };
            let taken = width(&shown);
            let missing = columns.saturating_sub(taken);
            let begin = filled + if column.align == Align::Right { missing } else { 0 };
            if begin > written {
                line = line.and(Style::Plain, " ".repeat(begin - written));
            }
            written = written.max(begin) + taken;
            line = line.and_solid(cell.style, shown);
            filled += columns + GAP;
        }
        line
    }
}

/// The width of each column so that a line takes at most `columns`; `None` for those left out.
///
/// The first to go are dropped until the least widths of the rest fit; what is still too much is taken from those that
/// may be narrower than `natural`.
pub(crate) fn fit(
    table: &[Column],
    natural: &[usize],
    least: &[usize],
    columns: usize,
) -> Vec<Option<usize>> {
    let mut shown = vec![true; table.len()];
    let sum = |widths: &[usize], shown: &[bool]| {
        let parts = widths.iter().zip(shown).filter(|(_, shown)| **shown);
        parts.map(|(width, _)| width + GAP).sum::<usize>().saturating_sub(GAP)
    };
    while sum(least, &shown) > columns {
        let rank = |index: &usize| match table[*index].keep {
            Keep::Drop(rank) if shown[*index] => Some(rank),
            _ => None,
        };
        match (0..shown.len()).filter(|index| rank(index).is_some()).max_by_key(rank) {
            Some(index) => shown[index] = false,
            None => break,
        }
    }
    let excess = sum(natural, &shown).saturating_sub(columns);
    let narrowed = |index: usize| natural[index].saturating_sub(excess).max(least[index]);
    (0..table.len()).map(|index| shown[index].then(|| narrowed(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Form, Page};

    const COLUMNS: &[Column] = &[
        Column::right("PID"),
        Column::left("SITE").keep(Keep::Shorten(8)),
        Column::right("OPEN"),
        Column::right("BORN").keep(Keep::Drop(1)),
        Column::left("RULE").keep(Keep::Drop(2)),
    ];

    fn check(columns: usize, expected: &str, dropped: &[&str]) {
        let row = |pid: &str, site: &str, open: &str, born: &str, rule: &str| {
            [pid, site, open, born, rule].map(Cell::new).to_vec()
        };
        let rows = vec![
            row("7", "short", "1", "22", "plateau"),
            row("4194304", "a::rather::long_function", "1,024", "9", "churn"),
        ];
        let laid = Table { columns: COLUMNS.to_vec(), rows }.lay_out(columns, Charset::Utf8);
        let mut page = Page::new(Form::default());
        laid.lines.iter().for_each(|line| page.line(line));
        assert_eq!(page.finish(), expected);
        assert_eq!(laid.dropped, dropped);
    }

    #[test]
    fn wide_enough_shows_everything_aligned() {
        let expected = "    PID  SITE                       OPEN  BORN  RULE\n      \
                        7  short                         1    22  plateau\n\
                        4194304  a::rather::long_function  1,024     9  churn\n";
        check(80, expected, &[]);
    }

    #[test]
    fn texts_are_shortened_before_columns_go() {
        let expected = "    PID  SITE            OPEN  BORN  RULE\n      \
                        7  short              1    22  plateau\n\
                        4194304  a::rat…nction  1,024     9  churn\n";
        check(44, expected, &[]);
    }

    #[test]
    fn columns_go_by_rank_and_are_named() {
        let expected = "    PID  SITE         OPEN\n      7  short           1\n\
                        4194304  a::ra…tion  1,024\n";
        check(26, expected, &["BORN", "RULE"]);
    }

    #[test]
    fn whole_cells_keep_their_width() {
        let peer = Cell { whole: true, ..Cell::new("10.0.0.7:5432") };
        let columns = vec![Column::left("SITE").keep(Keep::Shorten(4)), Column::right("OPEN")];
        let rows =
            vec![vec![peer, Cell::new("7")], vec![Cell::new("a_long_function"), Cell::new("12")]];
        let laid = Table { columns, rows }.lay_out(12, Charset::Utf8);
        let mut page = Page::new(Form::default());
        laid.lines.iter().for_each(|line| page.line(line));
        assert_eq!(
            page.finish(),
            "SITE           OPEN\n10.0.0.7:5432     7\na_long…nction    12\n"
        );
    }

    #[test]
    fn numbers_are_never_cut() {
        let expected = "    PID  SITE       OPEN\n      7  short         1\n\
                        4194304  a::r…ion  1,024\n";
        check(10, expected, &["BORN", "RULE"]);
    }
}
