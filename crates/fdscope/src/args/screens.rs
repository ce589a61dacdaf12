//! What can be typed for the live screens.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fdscope_render::radar::Order;

use super::leak::{Leak, Source, StackMode};
use super::record::{Keep, Span};
use super::values::{Color, parse_duration};

/// `fdscope watch`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  \
    fdscope watch 4123               process 4123\n  \
    fdscope watch nginx              every process named nginx\n  \
    fdscope watch a.fdr --at 14:02   a recording, as it stood then; [ and ] go through time\n\n\
    Keys: arrows or j k move, Tab goes to the next pane, Enter shows more (of a site: its evidence and its stack), \
    / searches, f filters, s sorts, space freezes, ? shows all keys, q leaves. The mouse selects and scrolls.\n\n\
    Needs a terminal; for scripts there are `fdscope leak PID --json` and `fdscope ps --watch --json`. The target is \
    left as it was.")]
pub struct Watch {
    /// Processes to watch: a number or a name (several with the same name are all watched); or a recording
    #[arg(value_name = "PID|NAME|FILE")]
    pub target: String,
    /// How often to judge and to count what grows without events
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", default_value = "1s")]
    pub interval: Duration,
    /// Where events come from
    #[arg(short, long, value_enum, default_value_t)]
    pub source: Source,
    /// How stacks are taken by the bpf source
    #[arg(long, value_enum, default_value_t)]
    pub stacks: StackMode,
    /// Watch the children that are made meanwhile too
    #[arg(short, long)]
    pub follow: bool,
    /// Watch the children that exist already too; implies --follow
    #[arg(long, visible_alias = "all-children")]
    pub children: bool,
    /// Which part of a recording.
    #[command(flatten)]
    pub span: Span,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

/// `fdscope top`.
#[derive(Args, Debug)]
#[command(
    after_help = "Keys: arrows or j k move, Enter watches the process selected (q comes back), / searches, \
    f filters, s sorts by the next column, space freezes, ? shows all keys, q quits. The mouse selects and scrolls.\n\n\
    Needs a terminal; for scripts there is `fdscope ps --watch --json`."
)]
pub struct Top {
    /// Between looks; longer where looking would take 2 % of a processor
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME", default_value = "2s")]
    pub interval: Duration,
    /// What to sort by at first
    #[arg(short, long, value_parser = order(), value_name = "COLUMN", default_value = "danger")]
    pub sort: Order,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

fn order() -> impl TypedValueParser<Value = Order> {
    PossibleValuesParser::new(Order::words())
        .map(|word| Order::from_word(&word).expect("only words of the table pass"))
}

impl Watch {
    /// The watch of a process that was found on the screen of all.
    pub fn of_process(pid: fdscope_model::Pid, color: Color) -> Self {
        Watch {
            target: pid.to_string(),
            interval: Duration::from_secs(1),
            source: Source::Auto,
            stacks: StackMode::Dwarf,
            follow: false,
            children: false,
            span: Span::default(),
            color,
        }
    }

    /// The same watch without a screen.
    pub fn to_leak(&self) -> Leak {
        Leak {
            targets: vec![self.target.clone()],
            everyone: false,
            launch: Vec::new(),
            duration: None,
            interval: self.interval,
            source: self.source,
            stacks: self.stacks,
            kinds: Vec::new(),
            follow: self.follow,
            children: self.children,
            all_threads: false,
            json: false,
            folded: None,
            fail_on: None,
            color: self.color,
            ring: 32 << 20,
            quiet: true,
            output: None,
            keep: Keep::default(),
            span: Span::default(),
            only_record: false,
        }
    }
}
