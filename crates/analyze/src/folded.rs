//! Descriptors that were folded before the ledger was told: births and deaths that only count.

use fdscope_model::{Folded, HandleKey, Trace, folded};

use crate::birth::{call_of, known};
use crate::death::word;
use crate::group::{CloserKey, GroupKey, Source};
use crate::ledger::Ledger;

impl Ledger {
    /// Counts descriptors that came and went: as if each birth had been told with its death, but for the moments in
    /// between.
    pub fn fold(&mut self, folded: &Folded) {
        self.reach(folded.to);
        let count = folded.count();
        self.events += 2 * count;
        if self.has_ended(folded.pid) || count == 0 {
            return;
        }
        // Any descriptor of the table tells whose it is.
        let place =
            self.place(folded.pid, HandleKey::Descriptor(folded.table, fdscope_model::FdNumber(0)));
        let few = u32::try_from(count).unwrap_or(u32::MAX);
        let watched = self.watched(place.owner);
        watched.acquired += count;
        watched.released += count;
        watched.curve.rise(folded.to, few);
        watched.curve.fall(folded.to, few);
        watched.closing.opened_at(folded.born);
        let source = match folded.birth {
            Trace::Known(stack) => Source::Stack(stack),
            Trace::Skipped => {
                self.stacks_skipped += count;
                Source::Skipped
            }
            _ => Source::Unseen,
        };
        let key = GroupKey { pid: place.owner, kind: folded.kind, source };
        let number = self.groups.find_or_make(key);
        let Some(group) = self.groups.get_mut(number) else { return };
        group.acquired += count;
        group.released += count;
        group.last_birth = group.last_birth.max(folded.born);
        group.bins.rise(folded.to, few);
        group.bins.fall(folded.to, few);
        for &(step, count) in &folded.lived {
            let age_ns = folded::middle_ns(step).min(folded.longest_ns);
            group.ages.record_many(age_ns, count);
        }
        let closer = CloserKey { how: word(folded.release), stack: known(&folded.death) };
        group.closed_by_many(closer, count);
        if group.call.is_empty() {
            group.call = call_of(folded.cause);
        }
    }
}
