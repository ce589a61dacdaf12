//! What can be typed to look at every process, or at one, at a glance.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fdscope_render::radar::Order;

use super::record::Span;
use super::values::{Color, parse_duration};

/// `fdscope` without a command.
#[derive(Args, Debug)]
pub struct Glance {
    /// A process by number or name, or those of a recording: what it holds, on one screen. Without: every process, by
    /// danger
    #[arg(value_name = "PID|NAME|FILE")]
    pub target: Option<String>,
    /// Print one JSON object instead
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Of a recording.
    #[command(flatten)]
    pub span: Span,
}

/// `fdscope ps`.
#[derive(Args, Debug)]
pub struct Ps {
    /// Only the process of this number, or those whose name or command line has this text in it; or a recording, for the
    /// processes in it
    #[arg(value_name = "PATTERN|FILE")]
    pub pattern: Option<String>,
    /// What to sort by
    #[arg(short, long, value_parser = order(), value_name = "COLUMN", default_value = "danger")]
    pub sort: Order,
    /// Only the first so many
    #[arg(short = 'n', long, value_name = "N")]
    pub top: Option<usize>,
    /// Look again and again, this far apart (2s if not given); q or Ctrl-C ends it
    #[arg(
        short, long, value_parser = parse_duration, value_name = "TIME",
        num_args = 0..=1, require_equals = true, default_missing_value = "2s"
    )]
    pub watch: Option<Duration>,
    /// Look twice, this far apart, and say how fast each grows and when its limit is reached
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", conflicts_with = "watch")]
    pub interval: Option<Duration>,
    /// Count what is used of every limit, also where every process has to be read for it
    #[arg(short, long)]
    pub limits: bool,
    /// Print one JSON object (with --watch, one a line) instead of the table
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
    /// Of a recording.
    #[command(flatten)]
    pub span: Span,
}

fn order() -> impl TypedValueParser<Value = Order> {
    PossibleValuesParser::new(Order::words())
        .map(|word| Order::from_word(&word).expect("only words of the table pass"))
}
