//! What can be typed to read /proc/PID.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use fdscope_proc::section::sections;

use super::values::Color;

/// `fdscope proc`.
#[derive(Args, Debug)]
pub struct Proc {
    /// The process, by number or name
    #[arg(value_name = "PID|NAME")]
    pub target: String,
    /// What to read; without, an overview
    #[arg(value_parser = words(), value_name = "SECTION")]
    pub section: Option<String>,
    /// For `mem`: where (0x7ffe0010, or decimal), and how many bytes (256 if not given)
    #[arg(value_name = "ADDR LEN", num_args = 0..=2)]
    pub place: Vec<String>,
    /// Show the names of environment variables that look like secrets, and not their values
    #[arg(long)]
    pub mask: bool,
    /// Print one JSON object instead
    #[arg(long)]
    pub json: bool,
    /// When to colour
    #[arg(long, value_enum, default_value_t)]
    pub color: Color,
}

fn words() -> PossibleValuesParser {
    let memory = PossibleValue::new("mem").help("memory as hexdump shows it: mem ADDR LEN");
    let words = sections().map(|(word, purpose)| PossibleValue::new(word).help(purpose));
    PossibleValuesParser::new(words.chain([memory]))
}
