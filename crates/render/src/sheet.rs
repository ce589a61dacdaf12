//! A table of very many rows: cells are kept once, as text in one buffer, and their widths decide the layout.
//!
//! The small tables of reports are [`table`]'s: they have styles and shorten texts. Here no cell is ever
//! cut. The last column takes what room is left and runs over, since nothing stands behind it.

use std::io::{self, Write};

use crate::charset::Charset;
use crate::column::{Column, Order, Value};
use crate::page::Form;
use crate::piece::width;
use crate::style::Style;
use crate::table::{self, Align, GAP, Keep, fit};

/// Room that the last column claims before others are left out for it.
const LAST_LEAST: usize = 16;

/// Bytes of text gathered for one write.
const CHUNK: usize = 64 * 1024;

/// A table being filled.
pub struct Sheet<R: 'static> {
    columns: Vec<&'static Column<R>>,
    charset: Charset,
    sort: Option<(&'static Column<R>, Order)>,
    text: String,
    /// Where each row begins in `text`.
    rows: Vec<usize>,
    /// The length of each cell, row by row.
    lengths: Vec<u32>,
    /// The greatest width of each column's cells.
    widths: Vec<usize>,
    /// What each row is sorted by.
    keys: Vec<Value<'static>>,
}

impl<R> Sheet<R> {
    /// An empty table of these columns.
    pub fn new(
        columns: Vec<&'static Column<R>>,
        charset: Charset,
        sort: Option<(&'static Column<R>, Order)>,
    ) -> Self {
        let widths = columns.iter().map(|column| width(column.header)).collect();
        Sheet {
            columns,
            charset,
            sort,
            text: String::new(),
            rows: Vec::new(),
            lengths: Vec::new(),
            widths,
            keys: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &R) {
        self.rows.push(self.text.len());
        for (column, widest) in self.columns.iter().zip(&mut self.widths) {
            let start = self.text.len();
            column.print(row, self.charset, &mut self.text);
            *widest = (*widest).max(width(&self.text[start..]));
            let length = u32::try_from(self.text.len() - start);
            self.lengths.push(length.expect("no cell is as long as 4 GB"));
        }
        if let Some((column, _)) = self.sort {
            self.keys.push((column.get)(row).into_owned());
        }
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True before the first row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the heading, if it is wanted, and the rows, and returns the headings of columns left out for want of room.
    ///
    /// # Errors
    /// If `out` does not take them.
    pub fn write(
        &self,
        form: Form,
        keep: KeepColumns,
        heading: bool,
        out: &mut dyn Write,
    ) -> io::Result<Vec<&'static str>> {
        let widths = self.fitted(form.width, keep);
        let mut text = String::new();
        if heading {
            self.heading(form, &widths, &mut text);
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for row in self.order() {
            cells.clear();
            cells.extend(self.cells(row));
            self.line(&cells, &widths, &mut text);
            if text.len() > CHUNK {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        out.write_all(text.as_bytes())?;
        let left_out = self.columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
        Ok(left_out.map(|(column, _)| column.header).collect())
    }

    fn heading(&self, form: Form, widths: &[Option<usize>], text: &mut String) {
        let headers: Vec<&str> = self.columns.iter().map(|column| column.header).collect();
        let mut line = String::new();
        self.line(&headers, widths, &mut line);
        Style::Label.paint(line.trim_end_matches('\n'), form.color, text);
        text.push('\n');
    }

    fn fitted(&self, columns: usize, keep: KeepColumns) -> Vec<Option<usize>> {
        if keep == KeepColumns::All {
            return self.widths.iter().copied().map(Some).collect();
        }
        let mut natural = self.widths.clone();
        let last = self.columns.len().saturating_sub(1);
        if let Some((column, width)) = self.columns.last().zip(natural.last_mut())
            && column.align() == Align::Left
        {
            *width = (*width).min(LAST_LEAST.max(column.header.len()));
        }
        let of = |(index, column): (usize, &&'static Column<R>)| table::Column {
            header: column.header,
            align: column.align(),
            // What runs over anyway is worth more than what it would make room for.
            keep: if index == last { Keep::Always } else { column.keep },
        };
        let table: Vec<table::Column> = self.columns.iter().enumerate().map(of).collect();
        fit(&table, &natural, &natural, columns)
    }

    /// The numbers of the rows in the order to print.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        match self.sort {
            None => {}
            Some((_, Order::Ascending)) => {
                order.sort_by(|a, b| self.keys[*a].order(&self.keys[*b]));
            }
            // What is missing stays at the end.
            Some((_, Order::Descending)) => {
                order.sort_by(|a, b| self.keys[*a].descending(&self.keys[*b]))
            }
        }
        order
    }

    fn cells(&self, row: usize) -> impl Iterator<Item = &str> {
        let first = row * self.columns.len();
        let lengths = &self.lengths[first..first + self.columns.len()];
        let mut start = self.rows[row];
        lengths.iter().map(move |&length| {
            let end = start + length as usize;
            &self.text[std::mem::replace(&mut start, end)..end]
        })
    }

    fn line(&self, cells: &[&str], widths: &[Option<usize>], out: &mut String) {
        let shown = widths.iter().rposition(Option::is_some);
        for (index, ((cell, room), column)) in
            cells.iter().zip(widths).zip(&self.columns).enumerate()
        {
            let Some(room) = *room else { continue };
            let missing = room.saturating_sub(width(cell));
            let right = column.align() == Align::Right;
            pad(if right { missing } else { 0 }, out);
            out.push_str(cell);
            if Some(index) != shown {
                pad(if right { GAP } else { missing + GAP }, out);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

/// Whether a narrow terminal may lose columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepColumns {
    /// Those that may go are left out where there is no room.
    Fitting,
    /// All stay, whatever the width: for files and pipes, and where they were asked for.
    All,
}

fn pad(columns: usize, out: &mut String) {
    const BLANKS: &str = "                                                                ";
    let mut missing = columns;
    while missing > 0 {
        let part = missing.min(BLANKS.len());
        out.push_str(&BLANKS[..part]);
        missing -= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Class;

    static COLUMNS: [Column<(u64, &str)>; 3] = [
        Column::new("pid", "PID", Class::Number, "", |row| Value::Number(row.0)),
        Column::new("user", "USER", Class::Text, "", |_| Value::Word("www-data")).drop(1),
        Column::new("name", "NAME", Class::Text, "", |row: &(u64, &str)| {
            Value::text(row.1.as_bytes())
        }),
    ];

    fn check(columns: usize, sort: Option<Order>, expected: &str, left_out: &[&str]) {
        let sort = sort.map(|order| (&COLUMNS[0], order));
        let mut sheet = Sheet::new(COLUMNS.iter().collect(), Charset::Utf8, sort);
        for row in [(7, "/a/path/that/is/longer/than/the/page/is"), (4_194_304, "日本"), (12, "")]
        {
            sheet.push(&row);
        }
        let mut out = Vec::new();
        let form = Form { width: columns, ..Form::default() };
        let found =
            sheet.write(form, KeepColumns::Fitting, true, &mut out).expect("a vector takes all");
        assert_eq!(String::from_utf8(out).expect("text"), expected);
        assert_eq!(found, left_out);
    }

    #[test]
    fn rows_are_aligned_and_the_last_column_runs_over() {
        let expected = "    PID  USER      NAME\n      \
                        7  www-data  /a/path/that/is/longer/than/the/page/is\n\
                        4194304  www-data  日本\n     \
                        12  www-data\n";
        check(40, None, expected, &[]);
    }

    #[test]
    fn columns_go_before_anything_is_cut() {
        let expected = "    PID  NAME\n      7  /a/path/that/is/longer/than/the/page/is\n\
                        4194304  日本\n     12\n";
        check(30, None, expected, &["USER"]);
    }

    #[test]
    fn rows_are_sorted_by_value_and_not_by_text() {
        let expected = "    PID  USER      NAME\n4194304  www-data  日本\n     \
                        12  www-data\n      7  www-data  /a/path/that/is/longer/than/the/page/is\n";
        check(80, Some(Order::Descending), expected, &[]);
    }
}
