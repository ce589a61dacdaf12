//! Numbers with and without units, read and written.

/// Units of sizes, in bits to shift: K is 1,024 and so on.
const SIZES: &[(&str, u32)] = &[("", 0), ("b", 0), ("k", 10), ("m", 20), ("g", 30), ("t", 40)];

/// Units of time in nanoseconds, the longest first; a bare number is seconds.
const TIMES: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("", 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// A number without unit: decimal, or hexadecimal with `0x`.
pub(super) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => Some(text).filter(|text| is_digits(text))?.parse().ok(),
    }
}

/// A size in bytes: `4096`, `10K`, `1.5M`, `2GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (value, unit) = split(text)?;
    let unit = unit.to_lowercase();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let (_, shift) = SIZES.iter().find(|(word, _)| *word == unit)?;
    scaled(value, 1 << shift)
}

/// A time in nanoseconds: `500ms`, `10s`, `10m`, `2h`, `1d`.
pub(super) fn time_ns(text: &str) -> Option<u64> {
    let (value, unit) = split(text)?;
    let (_, ns) = TIMES.iter().find(|(word, _)| *word == unit)?;
    scaled(value, *ns)
}

/// A time as [`time_ns`] reads it, exactly.
pub(super) fn print_time(ns: u64) -> String {
    let fits = |(word, unit): &&(&str, u64)| !word.is_empty() && ns.is_multiple_of(*unit);
    let (word, unit) = TIMES.iter().find(fits).expect("the last row's unit divides all");
    format!("{}{word}", ns / unit)
}

/// True for a number with something behind it that may be meant as a unit.
pub(super) fn has_unit(text: &str) -> bool {
    split(text).is_some_and(|(_, unit)| !unit.is_empty())
}

/// The digits (and one point) of a number, and what stands behind them.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (value, unit) = text.split_at(end);
    value.starts_with(|c: char| c.is_ascii_digit()).then_some((value, unit))
}

fn scaled(value: &str, scale: u64) -> Option<u64> {
    if is_digits(value) {
        return value.parse::<u64>().ok()?.checked_mul(scale);
    }
    let scaled = value.parse::<f64>().ok()? * scale as f64;
    (scaled < u64::MAX as f64).then_some(scaled.round() as u64)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_times_are_read() {
        let check = |read: fn(&str) -> Option<u64>, text, expected: Option<u64>| {
            assert_eq!(read(text), expected, "{text}");
        };
        check(number, "12", Some(12));
        check(number, "0xff", Some(255));
        check(number, "12s", None);
        check(number, "+1", None);
        check(number, "99999999999999999999", None);
        check(size, "4096", Some(4_096));
        check(size, "10K", Some(10_240));
        check(size, "1.5MiB", Some(1_572_864));
        check(size, "2gb", Some(2 << 30));
        check(size, "99999999T", None);
        check(size, "10s", None);
        check(size, "1.2.3", None);
        check(time_ns, "10m", Some(600_000_000_000));
        check(time_ns, "1.5s", Some(1_500_000_000));
        check(time_ns, "3", Some(3_000_000_000));
        check(time_ns, "10M", None);
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for ns in [0, 1, 999, 1_000, 1_500_000_000, 600_000_000_000, u64::MAX] {
            assert_eq!(time_ns(&print_time(ns)), Some(ns), "{}", print_time(ns));
        }
    }
}
