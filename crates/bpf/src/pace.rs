//! How often stacks are taken: always at births while that is cheap, of a share of the deaths.
//!
//! A stack at a death only says who closes siblings; a few a second say it as well as all. A stack at a birth names
//! the leak, so births are thinned only by the program itself when the ring runs full, and then it is counted.

use fdscope_model::Monotonic;

/// Stacks of deaths wanted per second and process.
const DEATH_STACKS_PER_S: u64 = 200;

/// Watches one process's rate of deaths and chooses how many to skip.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    since: Monotonic,
    deaths: u64,
    every: u32,
}

impl Pace {
    /// Takes every stack at first.
    pub fn new(now: Monotonic) -> Self {
        Pace { since: now, deaths: 0, every: 1 }
    }

    /// The share to take: every n-th.
    pub fn every(&self) -> u32 {
        self.every
    }

    /// Counts a death.
    pub fn death(&mut self) {
        self.deaths += 1;
    }

    /// Once a second: the new share, if it changed by enough to be worth telling the kernel.
    pub fn adjust(&mut self, now: Monotonic) -> Option<u32> {
        let elapsed_ns = now.since_ns(self.since);
        if elapsed_ns < 1_000_000_000 {
            return None;
        }
        let per_s = self.deaths.saturating_mul(1_000_000_000) / elapsed_ns;
        let wanted = (per_s / DEATH_STACKS_PER_S).max(1).next_power_of_two() as u32;
        self.since = now;
        self.deaths = 0;
        let changed = wanted != self.every;
        self.every = wanted;
        changed.then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_follows_the_rate() {
        let second = 1_000_000_000;
        let mut pace = Pace::new(Monotonic(0));
        (0..100_000).for_each(|_| pace.death());
        assert_eq!(pace.adjust(Monotonic(second / 2)), None);
        assert_eq!(pace.adjust(Monotonic(second)), Some(512));
        assert_eq!(pace.adjust(Monotonic(2 * second)), Some(1));
        assert_eq!(pace.adjust(Monotonic(3 * second)), None);
    }
}
