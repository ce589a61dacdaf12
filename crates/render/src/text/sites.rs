//! The sites in order, in one compact table: healthy ones, and those that need more time.

use std::cmp::Reverse;

use fdscope_model::verdict::{Level, Report, Verdict};

use super::{bullet, heading};
use crate::charset::Charset;
use crate::page::{Page, Text};
use crate::site;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table, cell};
use crate::units;

/// Rows shown; the rest is summed.
const SHOWN: usize = 15;

const COLUMNS: &[Column] = &[
    Column::left("VERDICT"),
    Column::left("SITE").keep(Keep::Shorten(16)),
    Column::left("LINE").keep(Keep::Drop(1)),
    Column::left("KIND"),
    Column::right("PID").keep(Keep::Drop(2)),
    Column::right("ACQUIRED"),
    Column::right("RELEASED"),
    Column::right("LIVE"),
    Column::right("MEDIAN LIFE").keep(Keep::Drop(3)),
];

/// The section; nothing if every site has a block of its own.
pub fn section(page: &mut Page, report: &Report) {
    let mut quiet: Vec<&Verdict> =
        report.verdicts.iter().filter(|verdict| verdict.level < Level::Suspect).collect();
    if quiet.is_empty() {
        return;
    }
    quiet.sort_by_key(|verdict| Reverse((verdict.level, verdict.live, verdict.acquired)));
    let title = match detailed(report) {
        0 => "Sites",
        _ => "Other sites",
    };
    heading(page, title);
    let charset = page.form.charset;
    let rows = quiet.iter().take(SHOWN).map(|verdict| row(verdict, charset)).collect();
    let mut table = Table { columns: COLUMNS.to_vec(), rows };
    if report.totals.len() == 1 {
        table.remove("PID");
    }
    let laid = table.lay_out(page.form.width - 2, charset);
    for line in laid.lines {
        page.line(&Text::plain("  ").and_text(line));
    }
    rest(page, quiet.get(SHOWN..).unwrap_or_default());
    if !laid.dropped.is_empty() {
        let text = format!("  (no room for {}; --json has all)", laid.dropped.join(", "));
        page.paragraph(&Text::default().and(Style::Dim, text), 2);
    }
    waiting(page, &quiet);
}

fn detailed(report: &Report) -> usize {
    report.verdicts.iter().filter(|verdict| verdict.level >= Level::Suspect).count()
}

fn row(verdict: &Verdict, charset: Charset) -> Vec<Cell> {
    let frame = site::frame_at(&verdict.site.frames, verdict.site.at);
    let line = frame.and_then(|frame| site::line(frame, charset)).unwrap_or_default();
    let line = line.rsplit('/').next().unwrap_or_default().to_string();
    let median = verdict.lifetimes.median_ns.map(units::duration_ns).unwrap_or_default();
    vec![
        (Style::of(verdict.level), verdict.level.word().to_string()),
        cell(site::name(verdict, charset)),
        (Style::Dim, line),
        cell(verdict.kind.word()),
        cell(verdict.pid.to_string()),
        cell(units::count(verdict.acquired)),
        cell(units::count(verdict.released)),
        cell(units::count(verdict.live)),
        cell(median),
    ]
}

/// The sums of the rows left out.
fn rest(page: &mut Page, rest: &[&Verdict]) {
    if rest.is_empty() {
        return;
    }
    let sum = |part: fn(&Verdict) -> u64| units::count(rest.iter().map(|v| part(v)).sum());
    let text = format!(
        "  and {}: {} acquired, {} released, {} live",
        units::count_of(rest.len() as u64, "more site", "more sites"),
        sum(|v| v.acquired),
        sum(|v| v.released),
        sum(|v| v.live)
    );
    page.paragraph(&Text::plain(text), 2);
}

/// For sites without a verdict yet: when it will be known, each reason once.
fn waiting(page: &mut Page, quiet: &[&Verdict]) {
    let mut said: Vec<&str> = Vec::new();
    for verdict in quiet.iter().filter(|verdict| verdict.level == Level::TooSoon) {
        if let Some(reason) = verdict.evidence.first()
            && !said.contains(&reason.as_str())
            && said.len() < SHOWN
        {
            said.push(reason);
        }
    }
    let charset = page.form.charset;
    for reason in said {
        bullet(page, Text::plain(charset.sentence(reason)));
    }
}
