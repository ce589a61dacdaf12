//! SARIF 2.1.0: a result for every leak and suspect, at its line.

use fdscope_model::Level;
use fdscope_model::verdict::{Report, Verdict};
use serde_json::{Value, json};

use super::{is_finding, place, sentences, title};

/// The text.
pub fn report(report: &Report) -> String {
    let results: Vec<Value> =
        report.verdicts.iter().filter(|v| is_finding(v)).map(result).collect();
    let rule = |id: &str, text: &str| json!({"id": id, "shortDescription": {"text": text}});
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "fdscope",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("leak", "Handles are acquired here and never released."),
                    rule("suspect", "Handles acquired here grow in number; something forbids certainty."),
                ],
            }},
            "results": results,
        }],
    });
    format!("{whole}\n")
}

fn result(verdict: &Verdict) -> Value {
    let level = if verdict.level == Level::Leak { "error" } else { "warning" };
    let told = [title(verdict)].into_iter().chain(sentences(verdict)).collect::<Vec<_>>();
    let mut result = json!({
        "ruleId": verdict.level.word(),
        "level": level,
        "message": {"text": told.join("\n")},
    });
    if let Some(place) = place(verdict).filter(|place| !place.file.is_empty()) {
        let mut physical = json!({"artifactLocation": {"uri": uri(&place.file)}});
        if place.line > 0 {
            physical["region"] = json!({"startLine": place.line});
        }
        result["locations"] = json!([{
            "physicalLocation": physical,
            "logicalLocations": [{"fullyQualifiedName": place.function}],
        }]);
    }
    result
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for &byte in path.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
