//! Puts the programs on their tracepoints and fills their tables.

use std::os::fd::{AsFd, OwnedFd};

use fdscope_model::Blind;
use fdscope_syscall::handles::CALLS;
use fdscope_syscall::ioctls::{IOCTLS, Place};
use fdscope_syscall::options::OPTIONS;
use fdscope_syscall::ring::OPERATIONS;
use fdscope_syscall::{Arch, HandleCall};

use crate::error::BpfError;
use crate::load::{CALL_EXIT_UNTYPED, HandlePrograms, RawProgram};
use crate::operation::{action, ring_action};
use crate::tracefs::Tracefs;
use crate::wire::{IoctlRule, SOCKOPT_KEY};

/// Where births and deaths of processes and threads are seen.
const LIVES: &[RawProgram] = &[
    RawProgram { name: "process_fork", point: "sched_process_fork" },
    RawProgram { name: "process_exec", point: "sched_process_exec" },
    RawProgram { name: "process_exit", point: "sched_process_exit" },
];

const EVERY_CALL: RawProgram = RawProgram { name: "raw_exit", point: "sys_exit" };

/// Where io_uring is given a request, since Linux 6.2.
const RING_SUBMIT: RawProgram = RawProgram { name: "ring_submit", point: "io_uring_submit_req" };

/// Where it completes one. The first fits kernels that tell the completion in pieces, and no other can be attached then.
const RING_COMPLETE: [RawProgram; 2] = [
    RawProgram { name: "ring_complete_spread", point: "io_uring_complete" },
    RawProgram { name: "ring_complete", point: "io_uring_complete" },
];

/// The interface of this processor, and the 32-bit one beside it.
#[cfg(target_arch = "x86_64")]
const INTERFACES: (Arch, Option<Arch>) = (Arch::X86_64, Some(Arch::I386));
#[cfg(target_arch = "aarch64")]
const INTERFACES: (Arch, Option<Arch>) = (Arch::Aarch64, None);

/// Programs attached, and what that leaves unseen.
pub struct Attached {
    /// Perf events and links of the tracepoints per call: dropping them detaches.
    _links: Vec<OwnedFd>,
    /// How calls are seen, in a few words.
    pub how: String,
    /// What is not seen.
    pub blind: Vec<Blind>,
}

/// Fills every table of the programs. To be done before the first scope is set.
///
/// # Errors
/// If a map refuses.
pub fn fill_tables(programs: &mut HandlePrograms) -> Result<(), BpfError> {
    let (native, compat) = INTERFACES;
    for (row, call) in (0..).zip(CALLS) {
        let Some(action) = action(call.effect, row) else { continue };
        if let Some(number) = call.numbers.of(native) {
            programs.set_action("actions", number.into(), action)?;
        }
        if let Some(number) = compat.and_then(|arch| call.numbers.of(arch)) {
            programs.set_action("compat_actions", number.into(), action)?;
        }
    }
    for (row, operation) in (0..).zip(OPERATIONS) {
        if let Some(action) = ring_action(operation.effect, row) {
            programs.set_action("ring_actions", operation.opcode.into(), action)?;
        }
    }
    fill_rules(programs)
}

fn fill_rules(programs: &mut HandlePrograms) -> Result<(), BpfError> {
    for ioctl in IOCTLS {
        let rule = match ioctl.place {
            Place::Result => IoctlRule { stored: 0, offset: 0 },
            Place::Struct(offset) => IoctlRule { stored: 1, offset: offset.into() },
            Place::OtherProcess => continue,
        };
        programs.set_rule(ioctl.code.into(), rule)?;
    }
    for option in OPTIONS {
        let rule = IoctlRule { stored: 1, offset: option.offset.into() };
        programs.set_rule(SOCKOPT_KEY | option.level << 16 | option.option, rule)?;
    }
    Ok(())
}

/// Which tracepoints show calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Points {
    /// Those of each call: other calls of the machine pay next to nothing.
    PerCall,
    /// That of all calls, and why.
    Common(String),
}

impl Points {
    /// The best that this kernel has.
    pub fn probe() -> Self {
        match Tracefs::open() {
            Err(error) => Points::Common(format!("there is no tracefs: {error}")),
            Ok(tracefs) if tracefs.id("syscalls", "sys_exit_close").is_err() => {
                Points::Common("this kernel has no tracepoints per call".to_owned())
            }
            Ok(_) => Points::PerCall,
        }
    }
}

/// Attaches everything this kernel offers. `points` must be what the programs were told: one that leaves 64-bit calls to
/// the tracepoints per call would see none without them.
///
/// # Errors
/// If these tracepoints cannot be had, or processes cannot be followed.
pub fn attach(
    programs: &mut HandlePrograms,
    points: &Points,
    compat: bool,
) -> Result<Attached, BpfError> {
    for program in LIVES {
        programs.attach_raw(program)?;
    }
    let mut blind = Vec::new();
    let (links, how) = match points {
        Points::PerCall => attach_calls(programs)?,
        Points::Common(why) => (Vec::new(), format!("the tracepoint of all calls ({why})")),
    };
    if compat || *points != Points::PerCall {
        programs.attach_raw(&EVERY_CALL)?;
    }
    if attach_ring(programs).is_err() {
        blind.push(Blind {
            what: "when descriptors are made by io_uring, and their stacks".to_owned(),
            why: "this kernel has no such tracepoint (Linux 6.2 and newer have it)".to_owned(),
            cure: None,
        });
    }
    Ok(Attached { _links: links, how, blind })
}

/// The submission first: kernels that lack it tell completions in yet another form.
fn attach_ring(programs: &mut HandlePrograms) -> Result<(), BpfError> {
    programs.attach_raw(&RING_SUBMIT)?;
    let [spread, whole] = &RING_COMPLETE;
    programs.attach_raw(spread).or_else(|_| programs.attach_raw(whole))
}

/// One tracepoint per call of the table, and how that is. A kernel that lacks a call lacks its tracepoint: nothing is
/// missed.
fn attach_calls(programs: &mut HandlePrograms) -> Result<(Vec<OwnedFd>, String), BpfError> {
    let refused = |point: &str, cause: &dyn std::fmt::Display| BpfError::Attach {
        point: point.to_owned(),
        cause: cause.to_string(),
    };
    let tracefs = Tracefs::open().map_err(|error| refused("tracefs", &error))?;
    let name = programs.load_call_exit()?;
    let program = programs.tracepoint(name)?;
    let (mut links, mut count) = (Vec::new(), 0);
    for call in CALLS.iter().filter(|call| is_hooked(call)) {
        let point = format!("sys_exit_{}", call.name);
        let Ok(id) = tracefs.id("syscalls", &point) else { continue };
        let event =
            fdscope_sys::bpf::open_tracepoint(id).map_err(|error| refused(&point, &error))?;
        let link = fdscope_sys::bpf::run_at_perf_event(program, event.as_fd())
            .map_err(|error| refused(&point, &error))?;
        links.extend(link.into_iter().chain([event]));
        count += 1;
    }
    let note = match name {
        CALL_EXIT_UNTYPED => " (slower ones, for kernels before 5.15)",
        _ => "",
    };
    Ok((links, format!("{count} tracepoints of calls{note}")))
}

fn is_hooked(call: &HandleCall) -> bool {
    call.numbers.of(INTERFACES.0).is_some() && action(call.effect, 0).is_some()
}
