//! Processes as the kernel itself shows them all at once (BPF), in place of a look at each through /proc.

use fdscope_model::survey::Vitals;
use fdscope_model::{Name, Pid, ProcessId};

use super::look::{Looker, Seen};
use crate::parse::{Stat, State};

/// The numbers of a process, kernel threads and zombies included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glimpse {
    /// Number and start time.
    pub id: ProcessId,
    /// The parent's number.
    pub parent: Pid,
    /// Effective user.
    pub uid: u32,
    /// `comm`.
    pub comm: Name,
    /// The letter of what its first thread does.
    pub state: u8,
    /// `PF_*`.
    pub flags: u32,
    /// Threads.
    pub threads: u64,
    /// Open descriptors; `None` where they could not be counted in passing.
    pub descriptors: Option<u64>,
    /// Soft RLIMIT_NOFILE.
    pub nofile: u64,
    /// Soft RLIMIT_NPROC.
    pub nproc: u64,
}

impl Looker {
    /// What a glimpse shows. A process of which it does not show enough is looked at.
    pub fn see(&self, glimpse: Glimpse, buffer: &mut [u8]) -> Seen {
        let state = State(glimpse.state);
        let stat = Stat { state, flags: glimpse.flags, ..Stat::default() };
        if stat.is_kernel_thread() {
            return Seen::KernelThread;
        }
        let uid = glimpse.uid;
        if state.is_zombie() && glimpse.threads < 2 {
            return Seen::Zombie { parent: glimpse.parent, uid };
        }
        if stat.is_ending() || glimpse.descriptors.is_none() {
            return self.look(glimpse.id.pid, buffer);
        }
        let vitals = Vitals {
            id: glimpse.id,
            parent: glimpse.parent,
            uid,
            comm: glimpse.comm,
            cmdline: None,
            state: glimpse.state,
            descriptors: glimpse.descriptors,
            threads: glimpse.threads,
            nofile: Some(glimpse.nofile),
            tasks: None,
            growth: None,
        };
        Seen::Process(vitals, (uid != 0).then_some(glimpse.nproc))
    }

    /// True if fdscope's own process looks the same through /proc: other namespaces of numbers, users or time would give
    /// other numbers.
    pub fn agrees(&self, glimpses: &[Glimpse], buffer: &mut [u8]) -> bool {
        let own = Pid(std::process::id());
        let glimpse = glimpses.iter().find(|glimpse| glimpse.id.pid == own);
        let Seen::Process(walked, _) = self.look(own, buffer) else { return false };
        glimpse.is_some_and(|glimpse| {
            glimpse.id == walked.id
                && glimpse.parent == walked.parent
                && glimpse.uid == walked.uid
                && glimpse.comm == walked.comm
                && Some(glimpse.nofile) == walked.nofile
        })
    }
}
