//! From options to an engine, through the writer, to the log.

use std::time::Duration;

use anyhow::Result;
use fdscope_bpf::{BpfError, Support};
use fdscope_model::{Pid, Progress};
use fdscope_ptrace::filter::filter;
use fdscope_ptrace::{CallOptions, CallTracer};
use fdscope_strace::options::{Count, Shape, quiet};
use fdscope_strace::set::NumberSet;
use fdscope_strace::{Host, Options, Writer, json};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};
use fdscope_sys::zone::offset_near_s;
use fdscope_syscall::traced::Traced;

use super::by_bpf;
use super::choice::{Chosen, choose};
use super::ending::{self, Interrupted};
use super::engine::Engine;
use super::log::Log;
use super::machine::Machine;
use super::refusal::{self, Refused};
use super::stacks::{CallStacks, MOST_BYTES};
use super::{Manner, program, say};
use crate::Done;
use crate::ending::Ending;

/// How long one poll waits: also how soon signals and limits are noticed.
const TURN: Duration = Duration::from_millis(50);

/// Traces.
pub fn run(options: &Options, manner: Manner) -> Done {
    let is_talkative = manner == Manner::Trace && !options.quiet.has(quiet::ATTACH);
    let options = &settled(options.clone());
    let beyond = &options.beyond;
    let chosen = match choose(options, manner, Support::probe) {
        Ok(chosen) => chosen,
        Err(words) => {
            say(options.program, words.as_bytes());
            return Ok(Ending::Usage);
        }
    };
    let rotation = beyond.most_bytes.zip(beyond.files);
    let log = Log::open(options.output.as_ref(), options.append, options.separately, rotation);
    let log = match log {
        Ok(log) => log,
        Err(error) => return Ok(refuse(options, &cannot_open(options, &error))),
    };
    let stacks = options.stacks.then(CallStacks::new);
    // Signals are listened to once the program's process is made, which would inherit what is done about them.
    let opening = Opening { options, manner, stacks: stacks.as_ref() };
    let begun =
        if options.command.is_empty() { opening.attach(chosen) } else { opening.launch(chosen) };
    let Begun { source, attached, why } = match begun {
        Ok(begun) => begun,
        Err(ending) => return ending,
    };
    let interrupted = Interrupted::listen(options)?;
    let mut machine = Machine::new(options, log, stacks);
    let mut writer = Writer::new(options);
    source.traced().into_iter().for_each(|(pid, tid)| writer.expect(pid, tid));
    // Among JSON lines no other words may stand; their header names the engine.
    if is_talkative && (beyond.shape != Shape::Json || options.output.is_some()) {
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        machine.say(format!("by {}{why}", source.words()).as_bytes());
    }
    if beyond.shape == Shape::Json {
        let header = json::header(source.word(), wall_now_ns(), &options.command);
        machine.put(fdscope_model::Tid(0), &header);
    }
    for words in attached {
        machine.say(&words);
    }
    Session { options, source, writer, machine, interrupted }.trace()
}

/// What strace assumes besides: dates are local ones, and with a file and a program it does not talk of attaching.
fn settled(mut options: Options) -> Options {
    options.style.zone = |seconds| offset_near_s(seconds) as i32;
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

/// An engine that looks, what is to be said of who is attached to, and why this engine.
struct Begun {
    source: Engine,
    attached: Vec<Vec<u8>>,
    why: Option<String>,
}

/// From a choice to an engine.
struct Opening<'a> {
    options: &'a Options,
    manner: Manner,
    stacks: Option<&'a CallStacks>,
}

impl Opening<'_> {
    /// Starts the program; otherwise how fdscope ends.
    fn launch(&self, (chosen, mut why): (Chosen, Option<String>)) -> Result<Begun, Done> {
        let Opening { options, stacks, .. } = *self;
        let refused = |words: &[u8]| Ok(refuse(options, words));
        let mut plan = program::plan(options).map_err(|words| refused(&words))?;
        if chosen != Chosen::Ptrace {
            match by_bpf::launch(options, stacks, &plan) {
                Ok(source) => return Ok(Begun { source, attached: Vec::new(), why }),
                Err(error) if chosen == Chosen::Bpf => return Err(self.bpf_refused(&error)),
                Err(error) => why = Some(error.to_string()),
            }
        }
        if options.seccomp && !options.trace.is_all() {
            plan.filter = filter(&|arch, number| options.trace.has(arch, number));
        }
        let tracer = CallTracer::launch(&plan, call_options(options, stacks));
        let tracer = tracer.map_err(|error| refused(error.to_string().as_bytes()))?;
        Ok(Begun { source: Engine::Ptrace(Box::new(tracer)), attached: Vec::new(), why })
    }

    /// Attaches to all that can be attached to; otherwise how fdscope ends.
    fn attach(&self, (chosen, mut why): (Chosen, Option<String>)) -> Result<Begun, Done> {
        let Opening { options, stacks, .. } = *self;
        let pids: Vec<Pid> = options.pids.iter().copied().map(Pid).collect();
        if chosen != Chosen::Ptrace {
            match by_bpf::attach(options, stacks, &pids) {
                Ok((source, watched)) => {
                    let watched = watched.into_iter().map(|row| row.map_err(Refused::by_bpf));
                    return self.attached(source, &pids, watched.collect(), why);
                }
                Err(error) if chosen == Chosen::Bpf => return Err(self.bpf_refused(&error)),
                Err(error) => why = Some(error.to_string()),
            }
        }
        let (tracer, attached) = CallTracer::attach(&pids, call_options(options, stacks))
            .map_err(|error| Err(error.into()))?;
        let source = Engine::Ptrace(Box::new(tracer));
        let attached = attached.into_iter().zip(&pids);
        let attached =
            attached.map(|(row, pid)| row.map_err(|error| Refused::by_ptrace(*pid, &error)));
        self.attached(source, &pids, attached.collect(), why)
    }

    fn attached(
        &self,
        source: Engine,
        pids: &[Pid],
        rows: Vec<Result<usize, Refused>>,
        why: Option<String>,
    ) -> Result<Begun, Done> {
        let mut attached = Vec::new();
        let mut refused = Vec::new();
        let mut any = false;
        for (pid, row) in pids.iter().zip(rows) {
            match row {
                Ok(threads) => {
                    any = true;
                    let many = match threads {
                        0 | 1 => String::new(),
                        _ => format!(" with {threads} threads"),
                    };
                    if !self.options.quiet.has(quiet::ATTACH) {
                        attached.push(format!("Process {pid} attached{many}").into_bytes());
                    }
                }
                Err(error) => {
                    say(self.options.program, error.words.as_bytes());
                    refused.push(error);
                }
            }
        }
        if any {
            return Ok(Begun { source, attached, why });
        }
        source.release();
        Err(Ok(match self.manner {
            Manner::Strace => Ending::AsCommand(1),
            Manner::Trace => refusal::ending(&refused, why.as_deref()),
        }))
    }

    fn bpf_refused(&self, error: &anyhow::Error) -> Done {
        say(self.options.program, error.to_string().as_bytes());
        Ok(match (self.manner, error.downcast_ref()) {
            (Manner::Trace, Some(BpfError::NotPermitted(_))) => {
                refusal::cure(None);
                Ending::NotPermitted
            }
            _ => Ending::AsCommand(1),
        })
    }
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
        self.writer.tables(&mut table);
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
        self.source.release_around(|| self.machine.log.close());
        Ok(match (signal, failed) {
            (Some(signal), _) => ending::by_signal(signal),
            (None, Some(std::io::ErrorKind::BrokenPipe)) => Ending::AsCommand(1),
            (None, Some(_)) => Ending::AsCommand(1),
            (None, None) => ending::as_target(target),
        })
    }
}
