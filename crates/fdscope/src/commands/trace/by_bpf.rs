//! The engine by eBPF: how it is opened. Whether it is, `choice` says.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use fdscope_bpf::trace::Enters;
use fdscope_bpf::{BpfCalls, BpfError, CallOptions};
use fdscope_model::Pid;
use fdscope_strace::Options;
use fdscope_strace::options::{Beyond, Count, FdWords, Output, Shape};
use fdscope_sys::held::{Plan, held};

use super::engine::{BpfEngine, Engine};
use super::stacks::CallStacks;
use crate::commands::leak::is_compat_file;

fn open(
    options: &Options,
    stacks: Option<&CallStacks>,
    compat: bool,
) -> Result<BpfCalls, BpfError> {
    // A line that another task's cuts in two shows what was known when the call was entered; and who looks on wants to
    // see what a program waits in.
    let is_watched = !matches!(options.output, Some(Output::File(_)));
    let enters = match options.beyond.shape == Shape::Lines && options.count != Count::Only {
        true if is_watched => Enters::Always,
        true if options.follow && !options.separately => Enters::OfSeveral,
        _ => Enters::Never,
    };
    let moments = options.stamp.is_some()
        || options.relative.is_some()
        || options.spent.is_some()
        || options.count != Count::No
        || options.beyond.least_ns.is_some()
        || options.beyond.shape == Shape::Json;
    let limit = options.style.strings.saturating_add(1);
    BpfCalls::open(CallOptions {
        wanted: &|arch, number| options.trace.has(arch, number),
        follow: options.follow,
        enters,
        moments,
        times: options.count != Count::No && !options.wall,
        compat,
        text_limit: u32::try_from(limit).unwrap_or(u32::MAX),
        descriptors: names_descriptors(options),
        unwinder: stacks.map(|stacks| Box::new(stacks.clone()) as Box<_>),
        ..CallOptions::default()
    })
}

/// Is anything said, or chosen, by what descriptors lead to?
fn names_descriptors(options: &Options) -> bool {
    let Beyond { globs, kinds, .. } = &options.beyond;
    let is_chosen = !options.paths.is_empty() || !globs.is_empty() || !kinds.is_empty();
    options.fd_words != FdWords::default() || is_chosen
}

/// Opens it, and starts a program for it.
///
/// # Errors
/// If BPF is not possible: nothing was started then.
pub fn launch(options: &Options, stacks: Option<&CallStacks>, plan: &Plan) -> Result<Engine> {
    // The program's process is made first: it must not inherit what the engine has open.
    let held = held(plan)?;
    let compat = is_compat_file(Path::new(OsStr::from_bytes(plan.file.as_bytes())));
    let mut calls = open(options, stacks, compat)?;
    calls.watch_launched(held.pid)?;
    Ok(Engine::Bpf(Box::new(BpfEngine::new(calls, Some(held)))))
}

/// Watches all that can be watched, and says of each how that went: with how many threads.
///
/// # Errors
/// If BPF is not possible.
pub fn attach(
    options: &Options,
    stacks: Option<&CallStacks>,
    pids: &[Pid],
) -> Result<(Engine, Vec<Result<usize, BpfError>>)> {
    let mut calls = open(options, stacks, false)?;
    let watched = pids.iter().map(|pid| calls.watch(*pid)).collect();
    Ok((Engine::Bpf(Box::new(BpfEngine::new(calls, None))), watched))
}
