//! The threads of a recorded process: groups as they were counted, and single threads whose birth was recorded.

use fdscope_analyze::thread_limits;
use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::thread::{Change, ThreadEntry, ThreadGroup, ThreadReport};
use fdscope_model::{Blind, HandleKey, HandleKind, Name, Pid, Tid};
use fdscope_proc::pattern;

use super::Past;

impl Past {
    /// What a recording has of the threads of a process.
    pub fn threads(&self, pid: Pid) -> ThreadReport {
        let (first, last) = (self.replay.first_sample(pid), self.replay.sample(pid));
        let interval_ns = first.zip(last).map(|(first, last)| last.at.since_ns(first.at));
        let interval_ns = interval_ns.filter(|&ns| ns > 0);
        let per_s = |change: f64| interval_ns.map(|ns| change * 1e9 / ns as f64);
        let grown = |count: fn(&Sample) -> u64| {
            let (first, last) = first.zip(last)?;
            per_s(count(last) as f64 - count(first) as f64)
        };
        let limits = last.map(|sample| sample.limits.clone()).unwrap_or_default();
        let groups = last.map(|last| groups(first, last)).unwrap_or_default();
        let change = interval_ns.map(|_| {
            let sum = |count: fn(&Change) -> u64| {
                groups.iter().filter_map(|group| group.change.as_ref().map(count)).sum()
            };
            Change { started: sum(|change| change.started), ended: sum(|change| change.ended) }
        });
        ThreadReport {
            process: self.replay.process(pid),
            interval_ns,
            threads: self.single(pid),
            groups,
            change,
            unjoined: Vec::new(),
            unjoined_in: Vec::new(),
            limits: thread_limits(&limits, grown(|sample| sample.threads), None),
            blind: vec![blind()],
            faults: Vec::new(),
        }
    }

    fn single(&self, pid: Pid) -> Vec<ThreadEntry> {
        let others = self.replay.ledger.live_others(pid).into_iter();
        let thread = |other: fdscope_analyze::LiveOther| {
            let HandleKey::Thread(tid) = other.key else { return None };
            let comm = self.replay.names.thread(pid, tid).unwrap_or_default();
            Some(ThreadEntry {
                pattern: pattern(HandleKind::Thread, &comm),
                age_ns: Some(self.replay.now.since_ns(other.born)),
                comm,
                tid: Tid(tid.0),
                state: b'?',
                ..ThreadEntry::default()
            })
        };
        others.filter_map(thread).collect()
    }
}

fn blind() -> Blind {
    Blind {
        what: "what threads did, and each thread that began before the recording".to_owned(),
        why: "recordings count threads by the pattern of their names, and follow those that begin"
            .to_owned(),
        cure: None,
    }
}

/// Groups of the last count with what changed since the first, the largest first.
fn groups(first: Option<&Sample>, last: &Sample) -> Vec<ThreadGroup> {
    let counted = |sample: &Sample, name: &Name| {
        let same = |group: &&GroupCount| group.kind == HandleKind::Thread && group.group == *name;
        sample.groups.iter().find(same).map_or(0, |group| group.count)
    };
    let rows = last.groups.iter().filter(|group| group.kind == HandleKind::Thread);
    let mut groups: Vec<ThreadGroup> = rows
        .map(|group| {
            let before = first.map(|first| counted(first, &group.group));
            ThreadGroup {
                pattern: group.group.clone(),
                count: group.count,
                change: before.map(|before| Change {
                    started: group.count.saturating_sub(before),
                    ended: before.saturating_sub(group.count),
                }),
                ..ThreadGroup::default()
            }
        })
        .collect();
    groups.sort_by(|a, b| (b.count, &a.pattern).cmp(&(a.count, &b.pattern)));
    groups
}
