//! ptrace(2) by PTRACE_SEIZE: seize, wait, look, resume, let go.
//!
//! Every call here concerns a thread that the *calling thread* traces: ptrace binds a tracee to one thread, not to a
//! process. What a stop means and what to do about it is `fdscope-ptrace`'s business. Waiting is in [`mod@wait`], the
//! registers in [`registers`] (the only place that knows a processor).

pub mod registers;
pub mod wait;

use std::ffi::{c_int, c_long, c_uint};
use std::ptr;

use fdscope_model::Tid;
use rustix::io::Errno;

pub use registers::TaskRegisters;
pub use wait::{Status, Stop, wait};

/// Which events stop a tracee: bits for [`seize`].
pub mod options {
    /// System call stops are told from SIGTRAP by bit 7 of the signal.
    pub const SYSCALL_GOOD: i32 = libc::PTRACE_O_TRACESYSGOOD;
    /// fork stops, and the child is traced from its first instruction.
    pub const FORK: i32 = libc::PTRACE_O_TRACEFORK;
    /// The same for vfork.
    pub const VFORK: i32 = libc::PTRACE_O_TRACEVFORK;
    /// The same for clone: threads.
    pub const CLONE: i32 = libc::PTRACE_O_TRACECLONE;
    /// A successful exec stops.
    pub const EXEC: i32 = libc::PTRACE_O_TRACEEXEC;
    /// A thread about to end stops once more.
    pub const EXIT: i32 = libc::PTRACE_O_TRACEEXIT;
    /// A call for which a seccomp filter says SECCOMP_RET_TRACE stops before it is made.
    pub const SECCOMP: i32 = libc::PTRACE_O_TRACESECCOMP;
    /// The tracee is killed when its tracer ends.
    pub const EXIT_KILL: i32 = libc::PTRACE_O_EXITKILL;
}

/// What a system call stop tells (PTRACE_GET_SYSCALL_INFO, Linux 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyscallInfo {
    /// `AUDIT_ARCH_*`: the interface of this very call, so that `int 0x80` of a 64-bit task is seen as i386.
    pub arch: u32,
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Which side of the call.
    pub side: Side,
}

/// Which side of a system call a stop is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Neither: not a system call stop.
    Neither,
    /// Before the call.
    Entry {
        /// Its number.
        number: u64,
        /// Its arguments.
        args: [u64; 6],
    },
    /// After the call.
    Exit {
        /// Its result; an error number is negative.
        result: i64,
    },
}

/// Seizes a thread without stopping it. `options` are bits of [`options`].
///
/// # Errors
/// `PERM` if not permitted, traced by another, or already dead; `SRCH` if there is no such thread.
pub fn seize(tid: Tid, options: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, 0, options as usize)
}

/// Asks a seized thread to stop: it will report an event stop (or another stop before that).
///
/// # Errors
/// `SRCH` if the thread is gone.
pub fn interrupt(tid: Tid) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0)
}

/// Lets a thread in a group stop remain stopped, yet report when SIGCONT comes.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn listen(tid: Tid) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN, tid, 0, 0)
}

/// Resumes a stopped thread until its next system call stop, delivering `signal` unless it is 0.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn resume_to_syscall(tid: Tid, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SYSCALL, tid, 0, signal as usize)
}

/// Resumes a stopped thread without stopping it at system calls, delivering `signal` unless it is 0.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn resume(tid: Tid, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, tid, 0, signal as usize)
}

/// Lets a stopped thread go, delivering `signal` unless it is 0.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn detach(tid: Tid, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_DETACH, tid, 0, signal as usize)
}

/// The number that belongs to an event stop: the new thread for clone, fork and vfork; the former thread number for
/// exec.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn event_message(tid: Tid) -> Result<u64, Errno> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, tid, 0, ptr::from_mut(&mut message).expose_provenance())?;
    Ok(message)
}

/// `siginfo_t` of the signal that a thread in a signal stop is about to get.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop; `INVAL` if it is in a group stop.
pub fn signal_info(tid: Tid) -> Result<[u8; 128], Errno> {
    /// Aligned as the kernel's own.
    #[repr(C, align(8))]
    struct Siginfo([u8; 128]);
    let mut found = Siginfo([0; 128]);
    request(libc::PTRACE_GETSIGINFO, tid, 0, ptr::from_mut(&mut found).expose_provenance())?;
    Ok(found.0)
}

/// `struct ptrace_syscall_info` of linux/ptrace.h, its union as plain words.
#[repr(C)]
#[derive(Default)]
struct RawSyscallInfo {
    op: u8,
    reserved: u8,
    flags: u16,
    arch: u32,
    ip: u64,
    sp: u64,
    words: [u64; 8],
}

/// What the system call stop of a thread is about.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop; `IO` or `INVAL` if the kernel is older than 5.3.
pub fn syscall_info(tid: Tid) -> Result<SyscallInfo, Errno> {
    let mut raw = RawSyscallInfo::default();
    let address = ptr::from_mut(&mut raw).expose_provenance();
    request(libc::PTRACE_GET_SYSCALL_INFO, tid, size_of::<RawSyscallInfo>(), address)?;
    let side = match raw.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY | libc::PTRACE_SYSCALL_INFO_SECCOMP => {
            let [number, a, b, c, d, e, f, _] = raw.words;
            Side::Entry { number, args: [a, b, c, d, e, f] }
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => Side::Exit { result: raw.words[0] as i64 },
        _ => Side::Neither,
    };
    Ok(SyscallInfo { arch: raw.arch, ip: raw.ip, sp: raw.sp, side })
}

/// Do two threads use the same table of descriptors? (kcmp(2) with `KCMP_FILES`.)
///
/// # Errors
/// `NOSYS` if the kernel is built without it; `PERM` if not permitted; `SRCH` if one is gone.
pub fn same_files(one: Tid, other: Tid) -> Result<bool, Errno> {
    const KCMP_FILES: c_int = 2;
    // SAFETY: kcmp reads five integers and touches no memory of ours.
    let result = unsafe {
        libc::syscall(libc::SYS_kcmp, one.0 as c_int, other.0 as c_int, KCMP_FILES, 0u64, 0u64)
    };
    if result < 0 { Err(last_error()) } else { Ok(result == 0) }
}

/// One ptrace request. `data` and `address` are numbers, or the address of memory that the kernel writes and that the
/// caller keeps alive and exclusively borrowed over the call.
fn request(request: c_uint, tid: Tid, address: usize, data: usize) -> Result<(), Errno> {
    let request = c_long::from(request);
    // SAFETY: the raw call takes four words; those requests that write memory get the address of a live, large enough
    // local of the calling function in this file or in `registers`.
    let result =
        unsafe { libc::syscall(libc::SYS_ptrace, request, c_long::from(tid.0), address, data) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

fn last_error() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(code.unwrap_or(libc::EIO))
}
