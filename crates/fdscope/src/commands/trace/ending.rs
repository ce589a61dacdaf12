//! How tracing ends: by the target's end, by a signal to fdscope, by a limit, by a log that cannot be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use fdscope_ptrace::Ending as TargetEnding;
use fdscope_strace::Options;
use fdscope_strace::options::{Interruptible, Output};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

use crate::ending::Ending;

/// The fatal signal that came, if one did and is heard.
#[derive(Clone)]
pub struct Interrupted(Arc<AtomicUsize>);

impl Interrupted {
    /// Listens, as `-I` says.
    ///
    /// # Errors
    /// If signals cannot be handled.
    pub fn listen(options: &Options) -> Result<Self> {
        let filed = matches!(options.output, Some(Output::File(_))) && !options.command.is_empty();
        let default = if filed { Interruptible::Never } else { Interruptible::Waiting };
        let heard = options.interruptible.unwrap_or(default);
        let came = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let told = match heard {
                Interruptible::Anywhere | Interruptible::Waiting => Arc::clone(&came),
                Interruptible::Never | Interruptible::NeverTstp => Arc::default(),
            };
            signal_hook::flag::register_usize(signal, told, signal as usize)?;
        }
        if heard == Interruptible::NeverTstp {
            signal_hook::flag::register_usize(SIGTSTP, Arc::default(), 0)?;
        }
        Ok(Interrupted(came))
    }

    /// The signal.
    pub fn by(&self) -> Option<i32> {
        let signal = self.0.load(Ordering::Relaxed);
        (signal != 0).then_some(signal as i32)
    }
}

/// Ends as the launched program did: killed by the same signal, if a signal killed it.
pub fn as_target(ending: Option<TargetEnding>) -> Ending {
    match ending {
        Some(TargetEnding::Exited(code)) => Ending::AsCommand(code),
        Some(TargetEnding::Killed(signal)) => by_signal(signal),
        None => Ending::Done,
    }
}

/// Ends by a signal, without a core.
pub fn by_signal(signal: i32) -> Ending {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _refused = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    // Returns if the signal is not fatal, or may not be given.
    let _not_fatal = signal_hook::low_level::emulate_default_handler(signal);
    Ending::AsCommand(128 + signal)
}
