//! Connections of TCP that were seen: where their sequence numbers began, so that those shown are small.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Which addresses and ports, the lower port's end first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowKey {
    /// IPv4 addresses stand in the first four bytes of each.
    pub ends: [[u8; 16]; 2],
    pub ports: u32,
    pub version: u8,
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second] = self.ends;
        for address in [first, second] {
            let word = u128::from_ne_bytes(address);
            state.write_u64(word as u64);
            // Nothing stands there for IPv4.
            if self.version == 6 {
                state.write_u64((word >> 64) as u64);
            }
        }
        state.write_u32(self.ports);
    }
}

/// The first sequence number of each direction.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    pub seq: u32,
    pub ack: u32,
}

/// How many connections are remembered at most: a flood of made-up ones must not eat the memory.
const MOST: usize = 1 << 20;

/// The connections seen.
#[derive(Default, Debug)]
pub struct Flows(HashMap<FlowKey, Begin, BuildHasherDefault<Mixer>>);

impl Flows {
    pub fn get(&self, key: &FlowKey) -> Option<Begin> {
        self.0.get(key).copied()
    }

    pub fn insert(&mut self, key: FlowKey, begin: Begin) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(key, begin);
    }
}

/// A quick hash. Colliding on purpose slows the printing, no more.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
