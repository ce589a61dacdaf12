//! The judgement: every site's case, the rule that decides it, and the verdict with all that a sceptic needs.

use std::collections::BTreeMap;

use fdscope_model::verdict::{Closer, Example, Forecast, Misuse, Rate, Site, Total};
use fdscope_model::{
    FdNumber, Level, Limit, LimitName, Monotonic, Name, Pid, SiteId, StackId, Symbolizer, Tid,
    Verdict,
};

use crate::advice::advice;
use crate::case::{Case, Surroundings, Turnover};
use crate::evidence::{Told, evidence, ruled_out};
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

/// At most this many examples a verdict.
const EXAMPLES: usize = 3;

/// A caller is named if it explains this share of the survivors.
const CALLER: f64 = 0.8;

/// At most this many survivors are asked for their names, to compare them with older handles.
const ASKED: usize = 8;

/// A case with its rule.
struct Decided<'a> {
    case: Case<'a>,
    rule: &'static Rule,
    dups: Vec<(u64, String)>,
    rate: Option<Rate>,
    forecast: Option<Forecast>,
    together: Option<(LimitName, usize, f64)>,
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
        Decided { case, rule, dups: Vec::new(), rate, forecast, together: None }
    }

    fn fills(&self) -> Option<(Pid, LimitName, f64)> {
        let (rate, forecast) = (self.rate?, self.forecast?);
        let grows = self.rule.level >= Level::Suspect;
        grows.then_some((self.case.facts.pid, forecast.limit.name, rate.per_s))
    }
}

/// Works out when limits break by all the sites that fill them.
fn add_up(decided: &mut [Decided<'_>]) {
    let rows: Vec<_> = decided.iter().filter_map(Decided::fills).collect();
    for one in decided.iter_mut() {
        let (Some((pid, name, _)), Some(forecast)) = (one.fills(), one.forecast) else { continue };
        let same = rows.iter().filter(|row| (row.0, row.1) == (pid, name));
        let (sites, per_s) = same.fold((0, 0.0), |(n, sum), row| (n + 1, sum + row.2));
        if sites > 1 {
            let left = forecast.limit.value.saturating_sub(forecast.limit.used) as f64;
            one.together = Some((name, sites - 1, left / per_s));
        }
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

/// What is at hand while verdicts are written.
struct Bench<'a> {
    ledger: &'a Ledger,
    frames: Frames,
    symbols: &'a mut dyn Symbolizer,
    names: Names<'a>,
}

impl Bench<'_> {
    /// A dup of a leaked file is one leak: a site whose survivors only hold again what an older site's hold is told there.
    fn fold_dups(&mut self, decided: &mut Vec<Decided<'_>>) {
        let mut first: BTreeMap<_, (Monotonic, usize)> = BTreeMap::new();
        for (index, one) in decided.iter().enumerate().filter(|(_, one)| is_growth(one)) {
            for row in &one.case.facts.survivors {
                let key = (one.case.facts.pid, row.description);
                let holder = first.entry(key).or_insert((row.born, index));
                *holder = (*holder).min((row.born, index));
            }
        }
        let mut folded = Vec::new();
        for (index, one) in decided.iter().enumerate().filter(|(_, one)| is_growth(one)) {
            let facts = one.case.facts;
            let mut again: BTreeMap<usize, u64> = BTreeMap::new();
            for row in &facts.survivors {
                let (_, holder) = first[&(facts.pid, row.description)];
                *again.entry(holder).or_default() += 1;
            }
            let main = again.into_iter().filter(|&(holder, _)| holder != index).max_by_key(|a| a.1);
            if let Some((holder, number)) = main
                && number * 5 >= facts.survivors.len() as u64 * 4
            {
                folded.push((index, holder, number));
            }
        }
        for &(index, holder, number) in &folded {
            let site = self.site_words(decided[index].case.facts);
            decided[holder].dups.push((number, site));
        }
        let mut index = 0;
        decided.retain(|_| {
            index += 1;
            !folded.iter().any(|&(gone, ..)| gone == index - 1)
        });
    }

    fn verdict(&mut self, one: &Decided<'_>) -> Verdict {
        let (case, rule) = (&one.case, one.rule);
        let facts = case.facts;
        let (rate, forecast) = (one.rate, one.forecast);
        let closed_by = self.closers(facts);
        let (site, caller) = self.site(facts);
        let examples = self.examples(case);
        let told = Told {
            rule,
            site: self.site_words(facts),
            rate,
            forecast,
            closed_by: &closed_by,
            caller,
            descriptions: facts.descriptions(),
            dups: one.dups.clone(),
            together: one.together,
        };
        let name = examples.first().map(|example| example.name.clone()).unwrap_or_default();
        let closer = closed_by.first().and_then(|c| c.frames.get(c.at?)?.symbol.function.clone());
        let oldest = facts.survivors.first().map(|row| case.around.now.since_ns(row.born));
        let first_overdue = facts.survivors.first().filter(|_| case.overdue() > 0);
        Verdict {
            level: rule.level,
            rule: rule.name,
            kind: facts.kind,
            pid: facts.pid,
            comm: self.comm(facts.pid),
            site,
            acquired: facts.acquired,
            released: facts.released,
            live: if facts.counted {
                case.alive()
            } else {
                facts.survivors.len() as u64 + facts.existing
            },
            existing: facts.existing,
            descriptions: (!facts.counted && facts.kind.is_descriptor())
                .then_some(told.descriptions),
            since: first_overdue.map(|row| row.born),
            rate,
            forecast,
            lifetimes: facts.ages.summary(oldest),
            curve: facts.bins.until(case.around.now).curve(),
            evidence: evidence(case, &told),
            ruled_out: ruled_out(case, rule),
            closed_by: closed_by.clone(),
            examples,
            advice: advice(case, rule.level, closer.as_deref(), name.bytes()),
        }
    }

    fn comm(&self, pid: Pid) -> Name {
        self.ledger.processes.get(&pid).map(|watched| watched.comm()).unwrap_or_default()
    }

    /// The site as people see it, and the caller that explains most survivors, where there is more than one stack.
    fn site(&mut self, facts: &Facts) -> (Site, Option<String>) {
        let mut site = Site {
            id: SiteId(0),
            frames: Vec::new(),
            at: None,
            stacks: facts.stacks,
            pattern: None,
        };
        match facts.place {
            Place::Pattern(pattern) => site.pattern = Some(self.ledger.patterns.name(pattern)),
            Place::Skipped => site.pattern = Some("(stack not taken: the source was busy)".into()),
            Place::Unseen => site.pattern = Some("(neither stack nor name seen)".into()),
            Place::Code(_) | Place::Stack(_) => {}
        }
        if let Some(stack) = self.stack_of(facts) {
            let symbolized = self.frames.of(stack, self.symbols).clone();
            (site.frames, site.at) = (symbolized.frames, symbolized.at);
        }
        let caller = (facts.stacks > 1).then(|| self.caller(facts)).flatten();
        (site, caller)
    }

    fn stack_of(&self, facts: &Facts) -> Option<StackId> {
        match facts.place {
            Place::Stack(stack) => Some(stack),
            Place::Code(_) => facts.main_stack().map(|(stack, _)| stack).or(facts.any_stack),
            _ => None,
        }
    }

    fn caller(&mut self, facts: &Facts) -> Option<String> {
        let mut callers: BTreeMap<String, usize> = BTreeMap::new();
        for row in &facts.survivors {
            let symbolized = self.frames.of(row.stack?, self.symbols);
            let frame = symbolized.frames.get(symbolized.at? + 1)?;
            *callers.entry(frame.symbol.function.clone()?).or_default() += 1;
        }
        let (caller, count) = callers.into_iter().max_by_key(|(_, count)| *count)?;
        (count as f64 >= CALLER * facts.survivors.len() as f64).then_some(caller)
    }

    /// A site in a few words: its function, or module and offset, or what its names share.
    fn site_words(&mut self, facts: &Facts) -> String {
        let (site, _) = self.site(facts);
        if let Some(pattern) = site.pattern {
            return pattern.to_string();
        }
        let Some(frame) = site.frames.get(site.at.unwrap_or(0)) else {
            return "code without a name".to_owned();
        };
        match &frame.symbol.function {
            Some(function) => format!("`{function}`"),
            None => format!("{}+{:#x}", frame.module, frame.offset),
        }
    }

    fn closers(&mut self, facts: &Facts) -> Vec<Closer> {
        let mut rows: Vec<_> = facts.closers.iter().map(|(key, count)| (*key, *count)).collect();
        rows.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
        let closer = |(key, count): (crate::group::CloserKey, u64)| {
            let symbolized = key
                .stack
                .map(|stack| self.frames.of(stack, self.symbols).clone())
                .unwrap_or_default();
            let how = key.how.to_owned();
            Closer { how, frames: symbolized.frames, at: symbolized.at, count }
        };
        rows.into_iter().map(closer).collect()
    }

    /// The oldest living handles: of the overdue where there are any, for they are the oldest.
    fn examples(&self, case: &Case<'_>) -> Vec<Example> {
        let pid = case.facts.pid;
        let ended = case.ended();
        let example = |row: &Survivor| Example {
            fd: row.fd,
            name: row
                .fd
                .filter(|_| !ended)
                .and_then(|fd| (self.names.handle)(pid, fd))
                .unwrap_or_default(),
            tid: row.tid,
            thread: (self.names.thread)(pid, row.tid).unwrap_or_default(),
            age_ns: case.around.now.since_ns(row.born),
        };
        case.facts.survivors.iter().take(EXAMPLES).map(example).collect()
    }

    fn misuse(&mut self) -> Vec<Misuse> {
        let mut merged: BTreeMap<_, Misuse> = BTreeMap::new();
        for (key, seen) in self.ledger.misuses.sorted() {
            if seen.is_sweep() {
                continue;
            }
            let symbolized = key
                .stack
                .map(|stack| self.frames.of(stack, self.symbols).clone())
                .unwrap_or_default();
            let earlier =
                seen.earlier.map(|stack| self.frames.of(stack, self.symbols).frames.clone());
            let line = symbolized.frames.get(symbolized.at.unwrap_or(0));
            let line = line.map(|f| (f.symbol.function.clone(), f.module.clone(), f.offset));
            let pid = seen.child.unwrap_or(key.pid);
            let name = seen.fd.and_then(|fd| (self.names.handle)(pid, fd)).unwrap_or_default();
            let row = Misuse {
                kind: key.kind,
                pid,
                comm: self.comm(pid),
                call: key.call.to_owned(),
                count: 0,
                fd: seen.fd,
                name,
                frames: symbolized.frames,
                at: symbolized.at,
                earlier: earlier.unwrap_or_default(),
            };
            merged.entry((key.kind, key.pid, key.call, line)).or_insert(row).count += seen.count;
        }
        let mut rows: Vec<Misuse> = merged.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows
    }
}

fn is_growth(one: &Decided<'_>) -> bool {
    one.rule.level >= Level::Suspect && !one.case.facts.counted
}

fn scale(rate: Rate, by: f64) -> Rate {
    Rate {
        per_s: rate.per_s * by,
        low_per_s: rate.low_per_s * by,
        high_per_s: rate.high_per_s * by,
    }
}
