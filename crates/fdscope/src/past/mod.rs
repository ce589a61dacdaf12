//! What a recording knows of a moment, in the forms that commands show of the present: rows of handles and sockets,
//! vitals, cards, threads. The commands' own code shows them; what a recording does not have stays empty and is said.

mod card;
mod inventory;
mod socket;
mod threads;
mod vitals;

use std::path::Path;

use anyhow::Result;
use fdscope_model::{Monotonic, Name, Pid, Process};
use fdscope_record::Net;
use fdscope_render::units;

use crate::args::Span;
use crate::ending::{Ending, Failure};
use crate::live::replay::{Replay, is_recording, replay};
use crate::machine;
use crate::users::Users;

pub use inventory::PastInventories;
pub use socket::words as socket_words;

/// A recording at a moment.
pub struct Past {
    replay: Replay,
    label: String,
    /// True if only what was born in the part that is looked at counts.
    since: bool,
}

/// The recording that the first of the targets names.
pub fn recording(targets: &[String]) -> Option<(&str, &[String])> {
    let (first, rest) = targets.split_first()?;
    is_recording(first).then_some((first.as_str(), rest))
}

/// Moments are of recordings only.
///
/// # Errors
/// If one was typed.
pub fn refuse(span: &Span) -> Result<()> {
    if span.is_given() {
        let what = "--from, --to and --at are for recordings: give one as the first target";
        return Err(Failure::new(Ending::Usage, what).into());
    }
    Ok(())
}

impl Past {
    /// Reads a recording up to the moment that was asked for.
    ///
    /// # Errors
    /// If it cannot be read, or has nothing of that time.
    pub fn open(path: &str, span: &Span) -> Result<Self> {
        let replay = replay(Path::new(path), span)?;
        Ok(Past { replay, label: path.to_owned(), since: span.from.is_some() })
    }

    /// The moment's wall time in nanoseconds since 1970.
    pub fn wall_ns(&self) -> u64 {
        self.replay.wall_ns(self.replay.now)
    }

    /// The wall time of another moment.
    pub fn wall_ns_of(&self, at: Monotonic) -> u64 {
        self.replay.wall_ns(at)
    }

    /// What the kernel last counted of sockets.
    pub fn net(&self) -> Option<&Net> {
        self.replay.net()
    }

    /// The machine that was recorded.
    pub fn machine(&self) -> &str {
        &self.replay.opening.machine
    }

    /// Where it is from, for JSON.
    pub fn how(&self) -> String {
        self.replay.sight().how
    }

    /// Names of users: this machine's, if it is the one that was recorded.
    pub fn users(&self) -> Users {
        if self.is_of_this_boot() { Users::read() } else { Users::default() }
    }

    /// True if this machine was recorded since it started.
    pub fn is_of_this_boot(&self) -> bool {
        self.replay.opening.boot == machine::boot() && !self.replay.opening.boot.is_empty()
    }

    /// Processes that lived at the moment, by number.
    pub fn pids(&self) -> Vec<Pid> {
        let mut pids = self.replay.ledger.pids();
        pids.retain(|pid| !self.replay.is_gone(*pid));
        pids
    }

    /// Those of them that were named; all, if none was.
    ///
    /// # Errors
    /// If one of the names is nobody's.
    pub fn find(&self, typed: &[String]) -> Result<Vec<Pid>> {
        let all = self.pids();
        if typed.is_empty() {
            return Ok(all);
        }
        let mut found = Vec::new();
        for text in typed {
            let before = found.len();
            found.extend(all.iter().filter(|&&pid| is_called(&self.replay.process(pid), text)));
            if found.len() == before {
                let (shown, label) = (Name::from(text.as_str()), &self.label);
                let what = format!("{label} has no process {shown} at that moment");
                return Err(Failure::new(Ending::TargetGone, what)
                    .cure(format!("fdscope ps {label} shows those it has"))
                    .into());
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Says on standard error which moment is shown, what the recording lacks, and which of the wanted things
    /// recordings do not have.
    pub fn say(&self, missing: &[&str]) {
        let label = Name::from(self.label.as_str());
        eprintln!("fdscope: as recorded in {label}, at {}", units::wall_time(self.wall_ns()));
        for blind in self.replay.lacks() {
            eprintln!("fdscope: {}", blind.why);
        }
        if !missing.is_empty() {
            eprintln!("fdscope: recordings do not have {}", missing.join(", "));
        }
    }
}

/// True if a process is meant by a number or name, compared as with living ones.
fn is_called(process: &Process, typed: &str) -> bool {
    if let Ok(number) = typed.parse::<u32>() {
        return process.id.pid == Pid(number);
    }
    let first = process.cmdline.bytes().split(|&byte| byte == 0).next().unwrap_or_default();
    let last = |path: &[u8]| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
    let names = [process.comm.bytes().to_vec(), first.to_vec()];
    let parts = [last(process.exe.bytes()), last(first)].into_iter().flatten();
    names.into_iter().chain(parts).any(|name| name == typed.as_bytes())
}
