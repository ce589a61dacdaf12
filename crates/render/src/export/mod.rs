//! A report for other tools and other people: one page of HTML, Markdown for a ticket, profiles for flame graph viewers,
//! findings for CI.

use fdscope_model::Level;
use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Report, Verdict};

use crate::charset::Charset;
use crate::site;

pub mod html;
mod junit;
mod markdown;
mod pprof;
mod sarif;
mod speedscope;

/// A form of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Export {
    /// For a ticket.
    Markdown,
    /// Folded stacks of living handles.
    Folded,
    /// speedscope.app's file format.
    Speedscope,
    /// The protocol buffer that `go tool pprof` reads; not compressed, which it does not ask for.
    Pprof,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit's XML: a test case a site.
    Junit,
}

/// The bytes of `report` in a form.
pub fn export(report: &Report, form: Export) -> Vec<u8> {
    match form {
        Export::Markdown => markdown::report(report).into_bytes(),
        Export::Folded => crate::folded::report(report).into_bytes(),
        Export::Speedscope => speedscope::report(report).into_bytes(),
        Export::Pprof => pprof::report(report),
        Export::Sarif => sarif::report(report).into_bytes(),
        Export::Junit => junit::report(report).into_bytes(),
    }
}

/// Living handles by stack, outermost frame first; those without a stack stand under a frame that says so.
fn towers(report: &Report) -> Vec<(Vec<Place>, u64)> {
    let mut towers = Vec::new();
    for verdict in &report.verdicts {
        let existing = verdict.existing.min(verdict.live);
        let kind = Place::named(verdict.kind.word());
        let pattern =
            verdict.site.pattern.as_ref().map(|name| Place::named(&Charset::Utf8.name(name)));
        let under = |root| {
            let whole = [Some(Place::named(root)), pattern.clone(), Some(kind.clone())];
            whole.into_iter().flatten().collect()
        };
        let seen = match verdict.site.frames.as_slice() {
            [] => under("[no stack]"),
            frames => frames.iter().rev().map(Place::of).chain([kind.clone()]).collect(),
        };
        towers.push((seen, verdict.live - existing));
        towers.push((under("[before watching]"), existing));
    }
    towers.retain(|(_, count)| *count > 0);
    towers
}

/// A frame as these formats want it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Place {
    function: String,
    file: String,
    line: u32,
}

impl Place {
    fn named(word: &str) -> Self {
        Place { function: word.to_owned(), file: String::new(), line: 0 }
    }

    fn of(frame: &Frame) -> Self {
        let file = frame.symbol.file.as_deref().map(|file| Charset::Utf8.symbol(file));
        Place {
            function: site::function(frame, Charset::Utf8),
            file: file.unwrap_or_else(|| Charset::Utf8.name(&frame.module)),
            line: frame.symbol.line.unwrap_or(0),
        }
    }
}

/// The line to read first.
fn place(verdict: &Verdict) -> Option<Place> {
    site::frame_at(&verdict.site.frames, verdict.site.at).map(Place::of)
}

fn is_finding(verdict: &Verdict) -> bool {
    verdict.level >= Level::Suspect
}

/// The evidence, harmless wherever it is shown.
fn sentences(verdict: &Verdict) -> Vec<String> {
    verdict.evidence.iter().map(|sentence| Charset::Utf8.sentence(sentence)).collect()
}

/// What is said of a site in one line.
fn title(verdict: &Verdict) -> String {
    let process = site::process(&verdict.comm, verdict.pid, Charset::Utf8);
    let name = site::name(verdict, Charset::Utf8);
    let rate = verdict.rate.map(|rate| crate::units::rate(rate.per_s, verdict.kind.plural()));
    let grows = rate.map_or_else(String::new, |rate| format!(", {rate}"));
    let live = crate::units::count(verdict.live);
    format!("{name} in {process}: {live} {} open{grows}", verdict.kind.plural())
}
