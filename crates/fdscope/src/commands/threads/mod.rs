//! `fdscope threads`: the threads of some processes, once, twice or again and again.

mod listing;
pub mod seat;
mod stacks;

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use fdscope_model::thread::ThreadReport;
use fdscope_proc::ProcRoot;
use fdscope_render::json::threads as json;
use fdscope_render::text::threads::{Rows, threads as text};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};

use crate::Done;
use crate::args::Threads;
use crate::commands::leak::catch_signals;
use crate::ending::{Ending, Failure};
use crate::past::{self, Past};
use crate::{machine, target, terminal};
use listing::Query;
use seat::Seat;

/// Between readings, unless told otherwise.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Ctrl-C is looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the command.
pub fn run(arguments: &Threads) -> Done {
    if arguments.list_columns {
        listing::list_columns()?;
        return Ok(Ending::Done);
    }
    let query = Query::of(arguments)?;
    if let Some((file, targets)) = past::recording(&arguments.targets) {
        return of_recording(arguments, &query, file, targets);
    }
    past::refuse(&arguments.span)?;
    let proc = ProcRoot::open()?;
    let processes = target::resolve(&proc, &arguments.targets)?;
    let mut seats: Vec<Seat> =
        processes.into_iter().map(|process| Seat::new(&proc, process, arguments)).collect();
    let interrupted = catch_signals()?;
    let begun = monotonic_now();
    if arguments.interval.is_some() || arguments.watch {
        seats.retain_mut(Seat::look);
        wait(arguments.interval, &interrupted);
    }
    let mut shown = false;
    loop {
        let mut reports = read(&mut seats)?;
        if reports.is_empty() {
            break;
        }
        reports.iter_mut().for_each(|report| query.narrow(report));
        print(&reports, arguments, &query, (&machine::describe(), wall_now_ns()))?;
        if std::io::stdout().is_terminal()
            && !arguments.watch
            && !arguments.json
            && !query.is_plain()
        {
            println!("\nNext: {}", next(&reports[0], arguments));
        }
        shown = true;
        let over = |limit: Duration| monotonic_now().since_ns(begun) >= limit.as_nanos() as u64;
        if !arguments.watch || arguments.duration.is_some_and(over) {
            break;
        }
        wait(arguments.interval, &interrupted);
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    match shown {
        true => Ok(Ending::Done),
        false => {
            Err(Failure::new(Ending::TargetGone, "the process ended before it was seen").into())
        }
    }
}

/// The threads of recorded processes, as they were.
fn of_recording(arguments: &Threads, query: &Query, file: &str, targets: &[String]) -> Done {
    if arguments.watch || arguments.interval.is_some() || arguments.stack || arguments.kernel_stack
    {
        let what = "--watch, --interval, --stack and --kernel-stack look at living processes";
        return Err(Failure::new(Ending::Usage, what).into());
    }
    let past = Past::open(file, &arguments.span)?;
    let pids = past.find(targets)?;
    let mut reports: Vec<ThreadReport> = pids.into_iter().map(|pid| past.threads(pid)).collect();
    reports.iter_mut().for_each(|report| query.narrow(report));
    past.say(&[]);
    print(&reports, arguments, query, (past.machine(), past.wall_ns()))?;
    Ok(Ending::Done)
}

/// One report for each process that is still there.
fn read(seats: &mut Vec<Seat>) -> Result<Vec<ThreadReport>> {
    let mut reports = Vec::new();
    let mut failed = None;
    seats.retain_mut(|seat| match seat.report() {
        Ok(report) => {
            reports.push(report);
            true
        }
        Err(error) if error.is_gone() => {
            eprintln!("fdscope: process {} ended", seat.pid());
            false
        }
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    match failed {
        Some(error) if reports.is_empty() => {
            let ending =
                if error.is_not_permitted() { Ending::NotPermitted } else { Ending::Failed };
            Err(Failure::new(ending, error.to_string()).cure(seat::cure()).into())
        }
        _ => Ok(reports),
    }
}

fn wait(interval: Option<Duration>, interrupted: &AtomicBool) {
    let begun = monotonic_now();
    let interval = interval.unwrap_or(DEFAULT_INTERVAL);
    while !interrupted.load(Ordering::Relaxed) {
        let passed = Duration::from_nanos(monotonic_now().since_ns(begun));
        let Some(left) = interval.checked_sub(passed).filter(|left| !left.is_zero()) else {
            return;
        };
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

fn print(
    reports: &[ThreadReport],
    arguments: &Threads,
    query: &Query,
    (machine, wall_ns): (&str, u64),
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let text = json::threads(reports, &machine::typed_command(), machine, wall_ns);
        out.write_all(text.as_bytes())?;
        return Ok(out.flush()?);
    }
    let rows = if arguments.all { Rows::Threads } else { Rows::Groups };
    let form = terminal::form(arguments.color);
    if arguments.watch && std::io::stdout().is_terminal() {
        write!(out, "\x1b[H\x1b[2J")?;
    }
    if query.is_plain() {
        query.write(reports, arguments, &mut out)?;
        if arguments.watch {
            writeln!(out)?;
        }
        return Ok(out.flush()?);
    }
    for (index, report) in reports.iter().enumerate() {
        if index > 0 || arguments.watch {
            writeln!(out)?;
        }
        out.write_all(text(report, rows, form).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// The one next command worth running.
fn next(report: &ThreadReport, arguments: &Threads) -> String {
    let pid = report.process.id.pid;
    let grows = report.change.is_some_and(|change| change.net() > 0);
    if !report.unjoined.is_empty() || grows {
        return format!("fdscope leak {pid} - names the code that starts them");
    }
    if arguments.interval.is_none() {
        return format!("fdscope threads {pid} --interval 5s - shows who is busy and what grows");
    }
    format!("fdscope threads {pid} --stack - shows where each group waits")
}
