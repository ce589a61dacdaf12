//! The JSON of one verdict: the site, its numbers and its evidence. The object around it is in the parent module.

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Closer, Example, Forecast, Lifetimes, Site, Verdict};
use serde::Serialize;

use super::{CurveForm, known, name, sentence};
use crate::charset::Charset;
use crate::site::frame_at;

#[derive(Serialize)]
pub(super) struct VerdictForm<'a> {
    level: &'static str,
    rule: &'static str,
    kind: &'static str,
    pid: u32,
    comm: String,
    processes: u64,
    site: SiteForm,
    acquired: u64,
    released: u64,
    live: u64,
    existing: u64,
    descriptions: Option<u64>,
    since_ns: Option<u64>,
    known_in_s: Option<f64>,
    rate_per_s: Option<f64>,
    rate_low_per_s: Option<f64>,
    rate_high_per_s: Option<f64>,
    limit: Option<ForecastForm>,
    lifetimes: LifetimesForm,
    evidence: Vec<String>,
    ruled_out: Vec<String>,
    closed_by: Vec<CloserForm>,
    examples: Vec<ExampleForm>,
    curve: CurveForm<'a>,
    advice: String,
}

impl<'a> VerdictForm<'a> {
    pub(super) fn of(verdict: &'a Verdict) -> Self {
        let rate = verdict.rate;
        VerdictForm {
            level: verdict.level.word(),
            rule: verdict.rule,
            kind: verdict.kind.word(),
            pid: verdict.pid.0,
            comm: name(&verdict.comm),
            processes: verdict.processes,
            site: SiteForm::of(&verdict.site),
            acquired: verdict.acquired,
            released: verdict.released,
            live: verdict.live,
            existing: verdict.existing,
            descriptions: verdict.descriptions,
            since_ns: verdict.since.map(|since| since.0),
            known_in_s: verdict.known_in_s,
            rate_per_s: rate.map(|rate| rate.per_s),
            rate_low_per_s: rate.map(|rate| rate.low_per_s),
            rate_high_per_s: rate.map(|rate| rate.high_per_s),
            limit: verdict.forecast.as_ref().map(ForecastForm::of),
            lifetimes: LifetimesForm::of(&verdict.lifetimes),
            evidence: sentences(&verdict.evidence),
            ruled_out: sentences(&verdict.ruled_out),
            closed_by: verdict.closed_by.iter().map(CloserForm::of).collect(),
            examples: verdict.examples.iter().map(ExampleForm::of).collect(),
            curve: CurveForm::of(&verdict.curve),
            advice: sentence(&verdict.advice),
        }
    }
}

#[derive(Serialize)]
struct SiteForm {
    id: u32,
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    pattern: Option<String>,
    stacks: u32,
    at: Option<usize>,
    frames: Vec<FrameForm>,
}

impl SiteForm {
    fn of(site: &Site) -> Self {
        let first = PlaceForm::of(&site.frames, site.at);
        SiteForm {
            id: site.id.0,
            function: first.function,
            file: first.file,
            line: first.line,
            pattern: site.pattern.as_ref().map(name),
            stacks: site.stacks,
            at: site.at,
            frames: site.frames.iter().map(FrameForm::of).collect(),
        }
    }
}

/// The frame to read first.
struct PlaceForm {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl PlaceForm {
    fn of(frames: &[Frame], at: Option<usize>) -> Self {
        let symbol = frame_at(frames, at).map(|frame| &frame.symbol);
        PlaceForm {
            function: symbol.and_then(|symbol| symbol.function.as_deref()).map(code),
            file: symbol.and_then(|symbol| symbol.file.as_deref()).map(code),
            line: symbol.and_then(|symbol| symbol.line),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FrameForm {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    inlined: bool,
    plumbing: bool,
    module: Option<String>,
    build_id: Option<String>,
    offset: u64,
}

impl FrameForm {
    pub(super) fn of(frame: &Frame) -> Self {
        let symbol = &frame.symbol;
        FrameForm {
            function: symbol.function.as_deref().map(code),
            file: symbol.file.as_deref().map(code),
            line: symbol.line,
            inlined: symbol.inlined,
            plumbing: frame.plumbing,
            module: known(&frame.module),
            build_id: frame.build_id.as_deref().map(sentence),
            offset: frame.offset,
        }
    }
}

#[derive(Serialize)]
struct ForecastForm {
    name: &'static str,
    value: Option<u64>,
    used: u64,
    reached_in_s: Option<u64>,
    soonest_in_s: Option<u64>,
    latest_in_s: Option<u64>,
}

impl ForecastForm {
    fn of(forecast: &Forecast) -> Self {
        let limit = super::LimitForm::of(&forecast.limit);
        ForecastForm {
            name: limit.name,
            value: limit.value,
            used: limit.used,
            reached_in_s: whole(forecast.reached_in_s.map(f64::round)),
            soonest_in_s: whole(forecast.soonest_s.map(f64::floor)),
            latest_in_s: whole(forecast.latest_s.map(f64::ceil)),
        }
    }
}

/// Whole seconds; none for what is no time at all.
fn whole(seconds: Option<f64>) -> Option<u64> {
    seconds.filter(|s| s.is_finite()).map(|s| s.max(0.0) as u64)
}

#[derive(Serialize)]
struct LifetimesForm {
    known: u64,
    median_ns: Option<u64>,
    p999_ns: Option<u64>,
    longest_ns: Option<u64>,
    oldest_live_ns: Option<u64>,
}

impl LifetimesForm {
    fn of(lifetimes: &Lifetimes) -> Self {
        let Lifetimes { known, median_ns, p999_ns, longest_ns, oldest_live_ns } = *lifetimes;
        LifetimesForm { known, median_ns, p999_ns, longest_ns, oldest_live_ns }
    }
}

#[derive(Serialize)]
struct CloserForm {
    how: String,
    count: u64,
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    at: Option<usize>,
    frames: Vec<FrameForm>,
}

impl CloserForm {
    fn of(closer: &Closer) -> Self {
        let first = PlaceForm::of(&closer.frames, closer.at);
        CloserForm {
            how: sentence(&closer.how),
            count: closer.count,
            function: first.function,
            file: first.file,
            line: first.line,
            at: closer.at,
            frames: closer.frames.iter().map(FrameForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct ExampleForm {
    fd: Option<u32>,
    name: Option<String>,
    tid: Option<u32>,
    thread: Option<String>,
    age_s: f64,
    age_ns: u64,
}

impl ExampleForm {
    fn of(example: &Example) -> Self {
        ExampleForm {
            fd: example.fd.map(|fd| fd.0),
            name: known(&example.name),
            // 0 means that the source cannot tell.
            tid: (example.tid.0 != 0).then_some(example.tid.0),
            thread: known(&example.thread),
            // Milliseconds are enough for people; programs take age_ns.
            age_s: (example.age_ns / 1_000_000) as f64 / 1e3,
            age_ns: example.age_ns,
        }
    }
}

/// A symbol or source path from a target's debug information.
fn code(text: &str) -> String {
    Charset::Utf8.symbol(text)
}

fn sentences(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| sentence(text)).collect()
}
