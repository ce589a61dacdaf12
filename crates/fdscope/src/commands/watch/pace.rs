//! How often something is done that costs time: as often as wanted, but never for more than a part of a processor.

use fdscope_model::Monotonic;
use fdscope_sys::clock::monotonic_now;
use rustix::time::{ClockId, clock_gettime};

/// What is done may take one in so many parts of a processor.
const SHARE: u64 = 20;
/// However dear, it is done this often.
const RAREST_NS: u64 = 10_000_000_000;

/// The pace of one thing.
pub struct Pace {
    every_ns: u64,
    next: Monotonic,
}

impl Pace {
    /// At best this often; the first time at once.
    pub fn new(every_ns: u64) -> Self {
        Pace { every_ns, next: Monotonic(0) }
    }

    /// Does it, if it is time.
    pub fn run<T>(&mut self, act: impl FnOnce() -> T) -> Option<T> {
        let begun = monotonic_now();
        if begun < self.next {
            return None;
        }
        // Not by the clock: on a busy machine it would count the work of others.
        let before_ns = processor_ns();
        let done = act();
        self.spent(begun, processor_ns().saturating_sub(before_ns));
        Some(done)
    }

    fn spent(&mut self, begun: Monotonic, took_ns: u64) {
        let rest_ns = took_ns.saturating_mul(SHARE).min(RAREST_NS);
        self.next = Monotonic(begun.0.saturating_add(rest_ns.max(self.every_ns)));
    }
}

/// Processor time that this thread has used.
fn processor_ns() -> u64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as u64 * 1_000_000_000 + used.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_is_done_less_often() {
        let check = |took_ns, expected_ns| {
            let mut pace = Pace::new(1_000_000_000);
            pace.spent(Monotonic(0), took_ns);
            assert_eq!(pace.next.0, expected_ns);
        };
        check(1_000_000, 1_000_000_000);
        check(100_000_000, 2_000_000_000);
        check(9_000_000_000, RAREST_NS);
    }
}
