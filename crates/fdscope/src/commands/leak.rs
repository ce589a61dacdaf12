//! `fdscope leak`: watch, judge, report.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use fdscope_model::verdict::Report;
use fdscope_model::{Level, Limit, LimitName, Monotonic, Name, Pid, Process, ProcessId};
use fdscope_proc::ProcRoot;
use fdscope_record::Writer;
use fdscope_render::{Output, live, units};
use fdscope_stack::{StackOptions, Stacks};
use fdscope_sys::clock::monotonic_now;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::Done;
use crate::args::Leak;
use crate::ending::{Ending, Failure};
use crate::live::books::Tape;
use crate::live::launch::Launched;
use crate::live::replay::{is_recording, replay};
use crate::live::report::report;
use crate::live::source::{Live, Opened, Wanted, open};
use crate::live::watch::{Beside, Until, Watch};
use crate::machine;
use crate::private;
use crate::target;
use crate::terminal;

/// How long an attached process is watched unless told otherwise.
const DEFAULT_DURATION: Duration = Duration::from_secs(30);
/// Of a whole machine, events are taken so often.
const NAP: Duration = Duration::from_millis(25);
/// The live line changes this often.
const LINE_EVERY_NS: u64 = 250_000_000;

/// Runs the command.
pub fn run(leak: Leak) -> Done {
    if leak.targets.is_empty() && leak.launch.is_empty() && !leak.everyone {
        return Err(Failure::new(
            Ending::Usage,
            "leak needs a process to watch, or a command to run",
        )
        .cure("fdscope leak PID, fdscope leak NAME, or fdscope leak -- CMD ARG…")
        .into());
    }
    if leak.json && leak.folded.as_deref() == Some(Path::new("-")) {
        return Err(Failure::new(Ending::Usage, "--json and --folded - both want standard output")
            .cure("give --folded a file")
            .into());
    }
    if leak.targets.iter().any(|target| is_recording(target)) {
        return of_recording(&leak);
    }
    if leak.span.is_given() {
        return Err(Failure::new(Ending::Usage, "--from, --to and --at are for recordings").into());
    }
    let proc = ProcRoot::open()?;
    let (processes, interrupted) = (targets(&proc, &leak)?, catch_signals()?);
    check_readable(&proc, &processes)?;
    let mut run = Run::begin(&proc, &leak, processes)?;
    run.watch(&leak, &interrupted)?;
    run.finish(&leak)
}

/// The same of a recording.
fn of_recording(leak: &Leak) -> Done {
    let [path] = leak.targets.as_slice() else {
        return Err(Failure::new(Ending::Usage, "a recording is judged by itself")
            .cure("fdscope leak FILE")
            .into());
    };
    if leak.output.is_some() {
        return Err(
            Failure::new(Ending::Usage, "-o records what is watched, not a recording").into()
        );
    }
    let mut replay = replay(Path::new(path), &leak.span)?;
    let report = replay.report(machine::typed_command(), &leak.kinds);
    print(&report, leak)?;
    Ok(if has_findings(&report, leak) { Ending::Findings } else { Ending::Done })
}

fn has_findings(report: &Report, leak: &Leak) -> bool {
    let Some(level) = leak.fail_on else { return false };
    report.verdicts.iter().any(|verdict| is_at_least(verdict.level, level))
}

/// The processes to watch; none for a launch.
pub fn targets(proc: &ProcRoot, leak: &Leak) -> Result<Vec<Process>> {
    if leak.everyone {
        return everyone(proc, leak);
    }
    let processes = target::resolve(proc, &leak.targets)?;
    Ok(if leak.children { target::with_children(proc, processes) } else { processes })
}

/// Every process that may be looked into, but this one.
fn everyone(proc: &ProcRoot, leak: &Leak) -> Result<Vec<Process>> {
    let all = target::everyone(proc)?;
    let count = all.len();
    let is_readable = |process: &Process| {
        proc.pid_dir(process.id.pid).is_ok_and(|dir| dir.open_dir("fd", "list descriptors").is_ok())
    };
    let readable: Vec<Process> = all.into_iter().filter(is_readable).collect();
    let refused = count - readable.len();
    if refused > 0 && !leak.quiet {
        let processes = units::count_of(refused as u64, "process", "processes");
        eprintln!("fdscope: {processes} may not be looked into and are left out; run with sudo");
    }
    Ok(readable)
}

/// The first Ctrl-C (or SIGTERM, SIGHUP) ends the watch and prints what was learnt; the second ends fdscope.
pub fn catch_signals() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let code = 128 + signal;
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// Fails early, and with what can be had all the same, if a process may not be looked into.
pub fn check_readable(proc: &ProcRoot, processes: &[Process]) -> Result<()> {
    for process in processes {
        let pid = process.id.pid;
        let Err(error) = proc.descriptors(pid, fdscope_proc::Detail::Number) else { continue };
        if !error.is_not_permitted() {
            continue;
        }
        let typed: Vec<String> = std::env::args().collect();
        let mut failure = Failure::new(
            Ending::NotPermitted,
            format!("process {pid} ({}) belongs to uid {}: {error}", process.comm, process.uid),
        )
        .cure(format!("run: sudo {}", typed.join(" ")))
        .cure(
            "or once: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep \
             \"$(command -v fdscope)\"",
        );
        if let Ok(count) = proc.count_descriptors(pid) {
            let limit = nofile(&proc.limits(pid).unwrap_or_default());
            let limit =
                limit.map_or_else(String::new, |limit| format!(", soft limit {}", limit.value));
            failure = failure
                .cure(format!("what can be seen without it: {count} descriptors open{limit}"));
        }
        return Err(failure.into());
    }
    Ok(())
}

fn nofile(limits: &[Limit]) -> Option<Limit> {
    limits.iter().find(|limit| limit.name == LimitName::Nofile).copied()
}

/// A run of the command.
struct Run {
    watch: Watch,
    fallbacks: Vec<fdscope_model::Blind>,
    launched: Option<Launched>,
    limit: Option<u64>,
}

impl Run {
    fn begin(proc: &ProcRoot, leak: &Leak, mut processes: Vec<Process>) -> Result<Self> {
        let pids: Vec<Pid> = processes.iter().map(|process| process.id.pid).collect();
        let compat = leak.launch.is_empty() && pids.iter().any(|&pid| is_compat(pid))
            || leak.launch.first().is_some_and(|program| is_compat_file(Path::new(program)));
        let wanted = Wanted { leak, pids: &pids, compat };
        let Opened { live, fallbacks, mut launched } = open(proc, &wanted)?;
        if let Some(launched) = &launched {
            processes.push(launched_process(proc, launched.pid(), &leak.launch));
        }
        let beside = Beside { tape: tape(leak)?, log: None, folded: leak.keep.folds() };
        let stacks = Stacks::new(StackOptions::from_environment(|name| std::env::var_os(name)));
        let launching = launched.is_some();
        let mut watch =
            Watch::begin(live, proc.clone(), stacks, &processes, leak.interval, launching, beside)?;
        if leak.everyone {
            watch.take_naps(NAP);
        }
        if let Some(launched) = &mut launched {
            launched.go(&leak.launch[0])?;
        }
        let limit = match processes.as_slice() {
            [one] => nofile(&proc.limits(one.id.pid).unwrap_or_default()).map(|limit| limit.value),
            _ => None,
        };
        if !leak.quiet {
            say_watching(&watch, &fallbacks, leak);
        }
        Ok(Run { watch, fallbacks, launched, limit })
    }

    fn watch(&mut self, leak: &Leak, interrupted: &AtomicBool) -> Result<()> {
        let duration = match leak.duration {
            None if self.launched.is_none() && !leak.only_record => Some(DEFAULT_DURATION),
            chosen => chosen,
        };
        let deadline =
            duration.map(|duration| Monotonic(self.watch.begun.0 + duration.as_nanos() as u64));
        let until = Until { deadline, interrupted };
        let mut line = LiveLine::new(leak.quiet || leak.json, self.limit);
        let Run { watch, launched, .. } = self;
        let ended = watch.run(&until, &mut |watch| {
            line.show(watch);
            // Who only records has nothing to stay for once that is over; who watches goes on watching.
            let over = leak.only_record && watch.ledger.has_no_room();
            Ok(!over && go_on(watch, launched.as_mut(), leak)?)
        });
        line.clear();
        ended?;
        self.watch.end()
    }

    fn finish(mut self, leak: &Leak) -> Done {
        let command = machine::typed_command();
        let report = report(&mut self.watch, command, &self.fallbacks, &leak.kinds);
        let status = self.wait_for_command(leak);
        if !leak.only_record {
            print(&report, leak)?;
        }
        if matches!(self.watch.live, Live::Bpf(..)) {
            fdscope_sys::linger::release_behind();
        }
        say_recorded(&mut self.watch, &report, leak)?;
        if has_findings(&report, leak) {
            return Ok(Ending::Findings);
        }
        if report.events == 0 && report.totals.iter().all(|total| total.gone) && status.is_none() {
            return Ok(Ending::TargetGone);
        }
        Ok(match status {
            Some(code) if leak.fail_on.is_none() || code != 0 => Ending::AsCommand(code),
            _ => Ending::Done,
        })
    }

    /// The exit code of a launched command that has ended.
    fn wait_for_command(&mut self, leak: &Leak) -> Option<i32> {
        let launched = self.launched.as_mut()?;
        let source = match &self.watch.live {
            Live::Ptrace(source) => Some(source),
            _ => None,
        };
        // Its end was seen by the source; the kernel may need a moment more to make its status known.
        for _ in 0..100 {
            if let Some(code) = launched.ended(source) {
                return Some(code);
            }
            if leak.duration.is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

/// The recording that is asked for. Made before anything is watched: a file that cannot be made costs nothing yet.
fn tape(leak: &Leak) -> Result<Option<Tape>> {
    let Some(path) = &leak.output else { return Ok(None) };
    let writer = Writer::create(path, leak.keep.bounds())?;
    Ok(Some(Tape::new(writer, machine::typed_command())))
}

/// Says what became of the recording.
fn say_recorded(watch: &mut Watch, report: &Report, leak: &Leak) -> Result<()> {
    let (Some(recorded), Some(path)) = (watch.ledger.recorded(), &leak.output) else {
        return Ok(());
    };
    let size = units::bytes(recorded?);
    let events = units::count_of(report.events, "event", "events");
    if !leak.quiet || leak.only_record {
        eprintln!("fdscope: {events} recorded in {size}: fdscope leak {}", path.display());
    }
    Ok(())
}

/// Says on standard error that watching has begun, how, and why not by a better source.
fn say_watching(watch: &Watch, fallbacks: &[fdscope_model::Blind], leak: &Leak) {
    for blind in fallbacks {
        eprintln!("fdscope: {}", blind.why);
    }
    let (pids, source) = (watch.ledger.pids(), watch.live.sight().source.word());
    let who = match pids.as_slice() {
        [one] => format!("process {one}"),
        many => format!("{} processes", many.len()),
    };
    let span = match (leak.duration, leak.launch.is_empty()) {
        (Some(duration), _) => format!(" for {} s", duration.as_secs_f64()),
        (None, true) if leak.only_record => String::new(),
        (None, true) => format!(" for {} s", DEFAULT_DURATION.as_secs()),
        (None, false) => " to its end".to_owned(),
    };
    let (what, end) = match leak.only_record {
        true => ("recording", "Ctrl-C ends it"),
        false => ("watching", "Ctrl-C reports at once"),
    };
    eprintln!("fdscope: {what} {who} by {source}{span}; {end}");
}

/// `TooSoon` stands between the healthy levels and the findings, but is no finding.
fn is_at_least(found: Level, asked: Level) -> bool {
    found >= asked && (found != Level::TooSoon || asked <= Level::TooSoon)
}

/// Whether to watch on: not if the command could not be run, and not once it is gone with all it started.
fn go_on(watch: &Watch, launched: Option<&mut Launched>, leak: &Leak) -> Result<bool> {
    let Some(launched) = launched else { return Ok(true) };
    launched.check(leak.launch.first().map_or("", String::as_str))?;
    let source = match &watch.live {
        Live::Ptrace(source) => Some(source),
        _ => None,
    };
    Ok(launched.ended(source).is_none())
}

fn launched_process(proc: &ProcRoot, pid: Pid, command: &[String]) -> Process {
    let read = proc.process(pid).unwrap_or_default();
    let program = Path::new(&command[0]).file_name().unwrap_or_default();
    Process {
        id: ProcessId { pid, ..read.id },
        comm: Name::from(program.as_encoded_bytes()),
        cmdline: Name::from(command.join("\0").into_bytes()),
        ..read
    }
}

/// True for a process that runs a 32-bit program.
pub fn is_compat(pid: Pid) -> bool {
    is_compat_file(Path::new(&format!("/proc/{pid}/exe")))
}

/// True for a 32-bit ELF file: `EI_CLASS` is 1 (elf(5)).
pub(crate) fn is_compat_file(path: &Path) -> bool {
    let mut head = [0; 5];
    let read = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && head.starts_with(b"\x7fELF") && head[4] == 1
}

fn print(report: &Report, leak: &Leak) -> Result<()> {
    let output = if leak.json { Output::Json } else { Output::Text(terminal::form(leak.color)) };
    let to_stdout = leak.folded.as_deref() == Some(Path::new("-"));
    let mut stdout = std::io::stdout().lock();
    if !to_stdout {
        fdscope_render::write(report, output, &mut stdout)?;
    } else {
        fdscope_render::write(report, Output::Folded, &mut stdout)?;
    }
    match &leak.folded {
        Some(path) if !to_stdout => write_folded(report, path),
        _ => Ok(()),
    }
}

fn write_folded(report: &Report, path: &Path) -> Result<()> {
    let mut file =
        private::create(path).with_context(|| format!("failed to write {}", path.display()))?;
    fdscope_render::write(report, Output::Folded, &mut file)?;
    Ok(())
}

/// The line that tells how the watch goes, on standard error while that is a terminal.
struct LiveLine {
    quiet: bool,
    limit: Option<u64>,
    shown: Monotonic,
    acquired: u64,
    visible: bool,
}

impl LiveLine {
    fn new(quiet: bool, limit: Option<u64>) -> Self {
        LiveLine { quiet, limit, shown: monotonic_now(), acquired: 0, visible: false }
    }

    fn show(&mut self, watch: &mut Watch) {
        let now = monotonic_now();
        let elapsed_ns = now.since_ns(self.shown);
        if self.quiet || elapsed_ns < LINE_EVERY_NS {
            return;
        }
        let Some(form) = terminal::live_form() else { return };
        let summary = watch.summary();
        let acquired_per_s = (summary.acquired - self.acquired) as f64 * 1e9 / elapsed_ns as f64;
        self.shown = now;
        self.acquired = summary.acquired;
        let worst = summary.worst.map(|worst| live::Worst {
            per_s: worst.per_s,
            name: site_name(watch, &worst),
            kind: worst.kind,
            live: worst.live,
        });
        let status = live::Status {
            elapsed_ns: now.since_ns(watch.begun),
            open: summary.open,
            limit: self.limit,
            acquired_per_s,
            worst,
            lost: summary.lost,
        };
        self.visible = true;
        // Standard error that cannot be written to is no reason to stop watching.
        let _unwritable = write!(std::io::stderr(), "\r\x1b[K{}", live::line(&status, form));
    }

    fn clear(&mut self) {
        if self.visible {
            let _unwritable = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn site_name(watch: &mut Watch, growing: &fdscope_analyze::Growing) -> String {
    use fdscope_model::Symbolizer;
    if let Some(stack) = growing.stack {
        let named = watch.stacks.symbolize(stack);
        let frame = named.at.and_then(|at| named.frames.get(at)).or(named.frames.first());
        if let Some(frame) = frame {
            let function = frame.symbol.function.clone();
            return function.unwrap_or_else(|| format!("{}+{:#x}", frame.module, frame.offset));
        }
    }
    growing.pattern.as_ref().map_or_else(|| growing.kind.word().to_owned(), Name::to_string)
}
