//! What can be typed, a file per family of commands. `--help`, the man pages and the completions all come from here.

mod leak;
mod threads;
mod ls;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use leak::{Demo, DemoTarget, Leak, Source, StackMode};
pub use threads::Threads;
pub use ls::Ls;
pub use values::Color;

/// Finds handle leaks on Linux: which handles leak, from which line of code, since when, how fast, and how long until
/// the limit.
#[derive(Parser, Debug)]
#[command(name = "fdscope", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Start with `fdscope demo`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 findings at or above \
                        --fail-on, 4 target gone before anything was seen, 77 not permitted."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch a process and name what leaks, from which line, and when the limit breaks
    Leak(Leak),
    /// Show the threads of a process: groups, what they do and hold, limits, unjoined ones
    Threads(Threads),
    /// Show open handles, one a line: of processes, of files, of ports; filter, count, group
    Ls(Box<Ls>),
    /// Run a small leaking program and find its leak
    Demo(Demo),
    /// The program that `demo` watches
    #[command(hide = true)]
    DemoTarget(DemoTarget),
    /// Say what this kernel and user permit, what each gap costs, and the cure
    Doctor,
    /// Print the completion script of a shell
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one per command into a folder
    Man {
        /// The folder to write into.
        folder: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_tables_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
