//! What listing open files costs, beside lsof and lsfd: processor time and memory of the same listings.

use super::{Bench, Row, median};
use anyhow::{Context, Result};
use fdscope_fixtures::{Fixture, c, in_path};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Processes with so many descriptors each.
struct Scene {
    name: &'static str,
    processes: u32,
    descriptors: u32,
    /// How many times less processor time than lsof and than lsfd is promised.
    promise: (&'static str, f64, f64),
}

const SCENES: &[Scene] = &[
    Scene {
        name: "1 process, 19,000 descriptors",
        processes: 1,
        descriptors: 19_000,
        promise: ("10x less than lsof, 15x less than lsfd", 10.0, 15.0),
    },
    Scene {
        name: "6 processes, 100,000 descriptors",
        processes: 6,
        descriptors: 16_667,
        promise: ("10x less than lsof, 15x less than lsfd", 10.0, 15.0),
    },
    Scene {
        name: "500 processes, 50 descriptors each",
        processes: 500,
        descriptors: 47,
        promise: ("5x less than lsof", 5.0, 0.0),
    },
];

/// Hundredths of a second after which a measurement is exact enough, and the runs that it takes at most.
const ENOUGH_TICKS: u64 = 30;
const MOST_RUNS: u32 = 30;

/// Every scene, and the memory of the largest; then what other tools are slow at.
pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = of_scenes(bench)?;
    rows.extend(few_among_many_mounts(bench)?);
    rows.extend(threads_and_no_threads(bench)?);
    Ok(rows)
}

/// A small process where 2,000 mounts are: binding a mount with all below it into itself doubles them.
fn few_among_many_mounts(bench: &Bench) -> Result<Vec<Row>> {
    let target = Fixture::start(&c("many"), &["descriptors=15"]);
    let folder = std::env::temp_dir().join(format!("fdscope-mounts-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let script = "d=$1; shift; mount -t tmpfs none \"$d\" && for i in 1 2 3 4 5 6 7 8 9 10 11; do \
                  mkdir \"$d/$i\" && mount --rbind \"$d\" \"$d/$i\" || exit 99; done; exec \"$@\"";
    let command = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&folder);
        command.arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let pid = target.pid().to_string();
    let what = "20 descriptors, 2,000 mounts";
    let mut nothing = command("true".as_ref(), &[]);
    if !nothing.status().is_ok_and(|status| status.success()) {
        std::fs::remove_dir(&folder)?;
        return Ok(vec![Row::new(format!("fdscope ls: {what}"), "skipped: needs CAP_SYS_ADMIN")]);
    }
    let set_up = seconds_of(&mut nothing)?;
    let mut rows = Vec::new();
    let lsof: &std::path::Path = "lsof".as_ref();
    let tools = [("fdscope ls", bench.fdscope.as_path(), vec!["ls", &pid])];
    let tools = tools
        .into_iter()
        .chain(in_path("lsof").then(|| ("lsof -nP -p", lsof, vec!["-nP", "-p", &pid])));
    for (name, program, arguments) in tools {
        let mut command = command(program, &arguments);
        let spent = (0..bench.rounds).map(|_| seconds_of(&mut command));
        let own_ms = ((median(spent.collect::<Result<_>>()?) - set_up) * 1e3).max(0.0);
        let row = Row::new(format!("{name}: {what}"), format!("{own_ms:.0} ms"));
        let is_ours = name.starts_with("fdscope");
        rows.push(if is_ours { row.promised("at most 10 ms", own_ms <= 10.0) } else { row });
    }
    target.finish();
    std::fs::remove_dir(&folder)?;
    Ok(rows)
}

/// The same descriptors, with one thread and with 500.
fn threads_and_no_threads(bench: &Bench) -> Result<Vec<Row>> {
    let mut spent = Vec::new();
    for threads in ["threads=0", "threads=499"] {
        let target = Fixture::start(&c("many"), &["descriptors=100", threads]);
        let mut command = Command::new(&bench.fdscope);
        command.args(["ls", &target.pid().to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        let runs = (0..bench.rounds).map(|_| seconds_of(&mut command));
        spent.push(median(runs.collect::<Result<_>>()?));
        target.finish();
    }
    let times = spent[1] / spent[0].max(0.0001);
    let figure = format!("{:.1} ms, {times:.1} times that of one thread", spent[1] * 1e3);
    let row = Row::new("fdscope ls: 500 threads, 100 descriptors", figure);
    Ok(vec![row.promised("at most 2 times that of one thread", times <= 2.0)])
}

fn of_scenes(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for scene in SCENES {
        let (target, pids) = scene.start();
        rows.extend(scene.rows(bench, &pids)?);
        if scene.processes >= 500 {
            rows.push(radar(bench, scene.name)?);
        }
        target.finish();
    }
    Ok(rows)
}

/// The radar over a scene, and over all else that runs.
fn radar(bench: &Bench, scene: &str) -> Result<Row> {
    let mut command = Command::new(&bench.fdscope);
    command.arg("ps").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let spent = (0..bench.rounds).map(|_| seconds_of(&mut command));
    let own_ms = median(spent.collect::<Result<_>>()?) * 1e3;
    let row = Row::new(format!("fdscope ps: {scene}"), format!("{own_ms:.1} ms"));
    Ok(row.promised("at most 10 ms", own_ms <= 10.0))
}

impl Scene {
    fn start(&self) -> (Fixture, Vec<u32>) {
        let processes = format!("processes={}", self.processes);
        let descriptors = format!("descriptors={}", self.descriptors);
        let target = Fixture::start(&c("many"), &[&processes, &descriptors]);
        let said = target.said().iter().filter_map(|line| line.strip_prefix("child pid="));
        let children = said.filter_map(|rest| rest.split(' ').next()?.parse().ok());
        let pids = children.chain([target.pid()]).collect();
        (target, pids)
    }

    fn rows(&self, bench: &Bench, pids: &[u32]) -> Result<Vec<Row>> {
        let listed: Vec<String> = pids.iter().map(u32::to_string).collect();
        let joined = listed.join(",");
        let mut ours = Command::new(&bench.fdscope);
        ours.arg("ls").args(&listed);
        let mut lsof = Command::new("lsof");
        lsof.args(["-nP", "-p", &joined]);
        let mut lsfd = Command::new("lsfd");
        lsfd.args(["-p", &joined]);
        let tools = [("fdscope ls", ours), ("lsof -nP -p", lsof), ("lsfd -p", lsfd)];
        let mut rows = Vec::new();
        let mut own = 0.0;
        for (index, (name, mut command)) in tools.into_iter().enumerate() {
            if index > 0 && !in_path(name.split(' ').next().unwrap_or_default()) {
                rows.push(Row::new(format!("{name}: {}", self.name), "skipped: not installed"));
                continue;
            }
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let spent = (0..bench.rounds).map(|_| seconds_of(&mut command));
            let spent = median(spent.collect::<Result<_>>()?);
            if index == 0 {
                own = spent;
                let memory = peak_memory(&mut command)?;
                let figure = format!("{spent:.3} s, {memory} MiB at most");
                let row = Row::new(format!("{name}: {}", self.name), figure);
                rows.push(row.promised("at most 40 MiB", memory <= 40));
                continue;
            }
            let times = spent / own.max(0.0001);
            let row = Row::new(
                format!("{name}: {}", self.name),
                format!("{spent:.2} s, {times:.1} times as much"),
            );
            let (promise, than_lsof, than_lsfd) = self.promise;
            let least = if index == 1 { than_lsof } else { than_lsfd };
            rows.push(if least > 0.0 { row.promised(promise, times >= least) } else { row });
        }
        Ok(rows)
    }
}

/// Processor time of a command from start to end.
///
/// The kernel counts hundredths of a second: a quick command is run again until they are many.
pub fn seconds_of(command: &mut Command) -> Result<f64> {
    let before = ticks_of_children()?;
    let (mut spent, mut runs) = (0, 0);
    while spent < ENOUGH_TICKS && runs < MOST_RUNS {
        command.status().with_context(|| format!("failed to run {command:?}"))?;
        spent = ticks_of_children()? - before;
        runs += 1;
    }
    Ok(spent as f64 / 100.0 / f64::from(runs.max(1)))
}

/// User and system time of children that were waited for, in hundredths of a second.
fn ticks_of_children() -> Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = stat.rsplit(") ").next().context("stat has a name in brackets")?;
    let field = |index: usize| behind_name.split(' ').nth(index).and_then(|text| text.parse().ok());
    let (user, system): (Option<u64>, Option<u64>) = (field(13), field(14));
    Ok(user.context("cutime")? + system.context("cstime")?)
}

/// The most resident memory of a command in MiB, by looking all the time.
fn peak_memory(command: &mut Command) -> Result<u64> {
    let mut child = command.spawn()?;
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(most / 1024)
}
