//! Which memory the program copies for a call, and whether before it or after.

use fdscope_syscall::capture::{Capture, Length, What, When, captures};
use fdscope_syscall::{Arch, decode, names};

use super::wire::{MOST_STEPS, Plan, Step, step_length, step_what};

/// Calls whose memory is not there any more when they return, or that programs make with one structure both for what
/// the kernel reads and for what it writes.
const BEFORE: &[&str] = &[
    "execve",
    "execveat",
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "rt_sigprocmask",
];

/// Calls that return structures by the byte; of others what was returned is text.
const STRUCTURES: &[&str] = &["getdents", "getdents64", "sched_getaffinity", "io_getevents"];

/// Calls whose bytes, as many as an argument says, are text.
const TEXTS: &[&str] = &[
    "write",
    "pwrite64",
    "send",
    "sendto",
    "mq_timedsend",
    "mq_timedsend_time64",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "sethostname",
    "setdomainname",
    "add_key",
    "keyctl",
    "process_madvise",
    "init_module",
];

/// Calls that do not return, or whose registers are others' when they return.
const PAIRED: &[&str] = &["exit", "exit_group", "execve", "execveat", "rt_sigreturn", "sigreturn"];

/// Calls that return in two tasks.
const FORKS: &[&str] = &["fork", "vfork", "clone", "clone3"];

/// Calls after which one of their descriptors leads elsewhere, or has another name.
const REPLACE: &[&str] = &[
    "close", "dup2", "dup3", "bind", "connect", "listen", "send", "sendto", "sendmsg", "sendmmsg",
];

/// Calls whose result may be a descriptor, as their arguments say.
const MAY_RETURN: &[&str] = &["fcntl", "fcntl64", "ioctl", "bpf", "seccomp", "prctl"];

/// The place of the result among arguments.
const RESULT: u8 = 6;

/// What is noted of a call's descriptors: before it, and after it.
fn descriptors(arch: Arch, number: u64, name: &str, all: bool) -> (Vec<Step>, Vec<Step>) {
    let (arguments, is_result) = decode::descriptors(arch, number);
    if !all {
        let what = step_what::NETLINK;
        let is_message = decode::carries_messages(arch, number);
        let messages = arguments.iter().filter(|_| is_message);
        return (
            messages.map(|&argument| Step { argument, what, ..Step::default() }).collect(),
            Vec::new(),
        );
    }
    let what = step_what::DESCRIPTOR;
    let step = |argument| Step { argument, what, ..Step::default() };
    let before = arguments.into_iter().map(step).collect();
    let several = |argument, length, operand, amount| Step {
        argument,
        what: step_what::DESCRIPTORS,
        length,
        operand,
        amount,
        ..Step::default()
    };
    let after = match name {
        "pipe" | "pipe2" => vec![several(0, step_length::CONST, 2, 4)],
        "socketpair" => vec![several(3, step_length::CONST, 2, 4)],
        "poll" | "ppoll" | "ppoll_time64" => vec![several(0, step_length::ARGUMENT, 1, 8)],
        _ if is_result || MAY_RETURN.contains(&name) => vec![step(RESULT)],
        _ => Vec::new(),
    };
    (before, after)
}

/// When calls are to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looks {
    /// When they return; before that only where it cannot be done without.
    AtExit,
    /// Also when they are entered, so that it is known when that was.
    AtBoth,
    /// So, and what the kernel reads is told then if more than one task is watched.
    TellsOfSeveral,
    /// So, always.
    Tells,
}

/// The plan of a call. `noted`: what its descriptors lead to is, too.
pub fn plan(arch: Arch, number: u64, looks: Looks, noted: bool) -> Plan {
    let enters = matches!(looks, Looks::TellsOfSeveral | Looks::Tells);
    let name = names::name(arch, number).unwrap_or_default();
    let captures = captures(arch, number);
    // Of poll(2), what is read and what is written are different members of the same structures.
    let early = BEFORE.contains(&name)
        || noted && REPLACE.contains(&name)
        || name != "poll" && is_overwritten(&captures);
    let (meant, made) = descriptors(arch, number, name, noted);
    let before = enters || early;
    let is_before = |capture: &&Capture| before && capture.when == When::Enter;
    let mut steps = if before { meant.clone() } else { Vec::new() };
    steps.extend(captures.iter().filter(is_before).map(|c| step(c, name)));
    let late = captures.iter().filter(|capture| !is_before(capture)).map(|c| step(c, name));
    // Data that are messages are copied whole: that they are must be known in the record that they stand in.
    let netlink = |step: Step| Step { what: step_what::NETLINK, ..step };
    let meant: Vec<Step> = match before {
        true if decode::carries_messages(arch, number) => meant.into_iter().map(netlink).collect(),
        true => Vec::new(),
        false => meant,
    };
    let late = meant.into_iter().chain(late).chain(made);
    let mut plan = Plan { selected: 1, early: early.into(), ..Plan::default() };
    plan.enters = steps.len().min(MOST_STEPS) as u8;
    plan.forks = FORKS.contains(&name).into();
    let is_paired = plan.enters > 0 || plan.forks > 0 || PAIRED.contains(&name);
    plan.paired = (looks != Looks::AtExit || is_paired).into();
    for step in late {
        if !steps[plan.enters.into()..].contains(&step) {
            steps.push(step);
        }
    }
    plan.steps = steps.len().min(MOST_STEPS) as u8;
    for (place, step) in plan.step.iter_mut().zip(steps) {
        *place = step;
    }
    plan
}

/// True if the kernel writes where it has read.
fn is_overwritten(captures: &[Capture]) -> bool {
    captures.iter().any(|before| {
        before.when == When::Enter
            && captures
                .iter()
                .any(|after| after.when == When::Exit && after.argument == before.argument)
    })
}

fn step(capture: &Capture, name: &str) -> Step {
    let argument = capture.argument;
    let plain = |what| Step { argument, what, ..Step::default() };
    match capture.what {
        What::CString => plain(step_what::STRING),
        What::Strings => plain(step_what::STRINGS),
        What::Msghdr => plain(step_what::MSGHDR),
        What::Mmsghdr { count } => Step { count, ..plain(step_what::MMSGHDR) },
        What::Ioctl => plain(step_what::IOCTL),
        What::Program => plain(step_what::PROGRAM),
        What::Bytes(length) => {
            Step { text: is_text(length, name).into(), ..sized(plain(step_what::BYTES), length) }
        }
        What::Iovec { count, total } => Step { count, ..sized(plain(step_what::IOVEC), total) },
    }
}

fn is_text(length: Length, name: &str) -> bool {
    match length {
        Length::Returned => !STRUCTURES.contains(&name),
        Length::Argument(_) => TEXTS.contains(&name),
        _ => false,
    }
}

fn sized(step: Step, length: Length) -> Step {
    let (length, operand, amount) = match length {
        Length::Const(amount) => (step_length::CONST, 0, amount),
        Length::Argument(operand) => (step_length::ARGUMENT, operand, 1),
        Length::Times(operand, amount) => (step_length::ARGUMENT, operand, amount),
        Length::Returned => (step_length::RETURNED, 0, 1),
        Length::ReturnedTimes(amount) => (step_length::RETURNED, 0, amount),
        Length::Pointed(operand) => (step_length::POINTED, operand, 0),
        Length::Bits(operand) => (step_length::BITS, operand, 0),
        Length::Limit => (step_length::LIMIT, 0, 0),
    };
    Step { length, operand, amount, ..step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_syscall::names::name;

    #[test]
    fn what_is_overwritten_is_copied_before() {
        let bytes = |when| Capture { argument: 1, when, what: What::Bytes(Length::Const(4)) };
        assert!(is_overwritten(&[bytes(When::Enter), bytes(When::Exit)]));
        assert!(!is_overwritten(&[bytes(When::Enter)]));
    }

    #[test]
    fn a_call_is_looked_at_before_only_where_it_must_be() {
        let paired = |name: &str, looks| {
            let number = (0..512).find(|number| names::name(Arch::NATIVE, *number) == Some(name));
            plan(Arch::NATIVE, number.expect("a call"), looks, false).paired
        };
        assert_eq!(paired("openat", Looks::AtExit), 0);
        assert_eq!(paired("openat", Looks::AtBoth), 1);
        assert_eq!(paired("execve", Looks::AtExit), 1);
        assert_eq!(paired("exit_group", Looks::AtExit), 1);
    }

    #[test]
    fn every_call_has_a_plan_that_fits() {
        for arch in Arch::ALL {
            for number in 0..512 {
                let plan = plan(arch, number, Looks::Tells, true);
                assert!(plan.enters <= plan.steps && usize::from(plan.steps) <= MOST_STEPS);
                // The ninth of pselect6 is the mask behind its last argument: its address is shown instead.
                let most = match name(arch, number) {
                    Some("pselect6" | "pselect6_time64") => MOST_STEPS + 1,
                    _ => MOST_STEPS,
                };
                assert!(captures(arch, number).len() <= most, "{arch:?} {number}");
            }
        }
    }
}
