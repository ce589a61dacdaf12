//! The curve of a site beside that of its process, so that anyone sees which one makes the other grow.

use fdscope_model::verdict::{Report, Verdict};

use crate::charset::Charset;
use crate::graph::{Plot, plot};
use crate::page::Page;
use crate::phrase::phrase;
use crate::piece::{Text, width};
use crate::style::Style;
use crate::units;

/// Rows of a plot.
const ROWS: usize = 4;
/// Columns of a plot: no wider than can be compared at a glance.
const WIDEST: usize = 44;

/// Columns between two plots.
const GAP: usize = 3;
/// Columns of a plot's edge, beside the values at it.
const EDGE: usize = 2;

/// A curve with its heading.
struct Curve<'a> {
    title: String,
    values: &'a [u64],
    style: Style,
}

/// The graphs of `verdict`, from column `indent`; nothing if no curve was kept.
pub fn graphs(page: &mut Page, report: &Report, verdict: &Verdict, indent: usize) {
    if verdict.curve.values.len() < 2 {
        return;
    }
    let curves = curves(report, verdict);
    let highest = curves.iter().flat_map(|curve| curve.values).copied().max().unwrap_or(0);
    let label = units::count(highest).len();
    let titles = curves.iter().map(|curve| width(&curve.title)).max().unwrap_or(0);
    let room = |abreast: usize| (page.form.width - indent + GAP) / abreast - GAP;
    // One below the other where they would be narrower than their titles.
    let abreast = if room(curves.len()) < titles { 1 } else { curves.len() };
    let columns = room(abreast).saturating_sub(label + EDGE).clamp(8, WIDEST);
    for (index, row) in curves.chunks(abreast).enumerate() {
        let margin = if index == 0 { "  growth" } else { "" };
        let margin = Text::default().and(Style::Label, margin).pad_to(indent);
        draw(page, row, margin, [indent, label, columns]);
    }
    let span = verdict.curve.bin_ns.saturating_mul(verdict.curve.values.len() as u64);
    let text = format!("over {}{}", units::duration_ns(span), slope(verdict));
    let indent = indent + label + EDGE;
    page.paragraph(&Text::plain(" ".repeat(indent)).and(Style::Dim, text), indent);
}

/// The site's curve, and that of its process where both count descriptors.
fn curves<'a>(report: &'a Report, verdict: &'a Verdict) -> Vec<Curve<'a>> {
    let alive = phrase(verdict.kind).alive;
    let mut curves = vec![Curve {
        title: format!("{alive} from this site"),
        values: &verdict.curve.values,
        style: Style::Curve,
    }];
    let total = report.totals.iter().find(|total| total.process.id.pid == verdict.pid);
    let total = total.filter(|total| total.curve.values.len() > 1 && verdict.kind.is_descriptor());
    curves.extend(total.map(|total| Curve {
        title: format!("all descriptors of pid {}", verdict.pid),
        values: &total.curve.values,
        style: Style::Dim,
    }));
    curves
}

/// ": +3.0/s (95 % sure between 2.8 and 3.2), 10,800/h".
fn slope(verdict: &Verdict) -> String {
    let Some(rate) = verdict.rate else { return String::new() };
    let interval = units::interval(rate.per_s, rate.low_per_s, rate.high_per_s);
    format!(": {interval}, {}/h", units::decimal(rate.per_s * 3_600.0))
}

/// Curves side by side: headings, then the rows with the edges' values at their left.
fn draw(page: &mut Page, curves: &[Curve<'_>], margin: Text, [indent, label, columns]: [usize; 3]) {
    let charset = page.form.charset;
    let left = |index: usize| indent + index * (label + EDGE + columns + GAP);
    let titles = curves.iter().enumerate().fold(margin, |line, (index, curve)| {
        line.pad_to(left(index)).and(Style::Plain, curve.title.clone())
    });
    page.paragraph(&titles, indent);
    let plots: Vec<Plot> =
        curves.iter().map(|curve| plot(curve.values, columns, ROWS, charset)).collect();
    let bar = if charset == Charset::Utf8 { " │" } else { " |" };
    for row in 0..ROWS {
        let mut line = Text::default();
        for (index, (curve, plot)) in curves.iter().zip(&plots).enumerate() {
            let edge = match row {
                0 => units::count(plot.high),
                last if last == ROWS - 1 => units::count(plot.low),
                _ => String::new(),
            };
            line = line
                .pad_to(left(index) + label - width(&edge))
                .and(Style::Dim, edge + bar)
                .and_solid(curve.style, plot.rows[row].trim_end());
        }
        page.line(&line);
    }
}
