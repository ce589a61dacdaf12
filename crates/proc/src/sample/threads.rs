//! Threads by the pattern of their names.

use std::collections::{BTreeMap, HashSet};

use fdscope_model::process::GroupCount;
use fdscope_model::{HandleKind, Name, Tid};

use crate::error::ProcError;
use crate::root::PidDir;
use crate::squeeze::{Chance, squeeze};

/// Counts threads; remembers which it has seen.
#[derive(Debug, Default)]
pub(super) struct Threads {
    seen: Option<HashSet<Tid>>,
}

impl Threads {
    pub fn count(&mut self, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        let mut groups: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
        let mut alive = HashSet::new();
        for tid in dir.tids()? {
            let Ok(comm) = dir.read(&format!("task/{tid}/comm"), "read a thread's comm") else {
                continue;
            };
            let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
            let group = groups.entry(squeeze(comm, Chance::Clear)).or_default();
            group.0 += 1;
            group.1 += u64::from(self.seen.as_ref().is_some_and(|seen| !seen.contains(&tid)));
            alive.insert(tid);
        }
        let known = self.seen.replace(alive).is_some();
        Ok(to_counts(HandleKind::Thread, groups, known))
    }
}

/// Rows of a sample from counts and fresh ones by group.
pub(super) fn to_counts(
    kind: HandleKind,
    groups: BTreeMap<Vec<u8>, (u64, u64)>,
    known: bool,
) -> Vec<GroupCount> {
    let row = |(group, (count, fresh))| {
        let group: Name = Vec::into(group);
        GroupCount { kind, group, count, fresh: known.then_some(fresh) }
    };
    groups.into_iter().map(row).collect()
}
