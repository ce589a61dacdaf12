//! Loads the programs of trace, fills their plans, and puts them on their tracepoints.

use fdscope_model::{Sight, SourceName};
use fdscope_syscall::Arch;

use super::Wanted;
use super::plan::plan;
use crate::error::BpfError;
use crate::load::{CallConstants, CallPrograms, RawProgram};
use crate::support::PidNamespace;

/// What is asked of the programs.
pub struct Asked<'a> {
    /// Which calls.
    pub wanted: Wanted<'a>,
    /// They are told when they are entered, too.
    pub enters: bool,
    /// Signals are told.
    pub signals: bool,
    /// Of strings, as many bytes are copied.
    pub text_limit: u32,
    /// Of stacks.
    pub stack_most: u32,
    /// Ring size in bytes.
    pub ring_bytes: u32,
}

/// Programs at work.
pub struct Attached {
    /// The programs.
    pub programs: CallPrograms,
    /// How calls are seen.
    pub sight: Sight,
}

/// The highest number that the program looks up.
const NUMBERS: u32 = 512;

const LIVES: &[RawProgram] = &[
    RawProgram { name: "task_made", point: "sched_process_fork" },
    RawProgram { name: "program_run", point: "sched_process_exec" },
    RawProgram { name: "task_ended", point: "sched_process_exit" },
];

const SIGNALS: &[RawProgram] = &[
    RawProgram { name: "signal_delivered", point: "signal_deliver" },
    RawProgram { name: "signal_dropped", point: "signal_generate" },
];

/// The exits first: a call whose entry was seen is then seen to end.
const CALLS: &[RawProgram] = &[
    RawProgram { name: "every_exit", point: "sys_exit" },
    RawProgram { name: "every_enter", point: "sys_enter" },
];

/// Loads and attaches.
///
/// # Errors
/// If the kernel refuses.
pub fn attach(asked: &Asked<'_>) -> Result<Attached, BpfError> {
    let constants = CallConstants {
        namespace: PidNamespace::of_self(),
        enters: asked.enters,
        text_limit: asked.text_limit,
        stack_most: asked.stack_most,
        ring_bytes: asked.ring_bytes,
    };
    let mut programs = CallPrograms::new(&constants)?;
    fill(&mut programs, "plans", Arch::NATIVE, asked)?;
    if let Some(compat) = Arch::COMPAT {
        fill(&mut programs, "compat_plans", compat, asked)?;
    }
    let signals = if asked.signals { SIGNALS } else { &[] };
    for program in LIVES.iter().chain(signals).chain(CALLS) {
        programs.attach_raw(program)?;
    }
    let how = "the tracepoints of all calls".to_owned();
    let sight = Sight { source: SourceName::Bpf, how, blind: Vec::new() };
    Ok(Attached { programs, sight })
}

fn fill(
    programs: &mut CallPrograms,
    map: &'static str,
    arch: Arch,
    asked: &Asked<'_>,
) -> Result<(), BpfError> {
    for number in (0..NUMBERS).filter(|number| (asked.wanted)(arch, u64::from(*number))) {
        let mut plan = plan(arch, number.into(), asked.enters);
        plan.stack = (asked.stack_most > 0).into();
        programs.set_plan(map, number, plan)?;
    }
    Ok(())
}
