//! Markdown for a ticket: verdicts with evidence, the stack, the table of sites.

use std::fmt::Write;

use fdscope_model::verdict::{Report, Verdict};

use super::{is_finding, title};
use crate::charset::Charset;
use crate::{site, units};

/// The text.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    let findings: Vec<&Verdict> =
        report.verdicts.iter().filter(|verdict| is_finding(verdict)).collect();
    let watched = units::duration_ns(report.ended.since_ns(report.begun));
    let _infallible = writeln!(
        text,
        "# fdscope: {}\n\n{}, watched for {watched}, {}. {} events, {} lost.\n",
        units::count_of(findings.len() as u64, "finding", "findings"),
        told(&report.machine),
        units::wall_time(report.taken_at_ns),
        units::count(report.events),
        units::count(report.lost),
    );
    findings.iter().for_each(|verdict| finding(&mut text, verdict));
    text.push_str("## Sites\n\n| verdict | site | line | kind | acquired | released | live |\n|---|---|---|---|--:|--:|--:|\n");
    for verdict in &report.verdicts {
        let line = site::frame_at(&verdict.site.frames, verdict.site.at)
            .map_or_else(String::new, |frame| site::place(frame, Charset::Utf8));
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            verdict.level.word(),
            escape(&site::name(verdict, Charset::Utf8)),
            escape(&line),
            verdict.kind.word(),
            verdict.acquired,
            verdict.released,
            verdict.live
        );
    }
    let _infallible = writeln!(text, "\n## Not seen\n");
    for blind in &report.sight.blind {
        let _infallible = writeln!(text, "- {}: {}", told(&blind.what), told(&blind.why));
    }
    let _infallible = writeln!(text, "- events lost: {}", report.lost);
    text
}

fn finding(text: &mut String, verdict: &Verdict) {
    let _infallible =
        writeln!(text, "## {}: {}\n", verdict.level.word().to_uppercase(), escape(&title(verdict)));
    for sentence in &verdict.evidence {
        let _infallible = writeln!(text, "- {}", told(sentence));
    }
    for sentence in &verdict.ruled_out {
        let _infallible = writeln!(text, "- Ruled out: {}", told(sentence));
    }
    if !verdict.site.frames.is_empty() {
        text.push('\n');
        for (index, frame) in verdict.site.frames.iter().enumerate() {
            let mark = if verdict.site.at == Some(index) { "->" } else { "  " };
            let function = site::function(frame, Charset::Utf8);
            // An indented block holds anything: no fence that a name could end.
            let _infallible =
                writeln!(text, "    {mark} {function}  {}", site::place(frame, Charset::Utf8));
        }
    }
    let _infallible = writeln!(text, "\n{}\n", told(&verdict.advice));
}

/// A sentence, harmless to terminals and in Markdown.
fn told(sentence: &str) -> String {
    escape(&Charset::Utf8.sentence(sentence))
}

/// Every character that Markdown or HTML could take for its own, escaped.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '>' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
