//! How much of a process's stack is worth copying.
//!
//! Every byte copied costs the target time, and every byte missing costs the outer frames. So the amount starts
//! small, doubles at once when unwinding ran off the end of a full copy, and halves when a long run of stacks used
//! less than half of it.

/// The least that is copied: most open calls of small programs lie within.
const LEAST: usize = 1 << 10;
/// Where a process begins.
const FIRST: usize = 4 << 10;
/// The most that is copied.
const MOST: usize = 64 << 10;
/// After how many stacks the amount may halve.
const RUN: u32 = 4096;

/// The bytes wanted for one process.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    wanted: usize,
    deepest: usize,
    run: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { wanted: FIRST, deepest: 0, run: 0 }
    }
}

impl Budget {
    /// A power of two from 1 to 64 KiB.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Unwinding needed `used` bytes and found its end.
    pub fn sufficed(&mut self, used: usize) {
        self.deepest = self.deepest.max(used);
        self.run += 1;
        if self.run >= RUN {
            if self.deepest < self.wanted / 2 && self.wanted > LEAST {
                self.wanted /= 2;
            }
            (self.run, self.deepest) = (0, 0);
        }
    }

    /// Unwinding ran off the end of `copied` bytes. A copy shorter than wanted ended with the stack itself: more
    /// would not have helped.
    pub fn ran_off(&mut self, copied: usize) {
        (self.run, self.deepest) = (0, 0);
        if copied >= self.wanted && self.wanted < MOST {
            self.wanted *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_at_once_up_to_the_most() {
        let mut budget = Budget::default();
        for _ in 0..10 {
            budget.ran_off(budget.wanted());
        }
        assert_eq!(budget.wanted(), MOST);
    }

    #[test]
    fn a_copy_that_ended_with_the_stack_asks_for_no_more() {
        let mut budget = Budget::default();
        budget.ran_off(FIRST - 8);
        assert_eq!(budget.wanted(), FIRST);
    }

    #[test]
    fn shrinks_after_a_long_run_of_shallow_stacks() {
        let mut budget = Budget::default();
        (0..RUN).for_each(|_| budget.sufficed(600));
        assert_eq!(budget.wanted(), FIRST / 2);
        (0..10 * RUN).for_each(|_| budget.sufficed(600));
        assert_eq!(budget.wanted(), LEAST);
    }

    #[test]
    fn one_deep_stack_in_the_run_forbids_shrinking() {
        let mut budget = Budget::default();
        budget.sufficed(FIRST - 100);
        (1..RUN).for_each(|_| budget.sufficed(600));
        assert_eq!(budget.wanted(), FIRST);
    }
}
