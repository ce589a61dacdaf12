//! Numbers that the kernel's headers name: open flags, signals, epoll, inotify and fanotify events, seals, clocks.

/// Bits and their names. Bits without a row are printed as one hexadecimal number.
type Bits = &'static [(u64, &'static str)];

/// Four flags of open(2) differ on ARM (arch/arm64/include/uapi/asm/fcntl.h).
const ARM: bool = cfg!(any(target_arch = "aarch64", target_arch = "arm"));

const fn by_processor(arm: u64, others: u64) -> u64 {
    if ARM { arm } else { others }
}

/// Flags of open(2) but for the access mode (include/uapi/asm-generic/fcntl.h).
const OPEN: Bits = &[
    (0o100, "CREAT"),
    (0o200, "EXCL"),
    (0o400, "NOCTTY"),
    (0o1000, "TRUNC"),
    (0o2000, "APPEND"),
    (0o4000, "NONBLOCK"),
    (0o4_010_000, "SYNC"),
    (0o10_000, "DSYNC"),
    (0o20_000, "ASYNC"),
    (by_processor(0o200_000, 0o40_000), "DIRECT"),
    (by_processor(0o400_000, 0o100_000), "LARGEFILE"),
    (0o20_000_000 | by_processor(0o40_000, 0o200_000), "TMPFILE"),
    (by_processor(0o40_000, 0o200_000), "DIRECTORY"),
    (by_processor(0o100_000, 0o400_000), "NOFOLLOW"),
    (0o1_000_000, "NOATIME"),
    (0o2_000_000, "CLOEXEC"),
    (0o10_000_000, "PATH"),
];

/// EPOLL* (include/uapi/linux/eventpoll.h).
const EPOLL: Bits = &[
    (0x1, "IN"),
    (0x2, "PRI"),
    (0x4, "OUT"),
    (0x8, "ERR"),
    (0x10, "HUP"),
    (0x40, "RDNORM"),
    (0x80, "RDBAND"),
    (0x100, "WRNORM"),
    (0x200, "WRBAND"),
    (0x400, "MSG"),
    (0x2000, "RDHUP"),
    (1 << 28, "EXCLUSIVE"),
    (1 << 29, "WAKEUP"),
    (1 << 30, "ONESHOT"),
    (1 << 31, "ET"),
];

/// IN_* (include/uapi/linux/inotify.h).
const INOTIFY: Bits = &[
    (0xfff, "ALL"),
    (0x1, "ACCESS"),
    (0x2, "MODIFY"),
    (0x4, "ATTRIB"),
    (0x8, "CLOSE_WRITE"),
    (0x10, "CLOSE_NOWRITE"),
    (0x20, "OPEN"),
    (0x40, "MOVED_FROM"),
    (0x80, "MOVED_TO"),
    (0x100, "CREATE"),
    (0x200, "DELETE"),
    (0x400, "DELETE_SELF"),
    (0x800, "MOVE_SELF"),
    (0x2000, "UNMOUNT"),
    (0x8000, "IGNORED"),
    (1 << 24, "ONLYDIR"),
    (1 << 25, "DONT_FOLLOW"),
    (1 << 26, "EXCL_UNLINK"),
    (1 << 31, "ONESHOT"),
];

/// FAN_* (include/uapi/linux/fanotify.h).
const FANOTIFY: Bits = &[
    (0x1, "ACCESS"),
    (0x2, "MODIFY"),
    (0x4, "ATTRIB"),
    (0x8, "CLOSE_WRITE"),
    (0x10, "CLOSE_NOWRITE"),
    (0x20, "OPEN"),
    (0x40, "MOVED_FROM"),
    (0x80, "MOVED_TO"),
    (0x100, "CREATE"),
    (0x200, "DELETE"),
    (0x400, "DELETE_SELF"),
    (0x800, "MOVE_SELF"),
    (0x1000, "OPEN_EXEC"),
    (0x8000, "FS_ERROR"),
    (0x1_0000, "OPEN_PERM"),
    (0x2_0000, "ACCESS_PERM"),
    (0x4_0000, "OPEN_EXEC_PERM"),
    (1 << 27, "EVENT_ON_CHILD"),
    (1 << 28, "RENAME"),
    (1 << 30, "ONDIR"),
];

/// F_SEAL_* (include/uapi/linux/fcntl.h).
const SEALS: Bits = &[
    (0x1, "seal"),
    (0x2, "shrink"),
    (0x4, "grow"),
    (0x8, "write"),
    (0x10, "future-write"),
    (0x20, "exec"),
];

/// CLOCK_* by number (include/uapi/linux/time.h).
const CLOCKS: &[&str] = &[
    "CLOCK_REALTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_PROCESS_CPUTIME_ID",
    "CLOCK_THREAD_CPUTIME_ID",
    "CLOCK_MONOTONIC_RAW",
    "CLOCK_REALTIME_COARSE",
    "CLOCK_MONOTONIC_COARSE",
    "CLOCK_BOOTTIME",
    "CLOCK_REALTIME_ALARM",
    "CLOCK_BOOTTIME_ALARM",
    "CLOCK_SGI_CYCLE",
    "CLOCK_TAI",
];

/// Signals by number from 1 (signal(7), x86 and ARM).
const SIGNALS: &[&str] = &[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// glibc keeps the first two real-time signals for itself.
const SIGRTMIN: u32 = 34;

/// Names of the bits of `value`, between blanks; wider names swallow the bits that they cover.
fn names(bits: Bits, value: u64) -> String {
    let mut rest = value;
    let mut out: Vec<String> = Vec::new();
    for (mask, name) in bits {
        if rest & mask == *mask {
            out.push((*name).to_owned());
            rest &= !mask;
        }
    }
    if rest != 0 {
        out.push(format!("{rest:#x}"));
    }
    out.join(" ")
}

/// Flags of open(2) in words, access mode first: `RDWR CLOEXEC`.
pub(super) fn open_flags(flags: u32) -> String {
    const ACCESS_MODE: u32 = 3;
    let access = ["RDONLY", "WRONLY", "RDWR", "3"][(flags & ACCESS_MODE) as usize];
    let rest = names(OPEN, u64::from(flags & !ACCESS_MODE));
    if rest.is_empty() { access.to_owned() } else { format!("{access} {rest}") }
}

/// True if the descriptor is closed by exec.
pub(super) fn is_cloexec(flags: u32) -> bool {
    flags & 0o2_000_000 != 0
}

pub(super) fn epoll_events(events: u32) -> String {
    names(EPOLL, events.into())
}

pub(super) fn inotify_events(mask: u32) -> String {
    names(INOTIFY, mask.into())
}

pub(super) fn fanotify_events(mask: u64) -> String {
    names(FANOTIFY, mask)
}

pub(super) fn seals(seals: u32) -> String {
    names(SEALS, seals.into())
}

pub(super) fn clock(number: u32) -> String {
    let known = CLOCKS.get(number as usize).map(|name| (*name).to_owned());
    known.unwrap_or_else(|| format!("clock {number}"))
}

/// Names of the signals of a mask: bit 0 is signal 1.
pub(super) fn signals(mask: u64) -> Vec<String> {
    let set = (1..=64).filter(|number| mask >> (number - 1) & 1 == 1);
    set.map(|number: u32| match SIGNALS.get(number as usize - 1) {
        Some(name) => (*name).to_owned(),
        None if number == SIGRTMIN => "SIGRTMIN".to_owned(),
        None if number > SIGRTMIN => format!("SIGRTMIN+{}", number - SIGRTMIN),
        None => format!("signal {number}"),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_the_names_of_the_headers() {
        assert_eq!(open_flags(0o2), "RDWR");
        assert_eq!(open_flags(0o2_000_000), "RDONLY CLOEXEC");
        assert_eq!(open_flags(0o4_012_001), "WRONLY APPEND SYNC");
        assert_eq!(open_flags(0o12_001), "WRONLY APPEND DSYNC");
        assert_eq!(epoll_events(0x8000_0001), "IN ET");
        assert_eq!(inotify_events(0xfff), "ALL");
        assert_eq!(inotify_events(0x102), "MODIFY CREATE");
        assert_eq!(seals(0xf), "seal shrink grow write");
        assert_eq!(clock(1), "CLOCK_MONOTONIC");
        assert_eq!(clock(99), "clock 99");
        assert_eq!(signals(1 << 1 | 1 << 14 | 1 << 34), ["SIGINT", "SIGTERM", "SIGRTMIN+1"]);
    }
}
