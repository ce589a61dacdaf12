//! Connections of TCP that were seen: where their sequence numbers began, so that those shown are small.

use std::hash::{Hash, Hasher};

use fdscope_model::hash::FastMap;

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
pub struct Flows(FastMap<FlowKey, Begin>);

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
