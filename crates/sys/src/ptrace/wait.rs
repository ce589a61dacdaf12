//! Waiting for tracees of the calling thread, and waking a thread that waits.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use fdscope_model::Tid;
use rustix::io::Errno;

use super::last_error;

/// What became of a tracee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It called exit with this code.
    Exited(i32),
    /// This signal killed it; true if a core was dumped.
    Killed(i32, bool),
    /// It stopped.
    Stopped(Stop),
}

/// Why a tracee stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Before or after a system call.
    Syscall,
    /// This signal is about to be delivered, and will be only if it is passed on when resuming.
    Signal(i32),
    /// A job control stop by this signal (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU).
    Group(i32),
    /// Interrupted on request, or new, or continued after a group stop.
    Interrupted,
    /// clone, fork or vfork made the thread that [`super::event_message`] tells.
    Born,
    /// exec succeeded.
    Exec,
    /// It is about to end: only with [`super::options::EXIT`].
    Ending,
    /// Before a system call that a seccomp filter singles out: only with [`super::options::SECCOMP`].
    Filtered,
    /// An event that was not asked for.
    Other(i32),
}

/// Waits for a tracee of the calling thread, and only for those: children of other threads are left alone.
///
/// Without `block` the answer is `None` if nothing has happened.
///
/// # Errors
/// `CHILD` if the calling thread has no tracee; `INTR` if a signal came, for instance by [`Waker::wake`].
pub fn wait(block: bool) -> Result<Option<(Tid, Status)>, Errno> {
    wait_for(block, ptr::null_mut())
}

/// As [`wait`], and tells the system time, in nanoseconds, that the tracee's process has used so far.
///
/// # Errors
/// As [`wait`].
pub fn wait_with_time(block: bool) -> Result<Option<(Tid, Status, u64)>, Errno> {
    // SAFETY: all-zero bytes are a valid rusage, which is plain data.
    let mut usage = unsafe { MaybeUninit::<libc::rusage>::zeroed().assume_init() };
    let found = wait_for(block, &raw mut usage)?;
    let time = usage.ru_stime;
    let time_ns = time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    Ok(found.map(|(tid, status)| (tid, status, time_ns)))
}

/// `usage` is null or a live `rusage` of the caller's.
fn wait_for(block: bool, usage: *mut libc::rusage) -> Result<Option<(Tid, Status)>, Errno> {
    let flags = libc::__WALL | libc::__WNOTHREAD | if block { 0 } else { libc::WNOHANG };
    let mut status: c_int = 0;
    // SAFETY: the status is a live local that the kernel writes one int to, and `usage` is what the callers above give.
    let result = unsafe { libc::wait4(-1, &raw mut status, flags, usage) };
    match result {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some((Tid(pid as u32), decode(status)))),
        _ => Err(last_error()),
    }
}

/// Waits until something happens to a tracee, and leaves it to be waited for; true if it has ended.
///
/// For a tracee that another part of the program must wait for, as its parent, once it ends.
///
/// # Errors
/// `CHILD` if it was waited for meanwhile; `INTR` if a signal came.
pub fn await_change(tid: Tid) -> Result<bool, Errno> {
    let flags = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL;
    // SAFETY: all-zero bytes are a valid siginfo_t, which is plain data.
    let mut found = unsafe { MaybeUninit::<libc::siginfo_t>::zeroed().assume_init() };
    // SAFETY: the pointer is to a live local that the kernel fills.
    let result = unsafe { libc::waitid(libc::P_PID, tid.0, &raw mut found, flags) };
    let ends = [libc::CLD_EXITED, libc::CLD_KILLED, libc::CLD_DUMPED];
    if result < 0 { Err(last_error()) } else { Ok(ends.contains(&found.si_code)) }
}

/// The meaning of a wait status (wait(2), ptrace(2)).
pub fn decode(status: c_int) -> Status {
    if libc::WIFEXITED(status) {
        return Status::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return Status::Killed(libc::WTERMSIG(status), libc::WCOREDUMP(status));
    }
    let signal = status >> 8 & 0xff;
    Status::Stopped(match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Stop::Syscall,
        0 => Stop::Signal(signal),
        libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Stop::Interrupted,
        libc::PTRACE_EVENT_STOP => Stop::Group(signal),
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => Stop::Born,
        libc::PTRACE_EVENT_EXEC => Stop::Exec,
        libc::PTRACE_EVENT_EXIT => Stop::Ending,
        libc::PTRACE_EVENT_SECCOMP => Stop::Filtered,
        event => Stop::Other(event),
    })
}

/// Wakes the thread that made it from a blocking [`wait`].
#[derive(Clone, Copy, Debug)]
pub struct Waker {
    tid: c_int,
    signal: c_int,
}

impl Waker {
    /// A waker for the calling thread.
    ///
    /// Takes a real-time signal that nobody handles for the whole process, with a handler that does nothing.
    ///
    /// # Errors
    /// `AGAIN` if every real-time signal is in use.
    pub fn for_this_thread() -> Result<Waker, Errno> {
        static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
        let signal = SIGNAL.get_or_init(take_signal).ok_or(Errno::AGAIN)?;
        unblock(signal)?;
        Ok(Waker { tid: rustix::thread::gettid().as_raw_nonzero().get(), signal })
    }

    /// Interrupts the thread's wait if it is in one. A wake between the thread's last check of what it is woken for
    /// and its wait is lost: repeat until the thread answers.
    pub fn wake(self) {
        // SAFETY: tgkill takes three integers; the signal has a handler that does nothing.
        unsafe {
            libc::syscall(libc::SYS_tgkill, std::process::id() as c_int, self.tid, self.signal)
        };
    }

    /// Waits until the thread is gone, so that the kernel has let its tracees go; at most a second.
    ///
    /// Joining a thread tells that its memory is unused, which is a moment before it leaves its tracees.
    pub fn await_end(self) {
        let path = format!("/proc/self/task/{}", self.tid);
        for _ in 0..1000 {
            if rustix::fs::access(&path, rustix::fs::Access::EXISTS).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

extern "C" fn nothing(_: c_int) {}

/// Finds a real-time signal with the default action and gives it a handler without SA_RESTART.
fn take_signal() -> Option<c_int> {
    (libc::SIGRTMIN() + 1..libc::SIGRTMAX()).rev().find(|&signal| {
        let mut old = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a null new action asks only; `old` is a live, large enough local.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), old.as_mut_ptr()) };
        // SAFETY: all-zero bytes are a valid sigaction, and the kernel filled it if it answered.
        let old = unsafe { old.assume_init() };
        asked == 0 && old.sa_sigaction == libc::SIG_DFL && install(signal)
    })
}

fn install(signal: c_int) -> bool {
    // SAFETY: all-zero bytes are a valid sigaction: no flags, empty mask.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = nothing as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: the action is a live local; its handler touches nothing, so it is safe in any thread at any time.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0 }
}

fn unblock(signal: c_int) -> Result<(), Errno> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is a live local, and all-zero bytes are a valid (empty) set.
    unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    // SAFETY: the set is initialized; no old set is asked for.
    let code = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut()) };
    if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(code)) }
}
