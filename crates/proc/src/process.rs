//! Processes, their threads and their children, as /proc shows them now.

use fdscope_model::{Name, Pid, Process, ProcessId, Tid};

use crate::error::ProcError;
use crate::parse::{Stat, State, Status, parse_stat, parse_status};
use crate::root::{PidDir, ProcRoot};

/// A thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Its number; that of the process for the first thread.
    pub tid: Tid,
    /// Its name: at most 15 bytes of any value.
    pub comm: Name,
    /// What it does.
    pub state: State,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
}

/// A child of a process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    /// Number and start time.
    pub id: ProcessId,
    /// Its name.
    pub comm: Name,
    /// What it does; a zombie waits to be waited for.
    pub state: State,
}

impl PidDir {
    /// stat of the process.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn process_stat(&self) -> Result<Stat, ProcError> {
        let bytes = self.read("stat", "read stat")?;
        parse_stat(&bytes).map_err(|cause| ProcError::Malformed { pid: self.pid(), cause })
    }

    /// status of the process.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn status(&self) -> Result<Status, ProcError> {
        let bytes = self.read("status", "read status")?;
        parse_status(&bytes).map_err(|cause| ProcError::Malformed { pid: self.pid(), cause })
    }

    /// Who the process is. What may not be read (the executable) is left empty.
    ///
    /// # Errors
    /// If it is gone.
    pub fn process(&self) -> Result<Process, ProcError> {
        let stat = self.process_stat()?;
        let status = self.status()?;
        let cmdline = self.read("cmdline", "read cmdline").unwrap_or_default();
        let exe = self.read_link("exe", "read link exe").unwrap_or_default();
        Ok(Process {
            id: ProcessId { pid: status.tgid, start_ticks: stat.start_ticks },
            parent: stat.parent,
            comm: stat.comm,
            cmdline: cmdline.into(),
            uid: status.effective_uid,
            exe,
        })
    }

    /// The thread numbers of the process.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn tids(&self) -> Result<Vec<Tid>, ProcError> {
        Ok(self.list("task", "list threads")?.into_iter().map(Tid).collect())
    }
}

impl ProcRoot {
    /// Every process that can be read now, kernel threads included. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn processes(&self) -> Result<Vec<Process>, ProcError> {
        let pids = self.pids()?;
        Ok(pids.into_iter().filter_map(|pid| self.process(pid).ok()).collect())
    }

    /// One process; for the number of a thread, the process that the thread belongs to.
    ///
    /// # Errors
    /// If there is none.
    pub fn process(&self, pid: Pid) -> Result<Process, ProcError> {
        let process = self.pid_dir(pid)?.process()?;
        if process.id.pid == pid {
            return Ok(process);
        }
        self.pid_dir(process.id.pid)?.process()
    }

    /// The threads of a process. One that ends meanwhile is left out.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn threads(&self, pid: Pid) -> Result<Vec<Thread>, ProcError> {
        let dir = self.pid_dir(pid)?;
        let mut threads = Vec::new();
        for tid in dir.tids()? {
            let Ok(bytes) = dir.read(&format!("task/{tid}/stat"), "read a thread's stat") else {
                continue;
            };
            threads.extend(parse_stat(&bytes).ok().map(|stat| Thread {
                tid,
                comm: stat.comm,
                state: stat.state,
                start_ticks: stat.start_ticks,
            }));
        }
        Ok(threads)
    }

    /// The children of a process, zombies included.
    ///
    /// From /proc/PID/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN), else from every process's
    /// stat.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn children(&self, pid: Pid) -> Result<Vec<Child>, ProcError> {
        let pids = match self.child_pids(pid)? {
            Some(pids) => pids,
            None => self.pids()?,
        };
        let child = |child: Pid| -> Option<Child> {
            let stat = self.pid_dir(child).ok()?.process_stat().ok()?;
            let id = ProcessId { pid: child, start_ticks: stat.start_ticks };
            (stat.parent == pid).then_some(Child { id, comm: stat.comm, state: stat.state })
        };
        Ok(pids.into_iter().filter_map(child).collect())
    }

    /// The numbers of a process's children by the kernel's own list; `None` where it keeps none.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn child_pids(&self, pid: Pid) -> Result<Option<Vec<Pid>>, ProcError> {
        let dir = self.pid_dir(pid)?;
        let mut pids = Vec::new();
        let mut known = false;
        // A child hangs on the thread that made it, so every thread has a list.
        for tid in dir.tids()? {
            let path = format!("task/{tid}/children");
            if let Ok(bytes) = dir.read(&path, "list children") {
                known = true;
                let numbers = bytes.split(|&b| b == b' ').filter_map(crate::parse::decimal);
                pids.extend(numbers.filter_map(|number| Some(Pid(u32::try_from(number).ok()?))));
            }
        }
        Ok(known.then_some(pids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> Pid {
        Pid(std::process::id())
    }

    #[test]
    fn this_process_is_read_and_is_found_by_its_threads() {
        let root = ProcRoot::open().expect("/proc");
        let process = root.process(this()).expect("own process");
        let exe = std::env::current_exe().expect("own executable");
        assert_eq!(process.exe.bytes(), exe.as_os_str().as_encoded_bytes());
        assert_eq!(process.uid, rustix::process::geteuid().as_raw());
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        assert_eq!(root.process(Pid(tid)).expect("by thread").id, process.id);
        let threads = root.threads(this()).expect("threads");
        assert!(threads.iter().any(|thread| thread.tid == Tid(tid)));
        assert!(root.processes().expect("processes").iter().any(|p| p.id == process.id));
    }

    #[test]
    fn a_child_not_waited_for_is_a_zombie() {
        let root = ProcRoot::open().expect("/proc");
        let mut child = std::process::Command::new("true").spawn().expect("spawn");
        let pid = Pid(child.id());
        // The exit, seen without reaping.
        let id = rustix::process::Pid::from_child(&child);
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(id), options).expect("waitid");
        let children = root.children(this()).expect("children");
        let zombie = children.iter().find(|c| c.id.pid == pid).expect("the child");
        assert!(zombie.state.is_zombie());
        child.wait().expect("wait");
        assert!(root.process(pid).expect_err("reaped").is_gone());
    }
}
