//! A mistake in something typed: what is wrong, a caret under the place, and the nearest right word.
//!
//! Filters, lists of columns and sort orders all report through here, so that every wrong word looks the same.

use std::fmt;
use std::ops::Range;

use fdscope_model::name::escape;

use crate::piece::width;

/// What was typed wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// All that was typed.
    pub text: String,
    /// The bytes of it that are wrong; empty at the end for something missing.
    pub at: Range<usize>,
    /// What is wrong: a sentence fragment.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake without help.
    pub fn new(text: &str, at: Range<usize>, what: impl Into<String>) -> Self {
        Mistake { text: text.to_owned(), at, what: what.into(), help: None }
    }

    /// The same, with what would be right.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Mistake { help: Some(help.into()), ..self }
    }

    /// The same, with the word of `words` that was probably meant, if one comes near.
    #[must_use]
    pub fn did_you_mean<'a>(self, wrong: &str, words: impl Iterator<Item = &'a str>) -> Self {
        match nearest(wrong, words) {
            Some(word) => self.help(format!("did you mean {word}?")),
            None => self,
        }
    }
}

/// Four lines at most: what is wrong, what was typed, the caret, the help.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = |range: Range<usize>| escape(self.text.as_bytes().get(range).unwrap_or(b""));
        let start = self.at.start.min(self.text.len());
        let end = self.at.end.clamp(start, self.text.len());
        let carets = width(&piece(start..end)).max(1);
        let indent = width(&piece(0..start));
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {}", escape(self.text.as_bytes()))?;
        write!(f, "  {:indent$}{}", "", "^".repeat(carets))?;
        self.help.iter().try_for_each(|help| write!(f, "\n  {help}"))
    }
}

impl std::error::Error for Mistake {}

/// The word of `words` that `wrong` was probably meant to be: the one with the fewest edits, if these are few; else
/// the only one that begins so.
pub fn nearest<'a>(wrong: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are not meant for anything in a table.
    const LONGEST: usize = 40;
    if wrong.len() > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let most = (wrong.chars().count() / 3).max(1);
    let words: Vec<&str> = words.collect();
    let edits = words.iter().map(|word| (distance(&wrong, word), *word));
    if let Some((edits, word)) = edits.min_by_key(|(edits, _)| *edits)
        && edits <= most
    {
        return Some(word);
    }
    let mut longer = words.iter().filter(|word| !wrong.is_empty() && word.starts_with(&wrong));
    match (longer.next(), longer.next()) {
        (Some(word), None) => Some(word),
        _ => None,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(from != to)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place_as_printed() {
        let check = |text: &str, at, expected: &str| {
            assert_eq!(Mistake::new(text, at, "wrong").to_string(), expected);
        };
        check("a bc d", 2..4, "wrong\n  a bc d\n    ^^");
        check("a and", 5..5, "wrong\n  a and\n       ^");
        check("\x1b bc", 2..4, "wrong\n  \\x1b bc\n       ^^");
        check("日本 x", 7..8, "wrong\n  日本 x\n       ^");
        check("", 0..0, "wrong\n  \n  ^");
        check("ab", 7..9, "wrong\n  ab\n    ^");
    }

    #[test]
    fn the_nearest_word_is_near_or_none() {
        let words = ["peer", "pid", "kind", "state", "close-wait", "established"];
        let check = |wrong, expected: Option<&str>| {
            assert_eq!(nearest(wrong, words.into_iter()), expected, "{wrong}");
        };
        check("pear", Some("peer"));
        check("STAET", Some("state"));
        check("close_wait", Some("close-wait"));
        check("estab", Some("established"));
        check("p", None);
        check("frobnicate", None);
        check("", None);
    }
}
