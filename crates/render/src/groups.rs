//! Rows counted by what some columns say: `--group-by state,peer`.

use std::io::{self, Write};

use crate::charset::Charset;
use crate::column::Column;
use crate::grouping::{Grouping, Words};
use crate::page::Form;
use crate::piece::width;
use crate::style::Style;
use crate::table::Align;

/// Counts of groups.
pub struct Groups<R: 'static> {
    by: Grouping<R>,
    groups: Vec<Group>,
}

/// Rows with the same cells.
struct Group {
    words: Words,
    count: u64,
}

impl<R> Groups<R> {
    /// Groups by these columns.
    pub fn new(columns: Vec<&'static Column<R>>, charset: Charset) -> Self {
        Groups { by: Grouping::new(columns, charset), groups: Vec::new() }
    }

    /// Counts a row.
    pub fn push(&mut self, row: &R) {
        let (place, words) = self.by.place(row);
        self.groups.extend(words.map(|words| Group { words, count: 0 }));
        self.groups[place].count += 1;
    }

    /// The greatest first; equal ones in the order of their first rows.
    fn sorted(&self) -> Vec<&Group> {
        let mut sorted: Vec<&Group> = self.groups.iter().collect();
        sorted.sort_by_key(|group| std::cmp::Reverse(group.count));
        sorted
    }

    /// Writes a table: counts, then the columns; with a heading if it is wanted.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub fn write(&self, form: Form, heading: bool, out: &mut dyn Write) -> io::Result<()> {
        let sorted = self.sorted();
        let widest = sorted.first().map_or(0, |group| group.count.to_string().len()).max(5);
        let widths: Vec<usize> = (0..self.by.columns.len()).map(|at| self.width(at)).collect();
        let headers = self.by.columns.iter().map(|column| column.header.to_owned()).collect();
        let mut line = |count: &str, cells: &Vec<String>| {
            let mut text = format!("{count:>widest$}");
            for (index, (cell, columns)) in cells.iter().zip(&widths).enumerate() {
                let missing = columns.saturating_sub(width(cell));
                let right = self.by.columns[index].align() == Align::Right;
                let (before, after) = if right { (missing, 0) } else { (0, missing) };
                text.push_str(&format!("  {}{cell}{}", " ".repeat(before), " ".repeat(after)));
            }
            let text = text.trim_end();
            let mut painted = String::new();
            let style = if count == "COUNT" { Style::Label } else { Style::Plain };
            style.paint(text, form.color, &mut painted);
            writeln!(out, "{painted}")
        };
        if heading {
            line("COUNT", &headers)?;
        }
        sorted.iter().try_for_each(|group| line(&group.count.to_string(), &group.words.cells))
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.groups.iter().map(|group| width(&group.words.cells[at]));
        cells.chain([self.by.columns[at].header.len()]).max().unwrap_or(0)
    }

    /// Appends a list of objects: the columns' keys, and `count`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, group) in self.sorted().iter().enumerate() {
            out.extend(if index == 0 { &b"{"[..] } else { b",{" });
            out.extend(&group.words.json);
            out.extend(format!("\"count\":{}}}", group.count).as_bytes());
        }
        out.push(b']');
    }
}
