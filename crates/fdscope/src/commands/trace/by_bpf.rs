//! The engine by eBPF: when it is used, and how it is opened.

use anyhow::Result;
use fdscope_bpf::{BpfCalls, BpfError, CallOptions};
use fdscope_model::Pid;
use fdscope_strace::Options;
use fdscope_strace::options::{Count, Shape, Source, quiet};
use fdscope_sys::held::{Plan, held};

use super::engine::{BpfEngine, Engine};
use super::say;
use super::stacks::CallStacks;

/// Is it to be used?
pub fn is_chosen(options: &Options) -> bool {
    options.beyond.source == Source::Bpf
}

fn open(options: &Options, stacks: Option<&CallStacks>) -> Result<BpfCalls, BpfError> {
    // A line that another task's cuts in two shows what was known when the call was entered.
    let is_cut = options.follow
        && !options.separately
        && options.beyond.shape == Shape::Lines
        && options.count != Count::Only;
    let limit = options.style.strings.saturating_add(1);
    BpfCalls::open(CallOptions {
        wanted: &|arch, number| options.trace.has(arch, number),
        follow: options.follow,
        enters: is_cut,
        text_limit: u32::try_from(limit).unwrap_or(u32::MAX),
        unwinder: stacks.map(|stacks| Box::new(stacks.clone()) as Box<_>),
        ..CallOptions::default()
    })
}

/// Starts a program.
///
/// # Errors
/// In words, if that or BPF is not possible.
pub fn launch(
    options: &Options,
    stacks: Option<&CallStacks>,
    plan: &Plan,
) -> Result<Engine, Vec<u8>> {
    let held = held(plan).map_err(|error| error.to_string().into_bytes())?;
    let words = |error: BpfError| error.to_string().into_bytes();
    let mut calls = open(options, stacks).map_err(words)?;
    calls.watch_launched(held.pid).map_err(words)?;
    Ok(Engine::Bpf(Box::new(BpfEngine::new(calls, Some(held)))))
}

/// Watches all that can be watched; what is to be said of each that is. `None` if none is.
///
/// # Errors
/// If BPF is not possible.
pub fn attach(
    options: &Options,
    stacks: Option<&CallStacks>,
    pids: &[Pid],
) -> Result<Option<(Engine, Vec<Vec<u8>>)>> {
    let mut calls = open(options, stacks)?;
    let mut words = Vec::new();
    let mut any = false;
    for &pid in pids {
        match calls.watch(pid) {
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
            Err(error) => say(options.program, format!("attach: {error}").as_bytes()),
        }
    }
    Ok(any.then(|| (Engine::Bpf(Box::new(BpfEngine::new(calls, None))), words)))
}
