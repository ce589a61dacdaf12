//! The tables of `-c`: how often calls were made, how long they took.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fdscope_syscall::Arch;

/// What the rows are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortBy {
    /// Time, the most first.
    Time,
    /// The shortest call, the longest first.
    Min,
    /// The longest call, the longest first.
    Max,
    /// Time per call, the longest first.
    Average,
    /// Calls, the most first.
    Calls,
    /// Failed calls, the most first.
    Errors,
    /// Name.
    Name,
    /// Number of the call.
    Nothing,
}

impl SortBy {
    /// The order that a word names.
    pub fn read(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"time" | b"time-total" | b"total-time" | b"time-percent" => SortBy::Time,
            b"min-time" | b"shortest" | b"time-min" => SortBy::Min,
            b"max-time" | b"longest" | b"time-max" => SortBy::Max,
            b"avg-time" | b"time-avg" => SortBy::Average,
            b"calls" | b"count" => SortBy::Calls,
            b"errors" | b"error" => SortBy::Errors,
            b"name" | b"syscall" | b"syscall-name" => SortBy::Name,
            b"nothing" | b"none" => SortBy::Nothing,
            _ => return None,
        })
    }
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// Share of the time.
    Percent,
    /// Time in all.
    Total,
    /// The shortest call.
    Min,
    /// The longest call.
    Max,
    /// Time per call.
    Average,
    /// Calls.
    Calls,
    /// Failed calls.
    Errors,
    /// Name.
    Name,
}

impl Column {
    /// The columns shown if nothing is said.
    pub const DEFAULT: [Column; 6] = [
        Column::Percent,
        Column::Total,
        Column::Average,
        Column::Calls,
        Column::Errors,
        Column::Name,
    ];

    /// The column that a word names.
    pub fn read(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"time" | b"time-percent" => Column::Percent,
            b"total-time" | b"time-total" => Column::Total,
            b"min-time" | b"shortest" | b"time-min" => Column::Min,
            b"max-time" | b"longest" | b"time-max" => Column::Max,
            b"avg-time" | b"time-avg" => Column::Average,
            b"calls" | b"count" => Column::Calls,
            b"errors" | b"error" => Column::Errors,
            b"name" | b"syscall" | b"syscall-name" => Column::Name,
            _ => return None,
        })
    }

    fn heading(self) -> (&'static str, usize) {
        match self {
            Column::Percent => ("% time", 6),
            Column::Total => ("seconds", 11),
            Column::Min => ("shortest", 8),
            Column::Max => ("longest", 8),
            Column::Average => ("usecs/call", 11),
            Column::Calls => ("calls", 9),
            Column::Errors => ("errors", 9),
            Column::Name => ("syscall", 16),
        }
    }
}

/// What is known of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// How often it was made.
    pub calls: u64,
    /// How often it failed.
    pub errors: u64,
    /// Time in all.
    pub total_ns: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Row {
    const EMPTY: Row = Row { calls: 0, errors: 0, total_ns: 0, min_ns: u64::MAX, max_ns: 0 };

    fn add(&mut self, other: Row) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.total_ns += other.total_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    fn average_ns(&self) -> u64 {
        self.total_ns.checked_div(self.calls).unwrap_or(0)
    }
}

/// Counts by call.
#[derive(Clone, Default, Debug)]
pub struct Summary {
    rows: BTreeMap<(Arch, u64), (String, Row)>,
}

impl Summary {
    /// Counts a call that returned.
    pub fn count(&mut self, of: (Arch, u64), name: &str, failed: bool, ns: u64) {
        let (_, row) = self.rows.entry(of).or_insert_with(|| (name.to_owned(), Row::EMPTY));
        let errors = u64::from(failed);
        row.add(Row { calls: 1, errors, total_ns: ns, min_ns: ns, max_ns: ns });
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, by interface and number.
    pub fn rows(&self) -> impl Iterator<Item = (Arch, u64, &str, Row)> {
        self.rows.iter().map(|((arch, number), (name, row))| (*arch, *number, name.as_str(), *row))
    }

    /// The tables, one for every interface used.
    pub fn write(&self, out: &mut Vec<u8>, columns: &[Column], sort: SortBy) {
        for arch in Arch::ALL {
            let mut rows: Vec<(&str, Row)> = self
                .rows
                .iter()
                .filter(|((of, _), _)| *of == arch)
                .map(|(_, (name, row))| (name.as_str(), *row))
                .collect();
            if rows.is_empty() {
                continue;
            }
            if arch.is_compat() {
                out.extend_from_slice(b"System call usage summary for 32 bit mode:\n");
            }
            sorted(&mut rows, sort);
            table(out, &rows, columns);
        }
    }
}

fn sorted(rows: &mut [(&str, Row)], sort: SortBy) {
    match sort {
        SortBy::Time => rows.sort_by_key(|(_, row)| Reverse(row.total_ns)),
        SortBy::Min => rows.sort_by_key(|(_, row)| Reverse(row.min_ns)),
        SortBy::Max => rows.sort_by_key(|(_, row)| Reverse(row.max_ns)),
        SortBy::Average => rows.sort_by_key(|(_, row)| Reverse(row.average_ns())),
        SortBy::Calls => rows.sort_by_key(|(_, row)| Reverse(row.calls)),
        SortBy::Errors => rows.sort_by_key(|(_, row)| Reverse(row.errors)),
        SortBy::Name => rows.sort_by(|one, other| one.0.cmp(other.0)),
        SortBy::Nothing => {}
    }
}

fn table(out: &mut Vec<u8>, rows: &[(&str, Row)], columns: &[Column]) {
    let mut all = Row::EMPTY;
    rows.iter().for_each(|(_, row)| all.add(*row));
    let longest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let width = |column: Column| match column {
        Column::Name => column.heading().1.max(longest),
        _ => column.heading().1,
    };
    let line = |out: &mut Vec<u8>, cell: &dyn Fn(Column) -> String| {
        let mut text = String::new();
        for (index, column) in columns.iter().enumerate() {
            let (cell, width) = (cell(*column), width(*column));
            if index > 0 {
                text.push(' ');
            }
            match *column {
                Column::Name if index + 1 == columns.len() => text += &cell,
                Column::Name => text += &format!("{cell:<width$}"),
                _ => text += &format!("{cell:>width$}"),
            }
        }
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    };
    let rule = |column: Column| "-".repeat(column.heading().1);
    line(out, &|column| column.heading().0.to_owned());
    line(out, &rule);
    for (name, row) in rows {
        line(out, &|column| cell(column, name, row, all.total_ns));
    }
    line(out, &rule);
    let whole = |column: Column| match column {
        Column::Percent => "100.00".to_owned(),
        _ => cell(column, "total", &all, all.total_ns),
    };
    line(out, &whole);
}

fn cell(column: Column, name: &str, row: &Row, all_ns: u64) -> String {
    let seconds = |ns: u64| format!("{}.{:06}", ns / 1_000_000_000, ns % 1_000_000_000 / 1000);
    match column {
        Column::Percent if all_ns == 0 => "0.00".to_owned(),
        Column::Percent => format!("{:.2}", row.total_ns as f64 * 100.0 / all_ns as f64),
        Column::Total => seconds(row.total_ns),
        Column::Min => seconds(row.min_ns),
        Column::Max => seconds(row.max_ns),
        Column::Average => (row.average_ns() / 1000).to_string(),
        Column::Calls => row.calls.to_string(),
        Column::Errors if row.errors == 0 => String::new(),
        Column::Errors => row.errors.to_string(),
        Column::Name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Summary {
        let mut summary = Summary::default();
        summary.count((Arch::X86_64, 3), "close", false, 59_000);
        summary.count((Arch::X86_64, 3), "close", false, 63_000);
        summary.count((Arch::X86_64, 21), "access", true, 0);
        summary
    }

    #[test]
    fn the_table_is_straces() {
        let mut out = Vec::new();
        counted().write(&mut out, &Column::DEFAULT, SortBy::Time);
        let expected = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
100.00    0.000122          61         2           close
  0.00    0.000000           0         1         1 access
------ ----------- ----------- --------- --------- ----------------
100.00    0.000122          40         3         1 total
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn columns_and_order_are_chosen() {
        let mut out = Vec::new();
        counted().write(&mut out, &[Column::Name, Column::Calls], SortBy::Name);
        let expected = "\
syscall              calls
---------------- ---------
access                   1
close                    2
---------------- ---------
total                    3
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
