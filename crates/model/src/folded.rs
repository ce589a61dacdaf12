//! Descriptors that came and went within seconds, counted by where they were made and closed instead of told one by one:
//! what a recording of a busy machine keeps of them.

use crate::event::{AcquireCause, ReleaseCause};
use crate::id::{Monotonic, Pid, TableId};
use crate::kind::HandleKind;
use crate::stack::Trace;

/// Lifetimes are told apart in four steps an octave, from 1,024 ns up.
const FLOOR_BITS: u32 = 10;
const FINE_BITS: u32 = 2;

/// Descriptors of one process, made and closed at the same places.
#[derive(Clone, PartialEq, Debug)]
pub struct Folded {
    /// When the first of them was made.
    pub from: Monotonic,
    /// When the last of them was made.
    pub born: Monotonic,
    /// When the last of them was closed.
    pub to: Monotonic,
    /// The process.
    pub pid: Pid,
    /// Its table.
    pub table: TableId,
    /// What they were, as far as their births told.
    pub kind: HandleKind,
    /// What made them.
    pub cause: AcquireCause,
    /// The birth stack, by number.
    pub birth: Trace<'static>,
    /// What closed them.
    pub release: ReleaseCause,
    /// The closer's stack, by number.
    pub death: Trace<'static>,
    /// How many lived how long: steps of [`step`] and counts, the shortest first.
    pub lived: Vec<(u32, u32)>,
    /// The longest life, in nanoseconds.
    pub longest_ns: u64,
}

impl Folded {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.lived.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Counts one more that lived so long.
    pub fn live(&mut self, age_ns: u64) {
        let step = step(age_ns);
        match self.lived.binary_search_by_key(&step, |row| row.0) {
            Ok(place) => {
                if let Some(row) = self.lived.get_mut(place) {
                    row.1 = row.1.saturating_add(1);
                }
            }
            Err(place) => self.lived.insert(place, (step, 1)),
        }
        self.longest_ns = self.longest_ns.max(age_ns);
    }
}

/// The step that a lifetime falls into.
pub fn step(age_ns: u64) -> u32 {
    let units = age_ns >> FLOOR_BITS;
    match units.checked_ilog2() {
        Some(octave) if octave >= FINE_BITS => {
            let fine = (units >> (octave - FINE_BITS)) as u32 & ((1 << FINE_BITS) - 1);
            (octave - FINE_BITS + 1) << FINE_BITS | fine
        }
        _ => units as u32,
    }
}

/// A lifetime in the middle of a step, in nanoseconds.
pub fn middle_ns(step: u32) -> u64 {
    start(step).midpoint(start(step.saturating_add(1)))
}

fn start(step: u32) -> u64 {
    let (octave, fine) = (step >> FINE_BITS, u64::from(step & ((1 << FINE_BITS) - 1)));
    let units = match octave.checked_sub(1) {
        None => fine,
        Some(shift) => (1 << FINE_BITS | fine).checked_shl(shift).unwrap_or(u64::MAX),
    };
    units.saturating_mul(1 << FLOOR_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_where_the_one_before_ends() {
        for step_number in 1..200 {
            let begin = start(step_number);
            assert_eq!((step(begin), step(begin - 1)), (step_number, step_number - 1));
            let middle = middle_ns(step_number);
            assert_eq!(step(middle), step_number);
        }
        assert_eq!((step(0), step(1_023), step(1_024)), (0, 0, 1));
        assert!(middle_ns(u32::MAX) > 0 && step(u64::MAX) < 256);
    }
}
