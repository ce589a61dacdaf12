//! Every distinct stack of the run, once.

use std::rc::Rc;

use fdscope_model::{Stack, StackId};

use fdscope_model::hash::FastMap;

/// The most distinct stacks that are kept whole. Beyond it, only their inner frames tell stacks apart: recursion of
/// ever new depth must not fill the memory.
const MOST_WHOLE: usize = 32_768;
/// The most distinct stacks that are kept at all.
const MOST: usize = 65_536;
/// How many inner frames stay of a stack that is not kept whole.
const INNER_FRAMES: usize = 12;

/// Interned stacks.
#[derive(Debug, Default)]
pub struct StackTable {
    stacks: Vec<Rc<Stack>>,
    ids: FastMap<Rc<Stack>, StackId>,
}

impl StackTable {
    /// The id of a stack equal to `stack`, which may be cut first. Nothing is allocated if it is known. `None` if
    /// the table is full.
    pub fn intern(&mut self, stack: &mut Stack) -> Option<StackId> {
        if let Some(&known) = self.ids.get(stack) {
            return Some(known);
        }
        if self.stacks.len() >= MOST_WHOLE && stack.frames.len() > INNER_FRAMES {
            stack.frames.truncate(INNER_FRAMES);
            stack.truncated = true;
            return self.intern(stack);
        }
        let id =
            StackId(u32::try_from(self.stacks.len()).ok().filter(|_| self.stacks.len() < MOST)?);
        let kept = Rc::new(stack.clone());
        self.stacks.push(Rc::clone(&kept));
        self.ids.insert(kept, id);
        Some(id)
    }

    /// The stack with this id, if this table gave it.
    pub fn get(&self, id: StackId) -> Option<&Stack> {
        self.stacks.get(id.0 as usize).map(Rc::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.stacks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::CodeAddr;

    fn stack(depth: u64, last: u64) -> Stack {
        let offsets = (0..depth).chain([last]);
        let frames = offsets.map(|offset| CodeAddr { module: 0, offset }).collect();
        Stack { frames, truncated: false, starts: false }
    }

    #[test]
    fn equal_stacks_share_an_id() {
        let mut table = StackTable::default();
        let first = table.intern(&mut stack(3, 9)).unwrap();
        assert_eq!(table.intern(&mut stack(3, 9)), Some(first));
        assert_ne!(table.intern(&mut stack(3, 8)), Some(first));
        assert_eq!(table.get(first), Some(&stack(3, 9)));
        assert_eq!(table.get(StackId(77)), None);
    }

    #[test]
    fn ever_new_depths_do_not_fill_the_memory() {
        let mut table = StackTable::default();
        for last in 0..MOST_WHOLE as u64 + 1000 {
            table.intern(&mut stack(20, last)).unwrap();
        }
        assert_eq!(table.len(), MOST_WHOLE + 1);
        for last in 0..MOST as u64 {
            table.intern(&mut stack(2, last));
        }
        assert_eq!(table.len(), MOST);
        assert_eq!(table.intern(&mut stack(3, 1)), None);
        assert!(table.intern(&mut stack(2, 1)).is_some());
    }
}
