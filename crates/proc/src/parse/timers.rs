//! /proc/PID/timers: the POSIX timers of a process (since 3.10, with CONFIG_CHECKPOINT_RESTORE).

use fdscope_model::Name;

use super::number::{decimal, decimal32};
use super::{after, lines};

/// How an expiry is told.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Notify {
    /// `signal`, `none` or `thread`.
    pub how: Name,
    /// True if told to one thread (`tid.N`), false if to the process (`pid.N`).
    pub to_thread: bool,
}

/// One timer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timer {
    /// The kernel's id of it, counted up per process.
    pub id: u32,
    /// The signal's number.
    pub signal: u32,
    /// How an expiry is told.
    pub notify: Notify,
    /// The clock: 0 realtime, 1 monotonic, 7 boottime; negative for CPU clocks.
    pub clock: i32,
}

/// Parses timers; lines that are not understood are passed over.
pub fn parse_timers(bytes: &[u8]) -> Vec<Timer> {
    let mut timers: Vec<Timer> = Vec::new();
    for line in lines(bytes) {
        if let Some(id) = after(line, b"ID:") {
            timers.extend(decimal32(id).map(|id| Timer { id, ..Timer::default() }));
            continue;
        }
        let Some(timer) = timers.last_mut() else { continue };
        if let Some(value) = after(line, b"signal:") {
            let number = value.split(|&b| b == b'/').next().and_then(decimal32);
            timer.signal = number.unwrap_or(0);
        } else if let Some(value) = after(line, b"notify:") {
            timer.notify = parse_notify(value);
        } else if let Some(value) = after(line, b"ClockID:") {
            timer.clock = parse_signed(value);
        }
    }
    timers
}

fn parse_notify(value: &[u8]) -> Notify {
    let mut halves = value.splitn(2, |&b| b == b'/');
    let how = halves.next().unwrap_or_default().into();
    let to_thread = halves.next().is_some_and(|target| target.starts_with(b"tid."));
    Notify { how, to_thread }
}

fn parse_signed(value: &[u8]) -> i32 {
    let (sign, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, value),
    };
    decimal(digits).and_then(|n| i32::try_from(n).ok()).unwrap_or(0) * sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_read_with_their_ids() {
        let text = b"ID: 60\nsignal: 14/00007fff86e452a8\nnotify: signal/pid.2634\nClockID: 0\n\
            ID: 61\nsignal: 33/0\nnotify: signal/tid.2635\nClockID: -6\n";
        let timers = parse_timers(text);
        assert_eq!(timers.len(), 2);
        assert_eq!((timers[0].id, timers[0].signal, timers[0].clock), (60, 14, 0));
        assert_eq!(timers[0].notify, Notify { how: "signal".into(), to_thread: false });
        assert_eq!((timers[1].id, timers[1].notify.to_thread, timers[1].clock), (61, true, -6));
    }
}
