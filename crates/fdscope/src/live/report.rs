//! The report: what the ledger judges, and all else that is known about the run.

use std::cell::RefCell;

use fdscope_analyze::{Judgement, Names};
use fdscope_model::verdict::Report;
use fdscope_model::{Blind, HandleKind, Monotonic, Sight, StackId, Symbolized, Symbolizer};
use fdscope_record::{Closing, Record};
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
    let taken_at_ns = wall_now_ns();
    let sight = sight(watch.live.sight(), fallbacks);
    let (mut judgement, mut heard) = judge(watch, now);
    heard.extend(watch.faults.iter().cloned().map(Record::Fault));
    heard.push(Record::Sight(sight.clone()));
    let Watch { ledger, faults, begun, .. } = watch;
    ledger.close(heard, Closing { judged: now, taken_at_ns });
    only(&mut judgement, kinds);
    Report {
        command,
        taken_at_ns,
        machine: machine::describe(),
        begun: *begun,
        ended: now,
        sight,
        lost: ledger.lost(),
        events: ledger.events(),
        stacks_skipped: ledger.stacks_skipped(),
        totals: judgement.totals,
        verdicts: judgement.verdicts,
        misuse: judgement.misuse,
        faults: std::mem::take(faults),
    }
}

/// Leaves verdicts of these kinds; none named: of all.
pub fn only(judgement: &mut Judgement, kinds: &[HandleKind]) {
    if !kinds.is_empty() {
        judgement.verdicts.retain(|verdict| kinds.contains(&verdict.kind));
    }
}

/// The judgement, and every name that it was given, for the recording.
fn judge(watch: &mut Watch, now: Monotonic) -> (Judgement, Vec<Record<'static>>) {
    let Watch { ledger, stacks, names, .. } = watch;
    let heard = RefCell::new(Vec::new());
    let hear = |record: Record<'static>| {
        if ledger.records() {
            heard.borrow_mut().push(record);
        }
    };
    let book = Names {
        handle: &|pid, fd| {
            let name = names.descriptor(pid, fd);
            // That there is none now is an answer, too.
            hear(Record::Descriptor(pid, fd, Monotonic(0), name.clone().unwrap_or_default()));
            name
        },
        thread: &|pid, tid| {
            let name = names.thread(pid, tid);
            hear(Record::Thread(pid, tid, name.clone().unwrap_or_default()));
            name
        },
    };
    let mut stacks = Overheard { stacks, hear: &hear };
    let judgement = ledger.judge(now, &mut stacks, book);
    (judgement, heard.into_inner())
}

/// Names stacks, and tells what it answered.
struct Overheard<'a> {
    stacks: &'a mut dyn Symbolizer,
    hear: &'a dyn Fn(Record<'static>),
}

impl Symbolizer for Overheard<'_> {
    fn symbolize(&mut self, stack: StackId) -> Symbolized {
        let names = self.stacks.symbolize(stack);
        (self.hear)(Record::Stack(stack, names.clone()));
        names
    }
}

/// The source's sight, with what better sources would have shown.
fn sight(own: &Sight, fallbacks: &[Blind]) -> Sight {
    let mut sight = own.clone();
    sight.blind.splice(0..0, fallbacks.iter().cloned());
    sight
}
