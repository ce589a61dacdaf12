//! The hasher of the ledger's maps: one multiplication a word, because keys are small numbers of the kernel's making
//! and a map is consulted several times an event. Not for keys that an adversary chooses freely in bulk.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map with the quick hasher. Its order never reaches the output: whoever iterates, sorts.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Fx>>;

/// A set with the quick hasher.
pub(crate) type FastSet<K> = HashSet<K, BuildHasherDefault<Fx>>;

/// The multiplicative hash of the Firefox and rustc code bases, finished by a rotation so that the top bits, which the
/// map takes its tags from, and the low bits, which it takes its buckets from, both depend on the whole key.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fx(u64);

const SEED: u64 = 0xf135_7aea_2e62_a9c5;

impl Fx {
    fn add(&mut self, word: u64) {
        self.0 = self.0.wrapping_add(word).wrapping_mul(SEED);
    }
}

impl Hasher for Fx {
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.add(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }
}
