//! From options to an engine, through the writer, to the log.

use std::time::Duration;

use anyhow::Result;
use fdscope_model::{Pid, Progress};
use fdscope_ptrace::filter::filter;
use fdscope_ptrace::{CallOptions, CallTracer, Error};
use fdscope_strace::options::{Count, Shape, quiet};
use fdscope_strace::set::NumberSet;
use fdscope_strace::{Host, Options, Writer, json};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};
use fdscope_syscall::traced::Traced;

use super::by_bpf;
use super::ending::{self, Interrupted};
use super::engine::Engine;
use super::log::Log;
use super::machine::Machine;
use super::stacks::{CallStacks, MOST_BYTES};
use super::{program, say};
use crate::Done;
use crate::ending::Ending;

/// How long one poll waits: also how soon signals and limits are noticed.
const TURN: Duration = Duration::from_millis(50);

/// Traces.
pub fn run(options: &Options) -> Done {
    let options = &settled(options.clone());
    let beyond = &options.beyond;
    let rotation = beyond.most_bytes.zip(beyond.files);
    let log = Log::open(options.output.as_ref(), options.append, options.separately, rotation);
    let log = match log {
        Ok(log) => log,
        Err(error) => return Ok(refuse(options, &cannot_open(options, &error))),
    };
    let stacks = options.stacks.then(CallStacks::new);
    // Signals are listened to once the program's process is made, which would inherit what is done about them.
    let (source, attached) = if options.command.is_empty() {
        match attach(options, stacks.as_ref())? {
            Some(found) => found,
            None => return Ok(Ending::AsCommand(1)),
        }
    } else {
        match launch(options, stacks.as_ref()) {
            Ok(source) => (source, Vec::new()),
            Err(words) => return Ok(refuse(options, &words)),
        }
    };
    let interrupted = Interrupted::listen(options)?;
    let mut machine = Machine::new(options, log, stacks);
    let mut writer = Writer::new(options);
    source.traced().into_iter().for_each(|(pid, tid)| writer.expect(pid, tid));
    if beyond.shape == Shape::Json {
        let header = json::header(source.word(), wall_now_ns(), &options.command);
        machine.put(fdscope_model::Tid(0), &header);
    }
    for words in attached {
        machine.say(&words);
    }
    Session { options, source, writer, machine, interrupted }.trace()
}

/// What strace assumes besides: with a file and a program it does not talk of attaching.
fn settled(mut options: Options) -> Options {
    let filed = options.output.is_some() && !options.command.is_empty();
    if filed && options.quiet.is_none() {
        options.quiet = NumberSet::only(&[quiet::ATTACH, quiet::PERSONALITY]);
    }
    options
}

fn refuse(options: &Options, words: &[u8]) -> Ending {
    say(options.program, words);
    Ending::AsCommand(1)
}

fn cannot_open(options: &Options, error: &std::io::Error) -> Vec<u8> {
    use fdscope_strace::options::Output;
    let (verb, name) = match &options.output {
        Some(Output::File(name)) => ("fopen", name.as_slice()),
        Some(Output::Command(name)) => ("popen", name.as_slice()),
        None => ("open", &b""[..]),
    };
    let number = u16::try_from(error.raw_os_error().unwrap_or(0)).unwrap_or(0);
    let words = fdscope_syscall::errno::errno(number).map_or("", |(_, words)| words);
    [b"Can't ", verb.as_bytes(), b" '", name, b"': ", words.as_bytes()].concat()
}

fn call_options(options: &Options, stacks: Option<&CallStacks>) -> CallOptions {
    let trace = options.trace.clone();
    CallOptions {
        follow: options.follow,
        wanted: Box::new(move |call| trace.has(call.arch, call.number)),
        unwind: stacks.map(|stacks| (MOST_BYTES, stacks.unwind())),
        leave_at_exec: options.detach_on_exec,
        kill_at_end: options.kill_on_exit,
        times: options.count != Count::No && !options.wall,
    }
}

fn launch(options: &Options, stacks: Option<&CallStacks>) -> Result<Engine, Vec<u8>> {
    let mut plan = program::plan(options)?;
    if by_bpf::is_chosen(options) {
        return by_bpf::launch(options, stacks, &plan);
    }
    if options.seccomp && !options.trace.is_all() {
        plan.filter = filter(&|arch, number| options.trace.has(arch, number));
    }
    let tracer = CallTracer::launch(&plan, call_options(options, stacks));
    let tracer = tracer.map_err(|error| error.to_string().into_bytes())?;
    Ok(Engine::Ptrace(Box::new(tracer)))
}

/// Attaches to all that can be attached to; what is to be said of each that was. `None` if none was.
fn attach(
    options: &Options,
    stacks: Option<&CallStacks>,
) -> Result<Option<(Engine, Vec<Vec<u8>>)>> {
    let pids: Vec<Pid> = options.pids.iter().copied().map(Pid).collect();
    if by_bpf::is_chosen(options) {
        return by_bpf::attach(options, stacks, &pids);
    }
    let (source, attached) = CallTracer::attach(&pids, call_options(options, stacks))?;
    let mut words = Vec::new();
    let mut any = false;
    for (pid, attached) in pids.iter().zip(attached) {
        match attached {
            Ok(threads) => {
                any = true;
                let many = match threads {
                    0 | 1 => String::new(),
                    _ => format!(" with {threads} threads"),
                };
                if !options.quiet.has(quiet::ATTACH) {
                    words.push(format!("Process {pid} attached{many}").into_bytes());
                }
            }
            Err(error) => say(options.program, &not_attached(*pid, &error)),
        }
    }
    Ok(any.then(|| (Engine::Ptrace(Box::new(source)), words)))
}

fn not_attached(pid: Pid, error: &Error) -> Vec<u8> {
    let why = match error {
        Error::NoSuchProcess { .. } => "No such process".to_owned(),
        Error::NotPermitted { reason, .. } => format!("Operation not permitted ({reason})"),
        Error::AlreadyTraced { tracer, comm, .. } => {
            format!("Operation not permitted (traced by process {tracer}, {comm})")
        }
        other => other.to_string(),
    };
    format!("attach: ptrace(PTRACE_SEIZE, {pid}): {why}").into_bytes()
}

/// Tracing under way.
struct Session<'a> {
    options: &'a Options,
    source: Engine,
    writer: Writer<'a>,
    machine: Machine<'a>,
    interrupted: Interrupted,
}

impl Session<'_> {
    fn trace(mut self) -> Done {
        let begun = monotonic_now();
        let beyond = &self.options.beyond;
        let mut tables = begun;
        loop {
            let Session { source, writer, machine, .. } = &mut self;
            let progress = source.poll(TURN, &mut |told: &Traced<'_>| writer.saw(told, machine))?;
            self.machine.log.flush();
            if progress == Progress::Ended {
                break;
            }
            let now = monotonic_now();
            if let Some(every) = beyond.every_ns.filter(|every| now.since_ns(tables) >= *every) {
                tables = now;
                let _of = every;
                self.table();
            }
            let over = beyond.most_ns.is_some_and(|most| now.since_ns(begun) >= most)
                || self.options.most_calls.is_some_and(|most| self.writer.calls >= most)
                || beyond.files.is_none()
                    && beyond.most_bytes.is_some_and(|most| self.machine.log.written() >= most);
            if over || self.interrupted.by().is_some() || self.machine.log.failure().is_some() {
                self.leave()?;
                break;
            }
        }
        self.end()
    }

    /// Lets the targets go. A program that was started gets the signal that fdscope got.
    fn leave(&mut self) -> Result<()> {
        if let (Some(signal), Some(pid)) = (self.interrupted.by(), self.source.launched())
            && let Some(pid) = rustix::process::Pid::from_raw(pid.0 as i32)
            && let Some(signal) = rustix::process::Signal::from_named_raw(signal)
        {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::CONT);
            let _gone = rustix::process::kill_process(pid, signal);
        }
        let Session { source, writer, machine, .. } = self;
        source.stop(&mut |told: &Traced<'_>| writer.saw(told, machine))?;
        self.machine.log.flush();
        Ok(())
    }

    fn table(&mut self) {
        if self.options.count == Count::No || self.writer.summary.is_empty() {
            return;
        }
        let mut table = Vec::new();
        self.writer.summary.write(&mut table, &self.options.columns, self.options.sort);
        self.machine.put(fdscope_model::Tid(0), &table);
    }

    fn end(mut self) -> Done {
        self.table();
        if self.options.beyond.shape == Shape::Json {
            let footer = json::footer(self.writer.calls, self.writer.lost);
            self.machine.put(fdscope_model::Tid(0), &footer);
        }
        self.machine.log.flush();
        let failed = self.machine.log.failure().map(std::io::Error::kind);
        if let Some(error) = self.machine.log.failure()
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            say(
                self.options.program,
                format!("cannot write the output: {error}; tracing has ended, the target runs on")
                    .as_bytes(),
            );
        }
        let signal = self.interrupted.by();
        let target = self.source.ending();
        // The tracer's thread must be gone before this process waits for anything else; the kernel lets go then.
        drop(self.source);
        self.machine.log.close();
        Ok(match (signal, failed) {
            (Some(signal), _) => ending::by_signal(signal),
            (None, Some(std::io::ErrorKind::BrokenPipe)) => Ending::AsCommand(1),
            (None, Some(_)) => Ending::AsCommand(1),
            (None, None) => ending::as_target(target),
        })
    }
}
