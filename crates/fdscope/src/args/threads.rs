//! `fdscope threads`.

use std::time::Duration;

use clap::Args;

use super::record::Span;
use super::values::{Color, parse_duration};

/// `fdscope threads`.
#[derive(Args, Debug, Clone, Default)]
#[command(after_help = "Examples:\n  \
    fdscope threads nginx                 groups, limits, exited threads that nobody joined\n  \
    fdscope threads 4123 --all            every thread with its state, system call and descriptor\n  \
    fdscope threads 4123 --interval 5s    what came and went, who is busy, time to the limit\n  \
    fdscope threads 4123 --stack          where each group waits, in the program's own functions\n  \
    fdscope threads nginx -f 'state = blocked or cpu > 10s'\n  \
    fdscope threads 4123 --group-by call,on    what they wait for, counted\n  \
    fdscope threads 4123 --json | jq '.processes[].groups[] | {pattern, count}'")]
pub struct Threads {
    /// Processes: numbers or names (several with the same name are all shown); or a recording, and which of its
    /// processes
    #[arg(value_name = "PID|NAME|FILE", required_unless_present = "list_columns")]
    pub targets: Vec<String>,
    /// One row for each thread, not for each group
    #[arg(short, long)]
    pub all: bool,
    /// Read twice, this long apart, and show what changed: 500ms, 5s, 1m
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    pub interval: Option<Duration>,
    /// Read again and again, every interval (1 s unless given), until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// End the watch after this long
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", requires = "watch")]
    pub duration: Option<Duration>,
    /// Show stacks: read from memory where the thread waits, else taken in a stop of some microseconds
    #[arg(short, long)]
    pub stack: bool,
    /// With --stack: stop no thread, and show only the stacks that can be read so
    #[arg(long, requires = "stack")]
    pub no_stop: bool,
    /// Show the kernel's functions on each stack (needs root)
    #[arg(short, long)]
    pub kernel_stack: bool,
    /// Only threads for which this is true, in the language of fdscope ls; several must all be true
    #[arg(short, long = "filter", value_name = "EXPR")]
    pub filters: Vec<String>,
    /// A plain table of these columns, a row for each thread: a,b,c; +x adds to the usual ones; all
    #[arg(short = 'o', long = "columns", value_name = "LIST", conflicts_with = "json")]
    pub columns: Option<String>,
    /// Show which columns there are, and end
    #[arg(long)]
    pub list_columns: bool,
    /// A plain table sorted by a column; -COL for the greatest first
    #[arg(long, value_name = "COL", allow_hyphen_values = true, conflicts_with = "json")]
    pub sort: Option<String>,
    /// Count threads by what these columns say, the greatest first
    #[arg(short, long, value_name = "COL,…", conflicts_with_all = ["json", "sort", "columns"])]
    pub group_by: Option<String>,
    /// Print one JSON object instead of the tables (with --watch: one a line for each reading)
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Of a recording.
    #[command(flatten)]
    pub span: Span,
}
