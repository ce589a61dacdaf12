//! Folding: records wait some seconds, and descriptors that are closed again within these are counted instead of told.
//!
//! It stands before the ledger and before the file, so that both are told the same. Records keep their order: what is
//! told is what was told to it, but for passing descriptors, which become counts by place behind their last death.

use std::collections::VecDeque;

use fdscope_model::{Body, Event, Monotonic};

use crate::folds::Folds;
use crate::record::Record;
use crate::sieve::{Look, Sieve};

/// So long a record waits for what becomes of it: what a crash loses.
const HELD_NS: u64 = 10_000_000_000;
/// The most that waits, in events; tables and counts weigh as many as they have rows. More waits shorter.
const MOST_WEIGHT: usize = 1 << 16;
/// The most places in the line, those of events that were let go included.
const MOST_PLACES: usize = 1 << 19;
/// Counts are told this share of the time that has passed …
const TELLINGS: u64 = 32;
/// … apart, but no oftener and no more rarely than this.
const SOONEST_NS: u64 = 5_000_000_000;
const LATEST_NS: u64 = 60_000_000_000;

/// A place in the line.
#[derive(Debug)]
struct Waiting {
    since: Monotonic,
    /// None: it was let go.
    record: Option<Box<Record<'static>>>,
}

/// Records on their way to a ledger and a file.
#[derive(Debug, Default)]
pub struct Folder {
    line: VecDeque<Waiting>,
    /// The number of the first in the line.
    first: u64,
    weight: usize,
    sieve: Sieve,
    folds: Folds,
    begun: Option<Monotonic>,
    now: Monotonic,
    told: Monotonic,
}

impl Folder {
    /// Takes a record, and hands on what has waited long enough.
    pub fn push(&mut self, record: Record<'static>, out: &mut dyn FnMut(Record<'static>)) {
        if let Some(at) = record.at() {
            self.reach(at);
        }
        if let Record::Event(Event { pid, body: Body::Exit { .. }, .. }) = &record {
            // Nothing is counted of a process behind its end.
            self.folds.take_of(*pid).into_iter().for_each(|folded| self.wait(folded));
        }
        let number = self.first + self.line.len() as u64;
        match self.sieve.look(number, &record) {
            Look::Keep => self.wait(record),
            Look::KeepBehind(event) => {
                self.wait(Record::Event(*event));
                self.wait(record);
            }
            Look::Repeats => {}
            Look::Passed(birth) => self.let_go(birth, record),
        }
        self.hand_on(out);
    }

    /// Time has passed, whether anything happened or not.
    pub fn advance(&mut self, now: Monotonic, out: &mut dyn FnMut(Record<'static>)) {
        self.reach(now);
        self.hand_on(out);
    }

    /// Hands on everything, counts included.
    pub fn flush(&mut self, out: &mut dyn FnMut(Record<'static>)) {
        self.tell();
        while self.hand_on_first(out) {}
    }

    /// How much waits: events, and rows of tables and counts.
    pub fn waiting(&self) -> usize {
        self.weight
    }

    fn reach(&mut self, at: Monotonic) {
        self.now = self.now.max(at);
        let begun = *self.begun.get_or_insert(at);
        if self.told == Monotonic(0) {
            self.told = begun;
        }
        let apart = (self.now.since_ns(begun) / TELLINGS).clamp(SOONEST_NS, LATEST_NS);
        if self.now.since_ns(self.told) >= apart || self.folds.are_many() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told = self.now;
        self.folds.take().into_iter().for_each(|folded| self.wait(folded));
    }

    fn wait(&mut self, record: Record<'static>) {
        self.weight += weight(&record);
        let record = Some(Box::new(record));
        self.line.push_back(Waiting { since: self.now, record });
    }

    fn let_go(&mut self, birth: u64, death: Record<'static>) {
        let place = birth.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let waiting = place.and_then(|place| self.line.get_mut(place));
        let Some(birth) = waiting.and_then(|waiting| waiting.record.take()) else {
            // The sieve forgets births that are told; this cannot be, and loses nothing.
            return self.wait(death);
        };
        self.weight = self.weight.saturating_sub(weight(&birth));
        self.folds.count(&birth, &death);
    }

    fn hand_on(&mut self, out: &mut dyn FnMut(Record<'static>)) {
        while self.line.front().is_some_and(|first| {
            first.record.is_none()
                || self.now.since_ns(first.since) >= HELD_NS
                || self.weight > MOST_WEIGHT
                || self.line.len() > MOST_PLACES
        }) {
            self.hand_on_first(out);
        }
    }

    fn hand_on_first(&mut self, out: &mut dyn FnMut(Record<'static>)) -> bool {
        let Some(waiting) = self.line.pop_front() else { return false };
        let number = self.first;
        self.first += 1;
        if let Some(record) = waiting.record {
            self.sieve.told(number, &record);
            self.weight = self.weight.saturating_sub(weight(&record));
            out(*record);
        }
        true
    }
}

fn weight(record: &Record<'_>) -> usize {
    match record {
        Record::Compared(snapshot) => 1 + snapshot.handles.len() + snapshot.faults.len(),
        Record::Sample(sample) => 1 + sample.groups.len() + sample.limits.len(),
        Record::Stack(_, names) => 1 + names.frames.len(),
        _ => 1,
    }
}
