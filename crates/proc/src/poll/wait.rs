//! Waiting for the next look, or for the end of a process, whichever comes first.

use std::time::Duration;

use fdscope_model::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;

use super::target::Target;

/// Processes whose end is waited for at most; that of others shows at the next look.
const MOST: usize = 512;

/// Waits at most `timeout`; the processes that ended meanwhile.
pub(super) fn for_exits<'a>(
    targets: impl Iterator<Item = &'a Target>,
    timeout: Duration,
) -> Vec<Pid> {
    let watched: Vec<_> = targets
        .filter_map(|target| Some((target.id.pid, target.ended.as_ref()?)))
        .take(MOST)
        .collect();
    let mut fds: Vec<PollFd<'_>> =
        watched.iter().map(|(_, fd)| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    // A wait cut short by a signal is the caller's chance to see why.
    let timeout = Timespec::try_from(timeout).ok();
    if poll(&mut fds, timeout.as_ref()).is_err() {
        return Vec::new();
    }
    let ended = watched.iter().zip(&fds).filter(|(_, fd)| fd.revents().contains(PollFlags::IN));
    ended.map(|((pid, _), _)| *pid).collect()
}
