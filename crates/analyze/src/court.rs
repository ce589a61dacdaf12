//! What cases of one judgement share: the surroundings of each process, worked out once, and the older handles whose
//! closing may explain that new ones stay.

use std::collections::BTreeMap;

use fdscope_model::{HandleKind, Level, Monotonic, Name, Pid};

use crate::case::{Case, Surroundings, Turnover};
use crate::group::{Group, Source, Survivor};
use crate::judge::{Decided, Names};
use crate::ledger::Ledger;
use crate::site::{Facts, Place};

/// At most this many survivors are asked for their names, to compare them with older handles.
const ASKED: usize = 8;

/// A judgement under way.
pub(crate) struct Court<'a> {
    ledger: &'a Ledger,
    sites: &'a [Facts],
    names: Names<'a>,
    around: BTreeMap<Pid, Surroundings>,
    /// Groups by name of handles from before the watch of which some were closed.
    turned: Vec<&'a Group>,
    /// How many handles were there before the watch, by name.
    older: BTreeMap<(Pid, HandleKind, u32), u64>,
}

impl<'a> Court<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger,
        sites: &'a [Facts],
        now: Monotonic,
        names: Names<'a>,
    ) -> Self {
        let pids = ledger.processes.keys();
        let mut around: BTreeMap<Pid, Surroundings> =
            pids.map(|&pid| (pid, surroundings(ledger, pid, now))).collect();
        for site in sites {
            let here =
                around.entry(site.pid).or_insert_with(|| surroundings(ledger, site.pid, now));
            here.last_birth = here.last_birth.max(site.last_birth);
            here.open += if site.ended.is_some() { site.survivors.len() as u64 } else { 0 };
        }
        let by_name = |group: &&Group| {
            matches!(group.key.source, Source::Pattern(_)) && group.existing_died > 0
        };
        let turned = ledger.groups.iter().map(|(_, group)| group).filter(by_name).collect();
        let mut older = BTreeMap::new();
        for (_, group) in ledger.groups.iter() {
            let before = u64::from(group.existing) + u64::from(group.existing_died);
            if let (Source::Pattern(pattern), 1..) = (group.key.source, before) {
                *older.entry((group.key.pid, group.key.kind, pattern)).or_default() += before;
            }
        }
        Court { ledger, sites, names, around, turned, older }
    }

    fn around(&self, facts: &Facts) -> Surroundings {
        let here = self.around.get(&facts.pid).copied().unwrap_or_default();
        Surroundings { now: facts.ended.map_or(here.now, |ended| ended.min(here.now)), ..here }
    }

    pub(crate) fn is_child(&self, pid: Pid) -> bool {
        self.around.get(&pid).is_some_and(|here| here.beginning.is_child())
    }

    pub(crate) fn decide<'b>(&self, facts: &'b Facts) -> Decided<'b> {
        let mut case = Case::new(facts, self.around(facts));
        if case.overdue() > 0 && !self.turned.is_empty() {
            case.turnover = self.turnover(&case);
        }
        let mut decided = Decided::new(case, &self.ledger.limits(facts.pid));
        if decided.rule.level >= Level::TooSoon
            && facts.kind.is_descriptor()
            && !decided.case.ended()
        {
            decided.before = self.before(facts);
        }
        decided
    }

    /// Descriptors open when the watch began: those of the names that survivors of a site have, and all.
    fn before(&self, facts: &Facts) -> Option<(u64, u64)> {
        let patterns = match facts.place {
            Place::Pattern(pattern) => vec![pattern],
            _ => self.patterns_of(facts),
        };
        let of = |(pid, kind, pattern): &(Pid, HandleKind, u32)| {
            (*pid, *kind) == (facts.pid, facts.kind) && patterns.contains(pattern)
        };
        let like: u64 = self.older.iter().filter(|(key, _)| of(key)).map(|(_, n)| n).sum();
        let all = self.ledger.processes.get(&facts.pid)?.at_start;
        (like > 0).then_some((like, all.max(like)))
    }

    pub(crate) fn decide_counted<'b>(&self, facts: &'b Facts, live: u64) -> Decided<'b> {
        let case = Case::counted(facts, self.around(facts), live);
        Decided::new(case, &self.ledger.limits(facts.pid))
    }

    /// Handles from before the watch, of like name, that were closed meanwhile: unless another site explains them.
    fn turnover(&self, case: &Case<'_>) -> Turnover {
        let facts = case.facts;
        let patterns: Vec<u32> = match facts.place {
            Place::Pattern(pattern) => vec![pattern],
            _ => self.patterns_of(facts),
        };
        let mut turnover = Turnover::default();
        for group in &self.turned {
            let Source::Pattern(pattern) = group.key.source else { continue };
            let here = (group.key.pid, group.key.kind) == (facts.pid, facts.kind);
            if here && patterns.contains(&pattern) {
                turnover.closed += u64::from(group.existing_died);
                turnover.left += u64::from(group.existing);
                let lasted_s = group.existing_died_at.since_ns(case.around.begun) as f64 / 1e9;
                turnover.lasted_s = turnover.lasted_s.max(lasted_s);
            }
        }
        // A site explains the older handles if it closes its own and usually holds as many.
        let older = (turnover.closed + turnover.left) as f64;
        let explained = turnover.closed > 0
            && self.sites.iter().any(|other| {
                (other.pid, other.kind) == (facts.pid, facts.kind)
                    && other.released >= turnover.closed
                    && other.bins.until(case.around.now).mean() * 2.0 >= older
            });
        if explained { Turnover::default() } else { turnover }
    }

    /// The name patterns of some survivors, oldest first.
    fn patterns_of(&self, facts: &Facts) -> Vec<u32> {
        let name = |row: &Survivor| (self.names.handle)(facts.pid, row.fd?);
        let of = self.ledger.options.pattern;
        let pattern = |name: Name| self.ledger.patterns.find(&of(facts.kind, &name));
        facts.survivors.iter().take(ASKED).filter_map(name).filter_map(pattern).collect()
    }
}

fn surroundings(ledger: &Ledger, pid: Pid, now: Monotonic) -> Surroundings {
    let tables = ledger.tables.of(pid);
    let watched = ledger.processes.get(&pid);
    Surroundings {
        begun: watched.map_or(ledger.begun, |watched| watched.begun),
        beginning: watched.map(|watched| watched.beginning).unwrap_or_default(),
        now,
        last_birth: Monotonic::default(),
        lost: ledger.lost,
        open: tables.iter().map(|&slot| ledger.tables.get(slot).fds.len() as u64).sum(),
        refused: ledger.misuses.refused(pid),
    }
}
