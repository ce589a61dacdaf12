//! Columns: a table of what can be told of a row, generic over the row.
//!
//! One table serves everything a command does with its rows: what is shown, filters, sorting, grouping, JSON keys,
//! `--list-columns`, and what has to be read at all. `handles` has the table of `fdscope ls`.

mod choose;
mod json;
mod value;

pub use choose::{Order, choose, find, sort_order};
pub use json::{write_json, write_object, write_value};
pub use value::{Class, Value, Vocabulary};

use crate::charset::Charset;
use crate::table::{Align, Keep};

/// What has to be read for a column, as bits whose meaning the table's owner gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs(pub u16);

impl Needs {
    /// Nothing that is not read anyway.
    pub const NONE: Needs = Needs(0);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    /// True if all of `other` is among them.
    pub fn has(self, other: Needs) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How a cell is printed where its value alone does not say it: `7u` for descriptor 7, `cwd` where there is none.
pub type Show<R> = fn(&R, Charset, &mut String);

/// A column of rows of type `R`.
pub struct Column<R: 'static> {
    /// The name typed in filters and lists.
    pub name: &'static str,
    /// Other names that people know it by.
    pub aliases: &'static [&'static str],
    /// The heading.
    pub header: &'static str,
    /// The key in JSON, with its unit.
    pub key: &'static str,
    /// What it says: a sentence fragment.
    pub help: &'static str,
    /// What its cells are.
    pub class: Class,
    /// What has to be read for it.
    pub needs: Needs,
    /// Whether it gives way in a narrow table.
    pub keep: Keep,
    /// The value of a row.
    pub get: for<'a> fn(&'a R) -> Value<'a>,
    /// How it is printed, where differently.
    pub show: Option<Show<R>>,
    /// How it is written as JSON, where differently: one value appended.
    pub json: Option<fn(&R, &mut Vec<u8>)>,
}

impl<R> Column<R> {
    /// A column that stays, needs nothing, and whose key in JSON is its name.
    pub const fn new(
        name: &'static str,
        header: &'static str,
        class: Class,
        help: &'static str,
        get: for<'a> fn(&'a R) -> Value<'a>,
    ) -> Self {
        Column {
            name,
            aliases: &[],
            header,
            key: name,
            help,
            class,
            needs: Needs::NONE,
            keep: Keep::Always,
            get,
            show: None,
            json: None,
        }
    }

    /// The same, known by other names too.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Column { aliases, ..self }
    }

    /// The same, with this key in JSON.
    #[must_use]
    pub const fn key(self, key: &'static str) -> Self {
        Column { key, ..self }
    }

    /// The same, needing this.
    #[must_use]
    pub const fn needs(self, needs: Needs) -> Self {
        Column { needs, ..self }
    }

    /// The same, giving way in a narrow table; the highest number goes first.
    #[must_use]
    pub const fn drop(self, rank: u8) -> Self {
        Column { keep: Keep::Drop(rank), ..self }
    }

    /// The same, printed in a way of its own.
    #[must_use]
    pub const fn show(self, show: Show<R>) -> Self {
        Column { show: Some(show), ..self }
    }

    /// The same, written as JSON in a way of its own.
    #[must_use]
    pub const fn json(self, json: fn(&R, &mut Vec<u8>)) -> Self {
        Column { json: Some(json), ..self }
    }

    /// To which side its cells go.
    pub fn align(&self) -> Align {
        if self.class.is_measured() { Align::Right } else { Align::Left }
    }

    /// Every name it can be typed by.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<R> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Appends the cell of a row.
    pub fn print(&self, row: &R, charset: Charset, out: &mut String) {
        match self.show {
            Some(show) => show(row, charset, out),
            None => (self.get)(row).print(charset, out),
        }
    }
}

impl<R> std::fmt::Debug for Column<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Column({})", self.name)
    }
}

impl<R> PartialEq for Column<R> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A table of columns.
pub struct Columns<R: 'static> {
    /// Its rows.
    pub all: &'static [Column<R>],
    /// Words that people will try and that no column can answer, each with a sentence that says why and what else.
    pub absent: &'static [(&'static str, &'static str)],
}

impl<R> Clone for Columns<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Columns<R> {}

impl<R> Columns<R> {
    /// The column of this name.
    pub fn get(self, name: &str) -> Option<&'static Column<R>> {
        let is = |known: &'static str| known.eq_ignore_ascii_case(name);
        self.all.iter().find(|column| column.names().any(is))
    }

    /// Names of all columns, aliases not included.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|column| column.name)
    }

    /// Why no column can answer `word`, if people are known to try it.
    pub fn absent(self, word: &str) -> Option<&'static str> {
        let row = self.absent.iter().find(|(absent, _)| absent.eq_ignore_ascii_case(word));
        row.map(|(_, why)| *why)
    }
}
