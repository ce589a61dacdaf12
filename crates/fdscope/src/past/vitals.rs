//! The radar of a recorded moment.

use fdscope_model::process::Sample;
use fdscope_model::survey::{Growth, Survey, Vitals};
use fdscope_model::{Limit, LimitName, Pid};

use super::Past;

impl Past {
    /// Every recorded process with its counts, growth being that since its first count.
    pub fn survey(&self) -> Survey {
        let processes = self.pids().into_iter().map(|pid| self.vitals(pid)).collect();
        Survey { at: self.replay.now, processes, ..Survey::default() }
    }

    fn vitals(&self, pid: Pid) -> Vitals {
        let process = self.replay.process(pid);
        let sample = self.replay.sample(pid);
        let open = self.replay.ledger.live(pid).len() as u64;
        let limit = |name: LimitName| limit(sample, name);
        let tasks = [LimitName::CgroupPids, LimitName::Nproc].into_iter().filter_map(limit);
        Vitals {
            id: process.id,
            parent: process.parent,
            uid: process.uid,
            comm: process.comm,
            cmdline: Some(process.cmdline),
            state: b'?',
            descriptors: Some(open),
            threads: sample.map_or(0, |sample| sample.threads),
            nofile: limit(LimitName::Nofile).map(|limit| limit.value),
            tasks: tasks.min_by_key(|limit| limit.value.saturating_sub(limit.used)),
            growth: self.growth(pid),
        }
    }

    /// Growth between the first count of a process and the last.
    pub(super) fn growth(&self, pid: Pid) -> Option<Growth> {
        let (first, last) = (self.replay.first_sample(pid)?, self.replay.sample(pid)?);
        let change = |from: u64, to: u64| to.cast_signed().wrapping_sub(from.cast_signed());
        let over_ns = last.at.since_ns(first.at);
        (over_ns > 0).then(|| Growth {
            over_ns,
            descriptors: change(first.descriptors, last.descriptors),
            threads: change(first.threads, last.threads),
        })
    }
}

fn limit(sample: Option<&Sample>, name: LimitName) -> Option<Limit> {
    sample?.limits.iter().find(|limit| limit.name == name).copied()
}
