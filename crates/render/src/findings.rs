//! What is wrong with sockets: as text, a paragraph each, and as JSON.

use std::fmt::Write;

use fdscope_model::SocketFinding;
use fdscope_model::name::escape;
use serde::Serialize;

use crate::column::write_json;

/// Each finding with its evidence and its cure.
pub fn text(findings: &[SocketFinding]) -> String {
    let mut page = String::new();
    for finding in findings {
        let mut line = |indent, text: &str| {
            let _infallible = writeln!(page, "{indent}{}", escape(text.as_bytes()));
        };
        line("", &format!("{}: {}", finding.rule, finding.what));
        finding.evidence.iter().for_each(|evidence| line("  ", evidence));
        line("  ", &format!("cure: {}", finding.cure));
    }
    page
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'static str,
    pid: Option<u32>,
    count: u64,
    what: String,
    evidence: &'a [String],
    cure: &'a str,
}

impl Finding<'_> {
    fn of(finding: &SocketFinding) -> Finding<'_> {
        Finding {
            rule: finding.rule,
            pid: finding.pid.map(|pid| pid.0),
            count: finding.count,
            what: escape(finding.what.as_bytes()),
            evidence: &finding.evidence,
            cure: &finding.cure,
        }
    }
}

/// Appends the list of findings.
pub fn json(findings: &[SocketFinding], out: &mut Vec<u8>) {
    write_json(&findings.iter().map(Finding::of).collect::<Vec<_>>(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_both() {
        let finding = SocketFinding {
            rule: "close-wait",
            pid: None,
            count: 12,
            what: "7/a\x1b holds".to_owned(),
            evidence: vec!["descriptors 1".to_owned()],
            cure: "close".to_owned(),
        };
        let page = text(std::slice::from_ref(&finding));
        assert_eq!(page, "close-wait: 7/a\\x1b holds\n  descriptors 1\n  cure: close\n");
        let mut out = Vec::new();
        json(&[finding], &mut out);
        let expected = r#"[{"rule":"close-wait","pid":null,"count":12,"what":"7/a\\x1b holds","#;
        assert!(String::from_utf8_lossy(&out).starts_with(expected));
    }
}
