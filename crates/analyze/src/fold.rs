//! Several findings that are one: dups of leaked files, handles both followed and counted, sites that fill one limit.

use std::collections::BTreeMap;

use fdscope_model::{HandleKind, Level, Monotonic};

use crate::bench::Bench;
use crate::judge::Decided;
use crate::prose::handles;

/// Works out when limits break by all the sites that fill them.
pub(crate) fn add_up(decided: &mut [Decided<'_>]) {
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

impl Bench<'_> {
    /// A dup of a leaked file is one leak: a site whose survivors only hold again what an older site's hold is told there.
    pub(crate) fn fold_dups(&mut self, decided: &mut Vec<Decided<'_>>) {
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

    /// What is followed one by one need not be told a second time by its count; the count is told with it.
    pub(crate) fn fold_counted(&mut self, decided: &mut Vec<Decided<'_>>) {
        let mut notes = Vec::new();
        for (index, one) in decided.iter().enumerate().filter(|(_, one)| one.case.facts.counted) {
            let facts = one.case.facts;
            let followed = |other: &Decided<'_>| {
                let kind =
                    if facts.kind == HandleKind::Zombie { HandleKind::Child } else { facts.kind };
                !other.case.facts.counted
                    && (other.case.facts.pid, other.case.facts.kind) == (facts.pid, kind)
            };
            let live = |other: &Decided<'_>| other.case.alive();
            let seen: u64 = decided.iter().filter(|other| followed(other)).map(live).sum();
            let main = (0..decided.len())
                .filter(|&other| followed(&decided[other]))
                .max_by_key(|&other| (decided[other].rule.level, live(&decided[other])));
            let grown = facts.acquired.saturating_sub(facts.released);
            if let Some(main) = main
                && seen * 2 >= grown
                && (one.rule.level < Level::Suspect || decided[main].rule.level >= Level::Suspect)
            {
                notes.push((index, main));
            }
        }
        for &(counted, main) in &notes {
            let one = &decided[counted];
            if one.rule.level >= Level::TooSoon {
                let (alive, kind) = (one.case.alive(), one.case.facts.kind);
                let site = self.site_words(one.case.facts);
                decided[main].counts.push(format!("{} ({site})", handles(alive, kind)));
            }
        }
        let mut index = 0;
        decided.retain(|_| {
            index += 1;
            !notes.iter().any(|&(gone, _)| gone == index - 1)
        });
    }
}

fn is_growth(one: &Decided<'_>) -> bool {
    one.rule.level >= Level::Suspect && !one.case.facts.counted
}
