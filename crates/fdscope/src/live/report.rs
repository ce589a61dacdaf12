//! The report: what the ledger judges, and all else that is known about the run.

use fdscope_analyze::Names;
use fdscope_model::verdict::Report;
use fdscope_model::{Blind, HandleKind, Sight};
use fdscope_sys::clock::{monotonic_now, wall_now_ns};

use crate::live::watch::Watch;
use crate::machine;

/// Judges a watch that has ended.
pub fn report(
    watch: &mut Watch,
    command: String,
    fallbacks: &[Blind],
    kinds: &[HandleKind],
) -> Report {
    let now = monotonic_now();
    let Watch { live, ledger, stacks, names, faults, begun, .. } = watch;
    let names = Names {
        handle: &|pid, fd| names.descriptor(pid, fd),
        thread: &|pid, tid| names.thread(pid, tid),
    };
    let mut judgement = ledger.judge(now, stacks, names);
    if !kinds.is_empty() {
        judgement.verdicts.retain(|verdict| kinds.contains(&verdict.kind));
    }
    Report {
        command,
        taken_at_ns: wall_now_ns(),
        machine: machine::describe(),
        begun: *begun,
        ended: now,
        sight: sight(live.sight(), fallbacks),
        lost: ledger.lost(),
        events: ledger.events(),
        stacks_skipped: ledger.stacks_skipped(),
        totals: judgement.totals,
        verdicts: judgement.verdicts,
        misuse: judgement.misuse,
        faults: std::mem::take(faults),
    }
}

/// The source's sight, with what better sources would have shown.
fn sight(own: &Sight, fallbacks: &[Blind]) -> Sight {
    let mut sight = own.clone();
    sight.blind.splice(0..0, fallbacks.iter().cloned());
    sight
}
