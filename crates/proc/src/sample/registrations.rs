//! inotify watches, fanotify marks and epoll registrations, by descriptor.
//!
//! A descriptor has a row once it has held [`LEAST`] of them: fewer come and go with the descriptor itself, whose own
//! growth is seen, and a thousand event loops would be a thousand rows.

use std::collections::{BTreeMap, BTreeSet};

use fdscope_model::kind::classify;
use fdscope_model::process::GroupCount;
use fdscope_model::{FdNumber, HandleKind, Name};

use crate::descriptors::Detail;
use crate::error::ProcError;
use crate::parse::{FdInfoLine, parse_fdinfo_line};
use crate::root::{PidDir, ProcRoot};
use crate::table::OpenTable;

/// A descriptor has a row from so many watches or registrations on, and keeps it as long as it is open.
const LEAST: u64 = 8;

/// Counts watches and registrations; remembers the highest watch of each descriptor, for the kernel counts them up.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    highest: BTreeMap<FdNumber, u32>,
    /// Descriptors that have a row.
    named: BTreeSet<FdNumber>,
}

/// What one descriptor holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    count: u64,
    highest: u32,
    /// Watches numbered higher than the highest of the sample before.
    above: u64,
}

impl Registrations {
    pub fn count(&mut self, root: &ProcRoot, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        let mut table = OpenTable::open(root, dir.pid(), Detail::Full)?;
        let mut groups = Vec::new();
        let mut highest = BTreeMap::new();
        let mut named = BTreeSet::new();
        for fd in table.numbers()? {
            let Ok(link) = table.link(fd) else { continue };
            let kind = classify(0, link);
            let counted = match kind {
                HandleKind::Inotify | HandleKind::Fanotify => HandleKind::Watch,
                HandleKind::Epoll => HandleKind::Registration,
                _ => continue,
            };
            let Ok(held) = self.read(&mut table, fd) else { continue };
            let fresh = (kind == HandleKind::Inotify && self.highest.contains_key(&fd))
                .then_some(held.above);
            if kind == HandleKind::Inotify {
                highest.insert(fd, held.highest);
            }
            if held.count < LEAST && !self.named.contains(&fd) {
                continue;
            }
            named.insert(fd);
            let text = match kind {
                HandleKind::Epoll => format!("fd {fd}"),
                _ => format!("{} fd {fd}", kind.word()),
            };
            let group: Name = text.as_str().into();
            groups.push(GroupCount { kind: counted, group, count: held.count, fresh });
        }
        self.highest = highest;
        self.named = named;
        Ok(groups)
    }

    fn read(&self, table: &mut OpenTable, fd: FdNumber) -> Result<Held, rustix::io::Errno> {
        let mut held = Held::default();
        let before = self.highest.get(&fd).copied().unwrap_or(0);
        table.info_lines(fd, &mut |line| match parse_fdinfo_line(line) {
            FdInfoLine::InotifyWatch { wd, .. } => {
                held.count += 1;
                held.highest = held.highest.max(wd);
                held.above += u64::from(wd > before);
            }
            FdInfoLine::EpollTarget { .. } | FdInfoLine::FanotifyMark(_) => held.count += 1,
            _ => {}
        })?;
        Ok(held)
    }
}
