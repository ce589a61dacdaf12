//! Patterns of paths: `*`, `?`, `[…]`; a star does not stop at slashes.

/// Does a pattern match all of a text?
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    loop {
        let (p, t) = at;
        let rest = pattern.get(p..).unwrap_or_default();
        match (rest.first(), text.get(t)) {
            (Some(b'*'), _) => {
                star = Some((p + 1, t));
                at = (p + 1, t);
                continue;
            }
            (None, None) => return true,
            (Some(_), Some(byte)) => {
                if let Some(length) = one(rest, *byte) {
                    at = (p + length, t + 1);
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((after, from)) if from < text.len() => {
                star = Some((after, from + 1));
                at = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern stands for this byte, if it does.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => {
            let end = rest.iter().skip(1).position(|byte| *byte == b']').map(|at| at + 1);
            let Some(set) = end.and_then(|end| rest.get(..end)) else {
                return (byte == b'[').then_some(1);
            };
            let (inverted, listed) = match set {
                [b'!' | b'^', listed @ ..] => (true, listed),
                _ => (false, set),
            };
            (is_in(listed, byte) != inverted).then_some(set.len() + 2)
        }
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

fn is_in(listed: &[u8], byte: u8) -> bool {
    let mut rest = listed;
    loop {
        rest = match rest {
            [from, b'-', to, ..] if (*from..=*to).contains(&byte) => return true,
            [_, b'-', _, rest @ ..] => rest,
            [literal, ..] if *literal == byte => return true,
            [_, rest @ ..] => rest,
            [] => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, text, expected) in [
            ("/etc/*", "/etc/a/b", true),
            ("*.so*", "/lib/libc.so.6", true),
            ("/etc/?", "/etc/ab", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[", "[", true),
            ("a\\*", "a*", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxx", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
