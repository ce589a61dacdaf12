//! The sites in order, in one compact table: healthy ones, and those that need more time.

use std::cmp::Reverse;

use fdscope_model::verdict::{Level, Report, Verdict};

use super::{bullet, heading};
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::table::{Cell, Column, Keep, Table};
use crate::units;

/// Rows shown; the rest is summed.
const SHOWN: usize = 15;

/// Sites explained below the table.
const REASONS: usize = 6;

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
    Column::right("KNOWN IN").keep(Keep::Drop(0)),
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
    if quiet.iter().all(|verdict| verdict.known_in_s.is_none()) {
        table.remove("KNOWN IN");
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
    reasons(page, &quiet);
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
        Cell::styled(Style::of(verdict.level), verdict.level.word()),
        Cell { whole: site::is_endpoint(verdict), ..Cell::new(site::name(verdict, charset)) },
        Cell::styled(Style::Dim, line),
        Cell::new(verdict.kind.word()),
        Cell::new(match verdict.processes {
            1 => verdict.pid.to_string(),
            many => format!("{} ended", units::count(many)),
        }),
        Cell::new(units::count(verdict.acquired)),
        Cell::new(units::count(verdict.released)),
        Cell::new(units::count(verdict.live)),
        Cell::new(median),
        Cell::new(verdict.known_in_s.map(|s| units::duration_s(s.ceil())).unwrap_or_default()),
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

/// Why a site that waits has to wait, and why one that grew is no leak: the strongest sentence of each.
fn reasons(page: &mut Page, quiet: &[&Verdict]) {
    let charset = page.form.charset;
    let grown = quiet.iter().filter(|v| matches!(v.level, Level::TooSoon | Level::Bounded));
    for verdict in grown.filter(|verdict| !verdict.evidence.is_empty()).take(REASONS) {
        let name = site::short_name(verdict, 40, charset);
        // Of one that waits, when it will be known is as much as what it waits for.
        let sentences = if verdict.level == Level::TooSoon { 2 } else { 1 };
        let reason: Vec<String> =
            verdict.evidence.iter().take(sentences).map(|line| charset.sentence(line)).collect();
        let reason = reason.join(" ");
        let text = Text::solid(Style::Strong, name).and(Style::Plain, format!(": {reason}"));
        bullet(page, text);
    }
}
