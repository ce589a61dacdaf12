//! `fdscope sockets`.

use std::time::Duration;

use clap::Args;

use super::record::Span;
use super::values::{Color, parse_duration};

/// `fdscope sockets`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  \
    fdscope sockets                                  every socket, with who holds it or why nobody does\n  \
    fdscope sockets 'state = close-wait'             connections that our side never closed\n  \
    fdscope sockets 'state close-wait and age > 10m' -o +age,age-by\n  \
    fdscope sockets app.fdr 'state close-wait' -o +age,site,stack   as recorded: how old, made by which code\n  \
    fdscope sockets 'port = 443 and idle > 10m' -o +idle\n  \
    fdscope sockets --group-by protocol,state,owner  counts, the greatest first\n  \
    fdscope sockets unheld                           sockets without a process, each with the reason\n  \
    fdscope sockets --findings                       CLOSE_WAIT piling up, full backlogs, stuck queues …\n  \
    fdscope sockets --tree 'port = 80'               a listener, its accept queue, its connections by owner\n  \
    fdscope sockets --watch 5s 'comm = nginx'        every 5 s how many there are of what, what came and what went\n  \
    fdscope sockets app.fdr --at 14:02               those that recorded processes held then\n  \
    fdscope sockets --summary                        sockstat, explained; with --watch, what changed\n\n\
    The filter language is that of fdscope ls.")]
pub struct Sockets {
    /// Only sockets for which this expression is true (several words make one expression);
    /// behind a recording, of those it holds
    #[arg(value_name = "FILE|FILTER")]
    pub filter: Vec<String>,
    /// The kernel's own counts, in bytes and shares of their limits; also of a recording
    #[arg(long, conflicts_with_all = ["columns", "sort", "group_by", "count"])]
    pub summary: bool,
    /// What is wrong with them, with evidence and cure
    #[arg(long, conflicts_with_all = ["summary", "columns", "sort", "group_by", "count"])]
    pub findings: bool,
    /// Listeners, what waits to be accepted, and the connections that came, by owner
    #[arg(long, conflicts_with_all = ["summary", "findings", "columns", "sort", "group_by", "count"])]
    pub tree: bool,
    /// Look again and again, this far apart (2s if not given), and show what came and went by protocol, state and process,
    /// or by the columns of --group-by; with --columns also each socket that came or went. q or Ctrl-C ends it
    #[arg(
        short, long, value_name = "TIME", num_args = 0..=1, default_missing_value = "2s",
        conflicts_with_all = ["findings", "sort", "count", "tree"]
    )]
    pub watch: Option<String>,
    /// End the watch after this long
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", requires = "watch")]
    pub duration: Option<Duration>,
    /// Show names of hosts and services instead of numbers, as far as name servers answer within two seconds
    #[arg(short, long, conflicts_with_all = ["summary", "tree"])]
    pub resolve: bool,
    /// Columns to show: a,b,c; +x adds to the usual ones; all
    #[arg(short = 'o', long = "columns", value_name = "LIST")]
    pub columns: Option<String>,
    /// Show which columns there are, and end
    #[arg(long)]
    pub list_columns: bool,
    /// Sort by a column; -COL for the greatest first
    #[arg(short, long, value_name = "COL", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Only the number of sockets
    #[arg(short, long, conflicts_with = "group_by")]
    pub count: bool,
    /// Count sockets by what these columns say, the greatest first
    #[arg(short, long, value_name = "COL,…", conflicts_with = "sort")]
    pub group_by: Option<String>,
    /// No line of headings
    #[arg(short = 'H', long)]
    pub no_header: bool,
    /// Print one JSON object; with --watch, one a line for each look
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Of a recording.
    #[command(flatten)]
    pub span: Span,
}
