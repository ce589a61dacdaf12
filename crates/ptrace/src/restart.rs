//! Seizing a thread that waits in a system call must not make the call fail.
//!
//! A stop on request interrupts a blocked call. The kernel restarts most calls unseen, but some answer EINTR even when
//! no signal handler runs (signal(7)): programs that never expected that have failed under tracers. For those the
//! result is changed, at the stop, to the kernel's own ERESTARTNOHAND: "restart, but EINTR if a handler runs". A wait
//! with a time limit begins its time anew, which is the lesser harm.

use fdscope_model::Tid;
use fdscope_sys::ptrace::registers::{registers, set_result};
use fdscope_sys::ptrace::syscall_info;
use fdscope_syscall::Arch;

const EINTR: i64 = 4;
const ERESTARTNOHAND: i64 = 514;

/// Calls that answer EINTR to a stop although nothing was done yet: x86-64, i386, aarch64; 0 for none.
///
/// The socket calls do so only under `SO_RCVTIMEO` or `SO_SNDTIMEO`. connect is not here: it cannot be repeated.
const REPEATABLE: &[[u64; 3]] = &[
    [232, 256, 0],   // epoll_wait
    [281, 319, 22],  // epoll_pwait
    [441, 441, 441], // epoll_pwait2
    [65, 393, 193],  // semop
    [220, 394, 192], // semtimedop
    [0, 420, 0],     // semtimedop_time64
    [128, 177, 137], // rt_sigtimedwait
    [0, 421, 0],     // rt_sigtimedwait_time64
    [208, 247, 4],   // io_getevents
    [333, 385, 292], // io_pgetevents
    [426, 426, 426], // io_uring_enter
    [45, 371, 207],  // recvfrom
    [47, 372, 212],  // recvmsg
    [299, 337, 243], // recvmmsg
    [0, 417, 0],     // recvmmsg_time64
    [43, 0, 202],    // accept
    [288, 364, 242], // accept4
    [44, 369, 206],  // sendto
    [46, 370, 211],  // sendmsg
    [19, 145, 65],   // readv
];

/// read: the one call whose number on x86-64 is 0.
const READ: [u64; 3] = [0, 3, 63];

/// Makes the call that a requested stop interrupted go on instead of failing. The thread must be in that stop.
pub fn resume_interrupted_call(tid: Tid) {
    let Ok(found) = registers(tid) else { return };
    if found.result != -EINTR || found.number < 0 {
        return;
    }
    let arch = match syscall_info(tid) {
        Ok(info) => Arch::from_audit(info.arch),
        Err(_) if found.compat => Arch::COMPAT,
        Err(_) => Some(Arch::NATIVE),
    };
    if arch.is_some_and(|arch| is_repeatable(arch, found.number as u64)) {
        // A thread that is gone needs no restart.
        let _ = set_result(tid, -ERESTARTNOHAND);
    }
}

fn is_repeatable(arch: Arch, number: u64) -> bool {
    let column = arch as usize;
    number == READ[column] || number != 0 && REPEATABLE.iter().any(|row| row[column] == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_repeatable_and_connect_is_not() {
        assert!(is_repeatable(Arch::X86_64, 232) && is_repeatable(Arch::X86_64, 0));
        assert!(is_repeatable(Arch::I386, 3) && !is_repeatable(Arch::I386, 0));
        assert!(!is_repeatable(Arch::X86_64, 42) && !is_repeatable(Arch::Aarch64, 203));
    }
}
