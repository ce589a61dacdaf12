//! Misuse seen on the way: what it means, how often, where, and what went before.

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Misuse, MisuseKind, Report};

use super::heading;
use crate::charset::Charset;
use crate::page::Page;
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::units;

/// Misuses shown with their places; the rest is counted.
const SHOWN: usize = 10;

/// The section; nothing if no misuse was seen.
pub fn section(page: &mut Page, report: &Report) {
    if report.misuse.is_empty() {
        return;
    }
    heading(page, "Misuse seen");
    for misuse in report.misuse.iter().take(SHOWN) {
        entry(page, misuse);
    }
    let rest = report.misuse.iter().skip(SHOWN);
    let (places, times) = rest.fold((0, 0), |(n, times), misuse| (n + 1, times + misuse.count));
    if places > 0 {
        let places = units::count_of(places, "more place", "more places");
        let times = units::count_of(times, "time", "times");
        page.paragraph(&Text::plain(format!("  {places}, {times} in all (--json has them)")), 2);
    }
}

/// What a kind of misuse is, for a sentence that begins with the call.
fn meaning(kind: MisuseKind) -> &'static str {
    match kind {
        MisuseKind::DoubleClose => "of a number that was not open (double close)",
        MisuseKind::BadDescriptor => "on a number that was not open (EBADF)",
        MisuseKind::ProcessLimit => "failed: the process may open no more (EMFILE)",
        MisuseKind::SystemLimit => "failed: the system may open no more (ENFILE)",
        MisuseKind::InheritedOverExec => {
            "carried a descriptor without close-on-exec into a new program"
        }
    }
}

/// What the other stack of a misuse is.
fn earlier(kind: MisuseKind) -> &'static str {
    match kind {
        MisuseKind::DoubleClose | MisuseKind::BadDescriptor => "closed before at ",
        _ => "born at ",
    }
}

fn entry(page: &mut Page, misuse: &Misuse) {
    let charset = page.form.charset;
    let times = units::count_of(misuse.count, "time", "times");
    let call = charset.sentence(&misuse.call);
    let mut text = Text::plain("  ")
        .and(Style::Suspect, times)
        .and(Style::Plain, format!("  {call} {}", meaning(misuse.kind)));
    if let Some(fd) = misuse.fd {
        text = text.and(Style::Plain, ", such as ").and_solid(Style::Plain, format!("fd {fd}"));
    }
    if !misuse.name.is_empty() {
        text = text.and(Style::Plain, " ").and_solid(Style::Plain, charset.name(&misuse.name));
    }
    let process = site::process(&misuse.comm, misuse.pid, charset);
    text = text.and(Style::Plain, ", in ").and_solid(Style::Plain, process);
    page.paragraph(&text, 4);
    place(page, "at ", &misuse.frames, misuse.at, charset);
    let first = misuse.earlier.iter().position(|frame| !frame.plumbing);
    place(page, earlier(misuse.kind), &misuse.earlier, first, charset);
}

/// The site of a stack and its caller, on a line.
fn place(page: &mut Page, word: &str, frames: &[Frame], at: Option<usize>, charset: Charset) {
    let Some(frame) = site::frame_at(frames, at) else { return };
    let mut text = Text::plain(format!("    {word}"))
        .and(Style::Site, site::function(frame, charset))
        .and(Style::Plain, "  ");
    if frame.symbol.function.is_some() {
        text = text.and_solid(Style::Dim, site::place(frame, charset));
    }
    let caller = at.and_then(|at| frames.get(at + 1)).filter(|caller| !caller.plumbing);
    if let Some(caller) = caller {
        text = text.and(Style::Dim, format!(", called by {}", site::function(caller, charset)));
    }
    page.paragraph(&text, 8);
}
