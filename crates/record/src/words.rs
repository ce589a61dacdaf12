//! Words that the model keeps for ever (`&'static str`: names of calls, reasons), made from bytes of a file.
//!
//! A file may hold any number of them, and what is kept for ever must be bounded: beyond the bound, and for words too
//! long to be one, a word is "other".

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The most words kept, and the longest.
const MOST: usize = 2_048;
const LONGEST: usize = 96;
/// What stands for a word beyond the bounds.
const OTHER: &str = "other";

static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The word itself, kept for ever.
pub(crate) fn keep(word: &str) -> &'static str {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(word) {
        return known;
    }
    if kept.len() >= MOST || word.len() > LONGEST {
        return OTHER;
    }
    let new: &'static str = Box::leak(word.into());
    kept.insert(new);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once_and_a_long_one_never() {
        let (first, second) = (keep("openat2"), keep(&String::from("openat2")));
        assert!(std::ptr::eq(first, second));
        assert_eq!(keep(&"x".repeat(LONGEST + 1)), OTHER);
    }
}
