//! Signals by name and number, and what a `siginfo_t` says.

use fdscope_syscall::Arch;
use fdscope_syscall::memory::{u32_in, word_in};

/// The names, from 1 on; strace's choice where there are two.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The first real-time signal of the kernel.
const RTMIN: u32 = 32;

/// A signal's name: `SIGCHLD`, `SIGRTMIN`, `SIGRT_3`.
pub fn name(signal: u32) -> String {
    let place = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
    match place.and_then(|place| NAMES.get(place)) {
        Some(name) => format!("SIG{name}"),
        None if signal == RTMIN => "SIGRTMIN".to_owned(),
        None if (RTMIN..=64).contains(&signal) => format!("SIGRT_{}", signal - RTMIN),
        None => signal.to_string(),
    }
}

/// The signal that a word names, with or without SIG.
pub fn number(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?;
    if let Ok(number) = text.parse::<u32>() {
        return (number <= 255).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    match bare {
        "IOT" => return Some(6),
        "CLD" => return Some(17),
        "POLL" => return Some(29),
        _ => {}
    }
    (1..=64).find(|signal| name(*signal).strip_prefix("SIG") == Some(bare))
}

/// `{si_signo=SIGCHLD, …}`: a `siginfo_t` in the layout of 64-bit processors.
pub fn write_info(out: &mut Vec<u8>, bytes: &[u8]) {
    let word = |at| u32_in(bytes, at).unwrap_or(0);
    let wide = |at| word_in(bytes, at, 8).unwrap_or(0);
    let (signal, errno, code) = (word(0), word(4), word(8) as i32);
    let mut text = format!("{{si_signo={}, si_code={}", name(signal), code_name(signal, code));
    if errno != 0 {
        let known = u16::try_from(errno).ok().and_then(fdscope_syscall::errno::errno);
        text +=
            &known.map_or(format!(", si_errno={errno}"), |(name, _)| format!(", si_errno={name}"));
    }
    let value = |at| format!("si_int={}, si_ptr={}", word(at) as i32, pointer(wide(at)));
    let sender = || format!(", si_pid={}, si_uid={}", word(16) as i32, word(20) as i32);
    text += &match (code, signal) {
        (0 | -6, _) => sender(),
        (-1 | -3, _) => format!("{}, {}", sender(), value(24)),
        (-2, _) => {
            format!(", si_timerid={}, si_overrun={}, {}", hex(word(16)), word(20) as i32, value(24))
        }
        (1.., 17) => child(&word, &wide),
        (1.., 4 | 5 | 7 | 8 | 11) => format!(", si_addr={}", pointer(wide(16))),
        (1..128, 29) => format!(", si_band={}, si_fd={}", wide(16) as i64, word(24) as i32),
        (1, 31) => refused_call(&word, &wide),
        _ if word(16) != 0 || word(20) != 0 => {
            let all = if wide(24) == 0 { String::new() } else { format!(", {}", value(24)) };
            format!("{}{all}", sender())
        }
        _ => String::new(),
    };
    text.push('}');
    out.extend_from_slice(text.as_bytes());
}

fn child(word: &dyn Fn(usize) -> u32, wide: &dyn Fn(usize) -> u64) -> String {
    let status = match word(8) {
        1 => (word(24) as i32).to_string(),
        _ => name(word(24)),
    };
    let (user, system) = (ticks(wide(32)), ticks(wide(40)));
    let (pid, uid) = (word(16) as i32, word(20) as i32);
    format!(", si_pid={pid}, si_uid={uid}, si_status={status}, si_utime={user}, si_stime={system}")
}

fn refused_call(word: &dyn Fn(usize) -> u32, wide: &dyn Fn(usize) -> u64) -> String {
    let arch = Arch::from_audit(word(28));
    let call = arch.and_then(|arch| fdscope_syscall::names::name(arch, word(24).into()));
    let call = call.map_or(word(24).to_string(), |name| format!("__NR_{name}"));
    let arch = match arch {
        Some(Arch::X86_64) => "AUDIT_ARCH_X86_64".to_owned(),
        Some(Arch::I386) => "AUDIT_ARCH_I386".to_owned(),
        Some(Arch::Aarch64) => "AUDIT_ARCH_AARCH64".to_owned(),
        None => format!("{:#x}", word(28)),
    };
    format!(", si_call_addr={}, si_syscall={call}, si_arch={arch}", pointer(wide(16)))
}

/// Clock ticks, of which a second has a hundred.
fn ticks(ticks: u64) -> String {
    match ticks {
        0 => "0".to_owned(),
        _ => format!("{ticks} /* {}.{:02} s */", ticks / 100, ticks % 100),
    }
}

fn pointer(address: u64) -> String {
    if address == 0 { "NULL".to_owned() } else { format!("{address:#x}") }
}

fn hex(value: u32) -> String {
    if value == 0 { "0".to_owned() } else { format!("{value:#x}") }
}

/// The name of a `si_code`; its meaning depends on the signal where it is positive.
fn code_name(signal: u32, code: i32) -> String {
    let of = |names: &[&str]| {
        usize::try_from(code - 1).ok().and_then(|at| names.get(at)).map(|name| (*name).to_owned())
    };
    let known = match (code, signal) {
        (0, _) => Some("SI_USER".to_owned()),
        (128, _) => Some("SI_KERNEL".to_owned()),
        (-1, _) => Some("SI_QUEUE".to_owned()),
        (-2, _) => Some("SI_TIMER".to_owned()),
        (-3, _) => Some("SI_MESGQ".to_owned()),
        (-4, _) => Some("SI_ASYNCIO".to_owned()),
        (-5, _) => Some("SI_SIGIO".to_owned()),
        (-6, _) => Some("SI_TKILL".to_owned()),
        (-7, _) => Some("SI_DETHREAD".to_owned()),
        (-60, _) => Some("SI_ASYNCNL".to_owned()),
        (_, 4) => of(&[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ]),
        (_, 5) => {
            of(&["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"])
        }
        (_, 7) => of(&["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"]),
        (_, 8) => of(&[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ]),
        (_, 11) => of(&[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ]),
        (_, 17) => of(&[
            "CLD_EXITED",
            "CLD_KILLED",
            "CLD_DUMPED",
            "CLD_TRAPPED",
            "CLD_STOPPED",
            "CLD_CONTINUED",
        ]),
        (_, 29) => of(&["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"]),
        (_, 31) => of(&["SYS_SECCOMP", "SYS_USER_DISPATCH"]),
        _ => None,
    };
    known.unwrap_or_else(|| if code < 0 { code.to_string() } else { format!("{code:#x}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_both_ways() {
        for signal in 1..=64 {
            assert_eq!(number(name(signal).as_bytes()), Some(signal));
        }
        assert_eq!((number(b"chld"), number(b"17"), number(b"foo")), (Some(17), Some(17), None));
        assert_eq!(name(35), "SIGRT_3");
    }
}
