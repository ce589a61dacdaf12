//! Totals of each process, and whether the ledger equals what the kernel says.

use std::cmp::Reverse;

use fdscope_model::verdict::{Report, Total};
use fdscope_model::{Limit, LimitName, SourceName};

use super::{bullet, heading};
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

/// Rows shown; the rest is summed.
const SHOWN: usize = 20;

const COLUMNS: &[Column] = &[
    Column::right("PID"),
    Column::left("COMMAND").keep(Keep::Shorten(15)),
    Column::right("AT START"),
    Column::right("NOW"),
    Column::right("LIMIT"),
    Column::right("USED").keep(Keep::Drop(3)),
    Column::right("ACQUIRED").keep(Keep::Drop(2)),
    Column::right("RELEASED").keep(Keep::Drop(1)),
    Column::left("LEDGER = KERNEL"),
];

/// The section; nothing if no process was watched.
pub fn section(page: &mut Page, report: &Report) {
    if report.totals.is_empty() {
        return;
    }
    heading(page, "Descriptors");
    let charset = page.form.charset;
    let mut totals: Vec<&Total> = report.totals.iter().collect();
    if totals.len() > SHOWN {
        // Those that hold most are the ones to see.
        totals.sort_by_key(|total| Reverse((!total.gone, total.now)));
    }
    let rows = totals.iter().take(SHOWN).map(|total| row(total, charset)).collect();
    let laid = Table { columns: COLUMNS.to_vec(), rows }.lay_out(page.form.width - 2, charset);
    for line in laid.lines {
        page.line(&Text::plain("  ").and_text(line));
    }
    rest(page, totals.get(SHOWN..).unwrap_or_default());
    if !laid.dropped.is_empty() {
        let text = format!("  (no room for {}; --json has all)", laid.dropped.join(", "));
        page.paragraph(&Text::default().and(Style::Dim, text), 2);
    }
    let mut notes = totals.iter().flat_map(|total| notes(total, report, charset));
    notes.by_ref().take(SHOWN).for_each(|note| bullet(page, note));
    let rest = notes.count() as u64;
    if rest > 0 {
        let rest = units::count_of(rest, "more note like these", "more notes like these");
        bullet(page, Text::plain(format!("{rest} (--json has all)")));
    }
}

fn row(total: &Total, charset: Charset) -> Vec<Cell> {
    let nofile = total.limits.iter().find(|limit| limit.name == LimitName::Nofile);
    let (limit, used) = match nofile {
        None => ("-".to_string(), "-".to_string()),
        Some(limit) if limit.value == u64::MAX => ("unlimited".to_string(), "-".to_string()),
        Some(limit) => (units::count(limit.value), units::share(limit.used, limit.value)),
    };
    let agrees = match total.agrees {
        Some(true) => Cell::styled(Style::Good, "yes"),
        Some(false) => Cell::styled(Style::Suspect, "no"),
        None => Cell::styled(Style::Dim, "not compared"),
    };
    vec![
        Cell::new(match total.processes {
            1 => total.process.id.pid.to_string(),
            many => format!("{} ended", units::count(many)),
        }),
        Cell::new(charset.name(&total.process.comm)),
        Cell::new(units::count(total.at_start)),
        Cell::new(if total.gone { "gone".to_string() } else { units::count(total.now) }),
        Cell::new(limit),
        Cell::new(used),
        Cell::new(units::count(total.acquired)),
        Cell::new(units::count(total.released)),
        agrees,
    ]
}

/// The sums of the rows left out.
fn rest(page: &mut Page, rest: &[&Total]) {
    if rest.is_empty() {
        return;
    }
    let sum = |part: fn(&Total) -> u64| units::count(rest.iter().map(|total| part(total)).sum());
    let processes = rest.iter().map(|total| total.processes).sum();
    let disagreeing = rest.iter().filter(|total| total.agrees == Some(false)).count() as u64;
    let text = format!(
        "  and {}: {} at start, {} now, {} acquired, {} released; ledger not equal in {}",
        units::count_of(processes, "more process", "more processes"),
        sum(|total| total.at_start),
        sum(|total| if total.gone { 0 } else { total.now }),
        sum(|total| total.acquired),
        sum(|total| total.released),
        units::count(disagreeing)
    );
    page.paragraph(&Text::plain(text), 2);
}

/// "512 processes `cat`".
fn called(processes: u64, comm: &str) -> String {
    format!("{} `{comm}`", units::count_of(processes, "process", "processes"))
}

/// What the row has no room for: limits half used or more, an end, births and deaths not seen.
fn notes(total: &Total, report: &Report, charset: Charset) -> Vec<Text> {
    let process = match total.processes {
        1 => site::process(&total.process.comm, total.process.id.pid, charset),
        many => format!("{} (ended)", called(many, &charset.name(&total.process.comm))),
    };
    let mut notes = Vec::new();
    let mut note = |text: String| {
        notes.push(Text::solid(Style::Plain, process.clone()).and(Style::Plain, text));
    };
    if total.gone && total.now > 0 {
        let now = units::count_of(total.now, "descriptor", "descriptors");
        note(format!(" ended while watched, with {now} open"));
    }
    // Who sets a limit of 0 or 1 forbids itself more, as sandboxes do.
    let half_used =
        |limit: &&Limit| (2..u64::MAX).contains(&limit.value) && limit.used >= limit.value / 2;
    for limit in total.limits.iter().filter(half_used) {
        note(format!(
            " has used {} of {} {}",
            units::share(limit.used, limit.value),
            limit.name.word(),
            units::count(limit.value)
        ));
    }
    if total.agrees == Some(false) {
        note(
            ": the ledger differs from the kernel's table, its counts are approximate".to_string(),
        );
    }
    // Comparing is all that sampling does: there it is no news.
    if total.found + total.vanished > 0 && report.sight.source != SourceName::Poll {
        note(format!(
            ": {} appeared and {} went unseen, found by comparing with the kernel",
            units::count_of(total.found, "descriptor", "descriptors"),
            units::count(total.vanished)
        ));
    }
    notes
}
