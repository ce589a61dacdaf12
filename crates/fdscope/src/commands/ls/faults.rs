//! What could not be read while listing: counted, said at the end, and never a row that is simply missing.

use std::collections::BTreeMap;

use anyhow::Result;
use fdscope_model::{Fault, Pid, Process};
use fdscope_proc::ProcError;
use fdscope_render::handles::HandleRow;
use fdscope_render::units::count_of;

use super::select::Selection;
use crate::ending::{Ending, Failure};

/// Faults kept one by one; beyond that they are counted only.
const MOST: usize = 10_000;

/// What could not be read.
#[derive(Default)]
pub struct Faults {
    /// Each of them.
    pub all: Vec<Fault>,
    /// Processes that were read, at least in part.
    pub read: u64,
    /// Processes of which descriptors could not be listed, by cause.
    processes: BTreeMap<String, u64>,
    /// Of processes, whatever else, by cause.
    parts: BTreeMap<String, u64>,
    /// Rows with a fault, by cause.
    rows: BTreeMap<String, u64>,
    /// Processes that ended meanwhile.
    gone: u64,
    /// True if other users' processes are not listed.
    others_hidden: bool,
    /// The last process that may not be read.
    refused: Option<Process>,
}

const REFUSED: &str = "permission denied";

impl Faults {
    /// A process that could not be read at all.
    pub fn process(&mut self, pid: Pid, error: &ProcError) {
        if error.is_gone() {
            self.gone += 1;
            return;
        }
        let cause = if error.is_not_permitted() { REFUSED.to_owned() } else { error.to_string() };
        let id = fdscope_model::ProcessId { pid, start_ticks: 0 };
        self.refused = Some(Process { id, ..Process::default() });
        *self.processes.entry(cause.clone()).or_default() += 1;
        self.keep(Fault { pid: Some(pid), fd: None, operation: "read process", cause });
    }

    /// Other users' processes are not even listed.
    pub fn hidden(&mut self) {
        let cause = "/proc is mounted with hidepid".to_owned();
        self.keep(Fault { pid: None, fd: None, operation: "list other users' processes", cause });
        self.others_hidden = true;
    }

    /// What could not be read of a process.
    pub fn inventory(&mut self, process: &Process, faults: Vec<Fault>) {
        let table = |fault: &Fault| fault.operation == "list descriptors";
        if faults.iter().any(table) {
            self.refused = Some(process.clone());
        } else {
            self.read += 1;
        }
        for fault in faults {
            let list = if table(&fault) { &mut self.processes } else { &mut self.parts };
            *list.entry(fault.cause.clone()).or_default() += 1;
            self.keep(fault);
        }
    }

    /// What could not be read of a row that is shown.
    pub fn row(&mut self, row: &HandleRow) {
        if let Some(fault) = &row.entry.handle.fault {
            *self.rows.entry(fault.cause.clone()).or_default() += 1;
            self.keep(Fault::clone(fault));
        }
    }

    fn keep(&mut self, fault: Fault) {
        if self.all.len() < MOST {
            self.all.push(fault);
        }
    }

    /// Ends the program if processes were named and none could be read.
    ///
    /// # Errors
    /// With the exit code and the cure.
    pub fn refuse(&self, selection: &Selection) -> Result<()> {
        if !selection.is_named() || self.read > 0 {
            return Ok(());
        }
        let Some(process) = &self.refused else {
            let gone = match selection.pids.as_slice() {
                [pid] => format!("process {pid} is gone"),
                _ => "the processes are gone".to_owned(),
            };
            return Err(Failure::new(Ending::TargetGone, gone).into());
        };
        let cause = self.processes.keys().next().map_or("", String::as_str);
        if cause != REFUSED {
            return Ok(());
        }
        let pid = process.id.pid;
        let whose = match process.comm.is_empty() {
            true => format!("process {pid}"),
            false => format!("process {pid} ({}) of uid {}", process.comm, process.uid),
        };
        let typed: Vec<String> = std::env::args().collect();
        Err(Failure::new(Ending::NotPermitted, format!("failed to read {whose}: {cause}"))
            .cure(format!("run: sudo {}", typed.join(" ")))
            .cure(
                "or once: sudo setcap cap_sys_ptrace,cap_dac_read_search+ep \
                 \"$(command -v fdscope)\"",
            )
            .cure("what can be seen without it: how many it has open, and its limit: fdscope ps")
            .into())
    }

    /// Says on standard error what could not be read.
    pub fn say(&self) {
        let root = rustix::process::geteuid().is_root();
        let cure = |cause: &str| if cause == REFUSED && !root { "; run with sudo" } else { "" };
        let say = |list: &BTreeMap<String, u64>, one: &str, many: &str| {
            for (cause, count) in list {
                let what = count_of(*count, one, many);
                let shown = fdscope_model::name::escape(cause.as_bytes());
                eprintln!("fdscope: {what} could not be read: {shown}{}", cure(cause));
            }
        };
        if self.others_hidden {
            eprintln!("fdscope: other users' processes are hidden (hidepid); run with sudo");
        }
        say(&self.processes, "process", "processes");
        say(&self.parts, "part of a process", "parts of processes");
        say(&self.rows, "handle", "handles");
    }
}
