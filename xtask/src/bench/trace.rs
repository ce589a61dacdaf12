//! `fdscope trace` beside strace: calls that are traced, calls that are not, and nginx under the line that people use.
//!
//! Every line goes to a file, as text. The target is held to one processor; strace, too, where it is fastest. Of fdscope
//! both is shown: where the machine puts it, and held beside the target.

use super::server::{nginx_shares, scratch};
use super::tool::{Tool, pin, strace_beside, trace, trace_beside};
use super::{Bench, Row, median};
use anyhow::Result;
use fdscope_fixtures::{Fixture, c};
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A tool on a loop: how many rounds that gets, and what is promised of its ratio to untraced.
struct Case {
    tool: Tool,
    pairs: u32,
    promise: &'static str,
    at_most: f64,
}

const fn case(tool: Tool, pairs: u32) -> Case {
    Case { tool, pairs, promise: "", at_most: f64::MAX }
}

const OPENS: &[Case] = &[
    Case {
        promise: "at most 2.5×",
        at_most: 2.5,
        ..case(trace("fdscope trace -f -e trace=file", &["-f", "-e", "trace=file"]), 400_000)
    },
    case(trace_beside("the same on the target's processor", &["-f", "-e", "trace=file"]), 400_000),
    case(trace("fdscope trace -f (%handle)", &["-f"]), 400_000),
    case(strace_beside("strace -f -e trace=file", &["-f", "-e", "trace=file"]), 20_000),
    case(strace_beside("strace -f -e trace=file,desc", &["-f", "-e", "trace=file,desc"]), 20_000),
    case(
        trace_beside(
            "fdscope trace --source=ptrace -f -e trace=file,desc",
            &["--source=ptrace", "-f", "-e", "trace=file,desc"],
        ),
        20_000,
    ),
];

const UNTRACED: &[Case] = &[
    Case {
        promise: "at most 1.5×",
        at_most: 1.5,
        ..case(trace("fdscope trace -f -e trace=file", &["-f", "-e", "trace=file"]), 2_000_000)
    },
    case(strace_beside("strace -f -e trace=file", &["-f", "-e", "trace=file"]), 30_000),
];

/// The line that people use, but for the file.
const LINE: &[&str] = &["-tt", "-T", "-v", "-f", "-e", "trace=file", "-s", "1024"];
const LINE_K: &[&str] = &["-k", "-tt", "-T", "-v", "-f", "-e", "trace=file", "-s", "1024"];

/// All of it.
pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let folder = scratch("trace")?;
    let log = folder.join("log");
    let mut rows = loops(bench, "open", "open+close", OPENS, &log)?;
    rows.extend(loops(bench, "bare", "calls that are not traced", UNTRACED, &log)?);
    rows.extend(losses(bench, &log)?);
    rows.extend(nginx(bench, &log)?);
    std::fs::remove_dir_all(&folder)?;
    Ok(rows)
}

fn loops(bench: &Bench, what: &str, name: &str, cases: &[Case], log: &Path) -> Result<Vec<Row>> {
    let cases: Vec<&Case> = cases.iter().filter(|case| case.tool.is_here()).collect();
    let mut alone = Vec::new();
    let mut ratios = vec![Vec::new(); cases.len()];
    for _ in 0..bench.rounds {
        for (case, ratios) in cases.iter().zip(&mut ratios) {
            let free = storm(what, 200_000)?.pair_ns();
            let mut storm = storm(what, case.pairs)?;
            let output = ["-o", log.to_str().unwrap_or_default()];
            let running = case.tool.attach(bench, &[storm.0.pid()], &output)?;
            ratios.push(storm.pair_ns() / free);
            running.stop()?;
            alone.push(free);
        }
    }
    let mut rows = vec![Row::new(format!("{name}, untraced"), ns(median(alone)))];
    for (case, ratios) in cases.iter().zip(ratios) {
        let ratio = median(ratios);
        let row = Row::new(format!("{name} under {}", case.tool.name), format!("{ratio:.2}×"));
        rows.push(match case.promise {
            "" => row,
            promise => row.promised(promise, ratio <= case.at_most),
        });
    }
    Ok(rows)
}

fn ns(ns: f64) -> String {
    format!("{ns:.0} ns a pair")
}

/// A loop that waits to be told to go, held to the first processor.
struct Storm(Fixture);

fn storm(what: &str, pairs: u32) -> Result<Storm> {
    let arguments = [format!("iterations={pairs}"), format!("what={what}")];
    let fixture = Fixture::start(&c("storm"), &[&arguments[0], &arguments[1]]);
    pin(fixture.pid())?;
    Ok(Storm(fixture))
}

impl Storm {
    /// One run of the loop: nanoseconds a pair, by the program's own clock.
    fn pair_ns(&mut self) -> f64 {
        self.0.say("go");
        let cost = self.0.wait_for("storm").number("ns_per_pair") as f64;
        self.0.wait_for("done");
        cost
    }
}

/// How many calls a second are written as text, and whether each is a line or counted as lost.
fn losses(bench: &Bench, log: &Path) -> Result<Vec<Row>> {
    const TOOL: Tool = trace("fdscope trace -f", &["-f", "-e", "trace=openat,close"]);
    const PAIRS: u32 = 1_000_000;
    let mut storm = storm("open", PAIRS)?;
    let output = ["-o", log.to_str().unwrap_or_default()];
    let running = TOOL.attach(bench, &[storm.0.pid()], &output)?;
    let cost = storm.pair_ns();
    running.stop()?;
    let (mut told, mut lost) = (0_u64, 0_u64);
    for line in BufReader::new(std::fs::File::open(log)?).lines() {
        let line = line?;
        let words = line.split("+++ lost ").nth(1).and_then(|rest| rest.split(' ').next());
        match words.and_then(|word| word.parse::<u64>().ok()) {
            Some(count) => lost += count,
            None => told += u64::from(line.contains("\"/dev/null\"") || line.contains("close(")),
        }
    }
    let per_second = 2e9 / cost;
    let figure = format!("{per_second:.0} calls/s, {told} lines, {lost} lost");
    let is_whole = told + lost >= u64::from(2 * PAIRS) && per_second >= 400_000.0;
    let row = Row::new("calls written as text to a file", figure);
    Ok(vec![row.promised("400,000/s, each written or counted", is_whole)])
}

fn nginx(bench: &Bench, log: &Path) -> Result<Vec<Row>> {
    const TOOLS: &[(Tool, f64, &str)] = &[
        (trace("fdscope trace -tt -T -v -f -e trace=file", LINE), 80.0, "at least 80 %"),
        (trace("the same with -k", LINE_K), 60.0, "at least 60 %"),
        (strace_beside("strace -tt -T -v -f -e trace=file", LINE), 0.0, ""),
        (strace_beside("the same with -k", LINE_K), 0.0, ""),
    ];
    let here: Vec<_> = TOOLS.iter().filter(|row| row.0.is_here()).collect();
    let tools: Vec<&Tool> = here.iter().map(|row| &row.0).collect();
    let output = ["-o", log.to_str().unwrap_or_default()];
    let Some(shares) = nginx_shares(bench, &tools, &output)? else { return Ok(Vec::new()) };
    let rows = here.into_iter().zip(shares).map(|((tool, at_least, promise), share)| {
        let share = 100.0 * share;
        let row = Row::new(format!("nginx with wrk under {}", tool.name), format!("{share:.1} %"));
        match *promise {
            "" => row,
            promise => row.promised(promise, share >= *at_least),
        }
    });
    Ok(rows.collect())
}
