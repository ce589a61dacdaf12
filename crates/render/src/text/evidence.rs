//! The block of one leak or suspect: everything a sceptic asks for, in the order in which it convinces.

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Closer, Example, Level, Report, Verdict};

use super::{growth, headline, stack};
use crate::charset::Charset;
use crate::page::{Page, Text, width};
use crate::phrase::phrase;
use crate::site;
use crate::style::Style;
use crate::units;

/// Where the text beside the labels begins.
const COLUMN: usize = 13;
/// Closers shown; the rest is counted.
const CLOSERS: usize = 3;

/// The block of `verdict`.
pub fn verdict(page: &mut Page, report: &Report, verdict: &Verdict) {
    title(page, verdict);
    page.gap();
    place(page, verdict);
    growth::graphs(page, report, verdict, COLUMN);
    examples(page, verdict);
    birth(page, verdict);
    closers(page, verdict);
    survival(page, verdict);
    list(page, "because", &verdict.evidence);
    list(page, "ruled out", &verdict.ruled_out);
    if !verdict.advice.is_empty() {
        let advice = page.form.charset.sentence(&verdict.advice);
        labelled(page, "to do", Text::default().and(Style::Strong, advice));
    }
}

/// The level word and the sentence with numbers.
fn title(page: &mut Page, verdict: &Verdict) {
    let word = match verdict.level {
        Level::Leak => "LEAK",
        _ => "SUSPECT",
    };
    let text = Text::default()
        .and(Style::of(verdict.level), word)
        .and(Style::Plain, "  ")
        .and_text(headline::headline(verdict, page.form.charset));
    page.paragraph(&text, word.len() + 2);
}

/// A label at the left, and text that wraps beside it.
fn labelled(page: &mut Page, label: &str, text: Text) {
    hanging(page, label, text, COLUMN);
}

/// The same, the lines after the first one beginning at `hang`.
fn hanging(page: &mut Page, label: &str, text: Text, hang: usize) {
    let label = Text::plain("  ").and(Style::Label, label).pad_to(COLUMN);
    page.paragraph(&label.and_text(text), hang);
}

/// The line to open in an editor; without one, what is known instead, and why.
fn place(page: &mut Page, verdict: &Verdict) {
    let charset = page.form.charset;
    let at = site::frame_at(&verdict.site.frames, verdict.site.at);
    let (place, lacking) = match (at, &verdict.site.pattern) {
        (Some(frame), _) => {
            (Text::solid(Style::Site, site::place(frame, charset)), lacking(frame, charset))
        }
        (None, Some(pattern)) => (
            Text::plain("names like ").and_solid(Style::Site, charset.name(pattern)),
            Text::plain("; no stack was seen"),
        ),
        (None, None) => (Text::plain("a place that was not seen"), Text::default()),
    };
    let process = site::process(&verdict.comm, verdict.pid, charset);
    let text = place.and(Style::Plain, ", in ").and_solid(Style::Plain, process);
    labelled(page, "at", text.and_text(lacking));
}

/// Why a frame has no line.
fn lacking(frame: &Frame, charset: Charset) -> Text {
    if frame.symbol.file.is_some() {
        return Text::default();
    }
    let text = Text::plain("; no debug information found");
    match &frame.build_id {
        Some(id) => {
            text.and(Style::Plain, " for build id ").and_solid(Style::Plain, charset.sentence(id))
        }
        None => text,
    }
}

/// Three living handles: descriptor, name, opener, age.
fn examples(page: &mut Page, verdict: &Verdict) {
    let charset = page.form.charset;
    let rows: Vec<[String; 3]> =
        verdict.examples.iter().map(|example| row(example, charset)).collect();
    let column = |index: usize| rows.iter().map(|row| width(&row[index])).max().unwrap_or(0);
    let (fds, names, rest) = (column(0), column(1), column(2));
    let gap = if fds == 0 { 0 } else { "fd ".len() + fds + 2 };
    // Names too long to leave room for the rest are not padded: the rest goes to a line of its own.
    let names = if COLUMN + gap + names + 2 + rest <= page.form.width { names } else { 0 };
    for (index, [fd, name, rest]) in rows.iter().enumerate() {
        let fd = if fd.is_empty() { String::new() } else { format!("fd {fd:>fds$}") };
        let text = Text::solid(Style::Plain, fd)
            .pad_to(gap)
            .and_solid(Style::Plain, name.clone())
            .pad_to(gap + names)
            .and(Style::Dim, if name.is_empty() { "" } else { "  " })
            .and_solid(Style::Dim, rest.clone());
        labelled(page, if index == 0 { "examples" } else { "" }, text);
    }
}

/// Descriptor, name, and the rest.
fn row(example: &Example, charset: Charset) -> [String; 3] {
    let age = format!("{} old", units::duration_ns(example.age_ns));
    let thread = charset.name(&example.thread);
    let opener = match (example.tid.0, thread.as_str()) {
        (0, _) => age,
        (tid, "") => format!("{age}, tid {tid}"),
        (tid, thread) => format!("{age}, {thread} (tid {tid})"),
    };
    let fd = example.fd.map(|fd| fd.to_string()).unwrap_or_default();
    [fd, charset.name(&example.name), opener]
}

/// The stack at which they are born.
fn birth(page: &mut Page, verdict: &Verdict) {
    let site = &verdict.site;
    if site.frames.is_empty() {
        return;
    }
    let words = phrase(verdict.kind);
    let label = format!("{} at", words.past);
    let many = format!("{} stacks lead here; the most frequent:", units::count(site.stacks.into()));
    let note = (site.stacks > 1).then(|| Text::default().and(Style::Dim, many));
    let stack = stack::lines(&site.frames, site.at, page.form.charset);
    for (index, line) in note.into_iter().chain(stack).enumerate() {
        hanging(page, if index == 0 { &label } else { "" }, line, COLUMN + 4);
    }
}

/// Where siblings go.
fn closers(page: &mut Page, verdict: &Verdict) {
    let words = phrase(verdict.kind);
    let all: u64 = verdict.closed_by.iter().map(|closer| closer.count).sum();
    let label = format!("{} by", words.gone);
    let label = if width(&label) + 3 > COLUMN { "gone by" } else { &label };
    if verdict.closed_by.is_empty() {
        let text = match verdict.released {
            0 => Text::default()
                .and(Style::Strong, "nobody")
                .and(Style::Plain, format!(": {} while watched", words.not_one())),
            n => Text::plain(format!("{} {}; by whom was not seen", units::count(n), words.gone)),
        };
        return labelled(page, label, text);
    }
    for (index, closer) in verdict.closed_by.iter().take(CLOSERS).enumerate() {
        let text = closer_line(closer, all, page.form.charset);
        labelled(page, if index == 0 { label } else { "" }, text);
    }
    let rest: u64 = verdict.closed_by.iter().skip(CLOSERS).map(|closer| closer.count).sum();
    if rest > 0 {
        let places = verdict.closed_by.len() - CLOSERS;
        let places = units::count_of(places as u64, "other place", "other places");
        labelled(page, "", Text::plain(format!("{} at {places}", units::count(rest))));
    }
}

/// "finish_request  src/send.c:60  272 by close (100 %)".
fn closer_line(closer: &Closer, all: u64, charset: Charset) -> Text {
    let (count, share) = (units::count(closer.count), units::share(closer.count, all));
    let count = format!("{count} by {} ({share})", charset.sentence(&closer.how));
    let Some(frame) = site::frame_at(&closer.frames, closer.at) else { return Text::plain(count) };
    let text = Text::default().and(Style::Strong, site::function(frame, charset));
    let text = match &frame.symbol.function {
        Some(_) => text.and(Style::Plain, "  ").and_solid(Style::Dim, site::place(frame, charset)),
        None => text,
    };
    text.and(Style::Plain, format!("  {count}"))
}

/// Born, gone, how long they lived, and the oldest one alive.
fn survival(page: &mut Page, verdict: &Verdict) {
    let words = phrase(verdict.kind);
    let life = &verdict.lifetimes;
    let gone = match verdict.released {
        0 => "none".to_string(),
        n => units::count(n),
    };
    let born = units::count(verdict.acquired);
    let mut parts = vec![format!("{born} {} while watched, {gone} {}", words.past, words.gone)];
    if let Some(median) = life.median_ns {
        let mut text = format!("half of those within {}", units::duration_ns(median));
        if let Some(p999) = life.p999_ns {
            text += &format!(", 99.9 % within {}", units::duration_ns(p999));
        }
        if let Some(longest) = life.longest_ns {
            text += &format!(", the last after {}", units::duration_ns(longest));
        }
        parts.push(text);
    }
    if let Some(oldest) = life.oldest_live_ns {
        parts.push(format!(
            "the oldest still {} is {} old",
            words.alive,
            units::duration_ns(oldest)
        ));
    }
    let survivors = verdict.acquired.saturating_sub(verdict.released);
    if let Some(descriptions) = verdict.descriptions.filter(|n| *n < survivors) {
        let files =
            units::count_of(descriptions, "open file description", "open file descriptions");
        parts.push(format!("the survivors share {files} (dup or fork)"));
    }
    if verdict.existing > 0 {
        let existing = units::count(verdict.existing);
        parts.push(format!("{existing} of the living were there before watching, origin unknown"));
    }
    labelled(page, "lifetimes", Text::plain(parts.join("; ")));
}

/// Sentences, one below the other.
fn list(page: &mut Page, label: &str, sentences: &[String]) {
    for (index, sentence) in sentences.iter().enumerate() {
        let text = Text::plain(page.form.charset.sentence(sentence));
        labelled(page, if index == 0 { label } else { "" }, text);
    }
}
