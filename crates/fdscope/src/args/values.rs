//! Values that options of several commands take: times, sizes, kinds, levels, colour.

use std::time::Duration;

use clap::ValueEnum;
use fdscope_model::{HandleKind, Level};

/// When to colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// A time: `500ms`, `10s`, `5m`, `2h`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: &[(&str, f64)] =
        &[("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let scale = match unit {
        "" => Some(1.0),
        unit => UNITS.iter().find(|(word, _)| *word == unit).map(|(_, scale)| *scale),
    };
    let seconds = digits.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale);
    match seconds {
        Some(seconds) if seconds > 0.0 && seconds < 1e9 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a time is a number above 0 with ms, s, m or h: 500ms, 10s, 5m, 2h".to_owned()),
    }
}

/// A size from 1M to 1G.
pub fn parse_size(text: &str) -> Result<u32, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches(['K', 'M', 'G']);
    let shift = match &upper[digits.len()..] {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(shift).and_then(|(n, shift)| n.checked_shl(shift));
    match bytes {
        Some(bytes) if (1 << 20..=1 << 30).contains(&bytes) => Ok(bytes as u32),
        _ => Err("a size from 1M to 1G: 8M, 64M".to_owned()),
    }
}

/// A kind of handle by its word.
pub fn parse_kind(text: &str) -> Result<HandleKind, String> {
    HandleKind::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = HandleKind::all().map(HandleKind::word).collect();
        format!("there is no such kind; the kinds are {}", words.join(", "))
    })
}

/// A level of verdicts by its word.
pub fn parse_level(text: &str) -> Result<Level, String> {
    Level::from_word(text).ok_or_else(|| {
        let words: Vec<&str> = Level::ALL.iter().map(|level| level.word()).collect();
        format!("the levels are {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        };
        check("500ms", Some(500));
        check("10s", Some(10_000));
        check("10", Some(10_000));
        check("1.5s", Some(1500));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check("0", None);
        check("-1s", None);
        check("5 minutes", None);
        check("nan", None);
        check("", None);
    }

    #[test]
    fn sizes_have_units() {
        let check =
            |text, expected: Option<u32>| assert_eq!(parse_size(text).ok(), expected, "{text}");
        check("8M", Some(8 << 20));
        check("1g", Some(1 << 30));
        check("4096K", Some(4 << 20));
        check("12", None);
        check("1T", None);
        check("99999999999G", None);
    }
}
