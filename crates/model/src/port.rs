//! The seams of the program: each trait has two or more real implementations.

use std::time::Duration;

use crate::event::Event;
use crate::id::{FdNumber, Pid, StackId};
use crate::inventory::Inventory;
use crate::process::Snapshot;
use crate::sight::Sight;
use crate::socket::Socket;
use crate::stack::Frame;

/// What a poll ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// More may come.
    Open,
    /// Nothing will come any more: every watched process is gone, or the recording ended.
    Ended,
}

/// Yields events: BPF, ptrace, /proc sampling, a recording.
pub trait EventSource {
    /// Why a poll can fail.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What this source sees here.
    fn sight(&self) -> &Sight;

    /// Delivers what happened, in order, waiting at most `timeout` for something to happen.
    ///
    /// # Errors
    /// If the source broke; events delivered before stay valid. A target that exits is no error.
    fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Progress, Self::Error>;

    /// Stops watching and leaves every target as it was found. Later polls deliver what is still buffered.
    ///
    /// # Errors
    /// If a target could not be let go.
    fn stop(&mut self) -> Result<(), Self::Error>;
}

/// Reads a process's table: the BPF task_file iterator, or /proc/PID/fd.
pub trait SnapshotSource {
    /// Why a table cannot be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The descriptors of `pid` now. Never touches the files themselves, so never hangs on a dead mount.
    ///
    /// # Errors
    /// If the process is gone or not permitted; single unreadable descriptors are faults in the snapshot.
    fn snapshot(&mut self, pid: Pid) -> Result<Snapshot, Self::Error>;
}

/// A descriptor that is a socket, or that leads to some.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lead {
    /// The socket with this inode.
    Socket(u64),
    /// An io_uring, which may have sockets among its registered files.
    Ring,
    /// The network namespace with this inode: it lives as long as the descriptor, with or without a process.
    Namespace(u64),
}

/// Reads what processes hold, row by row: the BPF task_file iterator, or the walk through /proc. Both give the same rows.
pub trait Inventories {
    /// Why a process cannot be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What a process holds now. Never waits for a file system. What may not be read is a fault of its row, or of the
    /// inventory.
    ///
    /// # Errors
    /// If the process is gone, or hidden.
    fn read(&mut self, pid: Pid) -> Result<Inventory, Self::Error>;

    /// Hands the inventory of each process to `sink`, in the order of `pids`, never holding all at once.
    fn read_each(
        &mut self,
        pids: &[Pid],
        sink: &mut dyn FnMut(Pid, Result<Inventory, Self::Error>),
    ) {
        for &pid in pids {
            sink(pid, self.read(pid));
        }
    }

    /// Leaves out processes that hold no socket of which `matches` is true, as far as that is found out for less than
    /// reading them costs.
    fn narrow(&mut self, pids: &mut Vec<Pid>, matches: &mut dyn FnMut(&Socket) -> bool) {
        let _all_must_be_read = (pids, matches);
    }

    /// Hands every descriptor that is a socket, or leads to some, to `sink`, where that costs less than reading the links
    /// of each process; and returns the processes of which nothing was handed over, so that they have to be walked.
    fn leads(&mut self, pids: &[Pid], sink: &mut dyn FnMut(Pid, FdNumber, Lead)) -> Vec<Pid> {
        let _all_must_be_walked = sink;
        pids.to_vec()
    }
}

/// A stack for people.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Symbolized {
    /// Frames, innermost first, inlined functions expanded.
    pub frames: Vec<Frame>,
    /// Index of the first frame above plumbing: the site. `None` if every frame is plumbing or there is none.
    pub at: Option<usize>,
}

/// Names the frames of stacks: the live processes, a recording, a table in tests.
pub trait Symbolizer {
    /// The frames of `stack`, with what little is known where little is known.
    fn symbolize(&mut self, stack: StackId) -> Symbolized;
}
