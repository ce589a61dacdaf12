//! What can be typed, a file per family of commands. `--help`, the man pages and the completions all come from here.

mod diff;
mod leak;
mod link;
mod ls;
mod proc;
mod ps;
mod record;
mod screens;
mod sockets;
mod threads;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use diff::Diff;
pub use leak::{Demo, DemoTarget, Leak, Source, StackMode};
pub use link::{Link, LinkCommand};
pub use ls::Ls;
pub use proc::Proc;
pub use ps::{Glance, Ps};
pub use record::{Format, Keep, Moment, Record, Report, Span, parse_moment};
pub use screens::{Top, Watch};
pub use sockets::Sockets;
pub use threads::Threads;
pub use values::{Color, parse_duration};

/// Finds handle leaks on Linux: which handles leak, from which line of code, since when, how fast, and how long until
/// the limit.
#[derive(Parser, Debug)]
#[command(name = "fdscope", version, max_term_width = 100, propagate_version = true)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a command, `fdscope` shows every process by how near it is to a limit (as `fdscope ps`), and \
                        `fdscope PID|NAME` one process on one screen. A process that is named as a command is reached by \
                        its PID.\n\nStart with `fdscope demo`. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 findings at or above \
                        --fail-on, 4 target gone before anything was seen, 77 not permitted."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to look at without a command.
    #[command(flatten)]
    pub glance: Glance,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch a process and name what leaks, from which line, and when the limit breaks
    Leak(Leak),
    /// Record a process to a file, for `leak` and `report` to read at any time
    Record(Record),
    /// Compare two moments of recordings, or a recording with now: handles new, gone and kept
    Diff(Diff),
    /// Write what a recording shows as a page to hand on, or for other tools
    Report(Report),
    /// Show open handles, one a line: of processes, of files, of ports; filter, count, group
    Ls(Box<Ls>),
    /// Every process by how near it is to a limit: descriptors, threads, growth, time left
    Ps(Ps),
    /// Watch a process on a live screen: what it holds, which sites leak, what comes and goes
    Watch(Watch),
    /// Every process on a live screen, by how near it is to a limit; Enter watches one
    Top(Top),
    /// Show the threads of a process: groups, what they do and hold, limits, unjoined ones
    Threads(Threads),
    /// Show every socket of every network namespace, with who holds it, or why nobody does
    Sockets(Sockets),
    /// What /proc says of a process, with names and units
    Proc(Proc),
    /// Show network interfaces with addresses, MTU, counters, driver and owner; set an MTU, up or down
    Link(Link),
    /// Run a small leaking program and find its leak
    Demo(Demo),
    /// The program that `demo` watches
    #[command(hide = true)]
    DemoTarget(DemoTarget),
    /// List open files with lsof's own options and output; also when called by the name lsof
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Lsof {
        /// lsof's arguments; `fdscope lsof -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show system calls as strace does: attach or launch, handles' calls by default
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Trace {
        /// strace's arguments and more; `fdscope trace -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show system calls with strace's own options and output; also when called by the name strace
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Strace {
        /// strace's arguments; `fdscope strace -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show packets of interfaces and files, tied to processes, with tcpdump's options and lines
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Capture {
        /// tcpdump's options and an expression; `fdscope capture -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show packets with tcpdump's own options and output; also when called by the name tcpdump
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Tcpdump {
        /// tcpdump's arguments; `fdscope tcpdump -h` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
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
