//! Copied bytes of a structure, read by field.

use crate::memory;

/// Bytes of a structure. Reading beyond its end gives zeros, as a kernel that knows more than a program does.
pub(crate) struct Block {
    /// The bytes, and zeros behind them.
    pub bytes: [u8; Block::MOST],
    /// How many there are.
    pub length: usize,
    /// Bytes of a pointer in them.
    pub pointer: usize,
}

impl Block {
    /// The largest structure.
    pub const MOST: usize = 512;

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// So many of the bytes, from an offset; fewer if there are fewer.
    pub fn slice(&self, at: usize, length: usize) -> &[u8] {
        let rest = self.bytes().get(at..).unwrap_or(&[]);
        &rest[..length.min(rest.len())]
    }

    /// An 8-bit field.
    pub fn u8(&self, at: usize) -> u64 {
        self.bytes().get(at).copied().unwrap_or(0).into()
    }

    /// A 16-bit field.
    pub fn u16(&self, at: usize) -> u64 {
        match self.bytes().get(at..at + 2) {
            Some(&[a, b]) => u16::from_ne_bytes([a, b]).into(),
            _ => 0,
        }
    }

    /// A 16-bit field in network order.
    pub fn be16(&self, at: usize) -> u64 {
        u64::from(u16::from_be(self.u16(at) as u16))
    }

    /// A 32-bit field.
    pub fn u32(&self, at: usize) -> u64 {
        memory::u32_in(self.bytes(), at).unwrap_or(0).into()
    }

    /// A signed 32-bit field.
    pub fn i32(&self, at: usize) -> i64 {
        (self.u32(at) as i32).into()
    }

    /// A 64-bit field.
    pub fn u64(&self, at: usize) -> u64 {
        memory::word_in(self.bytes(), at, 8).unwrap_or(0)
    }

    /// The n-th pointer-sized field of a structure of such fields.
    pub fn word(&self, n: usize) -> u64 {
        self.word_at(n * self.pointer)
    }

    /// The pointer-sized field at an offset.
    pub fn word_at(&self, at: usize) -> u64 {
        memory::word_in(self.bytes(), at, self.pointer).unwrap_or(0)
    }

    /// The same, signed.
    pub fn long_at(&self, at: usize) -> i64 {
        match self.pointer {
            4 => self.i32(at),
            _ => self.u64(at) as i64,
        }
    }

    /// The n-th signed field of a structure of such fields.
    pub fn long(&self, n: usize) -> i64 {
        self.long_at(n * self.pointer)
    }
}
