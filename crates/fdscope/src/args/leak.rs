//! `fdscope leak` and `fdscope demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fdscope_model::{HandleKind, Level};

use super::record::{Keep, Span};
use super::values::{Color, parse_duration, parse_kind, parse_level, parse_size};

/// `fdscope leak`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  \
    fdscope leak 4123                    watch process 4123 for 30 s\n  \
    fdscope leak nginx --duration 5m     every process named nginx, for 5 minutes\n  \
    fdscope leak --fail-on leak -- ./tests   from the first instruction; exit code 3 if it leaks\n  \
    fdscope leak 4123 --json | jq '.verdicts[] | select(.level == \"leak\")'\n  \
    fdscope leak 4123 -o a.fdr           keep a recording of it, too\n  \
    fdscope leak a.fdr --from 14:02 --to 14:20   the same of a recording, or of a part of it\n\n\
    Ctrl-C ends the watch and prints what was learnt; a second Ctrl-C quits. The target is left as it was.")]
pub struct Leak {
    /// Processes to watch: numbers or names (several with the same name are all watched); or a recording
    #[arg(value_name = "PID|NAME|FILE")]
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
    /// Keep a recording of the watch in this file, readable by you only
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How large it may grow.
    #[command(flatten)]
    pub keep: Keep,
    /// Which part of a recording.
    #[command(flatten)]
    pub span: Span,
    /// True for `record`: no report, and no end but Ctrl-C.
    #[arg(skip)]
    pub only_record: bool,
    /// Every process of the machine.
    #[arg(skip)]
    pub everyone: bool,
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
