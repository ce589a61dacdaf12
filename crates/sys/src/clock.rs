//! The clocks. The only place below the binary that reads one.

use fdscope_model::Monotonic;
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC now: the clock of `bpf_ktime_get_ns` and of every event.
pub fn monotonic_now() -> Monotonic {
    Monotonic(nanoseconds(ClockId::Monotonic))
}

/// Wall time now in nanoseconds since the epoch.
pub fn wall_now_ns() -> u64 {
    nanoseconds(ClockId::Realtime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
