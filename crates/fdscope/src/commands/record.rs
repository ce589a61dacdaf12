//! `fdscope record`: a watch whose only outcome is its recording.

use crate::Done;
use crate::args::Record;
use crate::commands::leak;
use crate::ending::{Ending, Failure};
use crate::live::replay::is_recording;

/// Runs the command.
pub fn run(record: Record) -> Done {
    if let Some(target) = record.targets.iter().find(|target| is_recording(target)) {
        let what = format!("{target} is a recording, not a process");
        return Err(Failure::new(Ending::Usage, what)
            .cure(format!("fdscope leak {target}"))
            .into());
    }
    leak::run(record.into_leak())
}
