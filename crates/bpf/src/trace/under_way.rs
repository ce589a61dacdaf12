//! Calls that were under way when watching began: what a program waits in is what who attaches to it wants to see.

use fdscope_model::{Pid, Tid};
use fdscope_syscall::Arch;
use fdscope_syscall::traced::Call;

/// A call, by a thread that waits in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnderWay {
    /// The process.
    pub pid: Pid,
    /// The thread.
    pub tid: Tid,
    /// The call.
    pub call: Call,
    /// The instruction pointer.
    pub ip: u64,
}

impl UnderWay {
    /// Asks the kernel what a thread waits in; `None` if it runs, or may not be looked at.
    pub fn read(pid: Pid, tid: Tid, arch: Arch) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
        let (call, ip) = parse(&text, arch)?;
        Some(UnderWay { pid, tid, call, ip })
    }
}

/// Number, six arguments, stack pointer, instruction pointer (proc(5)); `running`, or -1 outside of calls.
fn parse(text: &str, arch: Arch) -> Option<(Call, u64)> {
    let mut words = text.split_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let mut arguments = [0; 6];
    for place in &mut arguments {
        *place = hex()?;
    }
    let (_stack, ip) = (hex()?, hex()?);
    Some((Call { arch, number, arguments }, ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u64, u64, u64)>) {
        let found = parse(text, Arch::NATIVE);
        assert_eq!(found.map(|(call, ip)| (call.number, call.arguments[1], ip)), expected);
    }

    #[test]
    fn what_a_thread_waits_in_is_read() {
        check("0 0x0 0x7f01 0x20000 0x22 0x0 0x0 0x7ffc00 0x7f02\n", Some((0, 0x7f01, 0x7f02)));
        check("running\n", None);
        check("-1 0x7ffc00 0x7f02\n", None);
        check("", None);
    }
}
