//! No field of the model is forgotten by the JSON: every struct is taken apart without `..`, so that a new field does
//! not compile here until it is looked at, and every value of a marked report must be found in the output.

mod made;

use fdscope_model::id::{FdNumber, Monotonic, Pid, ProcessId, SiteId, Tid};
use fdscope_model::verdict::{
    Closer, Curve, Example, Forecast, Lifetimes, Misuse, Rate, Report, Site, Total, Verdict,
};
use fdscope_model::{Blind, Fault, Frame, Limit, Name, Process, Sight, Symbol};
use serde_json::Value;

/// What must be found in the JSON: integers as they are, texts as they are or as a part.
#[derive(Default)]
struct Expected {
    numbers: Vec<u64>,
    floats: Vec<f64>,
    texts: Vec<String>,
}

impl Expected {
    fn number(&mut self, n: impl Into<u64>) {
        self.numbers.push(n.into());
    }

    fn text(&mut self, text: &str) {
        self.texts.push(text.to_string());
    }

    fn name(&mut self, name: &Name) {
        self.text(&name.to_string());
    }
}

/// Everything in a JSON value, flat.
fn collect(value: &Value, numbers: &mut Vec<u64>, floats: &mut Vec<f64>, texts: &mut Vec<String>) {
    match value {
        Value::Number(n) => {
            numbers.extend(n.as_u64());
            floats.extend(n.as_f64());
        }
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|v| collect(v, numbers, floats, texts)),
        Value::Object(map) => map.values().for_each(|v| collect(v, numbers, floats, texts)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn every_value_of_a_report_is_in_its_json() {
    let mut report = made::suspect_with_losses();
    mark(&mut report);
    let mut expected = Expected::default();
    expect_report(&mut expected, &report);
    let value = serde_json::from_str(&fdscope_render::json::report(&report)).expect("JSON");
    let (mut numbers, mut floats, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    collect(&value, &mut numbers, &mut floats, &mut texts);
    for n in expected.numbers {
        assert!(numbers.contains(&n), "{n} is not in the JSON");
    }
    for f in expected.floats {
        assert!(floats.contains(&f), "{f} is not in the JSON");
    }
    for text in expected.texts {
        assert!(texts.contains(&text), "{text:?} is not in the JSON");
    }
}

/// Gives the first of everything values that occur nowhere else.
fn mark(report: &mut Report) {
    let hidden = made::leak_with_stack();
    report.misuse.clone_from(&hidden.misuse);
    let mut next = 7_000_000;
    let mut n = || {
        next += 1;
        next
    };
    (report.taken_at_ns, report.lost, report.events, report.stacks_skipped) = (n(), n(), n(), n());
    (report.begun, report.ended) = (Monotonic(n()), Monotonic(n()));
    report.faults.truncate(1);
    report.faults[0].fd = Some(FdNumber(n() as u32));
    let verdict = &mut report.verdicts[0];
    verdict.site.frames.clone_from(&hidden.verdicts[0].site.frames);
    verdict.closed_by.clone_from(&hidden.verdicts[0].closed_by);
    (verdict.acquired, verdict.released, verdict.live, verdict.existing) = (n(), n(), n(), n());
    (verdict.descriptions, verdict.since) = (Some(n()), Some(Monotonic(n())));
    verdict.site.at = Some(3);
    (verdict.processes, verdict.known_in_s) = (n(), Some(n() as f64));
    (verdict.site.id, verdict.site.stacks) = (SiteId(n() as u32), n() as u32);
    verdict.rate = Some(Rate { per_s: 0.125, low_per_s: 0.0625, high_per_s: 0.25 });
    let limit = &mut verdict.forecast.as_mut().expect("made with a forecast").limit;
    (limit.value, limit.used) = (n(), n());
    let forecast = verdict.forecast.as_mut().expect("made with a forecast");
    forecast.reached_in_s = Some(n() as f64);
    (forecast.soonest_s, forecast.latest_s) = (Some(n() as f64), Some(n() as f64));
    verdict.lifetimes = Lifetimes {
        known: n(),
        median_ns: Some(n()),
        p999_ns: Some(n()),
        longest_ns: Some(n()),
        oldest_live_ns: Some(n()),
    };
    let example = &mut verdict.examples[0];
    (example.age_ns, example.tid, example.fd) = (n(), Tid(n() as u32), Some(FdNumber(n() as u32)));
    verdict.closed_by[0].count = n();
    let total = &mut report.totals[0];
    (total.at_start, total.now, total.acquired, total.released) = (n(), n(), n(), n());
    (total.found, total.vanished, total.process.id.start_ticks) = (n(), n(), n());
    total.processes = n();
    (total.process.uid, total.process.parent) = (n() as u32, Pid(n() as u32));
    report.misuse[0].count = n();
    report.misuse[0].fd = Some(FdNumber(n() as u32));
}

fn expect_report(e: &mut Expected, report: &Report) {
    let Report {
        command,
        taken_at_ns,
        machine,
        begun,
        ended,
        sight,
        lost,
        events,
        stacks_skipped,
        totals,
        verdicts,
        misuse,
        faults,
    } = report;
    e.text(command);
    e.text(machine);
    for n in [*taken_at_ns, begun.0, ended.0, *lost, *events, *stacks_skipped] {
        e.number(n);
    }
    let Sight { source, how, blind } = sight;
    e.text(source.word());
    e.text(how);
    for Blind { what, why, cure } in blind {
        [what, why].into_iter().chain(cure).for_each(|text| e.text(text));
    }
    for Fault { pid, fd, operation, cause } in faults {
        e.text(operation);
        e.text(cause);
        pid.iter().for_each(|pid| e.number(pid.0));
        fd.iter().for_each(|fd| e.number(fd.0));
    }
    verdicts.iter().for_each(|verdict| expect_verdict(e, verdict));
    totals.iter().for_each(|total| expect_total(e, total));
    misuse.iter().for_each(|misuse| expect_misuse(e, misuse));
}

fn expect_verdict(e: &mut Expected, verdict: &Verdict) {
    let Verdict {
        level,
        rule,
        kind,
        pid,
        comm,
        site,
        acquired,
        released,
        live,
        existing,
        descriptions,
        since,
        rate,
        forecast,
        lifetimes,
        curve,
        evidence,
        ruled_out,
        closed_by,
        examples,
        advice,
        processes,
        known_in_s,
    } = verdict;
    e.number(*processes);
    e.floats.extend(known_in_s);
    for word in [level.word(), rule, kind.word(), advice] {
        e.text(word);
    }
    e.number(pid.0);
    e.name(comm);
    let Site { id, frames, at, stacks, pattern } = site;
    e.number(id.0);
    e.number(*stacks);
    at.iter().for_each(|at| e.number(*at as u64));
    pattern.iter().for_each(|pattern| e.name(pattern));
    frames.iter().for_each(|frame| expect_frame(e, frame));
    for n in [*acquired, *released, *live, *existing] {
        e.number(n);
    }
    descriptions.iter().chain(since.as_ref().map(|since| &since.0)).for_each(|n| e.number(*n));
    if let Some(Rate { per_s, low_per_s, high_per_s }) = rate {
        e.floats.extend([per_s, low_per_s, high_per_s]);
    }
    if let Some(Forecast { limit, reached_in_s, soonest_s, latest_s }) = forecast {
        expect_limit(e, limit);
        // Whole seconds in the JSON; the marked ones are whole.
        let seconds = [reached_in_s, soonest_s, latest_s].into_iter().flatten();
        seconds.filter(|s| s.fract() == 0.0).for_each(|s| e.number(*s as u64));
    }
    let Lifetimes { known, median_ns, p999_ns, longest_ns, oldest_live_ns } = lifetimes;
    e.number(*known);
    [median_ns, p999_ns, longest_ns, oldest_live_ns]
        .into_iter()
        .flatten()
        .for_each(|ns| e.number(*ns));
    expect_curve(e, curve);
    evidence.iter().chain(ruled_out).for_each(|sentence| e.text(sentence));
    for Closer { how, frames, at, count } in closed_by {
        e.text(how);
        e.number(*count);
        at.iter().for_each(|at| e.number(*at as u64));
        frames.iter().for_each(|frame| expect_frame(e, frame));
    }
    for Example { fd, name, tid, thread, age_ns } in examples {
        fd.iter().for_each(|fd| e.number(fd.0));
        e.name(name);
        e.name(thread);
        e.number(*age_ns);
        if tid.0 != 0 {
            e.number(tid.0);
        }
    }
}

fn expect_frame(e: &mut Expected, frame: &Frame) {
    // `plumbing` and `inlined` are booleans: the golden files show them.
    let Frame { symbol, module, build_id, offset, plumbing: _ } = frame;
    let Symbol { function, file, line, inlined: _ } = symbol;
    function.iter().chain(file).chain(build_id).for_each(|text| e.text(text));
    line.iter().for_each(|line| e.number(*line));
    e.name(module);
    e.number(*offset);
}

fn expect_limit(e: &mut Expected, limit: &Limit) {
    let Limit { name, value, used } = limit;
    e.text(name.word());
    e.number(*used);
    if *value != u64::MAX {
        e.number(*value);
    }
}

fn expect_curve(e: &mut Expected, curve: &Curve) {
    let Curve { start, bin_ns, values } = curve;
    [start.0, *bin_ns].iter().chain(values).for_each(|n| e.number(*n));
}

fn expect_total(e: &mut Expected, total: &Total) {
    let Total {
        process,
        at_start,
        now,
        acquired,
        released,
        curve,
        limits,
        gone: _,
        found,
        vanished,
        agrees: _,
        processes,
    } = total;
    e.number(*processes);
    let Process { id, parent, comm, cmdline, uid, exe } = process;
    let ProcessId { pid, start_ticks } = id;
    for n in [*at_start, *now, *acquired, *released, *found, *vanished, *start_ticks] {
        e.number(n);
    }
    for n in [pid.0, parent.0, *uid] {
        e.number(n);
    }
    e.name(comm);
    e.name(exe);
    let arguments = cmdline.bytes().split(|&b| b == 0).filter(|argument| !argument.is_empty());
    arguments.for_each(|argument| e.name(&Name::from(argument)));
    expect_curve(e, curve);
    limits.iter().for_each(|limit| expect_limit(e, limit));
}

fn expect_misuse(e: &mut Expected, misuse: &Misuse) {
    let Misuse { kind, pid, comm, call, count, fd, name, frames, at, earlier } = misuse;
    e.text(kind.word());
    e.text(call);
    e.name(comm);
    e.name(name);
    e.number(pid.0);
    e.number(*count);
    fd.iter().for_each(|fd| e.number(fd.0));
    at.iter().for_each(|at| e.number(*at as u64));
    frames.iter().chain(earlier).for_each(|frame| expect_frame(e, frame));
}
