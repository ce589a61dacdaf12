//! The report for people: what leaks first, then all that a sceptic asks for, then what was not seen.
//!
//! Nothing is hidden: what has no room of its own is counted. The order is that of belief: the sentence with numbers,
//! the line, the curve, living examples, the birth stack, where siblings go, how long they live, what else it could
//! have been. One file for each part.

use fdscope_model::SourceName;
use fdscope_model::verdict::{Level, Report, Verdict};

use crate::charset::Charset;
use crate::page::{Form, Line, Page};
use crate::piece::Text;
use crate::style::Style;
use crate::units;

mod block;
mod evidence;
mod examples;
mod fate;
mod growth;
mod headline;
pub mod links;
mod misuse;
mod processes;
mod sites;
mod stack;
pub mod threads;
mod unseen;

/// Leaks and suspects shown whole; those after them get their sentence, their line and what to do.
const WHOLE: usize = 8;

/// Growing sites without a verdict that get their sentence at the top.
const GROWING: usize = 3;
/// Fewer survivors than this are the noise of any program.
const LEAST_GROWTH: u64 = 5;

/// All that is said of one verdict, for those who paint it themselves.
pub fn verdict(report: &Report, verdict: &Verdict, form: Form) -> Vec<Line> {
    let mut page = Page::new(form);
    evidence::verdict(&mut page, report, verdict);
    page.into_lines()
}

/// The whole report.
pub fn report(report: &Report, form: Form) -> String {
    let mut page = Page::new(form);
    summary(&mut page, report);
    for (index, verdict) in detailed(report).enumerate() {
        page.gap();
        if index == WHOLE {
            let rest = units::count((detailed(report).count() - WHOLE) as u64);
            page.line(
                &Text::default().and(Style::Dim, format!("{rest} more in short (--json has all)")),
            );
            page.gap();
        }
        match index {
            0..WHOLE => evidence::verdict(&mut page, report, verdict),
            _ => evidence::brief(&mut page, verdict),
        }
    }
    misuse::section(&mut page, report);
    sites::section(&mut page, report);
    processes::section(&mut page, report);
    unseen::section(&mut page, report);
    ending(&mut page, report);
    page.finish()
}

/// Verdicts that get a block of their own.
fn detailed(report: &Report) -> impl Iterator<Item = &Verdict> {
    report.verdicts.iter().filter(|verdict| verdict.level >= Level::Suspect)
}

/// The first lines: the answer, and what it is an answer about.
fn summary(page: &mut Page, report: &Report) {
    let charset = page.form.charset;
    if report.totals.is_empty() && report.verdicts.is_empty() {
        return page.paragraph(&Text::plain("Nothing was watched: no process was there."), 0);
    }
    let count = |level| report.verdicts.iter().filter(|v| v.level == level).count() as u64;
    let (leaks, suspects) = (count(Level::Leak), count(Level::Suspect));
    let leaks = (leaks > 0).then(|| (Style::Leak, units::count_of(leaks, "leak", "leaks")));
    let suspects =
        (suspects > 0).then(|| (Style::Suspect, units::count_of(suspects, "suspect", "suspects")));
    let answer = match (leaks, suspects) {
        (None, None) => unsuspected(report),
        (Some((style, text)), None) | (None, Some((style, text))) => {
            Text::default().and(style, text)
        }
        (Some((style, leaks)), Some((other, suspects))) => {
            Text::default().and(style, leaks).and(Style::Plain, " and ").and(other, suspects)
        }
    };
    let watched = units::duration_ns(report.ended.since_ns(report.begun));
    let how = charset.sentence(&report.sight.how);
    let how = if how.is_empty() { how } else { format!(" ({how})") };
    let rest = format!(
        " in {}, watched for {watched} by {}{how}{}.",
        targets(report, charset),
        source(report),
        needs(report)
    );
    page.paragraph(&answer.and(Style::Plain, rest), 0);
    if detailed(report).next().is_none() {
        page.gap();
        for verdict in growing(report).take(GROWING) {
            let sentence = headline::headline(verdict, charset);
            page.paragraph(&Text::plain("  ").and_text(sentence), 4);
        }
        if growing(report).next().is_some() {
            page.gap();
        }
        page.paragraph(&Text::plain(what_nothing_means(report, &watched)), 0);
    }
}

/// The answer where nothing is even suspected; growth that was watched too briefly is no all-clear.
fn unsuspected(report: &Report) -> Text {
    let fastest =
        |fastest: f64, verdict: &Verdict| fastest.max(verdict.rate.map_or(0.0, |rate| rate.per_s));
    let worst = units::signed_rate(growing(report).fold(0.0, fastest));
    let text = match growing(report).count() as u64 {
        0 => return Text::default().and(Style::Good, "No leak found"),
        1 => format!("Undecided: 1 site keeps growing ({worst})"),
        sites => format!("Undecided: {} sites keep growing (worst {worst})", units::count(sites)),
    };
    Text::default().and(Style::Suspect, text)
}

/// How much longer it takes until undecided growth is decided.
fn needs(report: &Report) -> String {
    let known = growing(report).filter_map(|verdict| verdict.known_in_s);
    match known.reduce(f64::max) {
        Some(known_s) if detailed(report).next().is_none() => {
            format!("; a verdict needs about {} more", units::duration_s(known_s.ceil()))
        }
        _ => String::new(),
    }
}

/// Sites without a verdict yet whose number surely grew, in processes that live.
fn growing(report: &Report) -> impl Iterator<Item = &Verdict> {
    let lives = |verdict: &Verdict| {
        report.totals.iter().any(|total| total.process.id.pid == verdict.pid && !total.gone)
    };
    report.verdicts.iter().filter(move |verdict| {
        verdict.level == Level::TooSoon
            && verdict.acquired.saturating_sub(verdict.released) >= LEAST_GROWTH
            && verdict.rate.is_some_and(|rate| rate.low_per_s > 0.0)
            && lives(verdict)
    })
}

fn targets(report: &Report, charset: Charset) -> String {
    match report.totals.as_slice() {
        [] => "no process".to_string(),
        [one] if one.processes == 1 => {
            crate::site::process(&one.process.comm, one.process.id.pid, charset)
        }
        many => {
            let processes = many.iter().map(|total| total.processes).sum();
            units::count_of(processes, "process", "processes")
        }
    }
}

/// The source as people call it.
fn source(report: &Report) -> &'static str {
    match report.sight.source {
        SourceName::Bpf => "eBPF",
        SourceName::Ptrace => "ptrace",
        SourceName::Poll => "sampling /proc",
        SourceName::Recording => "a recording",
    }
}

/// What a report without leak and suspect proves, and what it does not.
fn what_nothing_means(report: &Report, watched: &str) -> String {
    let sum = |part: fn(&Verdict) -> u64| report.verdicts.iter().map(part).sum();
    let born = units::count_of(sum(|v| v.acquired), "handle", "handles");
    let gone = units::count(sum(|v| v.released));
    let sites = units::count_of(report.verdicts.len() as u64, "site", "sites");
    let waiting = report.verdicts.iter().any(|verdict| verdict.level == Level::TooSoon);
    let proof = match (growing(report).next(), waiting) {
        (Some(_), _) => "What grows may be a leak or a warm-up: watch for longer to know.",
        (None, true) => "Some sites were not watched long enough for a verdict: see below.",
        (None, false) => "No site kept growing while it was watched.",
    };
    format!(
        "{born} acquired and {gone} released at {sites} in {watched}. {proof} This does not prove \
         anything about code that did not run in this time, nor about a leak so slow that it left \
         only a few handles."
    )
}

/// A heading of a section.
fn heading(page: &mut Page, title: &str) {
    page.gap();
    page.line(&Text::default().and(Style::Strong, title));
}

/// A paragraph with a bullet.
fn bullet(page: &mut Page, text: Text) {
    page.paragraph(&Text::plain("  - ").and_text(text), 4);
}

/// The command that repeats the run, and the next one worth running. A number that is gone cannot be watched again.
fn ending(page: &mut Page, report: &Report) {
    page.gap();
    let charset = page.form.charset;
    let next = crate::next::next(report);
    if !next.as_ref().is_some_and(|next| next.is_instead) {
        let repeat = Text::default().and(Style::Label, "Repeat  ");
        page.paragraph(&repeat.and_solid(Style::Strong, charset.sentence(&report.command)), 8);
    }
    if let Some(next) = next {
        let text = Text::default()
            .and(Style::Label, "Next    ")
            .and_solid(Style::Strong, charset.sentence(&next.command));
        page.paragraph(&text, 8);
        page.paragraph(&Text::plain("        ").and(Style::Dim, next.why), 8);
    }
}
