//! speedscope's JSON (its file-format-spec): one sampled profile whose weights are living handles.

use std::collections::BTreeMap;

use fdscope_model::verdict::Report;
use serde_json::json;

use super::{Place, towers};

/// The text.
pub fn report(report: &Report) -> String {
    let mut frames: BTreeMap<Place, usize> = BTreeMap::new();
    let mut listed = Vec::new();
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    for (tower, count) in towers(report) {
        let mut number = |place: Place| {
            *frames.entry(place.clone()).or_insert_with(|| {
                let line = (place.line > 0).then_some(place.line);
                listed.push(json!({"name": place.function, "file": place.file, "line": line}));
                listed.len() - 1
            })
        };
        samples.push(tower.into_iter().map(&mut number).collect::<Vec<_>>());
        weights.push(count);
    }
    let whole = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": "living handles by creating stack",
        "exporter": concat!("fdscope ", env!("CARGO_PKG_VERSION")),
        "activeProfileIndex": 0,
        "shared": {"frames": listed},
        "profiles": [{
            "type": "sampled", "name": "living handles", "unit": "none", "startValue": 0,
            "endValue": weights.iter().sum::<u64>(), "samples": samples, "weights": weights,
        }],
    });
    format!("{whole}\n")
}
