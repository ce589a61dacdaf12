//! Writing verdicts: a decided case becomes what a person reads, with frames, names and sentences.

use std::collections::BTreeMap;

use fdscope_model::verdict::{Closer, Example, Misuse, Site};
use fdscope_model::{Name, Pid, SiteId, StackId, Symbolizer, Verdict};

use crate::advice::advice;
use crate::case::Case;
use crate::evidence::{Told, evidence, ruled_out};
use crate::group::{CloserKey, Survivor};
use crate::judge::{Decided, Names};
use crate::ledger::Ledger;
use crate::site::{Facts, Frames, Place};

/// At most this many examples a verdict.
const EXAMPLES: usize = 3;

/// A caller is named if it explains this share of the survivors.
const CALLER: f64 = 0.8;

/// What is at hand while verdicts are written.
pub(crate) struct Bench<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) frames: Frames,
    pub(crate) symbols: &'a mut dyn Symbolizer,
    pub(crate) names: Names<'a>,
}

impl Bench<'_> {
    pub(crate) fn verdict(&mut self, one: &Decided<'_>) -> Verdict {
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
            caller,
            descriptions: facts.descriptions(),
            before: one.before,
            dups: one.dups.clone(),
            counts: one.counts.clone(),
            together: one.together,
        };
        let name = examples.first().map(|example| example.name.clone()).unwrap_or_default();
        // Where many close, few stacks are taken: the commonest closer that is known tells where.
        let closer = closed_by.iter().find_map(|c| c.frames.get(c.at?)?.symbol.function.clone());
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
            processes: facts.processes,
            known_in_s: case.is_undecided(rule).then(|| case.known_in_s()),
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
            Place::Gone => {
                let comm = self.comm(facts.pid);
                let text = format!("(code of `{comm}`, gone before its mappings were read)");
                site.pattern = Some(text.as_str().into());
            }
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
    pub(crate) fn site_words(&mut self, facts: &Facts) -> String {
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
        let closer = |(key, count): (CloserKey, u64)| {
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
}

impl Bench<'_> {
    pub(crate) fn misuse(&mut self) -> Vec<Misuse> {
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
            // Processes of one program make one mistake.
            merged.entry((key.kind, row.comm.clone(), key.call, line)).or_insert(row).count +=
                seen.count;
        }
        let mut rows: Vec<Misuse> = merged.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows
    }
}
