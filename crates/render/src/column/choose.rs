//! From a list typed after `-o`, `--sort` or `--group-by` to columns.

use std::ops::Range;

use super::{Column, Columns};
use crate::mistake::Mistake;

/// The columns of a list `a,b,c`; or with a leading `+`, `initial` and those of the list behind it. `all` stands for
/// every column. No column comes twice.
///
/// # Errors
/// With the place and the nearest name, for a name that no column has.
pub fn choose<R>(
    columns: Columns<R>,
    initial: &[&'static Column<R>],
    text: &str,
) -> Result<Vec<&'static Column<R>>, Mistake> {
    let added = text.starts_with('+');
    let mut chosen = if added { initial.to_vec() } else { Vec::new() };
    let mut add = |column| {
        if !chosen.contains(&column) {
            chosen.push(column);
        }
    };
    for (word, at) in words(text, usize::from(added)) {
        match word {
            "all" => columns.all.iter().for_each(&mut add),
            word => add(find(columns, text, word, at)?),
        }
    }
    Ok(chosen)
}

/// Which way to sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// The column of `COL`, or of `-COL` for the greatest first.
///
/// # Errors
/// With the place and the nearest name, for a name that no column has.
pub fn sort_order<R>(
    columns: Columns<R>,
    text: &str,
) -> Result<(&'static Column<R>, Order), Mistake> {
    let (name, order) = match text.strip_prefix('-') {
        Some(name) => (name, Order::Descending),
        None => (text.strip_prefix('+').unwrap_or(text), Order::Ascending),
    };
    let column = find(columns, text, name, text.len() - name.len()..text.len())?;
    Ok((column, order))
}

/// The column that `word`, which stands `at` a place of `text`, names.
///
/// # Errors
/// With the nearest name, if none has it.
pub fn find<R>(
    columns: Columns<R>,
    text: &str,
    word: &str,
    at: Range<usize>,
) -> Result<&'static Column<R>, Mistake> {
    columns.get(word).ok_or_else(|| no_column(columns, text, word, at))
}

fn no_column<R>(columns: Columns<R>, text: &str, word: &str, at: Range<usize>) -> Mistake {
    if word.is_empty() {
        return Mistake::new(text, at, "a column's name is missing here");
    }
    let word_shown = fdscope_model::name::escape(word.as_bytes());
    let mistake = Mistake::new(text, at, format!("there is no column {word_shown}"));
    if let Some(why) = columns.absent(word) {
        return mistake.help(why);
    }
    let names = columns.all.iter().flat_map(Column::names);
    match mistake.did_you_mean(word, names) {
        mistake if mistake.help.is_some() => mistake,
        mistake => mistake.help("--list-columns shows all columns"),
    }
}

/// The words between commas from byte `start`, blanks around them taken away, each with its place.
fn words(text: &str, start: usize) -> Vec<(&str, Range<usize>)> {
    let mut at = start;
    let mut found = Vec::new();
    for piece in text[start..].split(',') {
        let word = piece.trim();
        let begin = at + (piece.len() - piece.trim_start().len());
        found.push((word, begin..begin + word.len()));
        at += piece.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Class, Value};
    use super::*;

    const COLUMNS: Columns<u32> = Columns {
        all: &[
            Column::new("pid", "PID", Class::Number, "", |row| Value::Number((*row).into())),
            Column::new("peer", "PEER", Class::Text, "", |_| Value::Missing).aliases(&["remote"]),
            Column::new("size", "SIZE", Class::Size, "", |_| Value::Missing),
        ],
        absent: &[("age", "nobody knows")],
    };

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let initial = [&COLUMNS.all[0]];
        let found = choose(COLUMNS, &initial, text);
        let names = found.map(|columns| columns.iter().map(|c| c.name).collect::<Vec<_>>());
        match (names, expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected, "{text}"),
            (Err(mistake), Err(expected)) => assert_eq!(mistake.to_string(), expected),
            (found, expected) => panic!("{text}: {found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn lists_replace_or_add() {
        check("size,pid", Ok(&["size", "pid"]));
        check("+size", Ok(&["pid", "size"]));
        check("+pid, remote", Ok(&["pid", "peer"]));
        check("all", Ok(&["pid", "peer", "size"]));
        check("PID", Ok(&["pid"]));
    }

    #[test]
    fn a_wrong_name_is_shown_with_the_nearest() {
        check(
            "pid,sise",
            Err("there is no column sise\n  pid,sise\n      ^^^^\n  did you mean size?"),
        );
        check("+pear", Err("there is no column pear\n  +pear\n   ^^^^\n  did you mean peer?"));
        check("pid,", Err("a column's name is missing here\n  pid,\n      ^"));
        check("age", Err("there is no column age\n  age\n  ^^^\n  nobody knows"));
        check(
            "zzzzzz",
            Err(
                "there is no column zzzzzz\n  zzzzzz\n  ^^^^^^\n  --list-columns shows all columns",
            ),
        );
    }

    #[test]
    fn sorting_has_a_direction() {
        let check = |text: &str, name: &str, order: Order| {
            let (column, found) = sort_order(COLUMNS, text).expect("a column");
            assert_eq!((column.name, found), (name, order));
        };
        check("size", "size", Order::Ascending);
        check("-size", "size", Order::Descending);
        assert!(sort_order(COLUMNS, "-sise").is_err());
    }
}
