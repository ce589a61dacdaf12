//! The limits that processes share, with what is used of them and by whom.

use std::collections::HashMap;

use fdscope_model::Name;
use fdscope_model::survey::{Bound, Counted, Whose};

use super::user;
use crate::charset::Charset;
use crate::page::Page;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

/// file-max's value for "as many as memory allows" (fs/file_table.c): no limit in practice.
const BEYOND: u64 = i64::MAX as u64;

const COLUMNS: &[Column] = &[
    Column::left("LIMIT OF ALL"),
    Column::right("IN USE").keep(Keep::Drop(1)),
    Column::right("OF").keep(Keep::Drop(2)),
    Column::right("USED"),
    Column::left("MOST BY").keep(Keep::Drop(3)),
];

/// The section; nothing if there are none.
pub(super) fn section(page: &mut Page, bounds: &[Bound], users: &HashMap<u32, Name>) {
    if bounds.is_empty() {
        return;
    }
    page.gap();
    let charset = page.form.charset;
    let rows = bounds.iter().map(|bound| row(bound, users, charset)).collect();
    let laid = Table { columns: COLUMNS.to_vec(), rows }.lay_out(page.form.width, charset);
    laid.lines.iter().for_each(|line| page.line(line));
}

fn row(bound: &Bound, users: &HashMap<u32, Name>, charset: Charset) -> Vec<Cell> {
    let least = match bound.counted {
        Counted::Whole => "",
        Counted::AtLeast => charset_least(charset),
    };
    let used = bound.used.map_or("-".to_owned(), |used| format!("{least}{}", units::count(used)));
    let limitless = bound.value >= BEYOND;
    let share = match bound.used {
        Some(used) if !limitless => units::share(used, bound.value),
        _ => "-".to_owned(),
    };
    let style = match bound.used.filter(|_| !limitless) {
        Some(used) if used >= bound.value / 10 * 9 => Style::Leak,
        Some(used) if used >= bound.value / 10 * 7 => Style::Suspect,
        _ => Style::Plain,
    };
    vec![
        Cell::new(bound.name.word()),
        Cell::new(used),
        Cell::new(if limitless { "unlimited".to_owned() } else { units::count(bound.value) }),
        Cell::styled(style, share),
        Cell::styled(Style::Dim, whose(bound, users, charset)),
    ]
}

fn charset_least(charset: Charset) -> &'static str {
    if charset == Charset::Utf8 { "≥ " } else { ">= " }
}

fn whose(bound: &Bound, users: &HashMap<u32, Name>, charset: Charset) -> String {
    match &bound.whose {
        Whose::Machine if bound.used.is_none() => "--limits counts".to_owned(),
        Whose::Machine => "the machine".to_owned(),
        Whose::User(uid) => format!("user {}", user(*uid, users, charset)),
        Whose::Process(pid, comm) => format!("{pid} ({})", charset.name(comm)),
    }
}
