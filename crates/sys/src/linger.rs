//! Letting go of descriptors whose release is slow, without making the user wait for it.

use std::time::Duration;

/// Forks a child that holds a copy of every open descriptor until this process is gone, and then ends.
///
/// The kernel waits for a grace period (some 100 ms here) for each perf event on a tracepoint that is closed, one
/// after the other; with 40 of them the caller's exit would take 4 s. With the child holding on, the caller ends at
/// once and the child pays. It touches no file and writes nothing; its standard streams are closed, so that nobody
/// who reads from this program waits for it.
///
/// To be called last, with every other thread idle: the child runs only async-signal-safe calls. If it cannot be
/// made, nothing is lost but time.
pub fn release_behind() {
    let parent = rustix::process::getpid();
    // SAFETY: the child calls nothing but close, getppid, nanosleep and _exit, which signal-safety(7) lists.
    let forked = unsafe { libc::fork() };
    if forked != 0 {
        return;
    }
    for stream in 0..=2 {
        // SAFETY: closing a standard stream of this child; nothing in it uses them afterwards.
        let _maybe_closed_already = unsafe { libc::close(stream) };
    }
    while rustix::process::getppid() == Some(parent) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: ends the child without running destructors or handlers that belong to the parent.
    unsafe { libc::_exit(0) }
}
