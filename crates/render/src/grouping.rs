//! Which rows belong together: those of which some columns say the same.

use std::collections::HashMap;

use crate::charset::Charset;
use crate::column::{Column, write_value};

/// Finds the group of a row.
pub(crate) struct Grouping<R: 'static> {
    /// What rows of one group have in common.
    pub(crate) columns: Vec<&'static Column<R>>,
    charset: Charset,
    /// A group's place, by its cells, each ended by a byte that no printed text has.
    places: HashMap<String, usize>,
}

/// What the columns say of a group.
pub(crate) struct Words {
    /// As printed.
    pub(crate) cells: Vec<String>,
    /// The same as JSON, key by key, each followed by a comma.
    pub(crate) json: Vec<u8>,
}

/// Ends a cell in a key: printed text has no control characters.
const END: char = '\u{1f}';

impl<R> Grouping<R> {
    /// Groups by these columns.
    pub(crate) fn new(columns: Vec<&'static Column<R>>, charset: Charset) -> Self {
        Grouping { columns, charset, places: HashMap::new() }
    }

    /// The place of a row's group; with its words if the row is the first of it. Places count from 0.
    pub(crate) fn place(&mut self, row: &R) -> (usize, Option<Words>) {
        let mut key = String::new();
        for column in &self.columns {
            column.print(row, self.charset, &mut key);
            key.push(END);
        }
        if let Some(&place) = self.places.get(&key) {
            return (place, None);
        }
        let mut json = Vec::new();
        for column in &self.columns {
            json.extend(format!("\"{}\":", column.key).as_bytes());
            match column.json {
                Some(write) => write(row, &mut json),
                None => write_value(&(column.get)(row), &mut json),
            }
            json.push(b',');
        }
        let cells = key.split_terminator(END).map(str::to_owned).collect();
        let place = self.places.len();
        self.places.insert(key, place);
        (place, Some(Words { cells, json }))
    }
}
