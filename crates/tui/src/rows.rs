//! Rows of a table with what they are sorted by.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use fdscope_render::style::Style;
use fdscope_render::table::Cell;

/// A cell, and its place among those of its column.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Field {
    pub cell: Cell,
    /// What a column of numbers is sorted by; `None` for a column of words, and where there is no number.
    pub rank: Option<f64>,
}

impl Field {
    /// Words.
    pub fn text(style: Style, text: impl Into<String>) -> Self {
        Field { cell: Cell::styled(style, text), rank: None }
    }

    /// A number, and how it reads.
    pub fn number(style: Style, text: impl Into<String>, rank: f64) -> Self {
        Field { cell: Cell::styled(style, text), rank: Some(rank) }
    }

    /// A count.
    pub fn count(count: u64) -> Self {
        Field::number(Style::Plain, fdscope_render::units::count(count), count as f64)
    }

    /// Nothing.
    pub fn blank() -> Self {
        Field::text(Style::Plain, "")
    }
}

/// A row that can be selected.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    /// By which it is found again among the next rows.
    pub key: u64,
    pub fields: Vec<Field>,
}

impl Row {
    /// A row known by the hash of something that stays.
    pub fn new(identity: impl Hash, fields: Vec<Field>) -> Self {
        Row { key: key_of(identity), fields }
    }

    /// True if one of its cells has `text` (in lower case) in it.
    pub fn has(&self, text: &str) -> bool {
        self.fields.iter().any(|field| field.cell.text.to_lowercase().contains(text))
    }
}

/// A number for something that stays the same from one moment to the next.
pub(crate) fn key_of(identity: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    hasher.finish()
}

/// Numbers from the greatest down, then those without; words upwards.
pub(crate) fn compare(a: &Row, b: &Row, column: usize) -> Ordering {
    let (Some(a), Some(b)) = (a.fields.get(column), b.fields.get(column)) else {
        return Ordering::Equal;
    };
    match (a.rank, b.rank) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cell.text.cmp(&b.cell.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_down_words_up_and_blanks_last() {
        let row = |field| Row::new(0, vec![field]);
        let check = |a, b, expected| assert_eq!(compare(&row(a), &row(b), 0), expected);
        check(Field::count(9), Field::count(10), Ordering::Greater);
        check(Field::count(1), Field::blank(), Ordering::Less);
        check(Field::text(Style::Plain, "a"), Field::text(Style::Dim, "b"), Ordering::Less);
        assert_eq!(compare(&row(Field::count(1)), &row(Field::count(2)), 7), Ordering::Equal);
    }

    #[test]
    fn texts_are_found_in_any_case() {
        let row = Row::new("x", vec![Field::text(Style::Plain, "/Var/Log"), Field::count(1024)]);
        assert!(row.has("/var/l") && row.has("1,024") && !row.has("passwd"));
    }
}
