//! `fdscope ls`: handles, one a row.
//!
//! [`select`] says which processes and rows; [`query`] turns options into columns and a filter; [`output`] takes the
//! rows as they come; [`faults`] says what could not be read. Nothing is read that no column, filter or target needs.

mod faults;
mod output;
mod query;
mod select;

use std::io::IsTerminal;
use std::rc::Rc;

use anyhow::Result;
use fdscope_model::{Inventory, Pid};
use fdscope_proc::{ProcError, ProcRoot};
use fdscope_render::column::Needs;
use fdscope_render::handles::{HandleRow, Holder, needs};

use crate::Done;
use crate::args::Ls;
use crate::ending::{Ending, Failure};
use crate::inventories;
use crate::users::Users;
use faults::Faults;
use output::Output;
use query::Query;
use select::Selection;

/// Runs the command.
pub fn run(ls: &Ls) -> Done {
    if ls.list_columns {
        output::list_columns()?;
        return Ok(Ending::Done);
    }
    let query = Query::of(ls)?;
    let proc = ProcRoot::open()?;
    let selection = Selection::of(&proc, ls)?;
    let needs = query.needs.and(selection.needs());
    let wanted = query::wanted(needs, ls.all || selection.looks_everywhere());
    let mut listing = Listing {
        output: Output::of(ls, &query)?,
        query: &query,
        selection: &selection,
        users: if needs.has(needs::USER) { Users::read() } else { Users::default() },
        needs,
        faults: Faults::default(),
        failed: None,
        root: proc.clone(),
    };
    if !selection.is_named() && proc.hides_others() {
        listing.faults.hidden();
    }
    let mut source = inventories::open(proc, wanted, &selection.pids, ls.source)?;
    let mut pids = selection.pids.clone();
    if selection.is_of_sockets() && !selection.is_named() {
        source.narrow(&mut pids, &mut |socket| selection.matches_socket(socket));
        // Looked at, and found to hold none.
        listing.faults.read = (selection.pids.len() - pids.len()) as u64;
    }
    source.read_each(&pids, &mut |pid, read| listing.take(pid, read));
    listing.finish(ls)
}

/// Rows on their way out.
struct Listing<'a> {
    output: Output,
    query: &'a Query,
    selection: &'a Selection,
    users: Users,
    needs: Needs,
    faults: Faults,
    /// Why the output takes no more.
    failed: Option<anyhow::Error>,
    root: ProcRoot,
}

impl Listing<'_> {
    fn take(&mut self, pid: Pid, read: Result<Inventory, ProcError>) {
        if self.failed.is_some() {
            return;
        }
        match read {
            Ok(inventory) => {
                if let Err(error) = self.rows(inventory) {
                    self.failed = Some(error);
                }
            }
            Err(error) => self.faults.process(pid, &error),
        }
    }

    fn rows(&mut self, inventory: Inventory) -> Result<()> {
        let Inventory { process, group, entries, faults } = inventory;
        self.faults.inventory(&process, faults);
        let user = self.users.name(process.uid).cloned();
        let holder = Rc::new(Holder { process, group, user });
        for entry in entries {
            let pattern = self.needs.has(needs::PATTERN);
            let pattern =
                pattern.then(|| fdscope_proc::pattern(entry.handle.kind, &entry.handle.name));
            let row = HandleRow { holder: Rc::clone(&holder), entry, pattern };
            if self.selection.matches(&row) && self.query.matches(&row) {
                self.faults.row(&row);
                self.output.push(row)?;
            }
        }
        self.output.end_of_process()
    }

    fn finish(self, ls: &Ls) -> Done {
        let Listing { output, selection, faults, failed, root, .. } = self;
        if let Some(error) = failed {
            return Err(error);
        }
        faults.refuse(selection)?;
        let rows = output.rows();
        let left_out = output.finish(ls, &faults)?;
        if !left_out.is_empty() {
            eprintln!("fdscope: no room for {}; -o shows them", left_out.join(", "));
        }
        faults.say();
        if rows == 0 && !ls.count {
            eprintln!("fdscope: {}", nothing(selection, &faults, &root));
        }
        if std::io::stdout().is_terminal() && rows > 0 {
            next(ls, selection, rows);
        }
        Ok(Ending::Done)
    }
}

/// Why there is no row.
fn nothing(selection: &Selection, faults: &Faults, root: &ProcRoot) -> String {
    let processes = fdscope_render::units::count_of(faults.read, "process", "processes");
    let one = match selection.pids.as_slice() {
        [pid] if selection.is_named() => Some(*pid),
        _ => None,
    };
    let stat = one.map(|pid| root.pid_dir(pid).and_then(|dir| dir.process_stat()));
    match (one, stat) {
        (Some(pid), Some(Err(error))) if error.is_gone() => format!("process {pid} is gone"),
        (Some(pid), Some(Ok(stat))) if stat.is_ending() && stat.threads < 2 => format!(
            "process {pid} ({}) has ended and holds nothing; its parent, {}, has not waited for it",
            stat.comm, stat.parent
        ),
        (Some(pid), _) if faults.read == 1 => {
            format!("process {pid} holds nothing that matches")
        }
        _ => format!("nothing matches; {processes} read"),
    }
}

/// The one next command worth running.
fn next(ls: &Ls, selection: &Selection, rows: u64) {
    let many = rows > 50 && ls.group_by.is_none() && !ls.count;
    let (command, why) = match (selection.named(), many) {
        (Some(target), true) => {
            (format!("fdscope ls {target} --group-by kind,pattern"), "the same, counted")
        }
        (Some(target), false) => {
            (format!("fdscope leak {target}"), "watches which of them are never closed")
        }
        (None, true) => ("fdscope ls --group-by comm,pid".to_owned(), "who holds how many"),
        (None, false) => ("fdscope ls PID".to_owned(), "all that one of these processes holds"),
    };
    eprintln!("next: {command}   {why}");
}

/// A mistake in an option, as the failure that ends the program.
fn wrong(option: &str, mistake: &fdscope_render::mistake::Mistake) -> Failure {
    Failure::new(Ending::Usage, format!("{option}: {mistake}"))
}
