//! Times as options take them and as lines show them.

use fdscope_syscall::decode::numbers;

use crate::options::{Digits, Stamp};

/// Nanoseconds of `5`, `5s`, `5ms`, `5us`, `5ns`; without a unit of `unit_ns`.
pub fn parse(text: &[u8], unit_ns: u64) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ns = match unit {
        "" => unit_ns,
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let ns = number * unit_ns as f64;
    (ns.is_finite() && ns >= 0.0 && ns < u64::MAX as f64).then_some(ns as u64)
}

/// Digits behind the point of a precision's name.
pub fn precision(word: &[u8]) -> Option<Digits> {
    match word {
        b"s" => Some(0),
        b"ms" => Some(3),
        b"us" => Some(6),
        b"ns" => Some(9),
        _ => None,
    }
}

/// What `--absolute-timestamps=` says: a format, a precision, or both; `Some(None)` for no stamps.
pub fn absolute(word: &[u8]) -> Option<Option<(Stamp, Digits)>> {
    let (mut stamp, mut digits) = (None, None);
    let mut none = false;
    for token in word.split(|byte| *byte == b',') {
        let (format, fine) =
            match (token.strip_prefix(b"format:"), token.strip_prefix(b"precision:")) {
                (Some(format), _) => (Some(format), None),
                (_, Some(fine)) => (None, Some(fine)),
                _ if precision(token).is_some() => (None, Some(token)),
                _ => (Some(token), None),
            };
        if let Some(format) = format {
            match format {
                b"none" => none = true,
                b"time" => stamp = Some(Stamp::Time),
                b"unix" => stamp = Some(Stamp::Unix),
                b"date" => stamp = Some(Stamp::Date),
                _ => return None,
            }
        }
        if let Some(fine) = fine {
            digits = Some(precision(fine)?);
        }
    }
    Some((!none).then_some((stamp.unwrap_or(Stamp::Time), digits.unwrap_or(0))))
}

/// `.123456` with so many digits; nothing for none.
pub fn write_fraction(out: &mut Vec<u8>, ns: u64, digits: Digits) {
    if digits == 0 {
        return;
    }
    let digits = digits.min(9);
    out.push(b'.');
    let unit_ns = 10_u64.pow(9 - u32::from(digits));
    numbers::padded(out, ns % 1_000_000_000 / unit_ns, digits.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_units() {
        assert_eq!(parse(b"5", 1_000), Some(5_000));
        assert_eq!(parse(b"1.5ms", 1), Some(1_500_000));
        assert_eq!(parse(b"2m", 1), Some(120_000_000_000));
        assert_eq!((parse(b"x", 1), parse(b"", 1), parse(b"-1", 1)), (None, None, None));
    }

    #[test]
    fn fractions_are_cut_and_not_rounded() {
        for (digits, expected) in [(0, ""), (3, ".001"), (6, ".001999"), (9, ".001999999")] {
            let mut out = Vec::new();
            write_fraction(&mut out, 7_001_999_999, digits);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn stamps_are_chosen_by_words() {
        assert_eq!(absolute(b"unix,ns"), Some(Some((Stamp::Unix, 9))));
        assert_eq!(absolute(b"format:unix,precision:ms"), Some(Some((Stamp::Unix, 3))));
        assert_eq!(absolute(b"us"), Some(Some((Stamp::Time, 6))));
        assert_eq!((absolute(b"none"), absolute(b"foo")), (Some(None), None));
    }
}
