//! `fdscope watch`: one target on a live screen.
//!
//! `session` is a watch with its screen; `moment` gathers what the screen shows; `replay` is the same of a recording.

mod moment;
mod pace;
mod replay;
mod session;

use fdscope_proc::ProcRoot;

use crate::Done;
use crate::args::Watch;
use crate::commands::leak;
use crate::ending::{Ending, Failure};
use crate::live::replay::is_recording;
use crate::stage::{self, Stage};
use crate::terminal;

pub use session::{Left, show};

/// Runs the command.
pub fn run(arguments: &Watch) -> Done {
    stage::check("fdscope watch", "fdscope leak PID --json, or fdscope ps PID --watch --json")?;
    if is_recording(&arguments.target) {
        return replay::run(arguments);
    }
    if arguments.span.is_given() {
        return Err(Failure::new(Ending::Usage, "--from, --to and --at are for recordings").into());
    }
    let proc = ProcRoot::open()?;
    let processes = leak::targets(&proc, &arguments.to_leak())?;
    leak::check_readable(&proc, &processes)?;
    let mut stage = Stage::take()?;
    let look = terminal::look(arguments.color);
    let shown = show(&mut stage, &proc, arguments, processes, look);
    drop(stage);
    shown?.leave_behind();
    Ok(Ending::Done)
}
