//! `fdscope record --all` on a busy host: what it takes of a processor, of memory and of the disk in a day.

use super::tool::processor_ticks;
use super::{Bench, Row};
use anyhow::{Context, Result, ensure};
use fdscope_fixtures::{Fixture, c};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

const PROCESSES: u32 = 1_000;
/// Pairs of open and close a second in each process: 10,000 events a second together.
const PAIRS: u32 = 5;
/// What the start costs (reading tables, naming stacks, the first counts) is no matter of a day.
const START: Duration = Duration::from_secs(45);
const DAY_S: f64 = 86_400.0;

/// What was taken between two moments.
struct Taken {
    processor: f64,
    bytes_per_s: f64,
    memory: u64,
    later_memory: u64,
    events_per_s: f64,
}

pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let window = Duration::from_secs(if bench.rounds > 3 { 180 } else { 60 });
    let arguments =
        [format!("processes={PROCESSES}"), format!("pairs={PAIRS}"), "leaks=12".to_owned()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _swarm = Fixture::start(&c("swarm"), &arguments);
    let path = std::env::temp_dir().join(format!("bench-{}.fdr", std::process::id()));
    let taken = record(bench, &path, window);
    std::fs::remove_file(&path).ok();
    let taken = taken?;
    let share = taken.processor * 100.0;
    let day_mb = taken.bytes_per_s * DAY_S / 1e6;
    let busy = format!("{:.0} events/s of {PROCESSES} processes and the rest", taken.events_per_s);
    Ok(vec![
        Row::new("record --all sees", busy),
        Row::new("its processor", format!("{share:.2} % of one"))
            .promised("at most 2 % of one at 10,000 events/s", share <= 2.0),
        Row::new("its file", format!("{day_mb:.0} MB a day, before bounds"))
            .promised("at most 200 MB a day", day_mb <= 200.0),
        Row::new(
            "its memory at the beginning and end of the window",
            format!("{} and {} MiB", taken.memory >> 20, taken.later_memory >> 20),
        ),
    ])
}

fn record(bench: &Bench, path: &Path, window: Duration) -> Result<Taken> {
    let mut child = Command::new(&bench.fdscope)
        .args(["record", "--all", "-o"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = BufReader::new(child.stderr.take().context("piped above")?);
    let mut line = String::new();
    while !line.contains("fdscope: recording") {
        line.clear();
        ensure!(said.read_line(&mut line)? > 0, "recording did not begin");
    }
    let begun = Instant::now();
    std::thread::sleep(START);
    let (from, ticks, size) = (Instant::now(), processor_ticks(child.id())?, size(path)?);
    let memory = memory(child.id())?;
    std::thread::sleep(window);
    let passed = from.elapsed().as_secs_f64();
    let spent = (processor_ticks(child.id())? - ticks) as f64 / 100.0;
    let (grown, later_memory) = (self::size(path)? - size, self::memory(child.id())?);
    let events = events(&mut child, &mut said)?;
    Ok(Taken {
        processor: spent / passed,
        bytes_per_s: grown as f64 / passed,
        memory,
        later_memory,
        events_per_s: events / begun.elapsed().as_secs_f64(),
    })
}

fn size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: u64 = line.context("RssAnon in status")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Ends the recording, and returns how many events it tells of.
fn events(child: &mut Child, said: &mut BufReader<ChildStderr>) -> Result<f64> {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let mut rest = String::new();
    said.read_to_string(&mut rest)?;
    child.wait()?;
    let words = rest.lines().rev().find_map(|line| line.split_once(" events recorded"));
    let (before, _) = words.with_context(|| format!("no count of events in {rest:?}"))?;
    let digits: String = before.chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}
