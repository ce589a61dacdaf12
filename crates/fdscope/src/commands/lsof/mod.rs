//! `fdscope lsof`, and fdscope called by the name `lsof`: lsof's options over fdscope's inventories.
//!
//! What is read is what the options need; what is printed and how it ends is lsof's, by `fdscope-lsof`. Nothing blocks:
//! files are asked for their status only where nobody has to be waited for, so `-b`, `-O` and `-S` have no work.

mod patience;
mod tables;
mod world;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use anyhow::Context;
use fdscope_lsof::{Charset, Endpoints, Listing, Needs, Options};
use fdscope_model::{Inventory, Pid, Process, ProcessId, Tid};
use fdscope_proc::inventory::Wanted;
use fdscope_proc::{ProcError, ProcRoot};

use super::super::Done;
use crate::ending::Ending;
use crate::inventories::{self, Reader};
use tables::Tables;
use world::Machine;

/// What lsof calls itself.
const PROGRAM: &str = "lsof";
/// Bytes that are kept before they are written.
const CHUNK: usize = 64 * 1024;

/// Runs lsof's arguments.
pub fn run(arguments: Vec<OsString>) -> Done {
    let arguments: Vec<Vec<u8>> = arguments.into_iter().map(OsStringExt::into_vec).collect();
    let machine = Machine::new(ProcRoot::open()?);
    let (options, warnings) = match Options::read(PROGRAM, &arguments, &machine) {
        Ok(read) => read,
        Err(ended) => {
            say(&ended.text);
            std::io::stdout().write_all(&ended.output)?;
            return Ok(Ending::AsCommand(ended.code));
        }
    };
    say(&warnings);
    let mut run = Run {
        root: ProcRoot::open()?,
        options: &options,
        machine: &machine,
        listing: Listing::new(&options, &machine, charset()),
        out: std::io::stdout(),
    };
    let code = run.rounds()?;
    run.write(0)?;
    Ok(Ending::AsCommand(code))
}

/// Writes to the error stream; nothing is left to be done if that cannot be.
fn say(text: &[u8]) {
    let _unwritable = std::io::stderr().write_all(text);
}

/// What the locale can show (locale(7): the first of these that is set decides).
fn charset() -> Charset {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { Charset::Utf8 } else { Charset::Ascii }
}

struct Run<'a> {
    root: ProcRoot,
    options: &'a Options,
    machine: &'a Machine,
    listing: Listing<'a>,
    out: std::io::Stdout,
}

impl Run<'_> {
    /// Rounds until there are to be no more; then the exit code.
    fn rounds(&mut self) -> anyhow::Result<i32> {
        let mut ever = false;
        let mut done = 0;
        loop {
            self.round()?;
            let any = self.listing.end_round();
            ever |= any;
            let Some(repeat) = self.options.repeat() else { break };
            if repeat.until_none && !any {
                break;
            }
            self.listing.mark();
            self.write(0)?;
            done += 1;
            if repeat.rounds == Some(done) {
                break;
            }
            std::thread::sleep(Duration::from_secs(repeat.interval_s));
            self.listing.next_round();
        }
        let code = self.listing.finish();
        let until_none = self.options.repeat().is_some_and(|repeat| repeat.until_none);
        Ok(if code == 0 { i32::from(until_none && !ever) } else { code })
    }

    /// Reads and lists every process once.
    fn round(&mut self) -> anyhow::Result<()> {
        let needs = self.options.needs();
        let pids = self.pids()?;
        let mut source = inventories::open(self.root.clone(), wanted(needs), &pids, Reader::Auto)?;
        let mut tables = Tables::new(needs);
        if self.options.endpoints() == Endpoints::Listed {
            for &pid in &pids {
                if let Ok(inventory) = source.read(pid) {
                    self.listing.note_ends(&inventory);
                }
            }
        }
        let mut failure = None;
        source.read_each(&pids, &mut |pid, read| {
            // One that is gone holds nothing.
            let Ok(inventory) = read else { return };
            tables.learn(&inventory, self.machine);
            self.add(pid, &inventory);
            if let Err(error) = self.write(CHUNK) {
                failure.get_or_insert(error);
            }
        });
        failure.map_or(Ok(()), Err)
    }

    /// The processes that must be read: those that the options do not leave out.
    fn pids(&mut self) -> anyhow::Result<Vec<Pid>> {
        let mut all = self.root.pids().context("failed to list processes")?;
        if self.options.endpoints() != Endpoints::Listed
            && let Some(named) = self.options.named_processes()
        {
            // The list has no threads, which can be opened by their number too.
            all.retain(|pid| named.binary_search(pid).is_ok());
        }
        if !self.options.asks_who() {
            return Ok(all);
        }
        let wanted = |pid: &Pid| match who(&self.root, *pid) {
            Ok((process, group)) => self.listing.wants(&process, group),
            // One that is gone is not looked for again.
            Err(_) => false,
        };
        Ok(all.into_iter().filter(wanted).collect())
    }

    /// Lists a process, and its threads if they are asked for.
    fn add(&mut self, pid: Pid, inventory: &Inventory) {
        if !self.options.tasks() {
            return self.listing.add(inventory, None);
        }
        // Gone by now: it has no threads.
        let mut threads = self.root.threads(pid).unwrap_or_default();
        threads.retain(|thread| thread.tid != Tid(pid.0));
        threads.sort_by_key(|thread| thread.tid);
        let first = (self.options.is_and() && !threads.is_empty()).then_some((Tid(pid.0), None));
        self.listing.add(inventory, first);
        for thread in &threads {
            self.listing.add(inventory, Some((thread.tid, Some(&thread.comm))));
        }
    }

    /// Writes what has been listed once it is so much.
    fn write(&mut self, least: usize) -> anyhow::Result<()> {
        if self.listing.pending() < least {
            return Ok(());
        }
        self.out.write_all(&self.listing.take())?;
        self.out.flush()?;
        Ok(())
    }
}

fn wanted(needs: Needs) -> Wanted {
    Wanted {
        descriptors: needs.descriptors,
        places: needs.places,
        mappings: needs.mappings,
        kinds: needs.status,
        access: needs.access,
        status: needs.status,
        fdinfo: needs.fdinfo,
        facts: needs.facts,
        locks: needs.locks,
        sockets: needs.sockets,
        ends: needs.ends,
        ..Wanted::nothing()
    }
}

/// Who a process is, as far as options ask.
fn who(root: &ProcRoot, pid: Pid) -> Result<(Process, Pid), ProcError> {
    let dir = root.pid_dir(pid)?;
    let stat = dir.process_stat()?;
    if stat.state.is_zombie() {
        // Nothing is left of it, unless other threads live on.
        dir.living_place()?;
    }
    let process = Process {
        id: ProcessId { pid, start_ticks: stat.start_ticks },
        parent: stat.parent,
        comm: stat.comm,
        uid: dir.uid()?,
        ..Process::default()
    };
    Ok((process, stat.group))
}
