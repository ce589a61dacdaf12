//! /proc/PID/status (proc_pid_status(5)). `Name` is left out: the kernel escapes it there; stat has it whole.

use fdscope_model::{Pid, Tid};

use super::number::{decimal, decimal32, hex};
use super::{ParseError, after, lines, words};

/// The lines of status that fdscope uses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// `Tgid`: the process that the thread belongs to.
    pub tgid: Pid,
    /// `Pid`: the thread.
    pub tid: Tid,
    /// `TracerPid`: who traces it; 0 for nobody.
    pub tracer: Pid,
    /// `Uid`, first: real user id.
    pub real_uid: u32,
    /// `Uid`, second: effective user id.
    pub effective_uid: u32,
    /// `Threads`; 0 for a zombie without other threads on some kernels.
    pub threads: u64,
    /// `SigQ`, before the slash: signals and POSIX timers queued for the real user.
    pub signals_queued: u64,
    /// `SigQ`, after the slash: the limit of them (RLIMIT_SIGPENDING).
    pub signals_limit: u64,
    /// `VmLck` in bytes.
    pub locked_bytes: u64,
    /// `CapEff`: effective capabilities, one bit each (capabilities(7)).
    pub capabilities: u64,
    /// `NSpid`, last: the number that the process has in its own PID namespace.
    pub own_pid: Option<u32>,
    /// `Seccomp`: 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
    /// True for a kernel thread, where the kernel says so (since 6.6).
    pub kernel_thread: Option<bool>,
}

/// Parses status. Lines of later kernels are passed over.
///
/// # Errors
/// If it has no thread group or no user id.
pub fn parse_status(bytes: &[u8]) -> Result<Status, ParseError> {
    let mut status = Status::default();
    let (mut has_tgid, mut has_uid) = (false, false);
    for line in lines(bytes) {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let value = line[colon + 1..].trim_ascii();
        match &line[..colon] {
            b"Tgid" => {
                has_tgid = store(&mut status.tgid.0, decimal32(value));
            }
            b"Pid" => drop(store(&mut status.tid.0, decimal32(value))),
            b"TracerPid" => drop(store(&mut status.tracer.0, decimal32(value))),
            b"Uid" => {
                let mut ids = words(value).map(decimal32);
                has_uid = store(&mut status.real_uid, ids.next().flatten())
                    && store(&mut status.effective_uid, ids.next().flatten());
            }
            b"Threads" => drop(store(&mut status.threads, decimal(value))),
            b"SigQ" => read_queue(&mut status, value),
            b"VmLck" => status.locked_bytes = kibibytes(value),
            b"CapEff" => drop(store(&mut status.capabilities, hex(value))),
            b"NSpid" => status.own_pid = words(value).last().and_then(decimal32),
            b"Seccomp" => drop(store(&mut status.seccomp, decimal32(value))),
            b"Kthread" => status.kernel_thread = Some(value == b"1"),
            _ => {}
        }
    }
    match (has_tgid, has_uid) {
        (true, true) => Ok(status),
        (false, _) => Err(ParseError { file: "status", field: "Tgid" }),
        (_, false) => Err(ParseError { file: "status", field: "Uid" }),
    }
}

fn store<T>(field: &mut T, value: Option<T>) -> bool {
    let found = value.is_some();
    if let Some(value) = value {
        *field = value;
    }
    found
}

fn read_queue(status: &mut Status, value: &[u8]) {
    let mut halves = value.split(|&b| b == b'/').map(decimal);
    store(&mut status.signals_queued, halves.next().flatten());
    store(&mut status.signals_limit, halves.next().flatten());
}

fn kibibytes(value: &[u8]) -> u64 {
    let digits = value.strip_suffix(b"kB").map_or(value, <[u8]>::trim_ascii);
    after(digits, b"").and_then(decimal).unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_used_are_read() {
        let text = b"Name:\tx\\ny\nTgid:\t12\nPid:\t13\nTracerPid:\t9\nUid:\t1000\t0\t0\t0\n\
            NSpid:\t13\t2\nKthread:\t0\nVmLck:\t       8 kB\nThreads:\t3\nSigQ:\t5/96365\n\
            CapEff:\t000001fffeffffff\nSeccomp:\t2\nUnheard:\tof\n";
        let status = parse_status(text).expect("parses");
        assert_eq!((status.tgid, status.tid, status.tracer), (Pid(12), Tid(13), Pid(9)));
        assert_eq!((status.real_uid, status.effective_uid), (1000, 0));
        assert_eq!((status.signals_queued, status.signals_limit), (5, 96_365));
        assert_eq!((status.threads, status.locked_bytes, status.seccomp), (3, 8192, 2));
        assert_eq!((status.own_pid, status.kernel_thread), (Some(2), Some(false)));
        assert_eq!(status.capabilities, 0x1ff_feff_ffff);
    }

    #[test]
    fn no_user_is_an_error() {
        assert_eq!(parse_status(b"Tgid:\t1\n"), Err(ParseError { file: "status", field: "Uid" }));
    }
}
