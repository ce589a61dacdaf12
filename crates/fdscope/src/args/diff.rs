//! `fdscope diff`.

use clap::Args;
use fdscope_render::diff::By;

use super::record::{Moment, parse_moment};
use super::values::Color;

/// `fdscope diff`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    fdscope diff app.fdr                           what came and went while it was recorded\n  \
    fdscope diff app.fdr --from 14:02 --to 14:20   what did those minutes add? (UTC)\n  \
    fdscope diff mon.fdr tue.fdr                   the ends of two recordings\n  \
    fdscope diff mon.fdr tue.fdr --at 14:02 --at 14:02\n  \
    fdscope diff app.fdr 4123                      a recording and now\n  \
    fdscope diff app.fdr --by site --json | jq '.groups[0]'\n\n\
    A handle is kept if it is the same one, not if its number is: process start times, births and open file \
    descriptions decide. Groups are sorted by what is new in them.")]
pub struct Diff {
    /// The recording of the first moment
    #[arg(value_name = "FILE")]
    pub first: String,
    /// The second: another recording, or a process as it is now [default: the first recording again]
    #[arg(value_name = "FILE|PID|NAME")]
    pub second: Option<String>,
    /// The first moment: 14:02, 14:02:30, 2026-11-23T14:02 (UTC), or +10m after the recording's beginning [default: of one
    /// recording its beginning, of two the end of the first]
    #[arg(long, value_parser = parse_moment, value_name = "WHEN")]
    pub from: Option<Moment>,
    /// The second moment [default: the end of its recording]
    #[arg(long, value_parser = parse_moment, value_name = "WHEN")]
    pub to: Option<Moment>,
    /// The first moment, and given again the second
    #[arg(long, value_parser = parse_moment, value_name = "WHEN", conflicts_with_all = ["from", "to"])]
    pub at: Vec<Moment>,
    /// What to group by: kind, name (without what differs), peer, site, comm, pid
    #[arg(long, value_parser = parse_by, value_delimiter = ',', value_name = "WORD,…",
        default_value = "kind,name,site")]
    pub by: Vec<By>,
    /// Show each new and each gone handle, too
    #[arg(short, long)]
    pub list: bool,
    /// Show groups in which nothing changed, too; in --json the handles that were kept
    #[arg(short, long)]
    pub all: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

/// A way to group by its word.
fn parse_by(text: &str) -> Result<By, String> {
    By::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = By::words().collect();
        format!("the words are {}", words.join(", "))
    })
}
