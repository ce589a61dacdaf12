//! Maps by inode: the kernel gives these numbers out, so nobody picks them to collide, and there may be 100,000.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from inodes.
pub(super) type ByInode<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

/// Spreads numbers over all bits by one multiplication (Knuth, The Art of Computer Programming, 6.4).
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The map takes its bucket from the low bits, and these come from the low bits of the number alone.
        self.0 = product ^ product >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_fall_apart() {
        let low = |number: u64| {
            let mut hasher = Spread::default();
            hasher.write_u64(number);
            hasher.finish() & 0xfff
        };
        let found: std::collections::HashSet<u64> = (0..4096).map(|n| low(n * 4096)).collect();
        assert!(found.len() > 2048, "{}", found.len());
    }
}
