//! What can be typed. `--help`, the man pages and the completions all come from here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fdscope_model::{HandleKind, Level};

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

/// `fdscope leak`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  \
    fdscope leak 4123                    watch process 4123 for 30 s\n  \
    fdscope leak nginx --duration 5m     every process named nginx, for 5 minutes\n  \
    fdscope leak --fail-on leak -- ./tests   from the first instruction; exit code 3 if it leaks\n  \
    fdscope leak 4123 --json | jq '.verdicts[] | select(.level == \"leak\")'\n\n\
    Ctrl-C ends the watch and prints what was learnt; a second Ctrl-C quits. The target is left as it was.")]
pub struct Leak {
    /// Processes to watch: numbers or names (several with the same name are all watched)
    #[arg(value_name = "PID|NAME")]
    pub targets: Vec<String>,
    /// Command to run and watch from its first instruction to its end
    #[arg(last = true, value_name = "CMD", conflicts_with = "targets")]
    pub launch: Vec<String>,
    /// How long to watch: 500ms, 10s, 5m, 2h [default: 30s; a command is watched to its end]
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// How often to count what grows without events, and to read /proc where that is the source
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", default_value = "1s")]
    pub interval: Duration,
    /// Where events come from
    #[arg(short, long, value_enum, default_value_t)]
    pub source: Source,
    /// How stacks are taken by the bpf source
    #[arg(long, value_enum, default_value_t)]
    pub stacks: StackMode,
    /// Judge only these kinds: file, socket, thread, mapping … (may be given several times)
    #[arg(short, long = "kind", value_parser = parse_kind, value_name = "KIND", value_delimiter = ',')]
    pub kinds: Vec<HandleKind>,
    /// Watch the children that are made meanwhile too [a launched command's are always watched]
    #[arg(short, long)]
    pub follow: bool,
    /// Watch the children that exist already too; implies --follow
    #[arg(long, visible_alias = "all-children")]
    pub children: bool,
    /// Accepted for habit's sake: every thread of a process is always watched
    #[arg(long)]
    pub all_threads: bool,
    /// Print one JSON object instead of the report
    #[arg(long)]
    pub json: bool,
    /// Write folded stacks of living handles to this file, for flame graphs (- for standard output)
    #[arg(long, value_name = "FILE")]
    pub folded: Option<PathBuf>,
    /// Exit with code 3 if a verdict is at this level or above: suspect, leak
    #[arg(long, value_parser = parse_level, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// When to colour the report
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Size of the buffer between kernel and fdscope, in bytes: 8M, 64M
    #[arg(long, value_parser = parse_size, value_name = "SIZE", default_value = "32M")]
    pub ring: u32,
    /// No live line while watching
    #[arg(short, long)]
    pub quiet: bool,
}

/// `fdscope demo`.
#[derive(Args, Debug)]
pub struct Demo {
    /// How long to watch the leaking program
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", default_value = "27s")]
    pub duration: Duration,
    /// Where events come from
    #[arg(short, long, value_enum, default_value_t)]
    pub source: Source,
    /// Print one JSON object instead of the report
    #[arg(long)]
    pub json: bool,
}

/// The leaking program's own arguments.
#[derive(Args, Debug)]
pub struct DemoTarget {
    /// Stop after this long, should nobody stop it before
    #[arg(long, value_parser = parse_duration, default_value = "5m")]
    pub lifetime: Duration,
}

/// Where events come from.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Source {
    /// The best that is permitted
    #[default]
    Auto,
    /// eBPF: every birth and death with stacks, at next to no cost
    Bpf,
    /// ptrace: the same without eBPF, but it slows the target
    Ptrace,
    /// Reading /proc: growth by kind and name, no stacks
    Poll,
}

/// How the bpf source takes stacks.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StackMode {
    /// Copied, and unwound with DWARF: right for every program
    #[default]
    Dwarf,
    /// By frame pointers, in the kernel: cheaper, right only where everything has them
    Fp,
    /// None: sites are told by name patterns
    Off,
}

/// When to colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: &[(&str, f64)] =
        &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let scale = match unit {
        "" => Some(1.0),
        unit => UNITS.iter().find(|(word, _)| *word == unit).map(|(_, scale)| *scale),
    };
    let seconds = digits.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale);
    match seconds {
        Some(seconds) if seconds > 0.0 && seconds < 1e9 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time is a number above 0 with ms, s, m or h: 500ms, 10s, 5m, 2h".to_owned()),
    }
}

fn parse_size(text: &str) -> Result<u32, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches(['K', 'M', 'G']);
    let shift = match &upper[digits.len()..] {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(shift).and_then(|(n, shift)| n.checked_shl(shift));
    match bytes {
        Some(bytes) if (1 << 20..=1 << 30).contains(&bytes) => Ok(bytes as u32),
        _ => Err("a size from 1M to 1G: 8M, 64M".to_owned()),
    }
}

fn parse_kind(text: &str) -> Result<HandleKind, String> {
    HandleKind::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = HandleKind::all().map(HandleKind::word).collect();
        format!("there is no such kind; the kinds are {}", words.join(", "))
    })
}

fn parse_level(text: &str) -> Result<Level, String> {
    Level::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = Level::ALL.iter().map(|level| level.word()).collect();
        format!("the levels are {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        };
        check("500ms", Some(500));
        check("10s", Some(10_000));
        check("10", Some(10_000));
        check("1.5s", Some(1500));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check("0", None);
        check("-1s", None);
        check("5 minutes", None);
        check("nan", None);
        check("", None);
    }

    #[test]
    fn sizes_have_units() {
        let check =
            |text, expected: Option<u32>| assert_eq!(parse_size(text).ok(), expected, "{text}");
        check("8M", Some(8 << 20));
        check("1g", Some(1 << 30));
        check("4096K", Some(4 << 20));
        check("12", None);
        check("1T", None);
        check("99999999999G", None);
    }

    #[test]
    fn the_argument_tables_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
