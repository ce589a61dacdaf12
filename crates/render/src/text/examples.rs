//! Living handles of a site as examples: what anyone can look up in /proc while it lasts.

use fdscope_model::verdict::{Example, Verdict};

use super::block::{COLUMN, labelled};
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::{Text, width};
use crate::style::Style;
use crate::units;

/// Three living handles: descriptor, name, opener, age.
pub fn examples(page: &mut Page, verdict: &Verdict) {
    let charset = page.form.charset;
    let rows: Vec<[String; 3]> =
        verdict.examples.iter().map(|example| row(example, charset)).collect();
    let column = |index: usize| rows.iter().map(|row| width(&row[index])).max().unwrap_or(0);
    let (fds, names, rest) = (column(0), column(1), column(2));
    let gap = if fds == 0 { 0 } else { "fd ".len() + fds + 2 };
    // Names too long to leave room for the rest are not padded: the rest goes to a line of its own.
    let names = if COLUMN + gap + names + 2 + rest <= page.form.width { names } else { 0 };
    for (index, [fd, name, rest]) in rows.iter().enumerate() {
        let fd = if fd.is_empty() { String::new() } else { format!("fd {fd:>fds$}") };
        let text = Text::solid(Style::Plain, fd)
            .pad_to(gap)
            .and_solid(Style::Plain, name.clone())
            .pad_to(gap + names)
            .and(Style::Dim, if name.is_empty() { "" } else { "  " })
            .and_solid(Style::Dim, rest.clone());
        labelled(page, if index == 0 { "examples" } else { "" }, text);
    }
}

/// Descriptor, name, and the rest.
fn row(example: &Example, charset: Charset) -> [String; 3] {
    let age = format!("{} old", units::duration_ns(example.age_ns));
    let thread = charset.name(&example.thread);
    let opener = match (example.tid.0, thread.as_str()) {
        (0, _) => age,
        (tid, "") => format!("{age}, tid {tid}"),
        (tid, thread) => format!("{age}, {thread} (tid {tid})"),
    };
    let fd = example.fd.map(|fd| fd.to_string()).unwrap_or_default();
    [fd, charset.name(&example.name), opener]
}
