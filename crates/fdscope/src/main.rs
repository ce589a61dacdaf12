//! The `fdscope` program: what was typed, which crates it wakes, and how it ends. Wiring only.
//!
//! [`args`] says what can be typed; `commands/` holds a file per command; [`live`] is the pipeline from a source of
//! events to a report; [`ending`] turns failures into sentences and exit codes.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod ending;
mod live;
mod machine;
mod screen;
mod target;
mod terminal;

use clap::Parser;

use args::{Arguments, Command};
use ending::Ending;

fn main() {
    raise_own_limit();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => ending::usage(&error).exit(),
    };
    let done = match arguments.command {
        None => commands::ps::glance(&arguments.glance),
        Some(Command::Leak(leak)) => commands::leak::run(leak),
        Some(Command::Proc(proc)) => commands::proc::run(&proc),
        Some(Command::Ps(ps)) => commands::ps::run(&ps),
        Some(Command::Demo(demo)) => commands::demo::run(&demo),
        Some(Command::DemoTarget(target)) => commands::demo_target::run(&target),
        Some(Command::Doctor) => commands::doctor::run(),
        Some(Command::Completions { shell }) => commands::manual::completions(shell),
        Some(Command::Man { folder }) => commands::manual::man(folder.as_deref()),
    };
    done.unwrap_or_else(|error| ending::failure(&error)).exit()
}

/// fdscope holds a descriptor or two per module of its targets: it takes what its hard limit allows.
fn raise_own_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let own = getrlimit(Resource::Nofile);
    // A refusal leaves the limit as it was, which is enough for nearly every target.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: own.maximum, ..own });
}

/// What every command answers.
type Done = anyhow::Result<Ending>;
