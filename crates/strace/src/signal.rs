//! Signals by the words that `-e signal=` takes.

use fdscope_syscall::decode;

/// The signal that a word names, with or without SIG.
pub fn number(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?;
    if let Ok(number) = text.parse::<u32>() {
        return (number <= 255).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    match bare {
        "IOT" => return Some(6),
        "CLD" => return Some(17),
        "POLL" => return Some(29),
        _ => {}
    }
    (1..=64).find(|signal| decode::signal(*signal).strip_prefix("SIG") == Some(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_both_ways() {
        for signal in 1..=64 {
            assert_eq!(number(decode::signal(signal).as_bytes()), Some(signal));
        }
        assert_eq!((number(b"chld"), number(b"17"), number(b"foo")), (Some(17), Some(17), None));
        assert_eq!(decode::signal(35), "SIGRT_3");
    }
}
