//! The judgement: every site's case, the rule that decides it, and the verdict with all that a sceptic needs.

use fdscope_model::verdict::{Forecast, Misuse, Rate, Total};
use fdscope_model::{
    FdNumber, Level, Limit, LimitName, Monotonic, Name, Pid, SiteId, Symbolizer, Tid, Verdict,
};

use crate::bench::Bench;
use crate::case::{Case, Surroundings, Turnover};
use crate::fold::add_up;
use crate::forecast::forecast;
use crate::group::{Source, Survivor};
use crate::ledger::Ledger;
use crate::rules::{Rule, decide};
use crate::site::{Facts, Frames, Place};
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

/// At most this many survivors are asked for their names, to compare them with older handles.
const ASKED: usize = 8;

/// A case with its rule.
pub(crate) struct Decided<'a> {
    pub(crate) case: Case<'a>,
    pub(crate) rule: &'static Rule,
    /// Sites that only hold the same descriptions again: how many descriptors, and where.
    pub(crate) dups: Vec<(u64, String)>,
    /// What the kernel counts of the same handles.
    pub(crate) counts: Vec<String>,
    pub(crate) rate: Option<Rate>,
    pub(crate) forecast: Option<Forecast>,
    /// The limit, the number of other sites that fill it, and the seconds until it breaks by all of them.
    pub(crate) together: Option<(LimitName, usize, f64)>,
}

impl<'a> Decided<'a> {
    fn new(case: Case<'a>, limits: &[Limit]) -> Self {
        let rule = decide(&case);
        let grows = rule.level >= Level::TooSoon && case.overdue() > 0;
        let rate =
            grows.then(|| rate(&case.positions, case.shape.independent(), case.span_s)).flatten();
        let rate = rate.map(|rate| scale(rate, case.weight as f64));
        let forecast = match grows && !case.ended() {
            true => forecast(case.facts.kind, rate, limits),
            false => None,
        };
        Decided { case, rule, dups: Vec::new(), counts: Vec::new(), rate, forecast, together: None }
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
        let counted = self.counted_sites();
        let mut decided: Vec<Decided<'_>> = followed
            .iter()
            .filter(|facts| facts.acquired > 0)
            .map(|facts| self.decide(facts, &followed, now, names))
            .collect();
        decided.extend(counted.iter().map(|(facts, live)| self.decide_counted(facts, *live, now)));
        let mut bench = Bench { ledger: self, frames, symbols, names };
        bench.fold_dups(&mut decided);
        bench.fold_counted(&mut decided);
        add_up(&mut decided);
        let mut verdicts: Vec<Verdict> = decided.iter().map(|one| bench.verdict(one)).collect();
        rank(&mut verdicts);
        let misuse = bench.misuse();
        Judgement { verdicts, misuse, totals: self.totals(now) }
    }

    /// What the process of a site adds to its case.
    fn around(&self, facts: &Facts, all: &[Facts], now: Monotonic) -> Surroundings {
        let pid = facts.pid;
        let here = all.iter().filter(|other| other.pid == pid);
        let of_table = |slot: &usize| self.tables.get(*slot).fds.len() as u64;
        let at_exit = here.clone().filter(|other| other.ended.is_some());
        let refused = self.misuses.refused(pid);
        Surroundings {
            begun: self.processes.get(&pid).map_or(self.begun, |watched| watched.begun),
            now: facts.ended.unwrap_or(now).min(now),
            last_birth: here.map(|other| other.last_birth).max().unwrap_or_default(),
            lost: self.lost,
            open: self.tables.of(pid).iter().map(of_table).sum::<u64>()
                + at_exit.map(|other| other.survivors.len() as u64).sum::<u64>(),
            refused,
        }
    }

    fn decide<'a>(
        &self,
        facts: &'a Facts,
        all: &[Facts],
        now: Monotonic,
        names: Names<'_>,
    ) -> Decided<'a> {
        let mut case = Case::new(facts, self.around(facts, all, now));
        if case.overdue() > 0 {
            case.turnover = self.turnover(&case, all, names);
        }
        Decided::new(case, &self.limits(facts.pid))
    }

    fn decide_counted<'a>(&self, facts: &'a Facts, live: u64, now: Monotonic) -> Decided<'a> {
        let case = Case::counted(facts, self.around(facts, &[], now), live);
        Decided::new(case, &self.limits(facts.pid))
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

    /// Handles from before the watch, of like name, that were closed meanwhile: unless another site explains them.
    fn turnover(&self, case: &Case<'_>, all: &[Facts], names: Names<'_>) -> Turnover {
        let facts = case.facts;
        let patterns: Vec<u32> = match facts.place {
            Place::Pattern(pattern) => vec![pattern],
            _ => self.patterns_of(facts, names),
        };
        let mut turnover = Turnover::default();
        for (_, group) in self.groups.iter() {
            let alike = match group.key.source {
                Source::Pattern(pattern) => patterns.contains(&pattern),
                _ => false,
            };
            if alike && (group.key.pid, group.key.kind) == (facts.pid, facts.kind) {
                turnover.closed += u64::from(group.existing_died);
                turnover.left += u64::from(group.existing);
                let lasted_s = group.existing_died_at.since_ns(case.around.begun) as f64 / 1e9;
                turnover.lasted_s = turnover.lasted_s.max(lasted_s);
            }
        }
        // A site explains the older handles if it closes its own and usually holds as many.
        let explained = all.iter().any(|other| {
            (other.pid, other.kind) == (facts.pid, facts.kind)
                && other.released >= turnover.closed
                && other.bins.until(case.around.now).mean() * 2.0
                    >= (turnover.closed + turnover.left) as f64
        });
        if explained { Turnover::default() } else { turnover }
    }

    /// The name patterns of some survivors, oldest first.
    fn patterns_of(&self, facts: &Facts, names: Names<'_>) -> Vec<u32> {
        let name = |row: &Survivor| (names.handle)(facts.pid, row.fd?);
        let pattern = |name: Name| self.patterns.find(&(self.options.pattern)(facts.kind, &name));
        facts.survivors.iter().take(ASKED).filter_map(name).filter_map(pattern).collect()
    }

    fn totals(&self, now: Monotonic) -> Vec<Total> {
        self.pids().into_iter().filter_map(|pid| self.total(pid, now)).collect()
    }

    fn total(&self, pid: Pid, now: Monotonic) -> Option<Total> {
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
        })
    }

    /// The limits of a process by its last sample, with the descriptors that the ledger counts now.
    fn limits(&self, pid: Pid) -> Vec<Limit> {
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
