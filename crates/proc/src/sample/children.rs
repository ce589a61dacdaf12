//! Children by the pattern of their names: the living ones, and the zombies that nobody waited for.

use std::collections::{BTreeMap, HashSet};

use fdscope_model::process::GroupCount;
use fdscope_model::{HandleKind, ProcessId};

use super::threads::to_counts;
use crate::error::ProcError;
use crate::root::{PidDir, ProcRoot};
use crate::squeeze::{Chance, squeeze};

/// Counts children; remembers which it has seen, and in which state.
#[derive(Debug, Default)]
pub(super) struct Children {
    seen: Option<HashSet<(ProcessId, bool)>>,
}

impl Children {
    pub fn count(&mut self, root: &ProcRoot, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        let mut groups = [BTreeMap::new(), BTreeMap::new()];
        let mut now = HashSet::new();
        for child in root.children(dir.pid())? {
            let is_zombie = child.state.is_zombie();
            let pattern = squeeze(child.comm.bytes(), Chance::Clear);
            let group: &mut (u64, u64) = groups[usize::from(is_zombie)].entry(pattern).or_default();
            let key = (child.id, is_zombie);
            group.0 += 1;
            group.1 += u64::from(self.seen.as_ref().is_some_and(|seen| !seen.contains(&key)));
            now.insert(key);
        }
        let known = self.seen.replace(now).is_some();
        let [living, zombies] = groups;
        let mut counts = to_counts(HandleKind::Child, living, known);
        counts.extend(to_counts(HandleKind::Zombie, zombies, known));
        Ok(counts)
    }
}
