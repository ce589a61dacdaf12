//! The block of one leak or suspect: everything a sceptic asks for, in the order in which it convinces.

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Level, Report, Verdict};

use super::block::{COLUMN, hanging, labelled};
use super::{examples, fate, growth, headline, stack};
use crate::charset::Charset;
use crate::page::Page;
use crate::phrase::phrase;
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::units;

/// The block of `verdict`, whole.
pub fn verdict(page: &mut Page, report: &Report, verdict: &Verdict) {
    title(page, verdict);
    page.gap();
    place(page, verdict);
    since(page, report, verdict);
    growth::graphs(page, report, verdict, COLUMN);
    examples::examples(page, verdict);
    birth(page, verdict);
    fate::closers(page, verdict);
    fate::survival(page, verdict);
    because(page, verdict);
    list(page, "ruled out", Text::default(), &verdict.ruled_out);
    advice(page, verdict);
}

/// The block of a verdict that comes after many: its sentence, its line and what to do.
pub fn brief(page: &mut Page, verdict: &Verdict) {
    title(page, verdict);
    place(page, verdict);
    advice(page, verdict);
}

/// The level word and the sentence with numbers.
fn title(page: &mut Page, verdict: &Verdict) {
    let word = match verdict.level {
        Level::Leak => "LEAK",
        Level::Suspect => "SUSPECT",
        quiet => quiet.word(),
    };
    let text = Text::default()
        .and(Style::of(verdict.level), word)
        .and(Style::Plain, "  ")
        .and_text(headline::headline(verdict, page.form.charset));
    page.paragraph(&text, word.len() + 2);
}

/// The line to open in an editor; without one, what is known instead, and why.
fn place(page: &mut Page, verdict: &Verdict) {
    let charset = page.form.charset;
    let at = site::frame_at(&verdict.site.frames, verdict.site.at);
    let (place, lacking) = match (at, &verdict.site.pattern) {
        (Some(frame), _) => {
            (Text::solid(Style::Site, site::place(frame, charset)), lacking(frame, charset))
        }
        (None, Some(_)) if site::is_unnamed(verdict) => {
            (Text::plain(site::name(verdict, charset)), Text::default())
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

/// Since when, on the clock of people.
fn since(page: &mut Page, report: &Report, verdict: &Verdict) {
    let Some(since) = verdict.since else { return };
    let ago_ns = report.ended.since_ns(since);
    let clock = units::wall_time(report.taken_at_ns.saturating_sub(ago_ns));
    let ago = units::duration_ns(ago_ns);
    let text = format!("{clock}, {ago} ago: the first born while watched");
    labelled(page, "since", Text::plain(text));
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

/// Rules whose first sentence is the title in other words.
const TITLED: [&str; 6] =
    ["growth", "hazard-break", "lost-events", "no-stacks", "closed-late", "irregular"];

/// What convinces beyond what the block shows already.
fn because(page: &mut Page, verdict: &Verdict) {
    let rule = Text::default().and(Style::Dim, format!("rule {}: ", verdict.rule));
    let said = usize::from(TITLED.contains(&verdict.rule)).min(verdict.evidence.len());
    match &verdict.evidence[said..] {
        [] => labelled(
            page,
            "because",
            Text::default().and(Style::Dim, format!("rule {}", verdict.rule)),
        ),
        sentences => list(page, "because", rule, sentences),
    }
}

/// Sentences, one below the other, the first one after `lead`.
fn list(page: &mut Page, label: &str, lead: Text, sentences: &[String]) {
    let leads = [(label, lead)].into_iter().chain(std::iter::repeat(("", Text::default())));
    for ((label, lead), sentence) in leads.zip(sentences) {
        labelled(page, label, lead.and(Style::Plain, page.form.charset.sentence(sentence)));
    }
}

fn advice(page: &mut Page, verdict: &Verdict) {
    if !verdict.advice.is_empty() {
        let advice = page.form.charset.sentence(&verdict.advice);
        labelled(page, "to do", Text::default().and(Style::Strong, advice));
    }
}
