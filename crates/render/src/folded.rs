//! Folded stacks of living handles: `outermost;…;innermost;kind count`, one line each, as flame graph tools read them.
//!
//! A tower's width is how many handles made there are alive now. Handles whose birth was not seen stand under
//! `[before watching]`, those without a stack under `[no stack]`: the widths always add up to all that are alive.

use std::collections::BTreeMap;

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Report, Verdict};

use crate::charset::Charset;
use crate::site;

/// The lines of `report`, sorted; stacks that read the same are one line.
pub fn report(report: &Report) -> String {
    let mut towers = BTreeMap::new();
    for verdict in &report.verdicts {
        for (stack, count) in stacks(verdict) {
            if count > 0 {
                *towers.entry(stack).or_insert(0) += count;
            }
        }
    }
    towers.into_iter().map(|(stack, count): (String, u64)| format!("{stack} {count}\n")).collect()
}

/// A verdict's stacks: that of what was born while watched, and that of what was there before.
fn stacks(verdict: &Verdict) -> [(String, u64); 2] {
    let kind = clean(verdict.kind.word());
    let existing = verdict.existing.min(verdict.live);
    let pattern = verdict.site.pattern.as_ref().map(|name| clean(&Charset::Utf8.name(name)));
    let under = |root: &str| match &pattern {
        Some(pattern) => format!("{root};{pattern};{kind}"),
        None => format!("{root};{kind}"),
    };
    let seen = match verdict.site.frames.as_slice() {
        [] => under("[no stack]"),
        frames => format!("{};{kind}", tower(frames)),
    };
    [(seen, verdict.live - existing), (under("[before watching]"), existing)]
}

/// The frames from the outermost to the innermost.
fn tower(frames: &[Frame]) -> String {
    let names = frames.iter().rev().map(|frame| clean(&site::function(frame, Charset::Utf8)));
    names.collect::<Vec<_>>().join(";")
}

/// A frame's name without what the format uses itself: `;` parts frames, and readers part the count at a space.
fn clean(name: &str) -> String {
    name.chars().map(|c| if c == ';' { ':' } else { c }).collect()
}
