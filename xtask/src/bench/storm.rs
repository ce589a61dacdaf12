//! A loop of open and close, untraced and under every tool: the dearest case there is, nothing but traced calls.

use super::tool::{BPF_DWARF, BPF_FP, PTRACE, STRACE, STRACE_K, Tool, json_number};
use super::{Bench, Row, median};
use anyhow::Result;
use fdscope_fixtures::{Fixture, c};

/// A tool, how many pairs it is given (about a second's worth), and what is promised of its ratio to untraced.
struct Case {
    tool: Tool,
    pairs: u32,
    promise: &'static str,
    at_most: f64,
}

const CASES: &[Case] = &[
    Case { tool: BPF_FP, pairs: 400_000, promise: "at most 2.0×", at_most: 2.0 },
    Case { tool: BPF_DWARF, pairs: 400_000, promise: "at most 2.6×", at_most: 2.6 },
    Case { tool: PTRACE, pairs: 20_000, promise: "", at_most: f64::MAX },
    Case { tool: STRACE, pairs: 20_000, promise: "", at_most: f64::MAX },
    Case { tool: STRACE_K, pairs: 1_500, promise: "", at_most: f64::MAX },
];

/// The pairs of an untraced run.
const PAIRS: u32 = 400_000;

pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.tool.is_here()).collect();
    let mut untraced = Vec::new();
    let mut traced = vec![Vec::new(); cases.len()];
    for _ in 0..bench.rounds {
        let alone = pair_ns(&mut storm(PAIRS));
        untraced.push(alone);
        for (case, ratios) in cases.iter().zip(&mut traced) {
            ratios.push(traced_ns(bench, case)? / alone);
        }
    }
    let mut rows =
        vec![Row::new("open+close, untraced", format!("{:.0} ns a pair", median(untraced)))];
    let medians: Vec<f64> = traced.into_iter().map(median).collect();
    rows.extend(cases.iter().zip(&medians).map(|(case, ratio)| row(case, *ratio)));
    let of = |name: &str| {
        cases
            .iter()
            .zip(&medians)
            .find_map(|(case, ratio)| (case.tool.name == name).then_some(*ratio))
    };
    if let (Some(ours), Some(theirs)) = (of(PTRACE.name), of(STRACE_K.name)) {
        let row = Row::new("fdscope by ptrace, of strace -k", format!("{:.2}×", ours / theirs));
        rows.push(row.promised("no slower", ours <= theirs));
    }
    rows.extend(loss(bench)?);
    Ok(rows)
}

fn row(case: &Case, ratio: f64) -> Row {
    let row = Row::new(format!("open+close under {}", case.tool.name), format!("{ratio:.2}×"));
    match case.promise {
        "" => row,
        promise => row.promised(promise, ratio <= case.at_most),
    }
}

fn storm(pairs: u32) -> Fixture {
    Fixture::start(&c("storm"), &[&format!("iterations={pairs}"), "depth=5"])
}

/// One run of the loop: nanoseconds a pair, by the program's own clock.
fn pair_ns(storm: &mut Fixture) -> f64 {
    storm.say("go");
    let cost = storm.wait_for("storm").number("ns_per_pair") as f64;
    storm.wait_for("done");
    cost
}

fn traced_ns(bench: &Bench, case: &Case) -> Result<f64> {
    let mut storm = storm(case.pairs);
    let running = case.tool.attach(bench, &[storm.pid()], &[])?;
    let cost = pair_ns(&mut storm);
    running.stop()?;
    Ok(cost)
}

/// Events a second through eBPF, and how many were lost.
fn loss(bench: &Bench) -> Result<Option<Row>> {
    let mut storm = storm(2_000_000);
    let running = BPF_FP.attach(bench, &[storm.pid()], &["--json"])?;
    let cost = pair_ns(&mut storm);
    let report = running.stop()?;
    let Some(lost) = json_number(&report, "lost") else { return Ok(None) };
    let per_second = 2e9 / cost;
    let figure = format!("{per_second:.0} events/s, {lost:.0} lost");
    let row = Row::new("events through eBPF", figure);
    Ok(Some(row.promised("300,000/s, none lost", lost == 0.0 && per_second >= 300_000.0)))
}
