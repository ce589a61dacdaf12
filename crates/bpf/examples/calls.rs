//! Tells the calls of a program, one a line: what the engine of `trace` sees, for trying and for measuring.
//!
//! `calls NAMES|all PROGRAM ARGUMENTS…`, or `calls NAMES|all -p PID`. With `FDSCOPE_QUIET` nothing but counts is said.

use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::Duration;

use fdscope_bpf::trace::Enters;
use fdscope_bpf::{BpfCalls, CallOptions};
use fdscope_model::{Pid, Progress};
use fdscope_sys::spawn::paused;
use fdscope_syscall::decode::{self, NoNames, Style};
use fdscope_syscall::names;
use fdscope_syscall::traced::{CallSource, Ended, Happening, Traced};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((list, rest)) = words.split_first() else { return ExitCode::from(2) };
    let wanted = |arch, number| {
        names::name(arch, number)
            .is_some_and(|name| list == "all" || list.split(',').any(|word| word == name))
    };
    let enters = match std::env::var_os("FDSCOPE_ENTERS") {
        Some(_) => Enters::Always,
        None => Enters::Never,
    };
    let quiet = std::env::var_os("FDSCOPE_QUIET").is_some();
    let options = CallOptions { wanted: &wanted, follow: true, enters, ..CallOptions::default() };
    let mut calls = match BpfCalls::open(options) {
        Ok(calls) => calls,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut started = None;
    if let [flag, pid] = rest
        && flag == "-p"
    {
        let pid = pid.parse().expect("a number");
        calls.watch(Pid(pid)).expect("a process");
    } else {
        let (program, arguments) = rest.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments);
        let held = paused(command).expect("a process");
        calls.watch_launched(held.pid()).expect("it waits");
        started = Some(held.go().expect("it waits"));
    }
    let mut out = std::io::BufWriter::new(std::io::stderr().lock());
    let (mut told, mut lost) = (0u64, 0u64);
    let mut sink = |traced: &Traced<'_>| {
        match traced.what {
            Happening::Lost { count } => lost += count,
            Happening::Exit { .. } => told += 1,
            _ => {}
        }
        if !quiet {
            let _closed = out.write_all(&line(traced));
        }
    };
    while calls.poll(Duration::from_millis(100), &mut sink).expect("works") == Progress::Open {}
    calls.stop(&mut sink).expect("works");
    drop(out);
    drop(started);
    eprintln!("told {told}, lost {lost}");
    ExitCode::SUCCESS
}

fn line(traced: &Traced<'_>) -> Vec<u8> {
    let (style, names) = (Style::default(), &NoNames);
    let mut out = format!("{} ", traced.tid).into_bytes();
    let name = |call, memory| decode::name(call, memory).unwrap_or("syscall");
    match traced.what {
        Happening::Enter { call, memory, .. } => {
            out.extend_from_slice(format!("enter {}(", name(&call, memory)).as_bytes());
            decode::enter(&call, memory, &style, names, &mut out);
        }
        Happening::Exit { call, ended, memory, .. } => {
            out.extend_from_slice(format!("{}(", name(&call, memory)).as_bytes());
            let state = decode::enter(&call, memory, &style, names, &mut out);
            let result = decode::exit(&call, ended, state, memory, &style, names, &mut out);
            let open = if ended == Ended::Unknown { " <unfinished ...>" } else { "" };
            out.extend_from_slice(format!("{open}) = ").as_bytes());
            out.extend_from_slice(&result.0);
        }
        Happening::Signal { signal, .. } => {
            out.extend_from_slice(format!("signal {signal}").as_bytes())
        }
        Happening::Stopped { signal } => {
            out.extend_from_slice(format!("stopped {signal}").as_bytes())
        }
        Happening::Exited { status } => {
            out.extend_from_slice(format!("exited {status}").as_bytes())
        }
        Happening::Killed { signal, .. } => {
            out.extend_from_slice(format!("killed {signal}").as_bytes())
        }
        Happening::Superseded { by } => {
            out.extend_from_slice(format!("superseded {by}").as_bytes())
        }
        Happening::Attached => out.extend_from_slice(b"attached"),
        Happening::Detached => out.extend_from_slice(b"detached"),
        Happening::Lost { count } => out.extend_from_slice(format!("lost {count}").as_bytes()),
    }
    out.push(b'\n');
    out
}
