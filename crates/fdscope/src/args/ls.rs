//! `fdscope ls`.

use std::path::PathBuf;

use clap::Args;

use super::values::Color;
use crate::inventories::Reader;

/// `fdscope ls`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Targets:\n  \
    4123  nginx              handles of a process, or of every process of that name\n  \
    /var/log/app.log         who holds this file (also by other names, as cwd, exe or mapping)\n  \
    /mnt                     a mount point: who holds anything of that file system\n  \
    :8080  10.0.0.7:443      sockets with this port or address at either end\n  \
    Several of one sort add up; processes and files together narrow down: fdscope ls nginx :80\n\n\
    Examples:\n  \
    fdscope ls 4123 --count                         what ls /proc/4123/fd | wc -l tells\n  \
    fdscope ls nginx --group-by kind,state          counts, the greatest first\n  \
    fdscope ls -f 'kind = socket and state = close-wait and peer ~ \"10.0.\"'\n  \
    fdscope ls --deleted -o pid,comm,fd,size,name --sort -size\n  \
    fdscope ls -R /var/lib/app --tree               every handle below a directory\n  \
    fdscope ls -m . -a                              what keeps this file system from being unmounted\n  \
    fdscope ls 4123 --json | jq '.handles[].name'\n\n\
    Without --all the rows are descriptors; with a path as target, -R or -m, all are looked at. The filter language: \
    column = value, != ~ !~ < <= > >= in (…), and or not ( ); sizes 10M, times 10m, regular expressions for ~; a column \
    alone asks whether it has a value. --list-columns shows the columns.")]
pub struct Ls {
    /// Processes, files, mounts, ports, addresses [default: every process]
    #[arg(value_name = "PID|NAME|PATH|:PORT|HOST:PORT")]
    pub targets: Vec<String>,
    /// Handles of files in this directory and all below it (may be given several times)
    #[arg(short = 'R', long = "tree-of", value_name = "DIR")]
    pub below: Vec<PathBuf>,
    /// Handles of the file system that this path is on (may be given several times)
    #[arg(short, long = "mount", value_name = "PATH")]
    pub mounts: Vec<PathBuf>,
    /// Only these kinds: file, socket, pipe …
    #[arg(short, long = "kind", value_name = "KIND", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Only sockets in these states: close-wait, listen …
    #[arg(short = 'S', long = "state", value_name = "STATE", value_delimiter = ',')]
    pub states: Vec<String>,
    /// Only processes of these users, by name or number
    #[arg(short, long = "user", value_name = "USER", value_delimiter = ',')]
    pub users: Vec<String>,
    /// Only files that have no name any more
    #[arg(short, long)]
    pub deleted: bool,
    /// Only rows for which this expression is true (several must all be)
    #[arg(short, long = "filter", value_name = "EXPR")]
    pub filters: Vec<String>,
    /// Also working and root directories, executables, mappings, namespaces, io_uring's files, descriptors in flight
    #[arg(short, long)]
    pub all: bool,
    /// Columns to show: a,b,c; +x adds to the usual ones; all
    #[arg(short = 'o', long = "columns", value_name = "LIST")]
    pub columns: Option<String>,
    /// Show which columns there are, and end
    #[arg(long)]
    pub list_columns: bool,
    /// Sort by a column; -COL for the greatest first
    #[arg(short, long, value_name = "COL", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Only the number of rows
    #[arg(short, long, conflicts_with_all = ["group_by", "tree", "jsonl"])]
    pub count: bool,
    /// Count rows by what these columns say, the greatest first
    #[arg(short, long, value_name = "COL,…", conflicts_with_all = ["tree", "jsonl", "sort"])]
    pub group_by: Option<String>,
    /// Processes, their kinds, their handles
    #[arg(short, long, conflicts_with_all = ["json", "jsonl", "sort", "columns"])]
    pub tree: bool,
    /// No line of headings
    #[arg(short = 'H', long)]
    pub no_header: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "jsonl")]
    pub json: bool,
    /// Print a JSON object a line: the run, each handle, the end
    #[arg(long)]
    pub jsonl: bool,
    /// Where rows of descriptors come from
    #[arg(long, value_enum, default_value_t)]
    pub source: Reader,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}
