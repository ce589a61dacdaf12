//! Loads the programs of trace, fills their plans, and puts them on their tracepoints.

use std::os::fd::{AsFd, OwnedFd};

use fdscope_model::{Sight, SourceName};
use fdscope_syscall::{Arch, names};

use super::Wanted;
use super::plan::{Looks, plan};
use super::wire::Plan;
use crate::error::BpfError;
use crate::load::{CallConstants, CallPrograms, RawProgram};
use crate::support::PidNamespace;
use crate::tracefs::Tracefs;

/// What is asked of the programs.
pub struct Asked<'a> {
    /// Which calls.
    pub wanted: Wanted<'a>,
    /// When they are looked at.
    pub looks: Looks,
    /// How long they had a processor is told.
    pub times: bool,
    /// What descriptors lead to is noted.
    pub descriptors: bool,
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
    /// Perf events of the tracepoints per call: dropping them detaches.
    pub links: Vec<OwnedFd>,
    /// How calls are seen.
    pub sight: Sight,
    /// 32-bit calls are seen to be entered.
    pub compat: bool,
}

/// The highest number that the program looks up.
const NUMBERS: u32 = 512;

/// So many calls have tracepoints of their own at most. Each costs some 60 ms when it is given back; and where more
/// calls are wanted, few are left that should cost nothing.
const MOST_POINTS: usize = 160;

const LIVES: &[RawProgram] = &[
    RawProgram { name: "task_made", point: "sched_process_fork" },
    RawProgram { name: "program_run", point: "sched_process_exec" },
    RawProgram { name: "task_ended", point: "sched_process_exit" },
];

const SIGNALS: &[RawProgram] = &[
    RawProgram { name: "signal_delivered", point: "signal_deliver" },
    RawProgram { name: "signal_dropped", point: "signal_generate" },
];

const EXITS: RawProgram = RawProgram { name: "every_exit", point: "sys_exit" };
const ENTERS: RawProgram = RawProgram { name: "every_enter", point: "sys_enter" };

/// Calls whose tracepoint has another name: that of the kernel's function.
const RENAMED: &[(&str, &str)] = &[
    ("stat", "newstat"),
    ("lstat", "newlstat"),
    ("fstat", "newfstat"),
    ("sendfile", "sendfile64"),
    ("uname", "newuname"),
    ("umount2", "umount"),
];

/// Loads and attaches. `compat`: 32-bit programs are among those to be watched.
///
/// # Errors
/// If the kernel refuses.
pub fn attach(asked: &Asked<'_>, compat: bool) -> Result<Attached, BpfError> {
    let points = points(asked);
    let mut programs = CallPrograms::new(&CallConstants {
        namespace: PidNamespace::of_self(),
        enters: match asked.looks {
            Looks::AtExit | Looks::AtBoth => 0,
            Looks::TellsOfSeveral => 1,
            Looks::Tells => 2,
        },
        times: asked.times,
        compat_only: points.is_some(),
        text_limit: asked.text_limit,
        stack_most: asked.stack_most,
        ring_bytes: asked.ring_bytes,
    })?;
    for arch in [Some(Arch::NATIVE), Arch::COMPAT].into_iter().flatten() {
        // Where every call is looked at anyway, so it is when it is entered.
        let is_common = points.is_none() || arch != Arch::NATIVE;
        fill(&mut programs, arch, asked, is_common)?;
    }
    let signals = if asked.signals { SIGNALS } else { &[] };
    for program in LIVES.iter().chain(signals) {
        programs.attach_raw(program)?;
    }
    let links = points.as_deref().map(|points| link_all(&mut programs, points)).transpose()?;
    let compat = compat || links.is_none();
    // The exits first: a call whose entry was seen is then seen to end. Any program may make 32-bit calls, whose
    // tracepoints do not fire: their ends are always looked for, which costs other calls half of what looking for both does.
    if compat || Arch::COMPAT.is_some() {
        programs.attach_raw(&EXITS)?;
    }
    if compat {
        attach_enters(&mut programs)?;
    }
    Ok(Attached {
        programs,
        sight: sight(points.as_ref().map(Vec::len)),
        links: links.unwrap_or_default(),
        compat,
    })
}

/// Prepares for [`attach_enters`], which then takes no time.
///
/// # Errors
/// If the kernel refuses.
pub fn load_enters(programs: &mut CallPrograms) -> Result<(), BpfError> {
    programs.load_raw(&ENTERS)
}

/// Has every call looked at when it is entered, or where calls have tracepoints of their own, every 32-bit one.
///
/// # Errors
/// If the kernel refuses.
pub fn attach_enters(programs: &mut CallPrograms) -> Result<(), BpfError> {
    programs.attach_raw(&ENTERS)
}

fn sight(points: Option<usize>) -> Sight {
    let how = match points {
        Some(count) => format!("{count} tracepoints of calls"),
        None => "the tracepoints of all calls".to_owned(),
    };
    Sight { source: SourceName::Bpf, how, blind: Vec::new() }
}

/// A tracepoint of a call.
struct Point {
    id: u64,
    program: &'static str,
}

/// The tracepoints of the wanted calls; `None` if those of all calls serve better.
fn points(asked: &Asked<'_>) -> Option<Vec<Point>> {
    let wanted: Vec<u32> =
        (0..NUMBERS).filter(|number| (asked.wanted)(Arch::NATIVE, u64::from(*number))).collect();
    let wanted: Vec<(&str, Plan)> = wanted
        .into_iter()
        .filter_map(|number| {
            let name = names::name(Arch::NATIVE, number.into())?;
            Some((name, plan(Arch::NATIVE, number.into(), asked.looks, asked.descriptors)))
        })
        .collect();
    // That of rt_sigreturn does not fire when it returns: by then the number is not there any more.
    if wanted.len() > MOST_POINTS || wanted.iter().any(|(name, _)| *name == "rt_sigreturn") {
        return None;
    }
    let tracefs = Tracefs::open().ok()?;
    tracefs.id("syscalls", "sys_exit_close").ok()?;
    let mut points = Vec::new();
    for (name, plan) in wanted {
        let renamed = RENAMED.iter().find(|(call, _)| *call == name);
        let name = renamed.map_or(name, |(_, function)| function);
        // A call that this kernel does not have has none.
        let Ok(id) = tracefs.id("syscalls", &format!("sys_exit_{name}")) else { continue };
        points.push(Point { id, program: "call_exit" });
        if plan.paired != 0 {
            let id = tracefs.id("syscalls", &format!("sys_enter_{name}")).ok()?;
            points.push(Point { id, program: "call_enter" });
        }
    }
    Some(points)
}

/// The exits first, for the same reason.
fn link_all(programs: &mut CallPrograms, points: &[Point]) -> Result<Vec<OwnedFd>, BpfError> {
    let mut links = Vec::new();
    for name in ["call_exit", "call_enter"] {
        let mut points = points.iter().filter(|point| point.program == name).peekable();
        if points.peek().is_none() {
            continue;
        }
        let program = programs.load_tracepoint(name)?;
        let refused = |cause: std::io::Error| BpfError::Attach {
            point: "syscalls".to_owned(),
            cause: cause.to_string(),
        };
        for point in points {
            let event = fdscope_sys::bpf::open_tracepoint(point.id).map_err(refused)?;
            let link =
                fdscope_sys::bpf::run_at_perf_event(program, event.as_fd()).map_err(refused)?;
            links.extend(link.into_iter().chain([event]));
        }
    }
    Ok(links)
}

fn fill(
    programs: &mut CallPrograms,
    arch: Arch,
    asked: &Asked<'_>,
    is_common: bool,
) -> Result<(), BpfError> {
    let map = if arch == Arch::NATIVE { "plans" } else { "compat_plans" };
    for number in (0..NUMBERS).filter(|number| (asked.wanted)(arch, u64::from(*number))) {
        let mut plan = plan(arch, number.into(), asked.looks, asked.descriptors);
        plan.stack = (asked.stack_most > 0).into();
        plan.paired |= u8::from(is_common);
        programs.set_plan(map, number, plan)?;
    }
    Ok(())
}
