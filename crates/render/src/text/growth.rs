//! The curve of a site beside that of its process, so that anyone sees which one makes the other grow.

use fdscope_model::verdict::{Report, Verdict};

use crate::charset::Charset;
use crate::graph::{Plot, plot};
use crate::page::{Page, Text, width};
use crate::phrase::phrase;
use crate::style::Style;
use crate::units;

/// Rows of a plot.
const ROWS: usize = 4;
/// Columns of a plot: no wider than can be compared at a glance.
const WIDEST: usize = 44;

/// A plot with its heading and the texts at its edges.
struct Panel {
    title: String,
    plot: Plot,
    style: Style,
}

/// The graphs of `verdict`, from column `indent`; nothing if no curve was kept.
pub fn graphs(page: &mut Page, report: &Report, verdict: &Verdict, indent: usize) {
    if verdict.curve.values.len() < 2 {
        return;
    }
    let total = report.totals.iter().find(|total| total.process.id.pid == verdict.pid);
    let total = total.filter(|total| total.curve.values.len() > 1 && verdict.kind.is_descriptor());
    let curves = 1 + usize::from(total.is_some());
    let highest = verdict.curve.values.iter().chain(total.iter().flat_map(|t| &t.curve.values));
    let label = units::count(highest.copied().max().unwrap_or(0)).len();
    let room = page.form.width.saturating_sub(indent + 3 * (curves - 1)) / curves;
    let columns = room.saturating_sub(label + 2).clamp(8, WIDEST);
    let charset = page.form.charset;
    let alive = phrase(verdict.kind).alive;
    let mut panels = vec![Panel {
        title: format!("{alive} from this site"),
        plot: plot(&verdict.curve.values, columns, ROWS, charset),
        style: Style::Curve,
    }];
    panels.extend(total.map(|total| Panel {
        title: format!("all descriptors of pid {}", verdict.pid),
        plot: plot(&total.curve.values, columns, ROWS, charset),
        style: Style::Dim,
    }));
    draw(page, &panels, label, columns, indent);
    let span = verdict.curve.bin_ns.saturating_mul(verdict.curve.values.len() as u64);
    let text = format!("over {}{}", units::duration_ns(span), slope(verdict));
    let text = Text::plain(" ".repeat(indent + label + 2)).and(Style::Dim, text);
    page.paragraph(&text, indent + label + 2);
}

/// ": +3.0/s (2.8 to 3.2 with 95 % confidence), 10,800 an hour".
fn slope(verdict: &Verdict) -> String {
    let Some(rate) = verdict.rate else { return String::new() };
    let [low, high] = [rate.low_per_s, rate.high_per_s].map(units::signed_rate);
    let hourly = units::decimal(rate.per_s * 3_600.0);
    let rate = units::signed_rate(rate.per_s);
    format!(": {rate} (95 % sure between {low} and {high}), {hourly} an hour")
}

/// Panels side by side: headings, then the rows with the edges' values at their left.
fn draw(page: &mut Page, panels: &[Panel], label: usize, columns: usize, indent: usize) {
    let wide = label + 2 + columns;
    let margin = Text::plain("  ").and(Style::Label, "growth").pad_to(indent);
    let titles = panels.iter().enumerate().fold(margin, |line, (index, panel)| {
        line.pad_to(indent + index * (wide + 3)).and(Style::Plain, panel.title.clone())
    });
    page.paragraph(&titles, indent);
    let bar = if page.form.charset == Charset::Utf8 { "│" } else { "|" };
    for row in 0..ROWS {
        let mut line = Text::default();
        for (index, panel) in panels.iter().enumerate() {
            let edge = match row {
                0 => units::count(panel.plot.high),
                last if last == ROWS - 1 => units::count(panel.plot.low),
                _ => String::new(),
            };
            line = line
                .pad_to(indent + index * (wide + 3) + label - width(&edge))
                .and(Style::Dim, edge)
                .and(Style::Dim, " ")
                .and(Style::Dim, bar)
                .and_solid(panel.style, panel.plot.rows[row].trim_end())
                .and(Style::Plain, "");
        }
        page.line(&line);
    }
}
