//! What was not seen: a blank in a report is said aloud, never left to be read as "none".

use fdscope_model::Fault;
use fdscope_model::verdict::Report;

use super::{bullet, heading, source};
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::Text;
use crate::style::Style;
use crate::units;

/// Different faults shown; the rest is counted.
const FAULTS: usize = 8;

/// The section: events, losses, blind spots, faults.
pub fn section(page: &mut Page, report: &Report) {
    heading(page, "Not seen");
    let charset = page.form.charset;
    bullet(page, losses(report));
    if report.stacks_skipped > 0 {
        let births = units::count_of(report.stacks_skipped, "birth", "births");
        bullet(page, Text::plain(format!("the stacks of {births}, not taken to spare the target")));
    }
    let existing: u64 = report.totals.iter().map(|total| total.at_start).sum();
    if existing > 0 {
        let handles = units::count_of(existing, "descriptor", "descriptors");
        let text = format!("the birth of {handles} open before watching began: origin unknown");
        bullet(page, Text::plain(text));
    }
    for blind in &report.sight.blind {
        let [what, why] = [&blind.what, &blind.why].map(|text| charset.sentence(text));
        let cure = blind.cure.as_deref().map(|cure| format!("; {}", charset.sentence(cure)));
        bullet(page, Text::plain(format!("{what}: {why}{}", cure.unwrap_or_default())));
    }
    faults(page, &report.faults, charset);
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
