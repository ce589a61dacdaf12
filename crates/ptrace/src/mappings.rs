//! Which memory was mapped by which call, so that unmapping can be told of what was mapped.
//!
//! A mapping is known by the address it began at; it ends when its last piece is unmapped. Mappings older than the
//! watch are not known here, and their end is not told.

use std::collections::{BTreeMap, HashMap};

use fdscope_model::{HandleKey, HandleKind, Pid, Tid};

use crate::births::{ended, made};
use crate::tracer::Tracer;

/// The mappings of a process that were made while it was watched.
#[derive(Clone, Debug, Default)]
pub struct Mappings {
    /// Pieces by first address: one past the last, and the address by which the mapping is known.
    pieces: BTreeMap<u64, (u64, u64)>,
    /// How many pieces a mapping has left.
    left: HashMap<u64, u32>,
}

/// The kernel maps and unmaps whole pages; this is the smallest of any processor.
const PAGE: u64 = 4096;

impl Mappings {
    /// Enters a mapping.
    pub fn map(&mut self, start: u64, length: u64) {
        self.add_piece(start, end_of(start, length), start);
    }

    /// Removes what lies in the range; says which mappings are gone with it.
    pub fn unmap(&mut self, start: u64, length: u64) -> Vec<u64> {
        let end = end_of(start, length);
        let below = self.pieces.range(..end).rev();
        let touched: Vec<(u64, u64, u64)> = below
            .take_while(|(_, (piece_end, _))| *piece_end > start)
            .map(|(first, (piece_end, known_by))| (*first, *piece_end, *known_by))
            .collect();
        let mut gone = Vec::new();
        for (first, piece_end, known_by) in touched {
            self.pieces.remove(&first);
            if first < start {
                self.add_piece(first, start, known_by);
            }
            if piece_end > end {
                self.add_piece(end, piece_end, known_by);
            }
            if let Some(left) = self.left.get_mut(&known_by) {
                *left -= 1;
                if *left == 0 {
                    self.left.remove(&known_by);
                    gone.push(known_by);
                }
            }
        }
        gone
    }

    fn add_piece(&mut self, start: u64, end: u64, known_by: u64) {
        self.pieces.insert(start, (end, known_by));
        *self.left.entry(known_by).or_default() += 1;
    }
}

fn end_of(start: u64, length: u64) -> u64 {
    start.saturating_add(length.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX))
}

impl Tracer {
    /// Tells that memory was mapped, and the end of what was mapped there before.
    pub fn mapped(&mut self, tid: Tid, pid: Pid, start: u64, length: u64, name: &'static str) {
        self.unmapped(tid, pid, start, length, name);
        self.mappings.entry(pid).or_default().map(start, length);
        self.tell(tid, pid, made(HandleKey::Mapping(pid, start), HandleKind::Mapping, name));
    }

    /// Tells which mappings ended with a range of memory.
    pub fn unmapped(&mut self, tid: Tid, pid: Pid, start: u64, length: u64, name: &'static str) {
        let gone = self.mappings.entry(pid).or_default().unmap(start, length);
        for known_by in gone {
            self.tell(tid, pid, ended(HandleKey::Mapping(pid, known_by), name));
        }
    }

    /// A child begins with its parent's mappings.
    pub fn copy_mappings(&mut self, parent: Pid, child: Pid) {
        if let Some(mappings) = self.mappings.get(&parent).cloned() {
            self.mappings.insert(child, mappings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_ends_with_its_last_piece() {
        let mut mappings = Mappings::default();
        mappings.map(0x1000, 0x4000);
        assert_eq!(mappings.unmap(0x2000, 0x1000), []);
        assert_eq!(mappings.unmap(0x1000, 1), []);
        assert_eq!(mappings.unmap(0x3000, 0x9000), [0x1000]);
        assert_eq!(mappings.unmap(0, u64::MAX), []);
    }

    #[test]
    fn one_range_ends_many_and_spares_the_neighbours() {
        let mut mappings = Mappings::default();
        for start in [0x1000, 0x2000, 0x3000, 0x4000] {
            mappings.map(start, 0x1000);
        }
        let mut gone = mappings.unmap(0x2000, 0x2000);
        gone.sort_unstable();
        assert_eq!(gone, [0x2000, 0x3000]);
        assert_eq!(mappings.unmap(0x1000, 0x1000), [0x1000]);
        assert_eq!(mappings.unmap(0x4000, 0x1000), [0x4000]);
    }
}
