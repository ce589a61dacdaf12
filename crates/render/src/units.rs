//! Numbers for people: counts with thousands separators, durations, rates, bytes and shares.
//!
//! A rounded number never claims more than is true: 411 of 412 is ">99 %", not "100 %".

/// A count with thousands separators: `1,024`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun in the right number: `1 file`, `1,024 files`.
pub fn count_of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A duration of nanoseconds: `850 ns`, `1.2 ms`, `12.1 s`, `4 min 55 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration_ns(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")];
    for (unit, word) in UNITS {
        if let Some(text) = below_a_thousand(ns, unit) {
            return format!("{text} {word}");
        }
    }
    duration_s(ns as f64 / 1e9)
}

/// `ns` in `unit`s with at most one decimal, if it rounds to less than a thousand of them.
fn below_a_thousand(ns: u64, unit: u64) -> Option<String> {
    let tenths = (ns.saturating_mul(10).saturating_add(unit / 2)) / unit;
    match tenths {
        0..100 if !tenths.is_multiple_of(10) => Some(format!("{}.{}", tenths / 10, tenths % 10)),
        0..9_995 => Some(((tenths + 5) / 10).to_string()),
        _ => None,
    }
}

/// A duration of seconds, as [`duration_ns`]; negative is zero, more than two years is in years.
pub fn duration_s(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 1.0 && seconds > 0.0 {
        let ns = (seconds * 1e9).round() as u64;
        if ns < 999_500_000 {
            return duration_ns(ns);
        }
    }
    let tenths = (seconds * 10.0).round();
    if tenths < 600.0 {
        return match tenths % 10.0 {
            0.0 => format!("{} s", tenths / 10.0),
            _ => format!("{:.1} s", tenths / 10.0),
        };
    }
    long_duration(seconds)
}

/// Two neighbouring units, the smaller left out when zero.
fn long_duration(seconds: f64) -> String {
    // Seconds in the small unit, in the large one, and where the next pair begins; then their words.
    const PAIRS: [(f64, f64, f64, &str, &str); 3] = [
        (1.0, 60.0, 3_600.0, "min", "s"),
        (60.0, 3_600.0, 86_400.0, "h", "min"),
        (3_600.0, 86_400.0, 63_072_000.0, "d", "h"),
    ];
    for (small_s, large_s, end_s, large, small) in PAIRS {
        let rounded_s = (seconds / small_s).round() * small_s;
        if rounded_s >= end_s {
            continue;
        }
        let (whole, rest) = ((rounded_s / large_s).floor(), rounded_s % large_s / small_s);
        return match rest {
            0.0 => format!("{whole} {large}"),
            _ => format!("{whole} {large} {rest} {small}"),
        };
    }
    match (seconds / 31_536_000.0).round() {
        years if years < 1_000.0 => format!("{years} years"),
        _ => "over 1,000 years".to_string(),
    }
}

/// A number with one decimal below 100 and none above: `3.0`, `12.5`, `1,234`.
pub fn decimal(value: f64) -> String {
    let sign = if value < 0.0 && (value * 10.0).round() != 0.0 { "-" } else { "" };
    let size = value.abs();
    if (size * 10.0).round() < 1_000.0 {
        format!("{sign}{size:.1}")
    } else {
        format!("{sign}{}", count(size.round().min(1e18) as u64))
    }
}

/// A rate with the noun in the plural: `3.0 files/s`, `2.0 files/min`, `1.5 files/h`, `0.5 files/day`.
///
/// The unit is the shortest in which the number is at least 0.1 (a day at the longest).
pub fn rate(per_s: f64, noun: &str) -> String {
    let (factor, unit) = rate_unit(per_s);
    format!("{} {noun}/{unit}", decimal(per_s * factor))
}

/// A rate without noun and with its sign, for status lines: `+3.0/s`.
pub fn signed_rate(per_s: f64) -> String {
    let (factor, unit) = rate_unit(per_s);
    let plus = if per_s * factor >= 0.05 { "+" } else { "" };
    format!("{plus}{}/{unit}", decimal(per_s * factor))
}

/// A rate and its 95 % interval in one unit: `+3.0/s (95 % sure between 2.8 and 3.2)`.
pub fn interval(per_s: f64, low_per_s: f64, high_per_s: f64) -> String {
    let (factor, _) = rate_unit(per_s);
    let [low, high] = [low_per_s, high_per_s].map(|end| decimal(end * factor));
    format!("{} (95 % sure between {low} and {high})", signed_rate(per_s))
}

fn rate_unit(per_s: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 3] = [(1.0, "s"), (60.0, "min"), (3_600.0, "h")];
    if per_s == 0.0 {
        return UNITS[0];
    }
    let fits = |&(factor, _): &(f64, &str)| per_s.abs() * factor >= 0.095;
    UNITS.into_iter().find(fits).unwrap_or((86_400.0, "day"))
}

/// A moment of wall time, from nanoseconds since 1970: `2026-11-23 06:59:01 UTC`.
pub fn wall_time(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (year, month, day) = civil(seconds / 86_400);
    let [hour, minute, second] = [seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60];
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant's civil_from_days for later days.
fn civil(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years that begin on the first of March, so that the leap day ends its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A size in bytes: `512 B`, `1.5 KiB`, `3.0 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1_024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1_024.0;
    let mut unit = 0;
    while (value * 10.0).round() >= 10_240.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", decimal(value), UNITS[unit])
}

/// A share in per cent: `66 %`; `0 %` and `100 %` only when exact, and `-` of nothing.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_string();
    }
    let per_cent = part as f64 / whole as f64 * 100.0;
    match per_cent.round() {
        0.0 if part > 0 => "<1 %".to_string(),
        100.0 if part < whole => ">99 %".to_string(),
        rounded => format!("{} %", count(rounded as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_the_right_noun() {
        let check = |n, expected| assert_eq!(count_of(n, "file", "files"), expected);
        check(0, "0 files");
        check(1, "1 file");
        check(999, "999 files");
        check(1_024, "1,024 files");
        check(1_234_567, "1,234,567 files");
        check(u64::MAX, "18,446,744,073,709,551,615 files");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let check = |ns: u64, expected| assert_eq!(duration_ns(ns), expected, "{ns}");
        check(0, "0 ns");
        check(850, "850 ns");
        check(1_200, "1.2 µs");
        check(999_400, "999 µs");
        check(999_600, "1 ms");
        check(1_250_000, "1.3 ms");
        check(40_000_000, "40 ms");
        check(999_960_000, "1 s");
        check(12_100_000_000, "12.1 s");
        check(59_960_000_000, "1 min");
        check(295_000_000_000, "4 min 55 s");
        check(3_599_800_000_000, "1 h");
        check(7_500_000_000_000, "2 h 5 min");
        check(86_399_000_000_000, "1 d");
        check(273_600_000_000_000, "3 d 4 h");
    }

    #[test]
    fn long_and_odd_durations_stay_readable() {
        let check = |s: f64, expected| assert_eq!(duration_s(s), expected, "{s}");
        check(0.0, "0 s");
        check(-3.0, "0 s");
        check(0.25, "250 ms");
        check(0.9999, "1 s");
        check(60.0, "1 min");
        check(3e9, "95 years");
        check(f64::INFINITY, "over 1,000 years");
    }

    #[test]
    fn rates_choose_the_unit_that_keeps_a_digit() {
        let check = |per_s: f64, expected| assert_eq!(rate(per_s, "files"), expected, "{per_s}");
        check(3.0, "3.0 files/s");
        check(12.49, "12.5 files/s");
        check(1_234.4, "1,234 files/s");
        check(0.1, "0.1 files/s");
        check(1.0 / 30.0, "2.0 files/min");
        check(1.0 / 2_400.0, "1.5 files/h");
        check(1.0 / 172_800.0, "0.5 files/day");
        check(0.0, "0.0 files/s");
        assert_eq!(signed_rate(3.0), "+3.0/s");
        assert_eq!(signed_rate(-3.0), "-3.0/s");
        assert_eq!(signed_rate(0.0), "0.0/s");
    }

    #[test]
    fn intervals_keep_to_one_unit() {
        let check = |rate: [f64; 3], expected| {
            assert_eq!(interval(rate[0], rate[1], rate[2]), expected);
        };
        check([3.0, 2.8, 3.2], "+3.0/s (95 % sure between 2.8 and 3.2)");
        check([0.05, 0.01, 0.2], "+3.0/min (95 % sure between 0.6 and 12.0)");
        check([0.5, -0.1, 1.0], "+0.5/s (95 % sure between -0.1 and 1.0)");
    }

    #[test]
    fn wall_time_knows_the_calendar() {
        let check =
            |seconds: u64, expected| assert_eq!(wall_time(seconds * 1_000_000_000), expected);
        check(0, "1970-01-01 00:00:00 UTC");
        check(951_782_399, "2000-02-28 23:59:59 UTC");
        check(951_782_400, "2000-02-29 00:00:00 UTC");
        check(1_795_416_000, "2026-11-23 06:40:00 UTC");
        check(4_107_542_400, "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn bytes_are_binary() {
        let check = |n, expected| assert_eq!(bytes(n), expected);
        check(0, "0 B");
        check(1_023, "1023 B");
        check(1_536, "1.5 KiB");
        check(1_048_575, "1.0 MiB");
        check(3 << 30, "3.0 GiB");
        check(u64::MAX, "16.0 EiB");
    }

    #[test]
    fn shares_are_exact_only_at_the_ends() {
        let check = |part, whole, expected| assert_eq!(share(part, whole), expected);
        check(0, 412, "0 %");
        check(1, 412, "<1 %");
        check(272, 412, "66 %");
        check(411, 412, ">99 %");
        check(412, 412, "100 %");
        check(30, 20, "150 %");
        check(0, 0, "-");
    }
}
