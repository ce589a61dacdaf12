//! Memos to be handed to the source: each once a second at most, and not too many.

use fdscope_model::{Memo, MemoWord, Monotonic, Pid, Registers, StackId};
use fdscope_sys::clock::monotonic_now;

use fdscope_model::hash::FastMap;

/// The most memos told in one second: a map written so often costs fdscope less than half a percent of a processor.
const MOST_PER_S: usize = 2048;
/// The most that wait to be taken.
const MOST_WAITING: usize = 256;
/// What is told of the stack pointer: threads that came the same way agree in it, because stacks begin at pages.
const DEPTH_MASK: u64 = 0xfff;

type Told = (Pid, Monotonic, u64, u64, StackId);

/// Memos not yet taken, and those told in the last second: while a source learns, more copies of the same stack are on
/// their way.
#[derive(Debug, Default)]
pub struct Memos {
    waiting: Vec<Memo>,
    told: FastMap<Told, ()>,
    forgot: Monotonic,
}

impl Memos {
    /// Remembers that `stack` was unwound from `start` by reading `words`.
    pub fn tell(
        &mut self,
        pid: Pid,
        code_since: Monotonic,
        start: Registers,
        words: &[MemoWord],
        stack: StackId,
    ) {
        let Registers { ip, sp, .. } = start;
        let full = self.waiting.len() >= MOST_WAITING || self.told.len() >= MOST_PER_S;
        let key = (pid, code_since, ip, sp & DEPTH_MASK, stack);
        if full || self.told.insert(key, ()).is_some() {
            return;
        }
        self.waiting.push(Memo { pid, ip, sp, code_since, words: words.to_vec(), stack });
    }

    /// Takes those that wait.
    pub fn take(&mut self) -> Vec<Memo> {
        let now = monotonic_now();
        if now.since_ns(self.forgot) > 1_000_000_000 {
            self.forgot = now;
            // The source forgets, too: what still comes as a copy is told again.
            self.told.clear();
        }
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once() {
        let mut memos = Memos::default();
        let mut tell = |sp, stack| {
            let start = Registers { ip: 1, sp, fp: 0, lr: 0 };
            memos.tell(Pid(1), Monotonic(1), start, &[], StackId(stack));
        };
        tell(0x7000, 0);
        tell(0x9000, 0);
        tell(0x7000, 1);
        tell(0x7010, 0);
        assert_eq!(memos.take().len(), 3);
        assert_eq!(memos.take(), []);
    }
}
