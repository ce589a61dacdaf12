//! What was not seen: a blank in a report is said aloud, never left to be read as "none".

use fdscope_model::verdict::{Report, Total};
use fdscope_model::{Blind, Fault};

use super::{bullet, heading, source};
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::{Text, width};
use crate::style::Style;
use crate::units;

/// Different faults shown; the rest is counted.
const FAULTS: usize = 8;

/// Blind spots shown; the rest is counted.
const BLINDS: usize = 4;

/// The section: events, losses, blind spots, faults.
pub fn section(page: &mut Page, report: &Report) {
    heading(page, "Not seen");
    let charset = page.form.charset;
    bullet(page, losses(report));
    if report.stacks_skipped > 0 {
        let births = units::count_of(report.stacks_skipped, "birth", "births");
        bullet(page, Text::plain(format!("the stacks of {births}, not taken to spare the target")));
    }
    // What a child forked meanwhile began with, it inherited: its curve starts at nothing.
    let began = |total: &&Total| total.curve.values.first().is_some_and(|&open| open > 0);
    let own = report.totals.iter().filter(|total| total.processes == 1).filter(began);
    let existing: u64 = own.map(|total| total.at_start).sum();
    if existing > 0 {
        let handles = units::count_of(existing, "descriptor", "descriptors");
        let text = format!("the birth of {handles} open before watching began: origin unknown");
        bullet(page, Text::plain(text));
    }
    blinds(page, &report.sight.blind);
    faults(page, &report.faults, charset);
}

/// Blind spots, one line each.
fn blinds(page: &mut Page, blinds: &[Blind]) {
    let charset = page.form.charset;
    for blind in blinds.iter().take(BLINDS) {
        // A reason of several lines is for those who asked for that source; its first is enough here.
        let line = |text: &str| charset.sentence(text.lines().next().unwrap_or_default());
        let text = format!("{}: {}", line(&blind.what), line(&blind.why));
        let text = cut(&text, page.form.width.saturating_sub(4).max(8), charset);
        bullet(page, Text::plain(text));
    }
    let rest = blinds.len().saturating_sub(BLINDS) as u64;
    if rest > 0 {
        let rest = units::count_of(rest, "more blind spot", "more blind spots");
        bullet(page, Text::plain(format!("{rest} (--json has all, with their cures)")));
    }
}

/// The beginning of a text, as far as there is room.
fn cut(text: &str, columns: usize, charset: Charset) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let dots = if charset == Charset::Utf8 { "…" } else { "..." };
    let mut kept = String::new();
    for letter in text.chars() {
        if width(&kept) + width(letter.encode_utf8(&mut [0; 4])) + width(dots) > columns {
            break;
        }
        kept.push(letter);
    }
    format!("{}{dots}", kept.trim_end())
}

fn losses(report: &Report) -> Text {
    let seen = units::count_of(report.events, "event", "events");
    match report.lost {
        0 => Text::plain(format!("no event was lost by {}: {seen} seen", source(report))),
        lost => {
            let lost = units::count_of(lost, "event", "events");
            let text = format!(" lost by {}, {seen} seen: counts may be too low", source(report));
            Text::default().and(Style::Suspect, lost).and(Style::Plain, text)
        }
    }
}

/// Faults that differ only in the process or descriptor are one line with a count.
fn faults(page: &mut Page, faults: &[Fault], charset: Charset) {
    let mut groups: Vec<(&Fault, u64)> = Vec::new();
    for fault in faults {
        let same = |first: &Fault| first.operation == fault.operation && first.cause == fault.cause;
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, count)) => *count += 1,
            None => groups.push((fault, 1)),
        }
    }
    for (fault, count) in groups.iter().take(FAULTS) {
        let more = match count {
            1 => String::new(),
            n => format!(" (and {} more like it)", units::count(n - 1)),
        };
        bullet(page, Text::plain(format!("{}{more}", charset.sentence(&fault.to_string()))));
    }
    let rest: u64 = groups.iter().skip(FAULTS).map(|(_, count)| count).sum();
    if rest > 0 {
        let rest = units::count_of(rest, "other failure", "other failures");
        bullet(page, Text::plain(format!("{rest} to read something (--json has them)")));
    }
}
