//! The threads traced, their processes, and which table of descriptors each uses.

use std::collections::{HashMap, HashSet};

use fdscope_model::{Monotonic, Pid, TableId, Tid};
use fdscope_syscall::{Arch, Invocation};

/// A traced thread.
#[derive(Debug)]
pub struct Task {
    /// Its process.
    pub pid: Pid,
    /// Its table of descriptors.
    pub table: TableId,
    /// How far seizing it has come.
    pub phase: Phase,
    /// The call it is in.
    pub call: Option<Call>,
}

/// How far seizing a thread has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Seized and asked to stop; its system calls are not seen yet.
    Asked,
    /// Its system calls stop.
    Traced,
}

/// A system call that a thread has entered.
#[derive(Debug, Default)]
pub struct Call {
    /// The interface.
    pub arch: Option<Arch>,
    /// Its number.
    pub number: u64,
    /// Its arguments.
    pub args: [u64; 6],
    /// When it was entered.
    pub made: Monotonic,
    /// The system time that the process had used by then, in nanoseconds, if that is asked for.
    pub system_ns: u64,
    /// True if entering it was told to a witness.
    pub told: bool,
    /// Its row and arguments, if it concerns handles.
    pub known: Option<Invocation>,
    /// Descriptors that it will end, or has ended already, and that were not told yet.
    pub ending: Vec<u32>,
    /// The process that it made.
    pub child: Option<Pid>,
}

/// A process with traced threads.
#[derive(Debug, Default)]
pub struct Process {
    /// Its traced threads.
    pub threads: HashSet<Tid>,
    /// Its children by the number that its own PID namespace gave them.
    pub children: HashMap<u32, Pid>,
    /// How many children there were when it was last looked which of them are gone.
    looked_at: usize,
}

impl Process {
    /// The fewest children worth a look.
    const FEW: usize = 16;

    /// Enters a child. Answers with children that are gone without having been waited for: the kernel reaps by itself
    /// those of a process that ignores SIGCHLD or sets SA_NOCLDWAIT. `is_gone` is asked only when their number has
    /// doubled, so that a process pays for each child once or twice.
    pub fn add_child(
        &mut self,
        number: u32,
        child: Pid,
        is_gone: impl Fn(Pid) -> bool,
    ) -> Vec<Pid> {
        self.children.insert(number, child);
        if self.children.len() < 2 * self.looked_at.max(Self::FEW) {
            return Vec::new();
        }
        let gone: Vec<Pid> = self.children.values().copied().filter(|pid| is_gone(*pid)).collect();
        self.children.retain(|_, pid| !gone.contains(pid));
        self.looked_at = self.children.len();
        gone
    }
}

/// All that is traced.
#[derive(Debug, Default)]
pub struct Tasks {
    by_tid: HashMap<Tid, Task>,
    processes: HashMap<Pid, Process>,
    users: HashMap<TableId, u32>,
    tables_made: u64,
}

impl Tasks {
    /// True if nothing is traced.
    pub fn is_empty(&self) -> bool {
        self.by_tid.is_empty()
    }

    /// How many threads are traced.
    pub fn len(&self) -> usize {
        self.by_tid.len()
    }

    /// Adds a thread.
    pub fn add(&mut self, tid: Tid, pid: Pid, table: TableId, phase: Phase) {
        *self.users.entry(table).or_default() += 1;
        self.processes.entry(pid).or_default().threads.insert(tid);
        self.by_tid.insert(tid, Task { pid, table, phase, call: None });
    }

    /// Removes a thread; a process without threads is removed with the last one.
    pub fn remove(&mut self, tid: Tid) -> Option<Task> {
        let task = self.by_tid.remove(&tid)?;
        self.unuse(task.table);
        if let Some(process) = self.processes.get_mut(&task.pid) {
            process.threads.remove(&tid);
            if process.threads.is_empty() {
                self.processes.remove(&task.pid);
            }
        }
        Some(task)
    }

    /// A thread by its number.
    pub fn get(&self, tid: Tid) -> Option<&Task> {
        self.by_tid.get(&tid)
    }

    /// A thread by its number.
    pub fn get_mut(&mut self, tid: Tid) -> Option<&mut Task> {
        self.by_tid.get_mut(&tid)
    }

    /// Every thread.
    pub fn iter(&self) -> impl Iterator<Item = (Tid, &Task)> {
        self.by_tid.iter().map(|(tid, task)| (*tid, task))
    }

    /// A process with at least one traced thread.
    pub fn process(&self, pid: Pid) -> Option<&Process> {
        self.processes.get(&pid)
    }

    /// A process with at least one traced thread.
    pub fn process_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        self.processes.get_mut(&pid)
    }

    /// A table that nothing uses yet.
    pub fn new_table(&mut self) -> TableId {
        self.tables_made += 1;
        TableId(self.tables_made)
    }

    /// How many threads use the table.
    pub fn users(&self, table: TableId) -> u32 {
        self.users.get(&table).copied().unwrap_or(0)
    }

    /// Gives a thread another table.
    pub fn move_to(&mut self, tid: Tid, table: TableId) {
        let Some(task) = self.by_tid.get_mut(&tid) else { return };
        let old = std::mem::replace(&mut task.table, table);
        *self.users.entry(table).or_default() += 1;
        self.unuse(old);
    }

    fn unuse(&mut self, table: TableId) {
        if let Some(users) = self.users.get_mut(&table) {
            *users -= 1;
            if *users == 0 {
                self.users.remove(&table);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_reaped_by_the_kernel_are_noticed() {
        let mut process = Process::default();
        let mut gone = Vec::new();
        for number in 1..=1000 {
            gone.extend(process.add_child(number, Pid(number), |pid| pid.0 != 7));
            assert!(process.children.len() <= 33);
        }
        assert!(gone.len() > 960 && !gone.contains(&Pid(7)));
    }

    #[test]
    fn a_table_is_used_until_its_last_thread_is_gone() {
        let mut tasks = Tasks::default();
        let table = tasks.new_table();
        tasks.add(Tid(7), Pid(7), table, Phase::Traced);
        tasks.add(Tid(8), Pid(7), table, Phase::Traced);
        assert_eq!(tasks.users(table), 2);
        tasks.remove(Tid(7));
        assert_eq!(tasks.users(table), 1);
        assert!(tasks.process(Pid(7)).is_some());
        let other = tasks.new_table();
        tasks.move_to(Tid(8), other);
        assert_eq!((tasks.users(table), tasks.users(other)), (0, 1));
        tasks.remove(Tid(8));
        assert!(tasks.is_empty() && tasks.process(Pid(7)).is_none());
    }
}
