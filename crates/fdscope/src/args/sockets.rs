//! `fdscope sockets`.

use clap::Args;

use super::record::Span;
use super::values::Color;

/// `fdscope sockets`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  \
    fdscope sockets                                  every socket, with who holds it or why nobody does\n  \
    fdscope sockets 'state = close-wait'             connections that our side never closed\n  \
    fdscope sockets 'port = 443 and idle > 10m' -o +idle\n  \
    fdscope sockets --group-by protocol,state,owner  counts, the greatest first\n  \
    fdscope sockets unheld                           sockets without a process, each with the reason\n  \
    fdscope sockets --findings                       CLOSE_WAIT piling up, full backlogs, stuck queues …\n  \
    fdscope sockets app.fdr --at 14:02               those that recorded processes held then\n  \
    fdscope sockets --summary                        sockstat, explained\n\n\
    The filter language is that of fdscope ls.")]
pub struct Sockets {
    /// Only sockets for which this expression is true (several words make one expression);
    /// behind a recording, of those it holds
    #[arg(value_name = "FILE|FILTER")]
    pub filter: Vec<String>,
    /// The kernel's own counts, in bytes and shares of their limits
    #[arg(long, conflicts_with_all = ["filter", "columns", "sort", "group_by", "count"])]
    pub summary: bool,
    /// What is wrong with them, with evidence and cure
    #[arg(long, conflicts_with_all = ["summary", "columns", "sort", "group_by", "count"])]
    pub findings: bool,
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
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Of a recording.
    #[command(flatten)]
    pub span: Span,
}
