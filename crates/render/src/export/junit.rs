//! JUnit's XML: a test case for every site, failed where it leaks or is suspect.

use std::fmt::Write;

use fdscope_model::verdict::Report;

use super::{is_finding, sentences, title};
use crate::charset::Charset;
use crate::site;

/// The text.
pub fn report(report: &Report) -> String {
    let failures = report.verdicts.iter().filter(|verdict| is_finding(verdict)).count();
    let seconds = report.ended.since_ns(report.begun) as f64 / 1e9;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"fdscope\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\">\n",
        report.verdicts.len()
    );
    for verdict in &report.verdicts {
        let name = format!("{} {}", site::name(verdict, Charset::Utf8), verdict.kind.plural());
        let class = escape(&Charset::Utf8.name(&verdict.comm));
        let _infallible = write!(
            text,
            "    <testcase classname=\"{class}\" name=\"{}\" time=\"0\"",
            escape(&name)
        );
        if is_finding(verdict) {
            let told = escape(&sentences(verdict).join("\n"));
            let (title, level) = (escape(&title(verdict)), verdict.level.word());
            let _infallible = writeln!(
                text,
                ">\n      <failure type=\"{level}\" message=\"{title}\">{told}</failure>\n    </testcase>"
            );
        } else {
            text.push_str("/>\n");
        }
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text for XML 1.0, which has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
