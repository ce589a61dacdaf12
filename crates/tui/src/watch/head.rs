//! The lines above the panes: who is watched, how near the limit is, when it breaks, and how it came to that.

use fdscope_model::verdict::{Total, Verdict};
use fdscope_model::{Level, Limit, LimitName};
use fdscope_render::graph::spark;
use fdscope_render::piece::width;
use fdscope_render::style::Style;
use fdscope_render::{site, units};
use ratatui_core::layout::Rect;

use super::moment::{Moment, Standing};
use crate::pen::Pen;

/// How many lines there are.
pub(super) const ROWS: u16 = 3;
/// Columns of the bar that shows a limit's use, at most and at least.
const BAR: usize = 20;
const LEAST_BAR: usize = 6;

/// A smaller share of a limit other than that of descriptors is no news.
const MUCH: f64 = 0.2;

/// Draws them.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, moment: &Moment, frozen: bool) {
    draw_target(pen, area, moment, frozen);
    draw_limit(pen, area, moment);
    draw_course(pen, area, moment);
}

fn draw_target(pen: &mut Pen<'_>, area: Rect, moment: &Moment, frozen: bool) {
    let report = &moment.report;
    let charset = pen.look.charset;
    let after = pen.put(area, 0, 1, Style::Dim, "fdscope watch");
    let who = match report.totals.as_slice() {
        [] => "nobody".to_owned(),
        [one] => site::process(&one.process.comm, one.process.id.pid, charset),
        [first, ..] => {
            let count = units::count(report.totals.len() as u64);
            format!(
                "{count} processes, {}",
                site::process(&first.process.comm, first.process.id.pid, charset)
            )
        }
    };
    let mut after = pen.put(area, 0, after + 1, Style::Strong, &who);
    let (word, style) = match (&moment.standing, frozen) {
        (Standing::Gone, _) => ("ENDED".to_owned(), Style::Leak),
        (Standing::Replay { at_ns, length_ns }, _) => {
            let [at, length] =
                [at_ns, length_ns].map(|ns| units::duration_s((ns / 1_000_000_000) as f64));
            (format!("recording, {at} of {length}"), Style::Wait)
        }
        (Standing::Watching, true) => ("FROZEN".to_owned(), Style::Suspect),
        (Standing::Watching, false) => (String::new(), Style::Plain),
    };
    after = pen.put(area, 0, after + 2, style, &word);
    if report.lost > 0 {
        let lost = format!("{} lost", units::count(report.lost));
        after = pen.put(area, 0, after + 2, Style::Suspect, &lost);
    }
    let watched = units::duration_s((report.ended.since_ns(report.begun) / 1_000_000_000) as f64);
    let source = report.sight.source.word();
    let clock = units::wall_time(report.taken_at_ns);
    let clock = clock.get(11..19).unwrap_or_default();
    let clock = format!("{clock} UTC ");
    let whole = format!("{source}, {watched}, {clock}");
    pen.put_right(area, 0, after + 1, Style::Dim, &[&whole, &clock]);
}

/// The limit of descriptors that is nearest, with its process; another limit only if more of that is used, and much.
fn nearest(moment: &Moment) -> Option<(&Total, Limit)> {
    let binds = |limit: &Limit| (2..u64::MAX).contains(&limit.value);
    let share = |limit: &Limit| limit.used as f64 / limit.value as f64;
    let of = |total| limits(total).filter(binds).map(move |limit| (total, limit));
    let all = moment.report.totals.iter().flat_map(of);
    let weight = |limit: &Limit| match limit.name {
        LimitName::Nofile => (share(limit).max(MUCH), share(limit)),
        _ => (share(limit), 0.0),
    };
    all.reduce(|best, next| if weight(&next.1) > weight(&best.1) { next } else { best })
}

/// The limits by which a process itself is bound; those of the whole machine are the business of `top`.
fn limits(total: &Total) -> impl Iterator<Item = Limit> {
    use LimitName::{CgroupPids, MaxMapCount, Nofile, Nproc};
    let own = |limit: &Limit| matches!(limit.name, Nofile | CgroupPids | MaxMapCount | Nproc);
    total.limits.iter().copied().filter(own)
}

fn draw_limit(pen: &mut Pen<'_>, area: Rect, moment: &Moment) {
    let Some((total, limit)) = nearest(moment) else {
        let open: u64 = moment.report.totals.iter().map(|total| total.now).sum();
        let text = units::count_of(open, "descriptor open", "descriptors open");
        pen.put(area, 1, 1, Style::Plain, &text);
        return;
    };
    let (style, growth) = growth(moment, total, limit);
    let used = format!("{} of {}", units::count(limit.used), units::count(limit.value));
    let share = units::share(limit.used, limit.value);
    // The bar takes what the words leave.
    let words = [limit.name.word(), &used, &share, &growth].map(width);
    let words = words.iter().sum::<usize>() + 7;
    let room = usize::from(area.width).saturating_sub(words);
    let part = limit.used as f64 / limit.value as f64;
    let heat = pen.look.heat(part);
    let after = pen.put(area, 1, 1, Style::Plain, limit.name.word());
    let mut after = pen.put(area, 1, after + 1, Style::Strong, &used);
    if room >= LEAST_BAR {
        let (full, empty) = bar(pen, part, room.min(BAR));
        after = pen.put_painted(area, 1, after + 1, heat, &full);
        after = pen.put(area, 1, after, Style::Dim, &empty);
    }
    let after = pen.put_painted(area, 1, after + 1, heat, &share);
    pen.put(area, 1, after + 2, style, &growth);
}

/// How fast the limit fills by what is said to grow, and when it will be full.
fn growth(moment: &Moment, total: &Total, limit: Limit) -> (Style, String) {
    let of_this = |one: &&Verdict| one.pid == total.process.id.pid;
    let verdicts = moment.report.verdicts.iter().filter(of_this);
    let grow = |one: &&Verdict| one.level >= Level::Suspect && fills(one, limit.name);
    let rates = verdicts.clone().filter(grow).filter_map(|one| one.rate);
    let per_s: f64 = rates.map(|rate| rate.per_s).sum();
    let room = limit.value.saturating_sub(limit.used) as f64;
    if per_s > 0.0 && room > 0.0 {
        let left = units::duration_s(room / per_s);
        return (Style::Leak, format!("{}, full in {left}", units::signed_rate(per_s)));
    }
    if limit.used >= limit.value {
        return (Style::Leak, "full".to_owned());
    }
    match verdicts.clone().any(|one| one.level == Level::TooSoon) {
        true => (Style::Dim, "growth: too soon to say".to_owned()),
        false => (Style::Dim, String::new()),
    }
}

fn fills(verdict: &Verdict, name: LimitName) -> bool {
    verdict.forecast.is_some_and(|forecast| forecast.limit.name == name)
}

/// The used part of the bar, and the rest.
fn bar(pen: &Pen<'_>, share: f64, columns: usize) -> (String, String) {
    let used = ((columns as f64 * share).round() as usize).min(columns);
    let used = if share > 0.0 { used.max(1) } else { 0 };
    let [full, empty] = [pen.either("█", "#"), pen.either("░", ".")];
    (full.repeat(used), empty.repeat(columns - used))
}

/// Descriptors over the watch, and the worst verdict in words.
fn draw_course(pen: &mut Pen<'_>, area: Rect, moment: &Moment) {
    let report = &moment.report;
    let Some(total) = report.totals.iter().max_by_key(|total| total.now) else { return };
    let columns = usize::from(area.width / 3).min(total.curve.values.len().max(1)).max(8);
    let curve = spark(&total.curve.values, columns, pen.look.charset);
    let text = format!("{} to {} ", units::count(total.at_start), units::count(total.now));
    let after = pen.put(area, 2, 1, Style::Dim, "open ");
    let after = pen.put(area, 2, after, Style::Curve, &curve);
    let after = pen.put(area, 2, after + 1, Style::Plain, &text);
    let bad = |level| report.verdicts.iter().filter(|one| one.level == level).count() as u64;
    let (leaks, suspects) = (bad(Level::Leak), bad(Level::Suspect));
    let mut column = after + 2;
    if leaks > 0 {
        column = pen.put(area, 2, column, Style::Leak, &units::count_of(leaks, "leak", "leaks"));
        column += 2;
    }
    if suspects > 0 {
        let text = units::count_of(suspects, "suspect", "suspects");
        column = pen.put(area, 2, column, Style::Suspect, &text) + 2;
    }
    if leaks + suspects == 0 {
        column = pen.put(area, 2, column, Style::Good, "no leak seen") + 2;
    }
    let faults = report.faults.len() as u64;
    if faults > 0 {
        let text = units::count_of(faults, "fault", "faults");
        pen.put(area, 2, column, Style::Suspect, &format!("{text}, ? tells"));
    }
}
