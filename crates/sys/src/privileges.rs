//! Giving up privileges for good.

use std::io;

/// Becomes a user with a group, and with no others. For a program of one thread's privileges: call it before more are
/// made, or they keep theirs.
///
/// # Errors
/// `EPERM` for who may not.
pub fn become_user(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: a count of 0 makes the kernel read no address.
    let answer = unsafe { libc::setgroups(0, std::ptr::null()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: setgid takes a number.
    let answer = unsafe { libc::setgid(group) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: setuid takes a number.
    let answer = unsafe { libc::setuid(user) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
