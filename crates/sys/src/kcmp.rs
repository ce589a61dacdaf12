//! Whether two processes share something in the kernel: kcmp(2).

use std::ffi::c_int;

use fdscope_model::{FdNumber, Pid};
use rustix::io::Errno;

/// `struct kcmp_epoll_slot` (include/uapi/linux/kcmp.h).
#[repr(C)]
struct EpollSlot {
    epoll: u32,
    target: u32,
    nth: u32,
}

/// Is the descriptor `target` of a process still the file that it registered under that number with its descriptor
/// `epoll`? Of several registrations under one number, the `nth` in the order of fdinfo.
///
/// # Errors
/// `NOSYS` if the kernel is built without it; `PERM` if not permitted; `BADF` if one is closed; `SRCH` if the process
/// is gone; `NOENT` if nothing is registered so.
pub fn is_epoll_target(
    pid: Pid,
    epoll: FdNumber,
    target: FdNumber,
    nth: u32,
) -> Result<bool, Errno> {
    const KCMP_EPOLL_TFD: c_int = 7;
    let slot = EpollSlot { epoll: epoll.0, target: target.0, nth };
    let pid = pid.0 as c_int;
    // SAFETY: kcmp reads the slot, which lives until this returns, and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            pid,
            pid,
            KCMP_EPOLL_TFD,
            u64::from(target.0),
            &raw const slot,
        )
    };
    match result {
        0 => Ok(true),
        1.. => Ok(false),
        _ => {
            let code = std::io::Error::last_os_error().raw_os_error();
            Err(Errno::from_raw_os_error(code.unwrap_or(libc::EIO)))
        }
    }
}
