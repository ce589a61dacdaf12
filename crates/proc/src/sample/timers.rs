//! POSIX timers by how they tell of an expiry and by clock.

use std::collections::BTreeMap;

use fdscope_model::HandleKind;
use fdscope_model::process::GroupCount;

use super::threads::to_counts;
use crate::error::ProcError;
use crate::parse::{Timer, parse_timers};
use crate::root::PidDir;

/// Counts timers; remembers the highest id, for the kernel counts ids up.
#[derive(Debug, Default)]
pub(super) struct Timers {
    highest: Option<Option<u32>>,
}

impl Timers {
    pub fn count(&mut self, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        let timers = parse_timers(&dir.read("timers", "read timers")?);
        let mut groups: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
        for timer in &timers {
            let group = groups.entry(group_of(timer).into_bytes()).or_default();
            group.0 += 1;
            group.1 += u64::from(self.highest.is_some_and(|highest| Some(timer.id) > highest));
        }
        let highest = timers.iter().map(|timer| timer.id).max();
        let before = self.highest.replace(highest.max(self.highest.flatten()));
        Ok(to_counts(HandleKind::Timer, groups, before.is_some()))
    }
}

/// `CLOCK_MONOTONIC, signal 14`, `CLOCK_REALTIME, no notification`.
fn group_of(timer: &Timer) -> String {
    let clock = match timer.clock {
        0 => "CLOCK_REALTIME".to_owned(),
        1 => "CLOCK_MONOTONIC".to_owned(),
        7 => "CLOCK_BOOTTIME".to_owned(),
        8 => "CLOCK_REALTIME_ALARM".to_owned(),
        9 => "CLOCK_BOOTTIME_ALARM".to_owned(),
        11 => "CLOCK_TAI".to_owned(),
        clock if clock < 0 => "a CPU clock".to_owned(),
        clock => format!("clock {clock}"),
    };
    match (timer.notify.how.bytes(), timer.notify.to_thread) {
        (b"none", _) => format!("{clock}, no notification"),
        (b"thread", _) => format!("{clock}, thread"),
        (_, true) => format!("{clock}, signal {} to a thread", timer.signal),
        (_, false) => format!("{clock}, signal {}", timer.signal),
    }
}
