//! Which of the two readers of inventories serves: the kernel's own iterator, or the walk through /proc.

use anyhow::Result;
use clap::ValueEnum;
use fdscope_bpf::inventory::{BpfInventories, is_worth_loading};
use fdscope_model::{Inventories, Pid};
use fdscope_proc::net::{Detail, Owners, Survey};
use fdscope_proc::{InventorySource, ProcError, ProcRoot, Wanted};

use crate::ending::{Ending, Failure};

/// Where rows of descriptors come from. Both give the same.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reader {
    /// eBPF where it is permitted and there are so many descriptors that loading it pays, else /proc
    #[default]
    Auto,
    /// eBPF: the kernel walks the tables
    Bpf,
    /// /proc/PID/fd
    Proc,
}

/// A reader for these processes.
///
/// # Errors
/// If eBPF is asked for and cannot be had.
pub fn open(
    proc: ProcRoot,
    wanted: Wanted,
    pids: &[Pid],
    reader: Reader,
) -> Result<Box<dyn Inventories<Error = ProcError>>> {
    let by_bpf = match reader {
        Reader::Proc => false,
        Reader::Bpf => true,
        // Whose table may not be counted has no rows either.
        Reader::Auto => wanted.descriptors && is_worth_loading(counts(&proc, pids)),
    };
    if by_bpf {
        match BpfInventories::open(proc.clone(), wanted) {
            Ok(source) => return Ok(Box::new(source)),
            Err(error) if reader == Reader::Bpf => {
                return Err(Failure::new(Ending::NotPermitted, error.to_string())
                    .cure("without it: --source proc gives the same rows")
                    .into());
            }
            // The walk gives the same rows, only at a higher price.
            Err(_) => {}
        }
    }
    Ok(Box::new(InventorySource::new(proc, wanted)))
}

/// Surveys sockets, one look after the other: what finds their owners is loaded once, when it pays.
pub struct Surveyor {
    root: ProcRoot,
    tables: Option<BpfInventories>,
    refused: bool,
}

impl Surveyor {
    /// Of this machine.
    pub fn new(root: ProcRoot) -> Self {
        Surveyor { root, tables: None, refused: false }
    }

    /// A look at all sockets.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn take(&mut self, detail: Detail, owners: Owners) -> Result<Survey, ProcError> {
        if owners != Owners::Unasked && self.tables.is_none() && !self.refused {
            let pids = self.root.pids()?;
            if is_worth_loading(counts(&self.root, &pids)) {
                self.tables = BpfInventories::open(self.root.clone(), Wanted::nothing()).ok();
                self.refused = self.tables.is_none();
            }
        }
        let tables = self.tables.as_mut();
        let tables = tables.map(|t| t as &mut dyn Inventories<Error = ProcError>);
        Survey::take_with(&self.root, detail, owners, tables)
    }
}

fn counts<'a>(proc: &'a ProcRoot, pids: &'a [Pid]) -> impl Iterator<Item = u64> + 'a {
    pids.iter().filter_map(|&pid| proc.count_descriptors(pid).ok())
}
