//! Writers for what fdscope found: a [`Report`] as text for people, as JSON, as
//! folded stacks, and the live line while watching.
//!
//! Nothing here knows where a report came from, reads a clock or asks the terminal: width, colour and character set
//! come from the caller as a [`Form`], and the same report always gives the same bytes. Verdicts, evidence and advice
//! are made in `fdscope-analyze`; this crate only says them. [`units`], [`table`] and [`graph`] serve every command.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use fdscope_model::verdict::Report;

pub mod card;
pub mod changes;
pub mod charset;
pub mod column;
pub mod diff;
pub mod export;
pub mod filter;
pub mod findings;
pub mod folded;
pub mod graph;
mod grouping;
pub mod groups;
pub mod handles;
pub mod json;
pub mod live;
pub mod mistake;
mod next;
pub mod page;
mod phrase;
pub mod piece;
pub mod radar;
pub mod section;
pub mod sheet;
pub mod site;
pub mod sockets;
pub mod style;
pub mod table;
pub mod text;
pub mod threads;
pub mod units;

pub use charset::Charset;
pub use page::Form;
pub use style::ColorChoice;

/// Why a writer can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The output did not take what was written to it.
    #[error("failed to write {what}")]
    Write {
        /// What was being written: "report", "JSON".
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl Error {
    /// True if the reader of the output went away, which is no failure of fdscope.
    pub fn is_closed_pipe(&self) -> bool {
        let Error::Write { source, .. } = self;
        source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// A way to print a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// For people, in this form.
    Text(Form),
    /// One JSON object and a newline: `docs/json.md`.
    Json,
    /// Folded stacks of living handles, as flame graph tools read them.
    Folded,
}

/// Writes `report` to `out` in the way asked for, and flushes.
///
/// # Errors
/// If `out` fails; see [`Error::is_closed_pipe`] for the case that is none.
pub fn write(report: &Report, output: Output, out: &mut dyn Write) -> Result<(), Error> {
    let (what, text) = match output {
        Output::Text(form) => ("report", text::report(report, form)),
        Output::Json => ("JSON", json::report(report)),
        Output::Folded => ("folded stacks", folded::report(report)),
    };
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    done.map_err(|source| Error::Write { what, source })
}
