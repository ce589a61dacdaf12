//! The `fdscope` program: what was typed, which crates it wakes, and how it ends. Wiring only.
//!
//! [`args`] says what can be typed; `commands/` holds a file per command; [`live`] is the pipeline from a source of
//! events to a report; [`ending`] turns failures into sentences and exit codes.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod ending;
mod inventories;
mod live;
mod machine;
mod mounts;
mod past;
mod private;
mod screen;
mod stage;
mod sweeper;
mod target;
mod terminal;
mod users;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Parser;

use args::{Arguments, Command};
use commands::capture::Guise;
use commands::trace::Manner;
use ending::Ending;

fn main() {
    fdscope_sys::limits::raise_own();
    if let Some(done) = standing_in() {
        done.unwrap_or_else(|error| ending::failure(&error)).exit()
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => ending::usage(&error).exit(),
    };
    let done = match arguments.command {
        None => commands::ps::glance(&arguments.glance),
        Some(Command::Leak(leak)) => commands::leak::run(leak),
        Some(Command::Record(record)) => commands::record::run(record),
        Some(Command::Diff(diff)) => commands::diff::run(&diff),
        Some(Command::Report(report)) => commands::report::run(&report),
        Some(Command::Ps(ps)) => commands::ps::run(&ps),
        Some(Command::Watch(watch)) => commands::watch::run(&watch),
        Some(Command::Top(top)) => commands::top::run(&top),
        Some(Command::Ls(ls)) => commands::ls::run(&ls),
        Some(Command::Sockets(sockets)) => commands::sockets::run(&sockets),
        Some(Command::Threads(threads)) => commands::threads::run(&threads),
        Some(Command::Proc(proc)) => commands::proc::run(&proc),
        Some(Command::Link(link)) => commands::link::run(&link),
        Some(Command::Demo(demo)) => commands::demo::run(&demo),
        Some(Command::DemoTarget(target)) => commands::demo_target::run(&target),
        Some(Command::Lsof { arguments }) => commands::lsof::run(arguments),
        Some(Command::Trace { arguments }) => commands::trace::run(Manner::Trace, arguments),
        Some(Command::Strace { arguments }) => commands::trace::run(Manner::Strace, arguments),
        Some(Command::Capture { arguments }) => commands::capture::run(arguments, Guise::Capture),
        Some(Command::Tcpdump { arguments }) => commands::capture::run(arguments, Guise::Tcpdump),
        Some(Command::Doctor) => commands::doctor::run(),
        Some(Command::Completions { shell }) => commands::manual::completions(shell),
        Some(Command::Man { folder }) => commands::manual::man(folder.as_deref()),
    };
    done.unwrap_or_else(|error| ending::failure(&error)).exit()
}

/// Runs what has the options of another program, which no other parser may touch.
fn standing_in() -> Option<Done> {
    use commands::{capture, lsof, trace};
    let run = [
        arguments_of("lsof").map(lsof::run),
        arguments_of("strace").map(|arguments| trace::run(Manner::Strace, arguments)),
        arguments_of("trace").map(|arguments| trace::run(Manner::Trace, arguments)),
        arguments_of("tcpdump").map(|arguments| capture::run(arguments, Guise::Tcpdump)),
        arguments_of("capture").map(|arguments| capture::run(arguments, Guise::Capture)),
    ];
    run.into_iter().flatten().next()
}

/// All arguments if fdscope is called by this name, else those behind the command of this name.
fn arguments_of(program: &str) -> Option<Vec<OsString>> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    let by_name = Path::new(&name).file_name() == Some(OsStr::new(program));
    (by_name || arguments.next()? == program).then(|| arguments.collect())
}

/// What every command answers.
type Done = anyhow::Result<Ending>;
