//! The filter language: `kind = socket and state = close-wait and peer ~ "10.0."`.
//!
//! One language for every command: a filter is read against a table of columns, so that a wrong name, word or unit is
//! an error with its place and the nearest right word, never a filter that matches nothing. `docs/filters.md` is the
//! manual.
//!
//! ```text
//! filter     = any
//! any        = all { ("or" | "||") all }
//! all        = one { ("and" | "&&") one }
//! one        = ("not" | "!") one | "(" any ")" | comparison
//! comparison = COLUMN operator VALUE          operator: = != ~ !~ < <= > >=
//!            | COLUMN ["not"] "in" "(" VALUE { "," VALUE } ")"
//!            | COLUMN VALUE                   the same as COLUMN = VALUE
//!            | COLUMN                         true where the column has a value that is not "no"
//!            | WORD                           a word of one column only: socket, close-wait
//! ```
//!
//! `~` searches for a regular expression. `!=`, `!~` and `not in` are true wherever `=`, `~` and `in` are not, also
//! where there is no value.

mod expr;
mod lexer;
mod literal;
mod operand;
mod parse;

pub use expr::{Expr, Op};
pub use operand::{AddressPattern, Operand, Pattern};

use crate::column::Columns;
use crate::mistake::Mistake;

/// Reads a filter.
///
/// # Errors
/// With the place of the first mistake, and what would be right.
pub fn parse<R>(columns: Columns<R>, text: &str) -> Result<Expr<R>, Mistake> {
    parse::Parser::new(columns, text)?.filter()
}
