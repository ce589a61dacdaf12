//! /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)).

use fdscope_model::{Name, Pid};

use super::ParseError;
use super::number::{decimal, decimal32};

/// What a thread is doing: the letter of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State(
    /// `R` running, `S` sleeping, `D` waiting for a device, `T` stopped, `t` traced, `Z` zombie, `X` dead, `I` idle.
    pub u8,
);

impl Stat {
    /// True for a kernel thread.
    pub fn is_kernel_thread(&self) -> bool {
        const PF_KTHREAD: u32 = 0x20_0000;
        self.flags & PF_KTHREAD != 0
    }
}

impl Stat {
    /// True if the first thread has exited, or is exiting: it has let go of its memory and descriptors, or will presently.
    pub fn is_ending(&self) -> bool {
        const PF_EXITING: u32 = 0x4;
        self.flags & PF_EXITING != 0 || self.state.is_zombie()
    }
}

impl State {
    /// True for a task that has exited and was not waited for.
    pub fn is_zombie(self) -> bool {
        matches!(self.0, b'Z' | b'X')
    }
}

/// The fields of stat that fdscope uses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// Field 1: the process or thread number.
    pub pid: Pid,
    /// Field 2: `comm`, any bytes, parentheses and newlines included.
    pub comm: Name,
    /// Field 3.
    pub state: State,
    /// Field 4: the parent's number; 0 if it is in another PID namespace or there is none.
    pub parent: Pid,
    /// Field 5: the process group.
    pub group: Pid,
    /// Field 9: the kernel's flags of the task, `PF_*` (include/linux/sched.h).
    pub flags: u32,
    /// Fields 14 and 15: clock ticks on a processor, in user and in kernel mode.
    pub cpu_ticks: u64,
    /// Field 20: threads of the process.
    pub threads: u64,
    /// Field 22: start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Field 23: address space in bytes.
    pub virtual_bytes: u64,
    /// Field 28: bottom of the main stack. New with every exec (ASLR); 0 or 1 where it may not be seen.
    pub start_stack: u64,
}

/// Parses stat. `comm` stands between the first `(` and the last `)`, for it may hold both.
///
/// # Errors
/// If there is no `comm`, or one of the fields is missing or not a number.
pub fn parse_stat(bytes: &[u8]) -> Result<Stat, ParseError> {
    let missing = |field| ParseError { file: "stat", field };
    let open = bytes.iter().position(|&b| b == b'(').ok_or(missing("comm"))?;
    let close = bytes.iter().rposition(|&b| b == b')').ok_or(missing("comm"))?;
    let comm = bytes.get(open + 1..close).ok_or(missing("comm"))?;
    let pid = decimal32(bytes[..open].trim_ascii()).ok_or(missing("pid"))?;

    let fields: Vec<&[u8]> = super::words(bytes[close + 1..].trim_ascii()).take(50).collect();
    // The slice starts with field 3.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
    let state = State(*field(3).first().ok_or(missing("state"))?);
    Ok(Stat {
        pid: Pid(pid),
        comm: comm.into(),
        state,
        parent: Pid(decimal32(field(4)).ok_or(missing("parent"))?),
        group: Pid(decimal32(field(5)).unwrap_or(0)),
        flags: decimal32(field(9)).unwrap_or(0),
        cpu_ticks: decimal(field(14)).unwrap_or(0).saturating_add(decimal(field(15)).unwrap_or(0)),
        threads: decimal(field(20)).ok_or(missing("thread count"))?,
        start_ticks: decimal(field(22)).ok_or(missing("start time"))?,
        virtual_bytes: decimal(field(23)).unwrap_or(0),
        start_stack: decimal(field(28)).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = " S 7 8 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 4242 1000 3 4 5 6 140000 9";

    fn check(comm: &str) {
        let stat = parse_stat(format!("12 ({comm}){TAIL}\n").as_bytes()).expect("parses");
        assert_eq!(stat.comm, Name::from(comm));
        assert_eq!((stat.pid, stat.parent, stat.threads), (Pid(12), Pid(7), 3));
        assert_eq!((stat.start_ticks, stat.virtual_bytes), (4242, 1000));
        assert_eq!(stat.cpu_ticks, 5 + 6);
        assert_eq!((stat.state, stat.start_stack), (State(b'S'), 140_000));
        assert_eq!(stat.group, Pid(8));
        assert!(stat.flags == 4_194_560 && !stat.is_kernel_thread());
    }

    #[test]
    fn comm_may_hold_anything() {
        check("cat");
        check("a) S 1 1 (b");
        check("two\nlines");
        check("");
        check("((sd-pam))");
    }

    #[test]
    fn cut_short_is_an_error() {
        assert!(parse_stat(b"12 (cat) S 7").is_err());
        assert!(parse_stat(b"").is_err());
        assert!(parse_stat(b")(").is_err());
    }
}
