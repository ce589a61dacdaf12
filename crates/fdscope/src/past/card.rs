//! The card of a recorded process.

use fdscope_model::card::Card;
use fdscope_model::{Inventories, Pid};
use fdscope_proc::card_groups;

use super::{Past, PastInventories};

impl Past {
    /// One process on one screen, as it was.
    pub fn card(&self, pid: Pid) -> Card {
        let process = self.replay.process(pid);
        let inventory = PastInventories(self).read(pid).ok();
        let entries = inventory.map(|inventory| inventory.entries).unwrap_or_default();
        let sample = self.replay.sample(pid);
        Card {
            parent_comm: self.replay.process(process.parent).comm,
            process,
            state: b'?',
            descriptors: Some(entries.len() as u64),
            groups: card_groups(&entries),
            threads: sample.map_or(0, |sample| sample.threads),
            others: sample.map(|sample| sample.groups.clone()).unwrap_or_default(),
            limits: sample.map(|sample| sample.limits.clone()).unwrap_or_default(),
            ..Card::default()
        }
    }
}
