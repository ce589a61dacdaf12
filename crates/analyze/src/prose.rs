//! Numbers as people read them: `1,024`, `4 min 55 s`, `3.0 files a second`.

use fdscope_model::HandleKind;

/// A count with thousands separated by commas.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: "1 file", "1,024 files".
pub(crate) fn handles(number: u64, kind: HandleKind) -> String {
    format!("{} {}", count(number), noun(number, kind))
}

/// The noun of a kind, for so many.
pub(crate) fn noun(number: u64, kind: HandleKind) -> &'static str {
    match (number, kind) {
        (1, HandleKind::Pipe) => "pipe end",
        (1, HandleKind::CharDevice) => "character device",
        (1, HandleKind::BlockDevice) => "block device",
        (1, HandleKind::UnknownDescriptor) => "descriptor",
        (1, HandleKind::UnjoinedThread) => "exited thread",
        (1, HandleKind::Child) => "child process",
        (1, HandleKind::Timer) => "POSIX timer",
        (1, HandleKind::Registration) => "epoll registration",
        (1, _) => kind.word(),
        (_, HandleKind::UnjoinedThread) => "exited threads",
        (_, HandleKind::UnknownDescriptor) => "descriptors",
        (_, _) => kind.plural(),
    }
}

/// A duration in the two largest units that matter.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 1e-6 => "under 1 µs".to_owned(),
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        _ if whole < 120 => format!("{whole} s"),
        _ if whole < 7200 => two(whole / 60, "min", whole % 60, "s"),
        _ if whole < 172_800 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "days", whole % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A duration given in nanoseconds.
pub(crate) fn duration_ns(ns: u64) -> String {
    duration(ns as f64 / 1e9)
}

/// The unit of time in which a rate is a number that reads well, and its seconds.
fn unit(per_s: f64) -> (&'static str, f64) {
    match per_s {
        r if r >= 0.95 => ("a second", 1.0),
        r if r * 60.0 >= 0.95 => ("a minute", 60.0),
        _ => ("an hour", 3600.0),
    }
}

fn figure(value: f64) -> String {
    if value >= 9.95 { count(value.round() as u64) } else { format!("{value:.1}") }
}

/// A rate of a kind, in the unit that keeps its number readable: "3.0 files a second".
pub(crate) fn rate_of(per_s: f64, kind: HandleKind) -> String {
    let (unit, seconds) = unit(per_s);
    format!("{} {} {unit}", figure(per_s * seconds), noun(2, kind))
}

/// A rate without its noun: "3.0 a second".
pub(crate) fn pace(per_s: f64) -> String {
    let (unit, seconds) = unit(per_s);
    format!("{} {unit}", figure(per_s * seconds))
}

/// A range of rates, both in the unit of the estimate between them: "2.8 and 3.2 a second".
pub(crate) fn rates(low: f64, estimate: f64, high: f64) -> String {
    let (unit, seconds) = unit(estimate);
    format!("{} and {} {unit}", figure(low * seconds), figure(high * seconds))
}

/// A share in whole percent, never rounded up to all or down to nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    match share {
        s if s > 99.0 && part < whole => "over 99 %".to_owned(),
        s if s < 1.0 && part > 0 => "under 1 %".to_owned(),
        s => format!("{s:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1024), "1,024");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(handles(1, HandleKind::Directory), "1 directory");
        assert_eq!(handles(2, HandleKind::Directory), "2 directories");
        assert_eq!(duration(295.0), "4 min 55 s");
        assert_eq!(duration(0.04), "40 ms");
        assert_eq!(duration(7200.0), "2 h");
        assert_eq!(rate_of(3.0, HandleKind::File), "3.0 files a second");
        assert_eq!(rate_of(1.0 / 60.0, HandleKind::Socket), "1.0 sockets a minute");
        assert_eq!(rates(0.8, 1.0, 1.2), "0.8 and 1.2 a second");
        assert_eq!(percent(99_999, 100_000), "over 99 %");
        assert_eq!(percent(1, 2), "50 %");
    }
}
