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
mod target;
mod terminal;
mod users;

use clap::Parser;

use args::{Arguments, Command};
use ending::Ending;

fn main() {
    fdscope_sys::limits::raise_own();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => ending::usage(&error).exit(),
    };
    let done = match arguments.command {
        Command::Leak(leak) => commands::leak::run(leak),
        Command::Threads(threads) => commands::threads::run(&threads),
        Command::Ls(ls) => commands::ls::run(&ls),
        Command::Demo(demo) => commands::demo::run(&demo),
        Command::DemoTarget(target) => commands::demo_target::run(&target),
        Command::Doctor => commands::doctor::run(),
        Command::Completions { shell } => commands::manual::completions(shell),
        Command::Man { folder } => commands::manual::man(folder.as_deref()),
    };
    done.unwrap_or_else(|error| ending::failure(&error)).exit()
}

/// What every command answers.
type Done = anyhow::Result<Ending>;
