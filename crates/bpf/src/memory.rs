//! Which memos the programs have: a key may have several, of callers at the same depth, and they are numbered here.

use std::collections::HashMap;

use fdscope_model::{Memo, StackId};

use crate::wire::{MOST_MEMOS, MemoKey};

/// The most keys kept track of. What is forgotten is written over when it comes again.
const MOST_KEYS: usize = 16_384;
/// Of the stack pointer, what is in a key: all of it that pages leave the same in every thread.
const DEPTH_MASK: u64 = 0xfff;

/// The stacks under each key, by number, and which is written over next where there are too many.
#[derive(Debug, Default)]
pub struct Memory {
    keys: HashMap<MemoKey, (Vec<StackId>, usize)>,
}

impl Memory {
    /// The key under which a memo is to be written.
    pub fn place(&mut self, memo: &Memo) -> MemoKey {
        if self.keys.len() >= MOST_KEYS {
            self.keys.clear();
        }
        let depth = (memo.sp & DEPTH_MASK) as u16;
        let key =
            MemoKey { ip: memo.ip, code_since: memo.code_since.0, pid: memo.pid.0, depth, nth: 0 };
        let (stacks, next) = self.keys.entry(key).or_default();
        let nth = match stacks.iter().position(|stack| *stack == memo.stack) {
            Some(known) => known,
            None if stacks.len() < usize::from(MOST_MEMOS) => {
                stacks.push(memo.stack);
                stacks.len() - 1
            }
            None => {
                *next = (*next + 1) % stacks.len();
                stacks[*next] = memo.stack;
                *next
            }
        };
        MemoKey { nth: nth as u16, ..key }
    }
}

#[cfg(test)]
mod tests {
    use fdscope_model::{Monotonic, Pid};

    use super::*;

    #[test]
    fn callers_at_one_depth_are_numbered() {
        let mut memory = Memory::default();
        let mut nth = |sp, stack| {
            let (pid, ip, code_since) = (Pid(1), 2, Monotonic(3));
            let stack = StackId(stack);
            memory.place(&Memo { pid, ip, sp, code_since, words: Vec::new(), stack }).nth
        };
        assert_eq!([nth(0x1010, 7), nth(0x5010, 8), nth(0x1020, 9)], [0, 1, 0]);
        assert_eq!([nth(0x1010, 8), nth(0x1010, 7)], [1, 0], "known ones keep their number");
        assert_eq!([nth(0x1010, 1), nth(0x1010, 2)], [2, 3]);
        assert!(nth(0x1010, 3) < 4, "then one is written over");
        assert!(nth(0x1010, 3) < 4);
    }
}
