//! The one line that says how the watch goes, fitted to a width. Who prints it, and how often, is the caller's affair.

use fdscope_model::HandleKind;

use crate::page::{Form, Page};
use crate::phrase::phrase;
use crate::piece::{Text, shorten};
use crate::style::Style;
use crate::units;

/// What is known while watching.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Status {
    /// Nanoseconds since watching began.
    pub elapsed_ns: u64,
    /// Descriptors open now, in all watched processes together.
    pub open: u64,
    /// The limit that `open` runs into, if one process is watched and it has one.
    pub limit: Option<u64>,
    /// Handles acquired per second, lately.
    pub acquired_per_s: f64,
    /// The site that grows most so far, if any does.
    pub worst: Option<Worst>,
    /// Events lost so far.
    pub lost: u64,
}

/// The site that grows most so far. It is no verdict yet, and the line does not call it one.
#[derive(Clone, PartialEq, Debug)]
pub struct Worst {
    /// Its function or name pattern.
    pub name: String,
    /// What kind of handle.
    pub kind: HandleKind,
    /// Born while watched and alive now.
    pub live: u64,
    /// Growth of the number alive, lately.
    pub per_s: f64,
}

/// What a line shows, from everything to the least: the first that fits is taken.
struct Detail {
    rate: bool,
    share: bool,
    /// Least columns for the worst site's name; `None` leaves the site out.
    name: Option<usize>,
    elapsed: bool,
}

const DETAILS: [Detail; 7] = [
    Detail { rate: true, share: true, name: Some(usize::MAX), elapsed: true },
    Detail { rate: true, share: true, name: Some(24), elapsed: true },
    Detail { rate: false, share: true, name: Some(16), elapsed: true },
    Detail { rate: false, share: false, name: Some(10), elapsed: true },
    Detail { rate: true, share: true, name: None, elapsed: true },
    Detail { rate: false, share: false, name: None, elapsed: true },
    Detail { rate: false, share: false, name: None, elapsed: false },
];

/// The status in at most `form.width` columns, without a line end; empty if not even the least fits.
///
/// No number is ever cut: whole parts are left out instead, lost events last of all.
pub fn line(status: &Status, form: Form) -> String {
    let fits = |detail: &Detail| {
        let text = fill(status, detail, form);
        (text.width() <= form.width).then_some(text)
    };
    let Some(text) = DETAILS.iter().find_map(fits) else { return String::new() };
    let mut page = Page::new(form);
    page.line(&text);
    page.finish().trim_end().to_string()
}

/// The line with `detail`, the worst site's name given the columns that the rest leaves.
fn fill(status: &Status, detail: &Detail, form: Form) -> Text {
    let whole = parts(status, detail, usize::MAX, form);
    let (Some(least), Some(worst)) = (detail.name, &status.worst) else { return whole };
    let name = crate::piece::width(&form.charset.sentence(&worst.name));
    let excess = whole.width().saturating_sub(form.width);
    parts(status, detail, name.saturating_sub(excess).max(least.min(name)), form)
}

fn parts(status: &Status, detail: &Detail, name_columns: usize, form: Form) -> Text {
    let mut parts = Vec::new();
    if detail.elapsed {
        parts.push(Text::plain(units::duration_s((status.elapsed_ns / 1_000_000_000) as f64)));
    }
    parts.push(open(status, detail));
    if detail.rate {
        parts.push(Text::plain(units::rate(status.acquired_per_s, "acquired")));
    }
    if let (Some(_), Some(worst)) = (detail.name, &status.worst) {
        let name = shorten(&form.charset.sentence(&worst.name), name_columns, form.charset);
        let phrase = phrase(worst.kind);
        let count = units::count_of(worst.live, phrase.one, phrase.many);
        let rest = format!(" {count} {}", units::signed_rate(worst.per_s));
        let text = Text::plain("growing ").and_solid(Style::Strong, name);
        parts.push(text.and(Style::Plain, rest));
    }
    if status.lost > 0 {
        let lost = format!("{} lost", units::count(status.lost));
        parts.push(Text::solid(Style::Suspect, lost));
    }
    join(parts)
}

fn open(status: &Status, detail: &Detail) -> Text {
    let open = units::count(status.open);
    Text::plain(match status.limit {
        Some(limit) if detail.share => {
            let share = units::share(status.open, limit);
            format!("{open} of {} open ({share})", units::count(limit))
        }
        Some(limit) => format!("{open} of {} open", units::count(limit)),
        None => format!("{open} open"),
    })
}

fn join(parts: Vec<Text>) -> Text {
    let mut line = Text::default();
    for (index, part) in parts.into_iter().enumerate() {
        let bar = if index > 0 { " | " } else { "" };
        line = line.and(Style::Dim, bar).and_text(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            elapsed_ns: 12_340_000_000,
            open: 152,
            limit: Some(1_024),
            acquired_per_s: 10.26,
            worst: Some(Worst {
                name: "app::server::handle_request".into(),
                kind: HandleKind::File,
                live: 140,
                per_s: 3.0,
            }),
            lost: 3,
        }
    }

    fn check(width: usize, expected: &str) {
        let line = line(&status(), Form { width, ..Form::default() });
        assert_eq!(line, expected);
        assert!(crate::piece::width(&line) <= width);
    }

    #[test]
    fn parts_are_left_out_and_numbers_never_cut() {
        let all = "12 s | 152 of 1,024 open (15 %) | 10.3 acquired/s | growing \
                   app::server::handle_request 140 files +3.0/s | 3 lost";
        check(120, all);
        check(
            110,
            "12 s | 152 of 1,024 open (15 %) | 10.3 acquired/s | growing \
             app::server:…dle_request 140 files +3.0/s | 3 lost",
        );
        check(
            80,
            "12 s | 152 of 1,024 open | growing app::serv…e_request 140 files +3.0/s | 3 lost",
        );
        check(60, "12 s | 152 of 1,024 open (15 %) | 10.3 acquired/s | 3 lost");
        check(34, "12 s | 152 of 1,024 open | 3 lost");
        check(28, "152 of 1,024 open | 3 lost");
        check(10, "");
    }

    #[test]
    fn hostile_site_names_are_harmless() {
        let mut status = status();
        status.worst = status.worst.map(|worst| Worst { name: "\u{1b}[2J".into(), ..worst });
        let line = line(&status, Form { width: 200, ..Form::default() });
        assert!(line.contains("\\x1b[2J") && !line.contains('\u{1b}'), "{line}");
    }
}
