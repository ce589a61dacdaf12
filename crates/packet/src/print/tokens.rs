//! Numbers to words, by tables.

use super::line::{Line, put};

/// The word of a number.
pub fn token(table: &[(u32, &'static str)], value: u32) -> Option<&'static str> {
    table.iter().find(|row| row.0 == value).map(|row| row.1)
}

impl Line<'_> {
    /// A number's word, else `before`, the number and `after`.
    pub fn token(
        &mut self,
        table: &[(u32, &'static str)],
        value: u32,
        (before, after): (&str, &str),
    ) {
        match token(table, value) {
            Some(word) => self.text(word),
            None => put!(self, "{before}{value}{after}"),
        }
    }

    /// The words of the bits that are set, with a separator, or `none`.
    pub fn bits(&mut self, table: &[(u32, &'static str)], value: u32, separator: &str) {
        let mut any = false;
        for (bit, word) in table {
            if *bit != 0 && value & bit == *bit {
                if any {
                    self.text(separator);
                }
                self.text(word);
                any = true;
            }
        }
        if !any {
            self.text("none");
        }
    }
}
