//! Rows looked at again and again: how many each group has, what came to it since the last look, and what went.
//!
//! A row is known again by what its owner says identifies it; one whose columns say something else than before has left
//! one group and come to another. `groups` counts one look alone.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};

use crate::charset::Charset;
use crate::column::Column;
use crate::grouping::{Grouping, Words};
use crate::page::{Form, Page};
use crate::style::Style;
use crate::table::{self, Align, Cell, Keep, Table};
use crate::units::count_of;

/// Groups over several looks.
pub struct Changes<R: 'static, I> {
    by: Grouping<R>,
    groups: Vec<Group>,
    /// Rows of this look.
    now: HashMap<I, Member>,
    /// Those of the last one.
    before: HashMap<I, Member>,
    looks: u64,
    /// Rows that were not there at the last look, and rows that are there no more.
    pub came: Vec<String>,
    /// See `came`: their texts, as they were given.
    pub went: Vec<String>,
    /// How many came since the last look.
    pub came_count: u64,
    /// How many went since the last look.
    pub went_count: u64,
    /// The same since the first look.
    totals: [u64; 2],
    rows: u64,
}

/// A row that is there.
struct Member {
    place: usize,
    /// What is to be said of it when it comes and goes.
    text: Option<Box<str>>,
}

/// Rows with the same cells.
struct Group {
    words: Words,
    count: u64,
    at_first: u64,
    came: u64,
    went: u64,
    /// Since the first look.
    all_came: u64,
    all_went: u64,
}

impl Group {
    fn new(words: Words) -> Self {
        let (count, at_first, came, went, all_came, all_went) = (0, 0, 0, 0, 0, 0);
        Group { words, count, at_first, came, went, all_came, all_went }
    }

    fn grown(&self) -> i64 {
        self.count.cast_signed().wrapping_sub(self.at_first.cast_signed())
    }
}

/// Since when changes are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The last look.
    Last,
    /// The first look.
    First,
}

impl<R, I: Hash + Eq> Changes<R, I> {
    /// Groups by these columns.
    pub fn new(columns: Vec<&'static Column<R>>, charset: Charset) -> Self {
        Changes {
            by: Grouping::new(columns, charset),
            groups: Vec::new(),
            now: HashMap::new(),
            before: HashMap::new(),
            looks: 0,
            came: Vec::new(),
            went: Vec::new(),
            came_count: 0,
            went_count: 0,
            totals: [0, 0],
            rows: 0,
        }
    }

    /// Begins another look.
    pub fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
        for group in &mut self.groups {
            (group.count, group.came, group.went) = (0, 0, 0);
        }
        self.came.clear();
        self.went.clear();
        (self.came_count, self.went_count, self.rows) = (0, 0, 0);
    }

    /// Takes a row; `text` is what is said of it in `came` and `went`, if anything is.
    pub fn push(&mut self, identity: I, row: &R, text: Option<String>) {
        let place = self.place(row);
        self.rows += 1;
        let group = &mut self.groups[place];
        group.count += 1;
        let before = self.before.remove(&identity);
        let is_first = self.looks == 0;
        match before {
            Some(before) if before.place == place => {}
            Some(before) => {
                group.came += 1;
                self.groups[before.place].went += 1;
            }
            None if is_first => {}
            None => {
                group.came += 1;
                self.came_count += 1;
                self.came.extend(text.clone());
            }
        }
        let text = text.map(String::into_boxed_str);
        self.now.insert(identity, Member { place, text });
    }

    /// Ends the look: what was not seen again went.
    pub fn end(&mut self) {
        let mut gone: Vec<Member> = std::mem::take(&mut self.before).into_values().collect();
        gone.sort_by(|a, b| (a.place, &a.text).cmp(&(b.place, &b.text)));
        for member in gone {
            self.groups[member.place].went += 1;
            self.went_count += 1;
            self.went.extend(member.text.map(String::from));
        }
        for group in &mut self.groups {
            if self.looks == 0 {
                group.at_first = group.count;
            }
            group.all_came += group.came;
            group.all_went += group.went;
        }
        self.looks += 1;
        self.totals[0] += self.came_count;
        self.totals[1] += self.went_count;
    }

    /// Rows of this look.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// True once there was something to compare with.
    pub fn has_changes(&self) -> bool {
        self.looks > 1
    }

    /// How many came and went since the first look.
    pub fn totals(&self) -> [u64; 2] {
        self.totals
    }

    fn place(&mut self, row: &R) -> usize {
        let (place, words) = self.by.place(row);
        self.groups.extend(words.map(Group::new));
        place
    }

    /// Those that have or had rows: what grew most since the first look, then the greatest.
    fn sorted(&self, since: Since) -> Vec<&Group> {
        let shown = |group: &&Group| match since {
            Since::Last => group.count + group.came + group.went > 0,
            Since::First => group.count + group.all_came + group.all_went > 0,
        };
        let mut sorted: Vec<&Group> = self.groups.iter().filter(shown).collect();
        let rank =
            |group: &Group| (std::cmp::Reverse(group.grown()), std::cmp::Reverse(group.count));
        sorted.sort_by_key(|group| rank(group));
        sorted
    }

    /// Writes a table: counts, changes, then the columns; of the groups at most `most`, and how many more there are.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub fn write(
        &self,
        since: Since,
        form: Form,
        most: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut columns = ["COUNT", "GROWN", "NEW", "GONE"].map(table::Column::right).to_vec();
        let last = self.by.columns.len().saturating_sub(1);
        for (index, column) in self.by.columns.iter().enumerate() {
            let plain = match column.align() {
                Align::Right => table::Column::right(column.header),
                Align::Left => table::Column::left(column.header),
            };
            columns.push(if index == last { plain.keep(Keep::Shorten(12)) } else { plain });
        }
        let sorted = self.sorted(since);
        let rows = sorted.iter().take(most).map(|group| self.cells(group, since)).collect();
        let table = Table { columns, rows };
        let mut page = Page::new(form);
        table.lay_out(form.width, form.charset).lines.iter().for_each(|line| page.line(line));
        let mut text = page.finish();
        if let Some(more) = sorted.len().checked_sub(most).filter(|more| *more > 0) {
            let left = sorted.iter().skip(most).map(|group| group.count).sum();
            let groups = count_of(more as u64, "group", "groups");
            let rows = count_of(left, "row", "rows");
            let mut line = String::new();
            Style::Dim.paint(&format!("{groups} more with {rows}"), form.color, &mut line);
            text.push_str(&line);
            text.push('\n');
        }
        out.write_all(text.as_bytes())
    }

    fn cells(&self, group: &Group, since: Since) -> Vec<Cell> {
        let (came, went) = match since {
            Since::Last => (group.came, group.went),
            Since::First => (group.all_came, group.all_went),
        };
        let signed = |number: i64| match number {
            0 => Cell::default(),
            1.. => Cell::styled(Style::Strong, format!("+{number}")),
            _ => Cell::new(number.to_string()),
        };
        let plain = |sign: &str, number: u64| match number {
            0 => Cell::default(),
            number => Cell::new(format!("{sign}{number}")),
        };
        let mut cells = vec![Cell::new(group.count.to_string())];
        cells.extend([signed(group.grown()), plain("+", came), plain("-", went)]);
        cells.extend(group.words.cells.iter().map(Cell::new));
        cells
    }

    /// Appends a list of objects: the columns' keys, `count`, and what changed, `null` at the first look.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, group) in self.sorted(Since::Last).iter().enumerate() {
            out.extend(if index == 0 { &b"{"[..] } else { b",{" });
            out.extend(&group.words.json);
            let (came, went) = match self.has_changes() {
                true => (group.came.to_string(), group.went.to_string()),
                false => ("null".to_owned(), "null".to_owned()),
            };
            let (count, grown) = (group.count, group.grown());
            let rest =
                format!("\"count\":{count},\"grown\":{grown},\"new\":{came},\"gone\":{went}}}");
            out.extend(rest.as_bytes());
        }
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Class, Value};

    static COLUMNS: [Column<(u64, &str)>; 1] =
        [Column::new("state", "STATE", Class::Text, "", |row: &(u64, &str)| {
            Value::text(row.1.as_bytes())
        })];

    fn look(changes: &mut Changes<(u64, &'static str), u64>, rows: &[(u64, &'static str)]) {
        changes.begin();
        for row in rows {
            changes.push(row.0, row, Some(format!("{} {}", row.0, row.1)));
        }
        changes.end();
    }

    fn table(changes: &Changes<(u64, &'static str), u64>, since: Since) -> String {
        let mut out = Vec::new();
        changes.write(since, Form::default(), 9, &mut out).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_came_went_and_moved_is_told_by_group() {
        let mut changes = Changes::new(COLUMNS.iter().collect(), Charset::Utf8);
        look(&mut changes, &[(1, "a"), (2, "a"), (3, "b")]);
        assert_eq!(
            table(&changes, Since::Last),
            "COUNT  GROWN  NEW  GONE  STATE\n    2                    a\n    1                    b\n"
        );
        look(&mut changes, &[(1, "b"), (3, "b"), (4, "b")]);
        assert_eq!(
            table(&changes, Since::Last),
            "COUNT  GROWN  NEW  GONE  STATE\n    3     +2   +2        b\n    0     -2         -2  a\n"
        );
        assert_eq!(
            (&changes.came[..], &changes.went[..]),
            (&["4 b".to_owned()][..], &["2 a".to_owned()][..])
        );
        look(&mut changes, &[(1, "b"), (4, "b")]);
        assert_eq!(
            table(&changes, Since::Last),
            "COUNT  GROWN  NEW  GONE  STATE\n    2     +1         -1  b\n"
        );
        assert_eq!(
            table(&changes, Since::First),
            "COUNT  GROWN  NEW  GONE  STATE\n    2     +1   +2    -1  b\n    0     -2         -2  a\n"
        );
        assert_eq!((changes.totals(), changes.rows()), ([1, 2], 2));
        let mut json = Vec::new();
        changes.write_json(&mut json);
        assert_eq!(json, br#"[{"state":"b","count":2,"grown":1,"new":0,"gone":1}]"#);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut changes = Changes::new(COLUMNS.iter().collect(), Charset::Utf8);
        look(&mut changes, &[(1, "a"), (2, "b"), (3, "b"), (4, "c")]);
        let mut out = Vec::new();
        changes.write(Since::Last, Form::default(), 1, &mut out).expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        assert!(text.ends_with("2 groups more with 2 rows\n"), "{text}");
    }
}
