//! What fdscope itself takes: processor, memory, and time until it knows.

use super::tool::{BPF_DWARF, json_number, processor_ticks};
use super::{Bench, Row};
use anyhow::{Context, Result};
use fdscope_fixtures::{Fixture, c};
use std::process::Command;
use std::time::{Duration, Instant};

/// Over how long the processor share is taken.
const WINDOW: Duration = Duration::from_secs(10);

/// Share of one processor while a target opens and closes 1,000 files a second.
pub fn processor_share(bench: &Bench) -> Result<Vec<Row>> {
    let target = Fixture::start(&c("leaky"), &["threads=1", "churn=1000"]);
    let running = BPF_DWARF.attach(bench, &[target.pid()], &[])?;
    // The start (reading BTF, loading programs) is not the price of watching.
    std::thread::sleep(Duration::from_secs(2));
    let (begun, ticks) = (Instant::now(), processor_ticks(running.pid())?);
    std::thread::sleep(WINDOW);
    let spent = (processor_ticks(running.pid())? - ticks) as f64 / 100.0;
    let share = 100.0 * spent / begun.elapsed().as_secs_f64();
    running.stop()?;
    let row = Row::new("fdscope's processor at 1,000 opens/s", format!("{share:.1} % of one"));
    Ok(vec![row.promised("at most 5 %", share <= 5.0)])
}

/// Growth of fdscope's memory over handles born while it watches, in several processes because of their limits.
///
/// The first process's handles fill what the start left free, and are not counted.
pub fn bytes_per_handle(bench: &Bench) -> Result<Vec<Row>> {
    const EACH: u64 = 15_000;
    const PROCESSES: u64 = 6;
    let mut targets: Vec<Fixture> = (0..PROCESSES).map(|_| roomy_leaky()).collect();
    let pids: Vec<u32> = targets.iter().map(Fixture::pid).collect();
    let running = BPF_DWARF.attach(bench, &pids, &["--duration", "5m"])?;
    let mut memory = Vec::new();
    for target in &mut targets {
        target.ask(&format!("step {EACH}"));
        memory.push(settled_memory(running.pid())?);
    }
    std::thread::sleep(WINDOW);
    let later = settled_memory(running.pid())?;
    running.stop()?;
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    let each = last.saturating_sub(first) / (EACH * (PROCESSES - 1));
    let drift = later.saturating_sub(last) / 1024;
    let row = Row::new("fdscope's memory for a live handle", format!("{each} bytes"));
    let flat = Row::new("its growth over 10 quiet seconds", format!("{drift} KiB"));
    Ok(vec![row.promised("at most 200 bytes", each <= 200), flat.promised("flat", drift < 256)])
}

/// A leaking program with as many descriptors as it may have.
fn roomy_leaky() -> Fixture {
    const SCRIPT: &str = "ulimit -n $(ulimit -H -n) && exec \"$0\" healthy=0 depth=2";
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(c("leaky"));
    let mut target = Fixture::spawn(command);
    target.wait_for("ready");
    target
}

/// Private memory in bytes, once two seconds passed for what is under way.
fn settled_memory(pid: u32) -> Result<u64> {
    std::thread::sleep(Duration::from_secs(2));
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: u64 = line.context("RssAnon in status")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// The shortest watch that calls a leak of one descriptor a second one.
pub fn seconds_to_verdict(bench: &Bench) -> Result<Vec<Row>> {
    const SECONDS: &[u32] = &[10, 15, 20, 25, 30];
    let mut target = Fixture::start(&c("leaky"), &["leaks=1", "healthy=20"]);
    target.ask("go 1000");
    let mut watches = Vec::new();
    for seconds in SECONDS {
        let duration = format!("{seconds}s");
        let arguments = ["--json", "--duration", duration.as_str()];
        watches.push(BPF_DWARF.attach(bench, &[target.pid()], &arguments)?);
    }
    let mut first = None;
    for (seconds, watch) in SECONDS.iter().zip(watches) {
        let report = watch.finish()?;
        json_number(&report, "lost").context("no report came")?;
        if report.contains("\"level\":\"leak\"") {
            first = first.or(Some(*seconds));
        }
    }
    let figure = first.map_or("not within 30 s".into(), |seconds| format!("within {seconds} s"));
    let row = Row::new("a leak of one descriptor a second is called", figure);
    Ok(vec![row.promised("within 30 s", first.is_some())])
}
