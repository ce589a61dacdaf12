//! Many processes by one pass of the kernel over every table, instead of a pass for each: binding the iterator to a process
//! costs as much as 50 rows.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::mem::take;
use std::os::fd::AsFd;

use fdscope_model::port::Lead;
use fdscope_model::{Entry, Facts, FdNumber, Inventory, Pid, Socket};
use fdscope_proc::{InventorySource, ProcError};
use fdscope_sys::bpf::{link_all_tasks_iterator, open_iterator};

use super::BpfInventories;
use super::entry::Record;
use super::rows::Rows;
use crate::support::PidNamespace;

/// Fewer processes than this are read one by one.
const LEAST_PROCESSES: usize = 16;

/// What a pass found that has to do with sockets.
#[derive(Default)]
pub(super) struct Leads {
    /// In the order of the tables.
    pub leads: Vec<(Pid, FdNumber, Lead)>,
    /// Each process that has descriptors, with the thread whose table was read.
    pub tables: HashMap<Pid, u32>,
}

/// Takes the inventory of a process, or why there is none.
type Sink<'a> = &'a mut dyn FnMut(Pid, Result<Inventory, ProcError>);

impl BpfInventories {
    /// Whether one pass over every table of the machine costs less than one for each of these processes.
    pub(super) fn is_for_one_pass(&self, pids: &[Pid]) -> bool {
        pids.len() >= LEAST_PROCESSES
            && pids.is_sorted_by(|one, next| one < next)
            && self.root.pids().is_ok_and(|all| pids.len() * 4 >= all.len())
            // There the kernel's own numbers of tasks are those of /proc.
            && PidNamespace::of_self().level == 0
    }

    /// Hands over every process's inventory in the order of numbers. A process that the pass did not show (it has no
    /// descriptor, or its first thread ended before the others) is read by the walk.
    pub(super) fn read_in_one_pass(&mut self, pids: &[Pid], sink: Sink<'_>) {
        let wants_sockets = self.walk.wanted().sockets;
        let mut buffer = take(&mut self.buffer);
        let mut pass = Pass { walk: &mut self.walk, left: pids, current: None, sink };
        // A pass that breaks off leaves the rest to the walk, and the process that was under way too.
        let read = each_row(self.iterator.program(), &mut buffer, &mut |record| {
            pass.take(record, wants_sockets);
        });
        if read.is_err() {
            pass.current = None;
        }
        pass.finish();
        self.buffer = buffer;
    }

    /// The processes among `pids` that hold a socket of which `matches` is true; `None` if the pass broke off.
    pub(super) fn holders(
        &mut self,
        pids: &[Pid],
        matches: &mut dyn FnMut(&Socket) -> bool,
    ) -> Option<Vec<Pid>> {
        let mut found = BTreeSet::new();
        each_row(self.iterator.program(), &mut self.buffer, &mut |record| {
            let pid = Pid(record.row.pid);
            if !found.contains(&pid)
                && let Facts::Socket(socket) = record.socket()
                && matches(&socket)
            {
                found.insert(pid);
            }
        })
        .ok()?;
        Some(pids.iter().copied().filter(|pid| found.contains(pid)).collect())
    }

    /// Every descriptor of every process that is a socket or leads to some; `None` if the pass broke off.
    pub(super) fn every_lead(&mut self) -> Option<Leads> {
        let mut found = Leads::default();
        let mut last = None;
        each_row(self.iterator.program(), &mut self.buffer, &mut |record| {
            let (pid, tid) = (Pid(record.row.pid), record.row.tid);
            // Threads of a process whose leader has ended share one table as a rule; another one is not under
            // /proc/PID/fd either.
            if last != Some((pid, tid)) {
                if *found.tables.entry(pid).or_insert(tid) != tid {
                    return;
                }
                last = Some((pid, tid));
            }
            if let Some(lead) = record.lead() {
                found.leads.push((pid, FdNumber(record.row.fd), lead));
            }
        })
        .ok()?;
        Some(found)
    }
}

/// Hands every row of every task to `sink`, in the order of the tasks' numbers.
fn each_row(
    program: std::os::fd::BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    sink: &mut dyn FnMut(&Record<'_>),
) -> io::Result<()> {
    let link = link_all_tasks_iterator(program)?;
    Rows::new(open_iterator(link.as_fd())?, buffer).each(sink)
}

/// Rows on their way from the pass to whoever takes inventories.
struct Pass<'a> {
    walk: &'a mut InventorySource,
    /// Those that were not handed over yet, the one under way excepted.
    left: &'a [Pid],
    current: Option<(Pid, Vec<Entry>)>,
    sink: Sink<'a>,
}

impl Pass<'_> {
    fn take(&mut self, record: &Record<'_>, wants_sockets: bool) {
        // Threads that share no table with their process have rows of their own, which /proc/PID/fd does not show either.
        if record.row.tid != record.row.pid {
            return;
        }
        let pid = Pid(record.row.pid);
        if self.current.as_ref().is_none_or(|(current, _)| *current != pid) {
            self.end_current();
            self.begin(pid);
        }
        if let Some((_, entries)) = &mut self.current {
            entries.push(record.entry(pid, wants_sockets));
        }
    }

    /// Hands over those before it, and begins if it is wanted.
    fn begin(&mut self, pid: Pid) {
        let (before, rest) = self.left.split_at(self.left.partition_point(|&left| left < pid));
        before.iter().for_each(|&before| self.hand_over_walked(before));
        self.left = rest;
        if let [first, rest @ ..] = rest
            && *first == pid
        {
            self.left = rest;
            self.current = Some((pid, Vec::new()));
        }
    }

    fn end_current(&mut self) {
        let Some((pid, entries)) = self.current.take() else { return };
        match self.walk.read_around(pid, entries) {
            Err(error) if !error.is_gone() => self.hand_over_walked(pid),
            read => (self.sink)(pid, read),
        }
    }

    fn hand_over_walked(&mut self, pid: Pid) {
        let read = self.walk.read(pid);
        (self.sink)(pid, read);
    }

    fn finish(mut self) {
        self.end_current();
        take(&mut self.left).iter().for_each(|&pid| self.hand_over_walked(pid));
    }
}
