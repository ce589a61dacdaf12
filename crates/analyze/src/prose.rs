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

/// A duration in the two largest units that matter, as every other part of the report writes it.
pub(crate) fn duration(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round();
    match seconds {
        s if s < 1e-6 => "under 1 µs".to_owned(),
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        _ if tenths >= 600.0 => long(seconds),
        _ if tenths % 10.0 == 0.0 => format!("{:.0} s", tenths / 10.0),
        _ => format!("{:.1} s", tenths / 10.0),
    }
}

fn long(seconds: f64) -> String {
    let whole = |unit: f64| (seconds / unit).round() as u64;
    match (whole(1.0), whole(60.0)) {
        (s, _) if s < 3600 => two(s / 60, "min", s % 60, "s"),
        (_, min) if min < 1440 => two(min / 60, "h", min % 60, "min"),
        _ => two(whole(3600.0) / 24, "d", whole(3600.0) % 24, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// About how long something will take: whole seconds.
pub(crate) fn about(seconds: f64) -> String {
    duration(seconds.round().max(1.0))
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
        assert_eq!(duration(5909.0), "1 h 38 min");
        assert_eq!(duration(23.96), "24 s");
        assert_eq!(duration(90.0), "1 min 30 s");
        assert_eq!(duration(200_000.0), "2 d 8 h");
    }
}
