//! Processes that ended: what they held then was released by their end, and the many short-lived children of a shell or
//! a server are told as one program, unless what one of them left open is a finding of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use fdscope_model::verdict::Total;
use fdscope_model::{HandleKind, Level, Monotonic, Name, Pid};

use crate::court::Court;
use crate::group::CloserKey;
use crate::judge::Names;
use crate::ledger::Ledger;
use crate::rules::OPEN_AT_EXIT;
use crate::site::{Facts, Place};

/// One site of one program, over all its processes that ended.
type ProgramSite = (Name, HandleKind, Place);

impl Ledger {
    /// True for a child that ended: told together with others of its name.
    fn is_past_child(&self, pid: Pid) -> bool {
        let watched = self.processes.get(&pid);
        watched.is_some_and(|watched| watched.ended.is_some() && watched.beginning.is_child())
    }

    /// The sites as they are to be told, ended processes settled.
    pub(crate) fn settle_ended(
        &self,
        sites: Vec<Facts>,
        now: Monotonic,
        names: Names<'_>,
    ) -> Vec<Facts> {
        let sites = self.before_the_end(sites, now, names);
        let fates: Vec<Fate> = {
            let court = Court::new(self, &sites, now, names);
            sites.iter().map(|facts| fate(&court, facts)).collect()
        };
        let mut told = Vec::new();
        let mut past: BTreeMap<ProgramSite, Facts> = BTreeMap::new();
        let mut findings: BTreeMap<ProgramSite, (Level, Facts)> = BTreeMap::new();
        for (mut facts, fate) in sites.into_iter().zip(fates) {
            if fate == Fate::Released {
                facts.end();
            }
            if !self.is_past_child(facts.pid) {
                told.push(facts);
                continue;
            }
            let comm = self.processes.get(&facts.pid).map(|watched| watched.comm());
            let key = (comm.unwrap_or_default(), facts.kind, facts.place);
            match fate {
                Fate::Finding(level) => {
                    join_finding(findings.entry(key), level, facts);
                }
                Fate::Released | Fate::Judged => match past.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(facts);
                    }
                    Entry::Occupied(place) => place.into_mut().absorb(facts),
                },
            }
        }
        told.extend(findings.into_values().map(|(_, facts)| facts));
        told.extend(past.into_values());
        told.sort_by_key(|facts| (facts.pid, facts.kind, facts.place));
        told
    }

    /// The sites that grew until their process closed what they held in its last moments, as they were before.
    fn before_the_end(&self, sites: Vec<Facts>, now: Monotonic, names: Names<'_>) -> Vec<Facts> {
        if sites.iter().all(|facts| facts.closed_at_end.is_empty()) {
            return sites;
        }
        let court = Court::new(self, &sites, now, names);
        let before: Vec<Option<Facts>> = sites
            .iter()
            .map(|facts| {
                let before = facts.before_the_end()?;
                let grew = court.decide(&before).rule.name == "growth-until-exit";
                grew.then_some(before)
            })
            .collect();
        let both = sites.into_iter().zip(before);
        both.map(|(facts, before)| before.unwrap_or(facts)).collect()
    }

    /// The totals of every process, ended children added up by name.
    pub(crate) fn totals(&self, now: Monotonic) -> Vec<Total> {
        let (past, own): (Vec<Pid>, Vec<Pid>) =
            self.pids().into_iter().partition(|&pid| self.is_past_child(pid));
        let mut totals: Vec<Total> =
            own.into_iter().filter_map(|pid| self.total(pid, now)).collect();
        let mut by_name: BTreeMap<Name, Vec<Pid>> = BTreeMap::new();
        for pid in past {
            let name = self.processes.get(&pid).map(|watched| watched.comm());
            by_name.entry(name.unwrap_or_default()).or_default().push(pid);
        }
        // A number that was heard of and had nothing is no process to tell of.
        totals.retain(|t| {
            !t.process.comm.is_empty() || t.at_start + t.now + t.acquired + t.released > 0
        });
        totals.extend(by_name.values().filter_map(|pids| self.sum(pids, now)));
        totals
    }

    /// The total of several processes of one name.
    fn sum(&self, pids: &[Pid], now: Monotonic) -> Option<Total> {
        let (first, rest) = pids.split_first()?;
        let mut sum = self.total(*first, now)?;
        let mut curve = self.processes.get(first)?.curve.until(now);
        for watched in rest.iter().filter_map(|pid| self.processes.get(pid)) {
            sum.processes += 1 + watched.merged;
            sum.at_start += watched.at_start;
            sum.acquired += watched.acquired;
            sum.released += watched.released;
            sum.found += watched.found;
            sum.vanished += watched.vanished;
            sum.agrees = match (sum.agrees, watched.agrees) {
                (Some(a), Some(b)) => Some(a && b),
                (a, b) => a.or(b),
            };
            curve.add(&watched.curve);
        }
        // A comparison begun with a process that ended over it says nothing.
        sum.agrees = sum.agrees.filter(|agrees| *agrees);
        if sum.processes > 1 {
            sum.limits.clear();
            sum.curve = curve.curve();
        }
        Some(sum)
    }

    /// Hands what is known of an ended child over to another of its name, so that it can be forgotten.
    pub(crate) fn bequeath(&mut self, pid: Pid) {
        let Some(gone) = self.processes.get(&pid) else { return };
        let comm = gone.comm();
        let heirs = self.processes.iter().filter(|(other, watched)| {
            **other != pid && watched.ended.is_some() && watched.comm() == comm
        });
        let heirs = heirs.filter(|(_, watched)| watched.beginning.is_child());
        let Some(heir) = heirs.map(|(other, watched)| (watched.ended, *other)).max() else {
            return;
        };
        let Some(gone) = self.processes.remove(&pid) else { return };
        self.ended -= 1;
        if let Some(watched) = self.processes.get_mut(&heir.1) {
            watched.inherit(&gone);
        }
        for number in self.groups.of(pid) {
            self.groups.merge_into(number, heir.1);
        }
    }
}

/// What the end of a process means for one of its sites.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    /// What was held is released by it.
    Released,
    /// It leaves a finding.
    Finding(Level),
    /// Nothing yet, or nothing special: it is judged with the others.
    Judged,
}

fn fate(court: &Court<'_>, facts: &Facts) -> Fate {
    if facts.ended.is_none() {
        return Fate::Judged;
    }
    let is_child = court.is_child(facts.pid);
    if is_child && facts.survivors.len() < OPEN_AT_EXIT {
        return Fate::Released;
    }
    let rule = court.decide(facts).rule;
    match (rule.level, is_child) {
        (Level::Suspect | Level::Leak, _) => Fate::Finding(rule.level),
        (_, true) => Fate::Released,
        (Level::Steady, false) => Fate::Released,
        _ => Fate::Judged,
    }
}

/// Keeps the worse of two findings of the same program, and counts both.
fn join_finding(held: Entry<'_, ProgramSite, (Level, Facts)>, level: Level, facts: Facts) {
    let (worst, kept) = match held {
        Entry::Vacant(place) => {
            place.insert((level, facts));
            return;
        }
        Entry::Occupied(place) => place.into_mut(),
    };
    let processes = kept.processes + facts.processes;
    if (level, facts.survivors.len()) > (*worst, kept.survivors.len()) {
        (*worst, *kept) = (level, facts);
    }
    kept.processes = processes;
}

impl Facts {
    /// The end of the process released what it held.
    fn end(&mut self) {
        let Some(ended) = self.ended else { return };
        let closer = CloserKey { how: "exit", stack: None };
        let survivors = std::mem::take(&mut self.survivors);
        if survivors.is_empty() {
            return;
        }
        let number = survivors.len() as u64;
        self.bins.fall(ended, u32::try_from(number).unwrap_or(u32::MAX));
        self.released += number;
        self.by_exit += number;
        *self.closers.entry(closer).or_default() += number;
        self.any_stack = self.any_stack.or(survivors[0].stack);
        survivors.iter().for_each(|row| self.ages.record(ended.since_ns(row.born)));
    }
}
