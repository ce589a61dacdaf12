//! The files of a thread that tell what it does: schedstat, syscall, wchan and stack below /proc/PID/task/TID.

use fdscope_model::Name;

use super::number::{decimal, hex};
use super::{lines, words};

/// What a thread is in, as its file `syscall` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InCall {
    /// On a processor, or about to be: nothing to be read.
    Running,
    /// Waiting, but in no system call.
    Outside,
    /// Waiting in a call.
    Call {
        /// Its number.
        number: u64,
        /// Its arguments.
        args: [u64; 6],
        /// The stack pointer.
        sp: u64,
        /// The instruction pointer.
        ip: u64,
    },
}

/// `syscall`: `running`; `-1 SP IP` outside calls; else number, six arguments, SP and IP. `None` for anything else.
pub fn parse_syscall(bytes: &[u8]) -> Option<InCall> {
    let mut fields = words(bytes.trim_ascii());
    let number = match fields.next()? {
        b"running" => return Some(InCall::Running),
        b"-1" => return Some(InCall::Outside),
        digits => decimal(digits)?,
    };
    let mut values = [0; 8];
    for value in &mut values {
        *value = hex(fields.next()?)?;
    }
    let [a, b, c, d, e, f, sp, ip] = values;
    Some(InCall::Call { number, args: [a, b, c, d, e, f], sp, ip })
}

/// The first number of `schedstat`: nanoseconds on a processor. `None` on kernels that do not count (all zeros).
pub fn parse_schedstat(bytes: &[u8]) -> Option<u64> {
    let mut numbers = words(bytes.trim_ascii()).map(decimal);
    let (ran_ns, _, times) = (numbers.next()??, numbers.next()??, numbers.next()??);
    (times > 0 || ran_ns > 0).then_some(ran_ns)
}

/// `wchan`: a kernel function; `0` if the thread does not sleep or it may not be seen.
pub fn parse_wchan(bytes: &[u8]) -> Option<Name> {
    let word = bytes.trim_ascii();
    (!word.is_empty() && word != b"0").then(|| word.into())
}

/// `stack`: the kernel's functions, innermost first, of lines like `[<0>] ep_poll+0x2f7/0x3b0`.
pub fn parse_kernel_stack(bytes: &[u8]) -> Vec<Name> {
    let function = |line| words(line).nth(1).map(|word: &[u8]| Name::from(word));
    lines(bytes).filter_map(function).collect()
}

/// The first number of /proc/uptime in nanoseconds: `3281.52 6012.98`.
pub fn parse_uptime(bytes: &[u8]) -> Option<u64> {
    let word = words(bytes.trim_ascii()).next()?;
    let mut parts = word.split(|&b| b == b'.');
    let seconds = decimal(parts.next()?)?;
    let hundredths = parts.next().map_or(Some(0), decimal).filter(|&h| h < 100)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(hundredths * 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_arguments_and_places() {
        let call = InCall::Call {
            number: 232,
            args: [4, 0x7ffc, 1, 0xffff_ffff, 0, 0],
            sp: 0x7f00,
            ip: 0x40,
        };
        let check = |text: &str, expected| assert_eq!(parse_syscall(text.as_bytes()), expected);
        check("232 0x4 0x7ffc 0x1 0xffffffff 0x0 0x0 0x7f00 0x40\n", Some(call));
        check("running\n", Some(InCall::Running));
        check("-1 0x7f00 0x40\n", Some(InCall::Outside));
        check("232 0x4 0x7ffc\n", None);
        check("", None);
    }

    #[test]
    fn times_are_nanoseconds() {
        assert_eq!(parse_schedstat(b"83511404 251973416 44\n"), Some(83_511_404));
        assert_eq!(parse_schedstat(b"0 0 0\n"), None);
        assert_eq!(parse_schedstat(b""), None);
        assert_eq!(parse_uptime(b"3281.52 6012.98\n"), Some(3_281_520_000_000));
        assert_eq!(parse_uptime(b"7\n"), Some(7_000_000_000));
        assert_eq!(parse_uptime(b"7.x\n"), None);
    }

    #[test]
    fn kernel_functions_are_words() {
        assert_eq!(parse_wchan(b"ep_poll"), Some("ep_poll".into()));
        assert_eq!(parse_wchan(b"0"), None);
        let stack =
            parse_kernel_stack(b"[<0>] ep_poll+0x2f7/0x3b0\n[<0>] do_syscall_64+0x71/0x280\n");
        assert_eq!(stack, ["ep_poll+0x2f7/0x3b0", "do_syscall_64+0x71/0x280"].map(Name::from));
    }
}
