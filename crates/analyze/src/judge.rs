//! The judgement: every site's case, the rule that decides it, and the verdict with all that a sceptic needs.

use fdscope_model::verdict::{Forecast, Misuse, Rate, Total};
use fdscope_model::{
    FdNumber, Level, Limit, LimitName, Monotonic, Name, Pid, SiteId, Symbolizer, Tid, Verdict,
};

use crate::bench::Bench;
use crate::case::Case;
use crate::court::Court;
use crate::fold::add_up;
use crate::forecast::forecast;
use crate::ledger::Ledger;
use crate::rules::{Rule, decide};
use crate::site::{Facts, Frames};
use crate::trend::rate;

/// Where the judge may ask for names; every answer may be `None`.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The path or peer of a descriptor.
    pub handle: &'a dyn Fn(Pid, FdNumber) -> Option<Name>,
    /// The name of a thread.
    pub thread: &'a dyn Fn(Pid, Tid) -> Option<Name>,
}

/// The outcome of a judgement: the parts of `model::verdict::Report` that the ledger knows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judgement {
    /// Worst first.
    pub verdicts: Vec<Verdict>,
    /// Most frequent first.
    pub misuse: Vec<Misuse>,
    /// The watched processes, in order of number.
    pub totals: Vec<Total>,
}

/// A case with its rule.
pub(crate) struct Decided<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) rule: &'static Rule,
    /// Sites that only hold the same descriptions again: how many descriptors, and where.
    pub(crate) dups: Vec<(u64, String)>,
    /// Of the descriptors open before the watch, those of like name, and all.
    pub(crate) before: Option<(u64, u64)>,
    /// What the kernel counts of the same handles.
    pub(crate) counts: Vec<String>,
    pub(crate) rate: Option<Rate>,
    pub(crate) forecast: Option<Forecast>,
    /// The limit, the number of other sites that fill it, and the seconds until it breaks by all of them.
    pub(crate) together: Option<(LimitName, usize, f64)>,
}

impl<'a> Decided<'a> {
    pub(crate) fn new(case: Case<'a>, limits: &[Limit]) -> Self {
        let rule = decide(&case);
        let grows = rule.level >= Level::TooSoon && case.overdue() > 0;
        let rate =
            grows.then(|| rate(&case.positions, case.shape.independent(), case.span_s)).flatten();
        let rate = rate.map(|rate| scale(rate, case.weight as f64));
        // Less than one in two days reads as 0.0: no growth worth a number.
        let rate = rate.filter(|rate| rate.per_s * 172_800.0 >= 1.0 && !case.falls());
        let forecast = match grows && !case.ended() {
            true => forecast(case.facts.kind, rate, limits),
            false => None,
        };
        Decided {
            case,
            rule,
            before: None,
            dups: Vec::new(),
            counts: Vec::new(),
            rate,
            forecast,
            together: None,
        }
    }

    pub(crate) fn fills(&self) -> Option<(Pid, LimitName, f64)> {
        let (rate, forecast) = (self.rate?, self.forecast?);
        let grows = self.rule.level >= Level::Suspect;
        grows.then_some((self.case.facts.pid, forecast.limit.name, rate.per_s))
    }
}

impl Ledger {
    /// Judges every site at `now`.
    pub fn judge(
        &self,
        now: Monotonic,
        symbols: &mut dyn Symbolizer,
        names: Names<'_>,
    ) -> Judgement {
        let mut frames = Frames::default();
        let followed = self.sites(&mut frames, symbols);
        let followed = self.settle_ended(followed, now, names);
        let counted = self.counted_sites();
        let court = Court::new(self, &followed, now, names);
        let mut decided: Vec<Decided<'_>> =
            followed.iter().filter(|facts| facts.acquired > 0).map(|f| court.decide(f)).collect();
        let counts = counted.iter().map(|(facts, live)| court.decide_counted(facts, *live));
        // What was only counted in a process that ended is gone with it, unless it kept growing.
        decided.extend(counts.filter(|one| !one.case.ended() || one.rule.level >= Level::Suspect));
        let mut bench = Bench { ledger: self, frames, symbols, names };
        bench.fold_dups(&mut decided);
        bench.fold_counted(&mut decided);
        add_up(&mut decided);
        let mut verdicts: Vec<Verdict> = decided.iter().map(|one| bench.verdict(one)).collect();
        rank(&mut verdicts);
        let misuse = bench.misuse();
        Judgement { verdicts, misuse, totals: self.totals(now) }
    }

    fn counted_sites(&self) -> Vec<(Facts, u64)> {
        let ended = |pid| self.processes.get(&pid).and_then(|watched| watched.ended);
        self.counted
            .sorted()
            .into_iter()
            .filter(|(_, count)| count.born > 0)
            .map(|(key, count)| (Facts::counted(key, count, ended(key.pid)), count.now))
            .collect()
    }

    pub(crate) fn total(&self, pid: Pid, now: Monotonic) -> Option<Total> {
        let watched = self.processes.get(&pid)?;
        let open =
            self.tables.of(pid).iter().map(|&slot| self.tables.get(slot).fds.len() as u64).sum();
        Some(Total {
            process: watched.process.clone(),
            at_start: watched.at_start,
            now: open,
            acquired: watched.acquired,
            released: watched.released,
            curve: watched.curve.until(watched.ended.unwrap_or(now)).curve(),
            limits: self.limits(pid),
            gone: watched.ended.is_some(),
            found: watched.found,
            vanished: watched.vanished,
            agrees: watched.agrees,
            processes: 1 + watched.merged,
        })
    }

    /// The limits of a process by its last sample, with the descriptors that the ledger counts now.
    pub(crate) fn limits(&self, pid: Pid) -> Vec<Limit> {
        let Some(watched) = self.processes.get(&pid) else { return Vec::new() };
        let open =
            self.tables.of(pid).iter().map(|&slot| self.tables.get(slot).fds.len() as u64).max();
        let mut limits = watched.limits.clone();
        for limit in limits.iter_mut().filter(|limit| limit.name == LimitName::Nofile) {
            limit.used = open.unwrap_or(limit.used);
        }
        limits
    }
}

/// Worst level first, then most alive; the order of sites decides ties, so that it is always the same.
fn rank(verdicts: &mut [Verdict]) {
    let growth = |v: &Verdict| v.rate.map_or(0, |rate| (rate.per_s * 1e6) as u64);
    verdicts.sort_by_key(|v| std::cmp::Reverse((v.level, growth(v), v.live, v.acquired)));
    for (index, verdict) in verdicts.iter_mut().enumerate() {
        verdict.site.id = SiteId(index as u32);
    }
}

fn scale(rate: Rate, by: f64) -> Rate {
    Rate {
        per_s: rate.per_s * by,
        low_per_s: rate.low_per_s * by,
        high_per_s: rate.high_per_s * by,
    }
}
