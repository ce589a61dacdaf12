//! What the names of like things share: the parts that are counted up or drawn at random become `*`.
//!
//! `work-17` → `work-*`, a UUID → `*`, `conn-7f3a9c01` → `conn-*`, `tmpx3_9qk2a` → `tmp*`. Two names with one result
//! are taken for siblings, so that a leak of differently named files is one group and not a thousand.

/// How readily letters are taken for random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chance {
    /// Only what clearly is: numbers, ids.
    Clear,
    /// Any mixture of the kind that mkstemp(3) makes: for names in places of temporary files.
    Temporary,
}

/// The name with its changing parts replaced.
pub fn squeeze(name: &[u8], chance: Chance) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(&first) = rest.first() {
        if let Some((prefix, length)) = drawn_length(rest).filter(|_| chance == Chance::Temporary) {
            out.extend_from_slice(&rest[..prefix]);
            push_star(&mut out);
            rest = &rest[length..];
            continue;
        }
        let length = uuid_length(rest).unwrap_or_else(|| word_length(rest));
        if length == 0 {
            out.push(first);
            rest = &rest[1..];
            continue;
        }
        let (word, tail) = rest.split_at(length);
        push_word(&mut out, word, chance);
        rest = tail;
    }
    out
}

/// The length of the UUID that `text` begins with.
fn uuid_length(text: &[u8]) -> Option<usize> {
    const LENGTH: usize = 36;
    let candidate = text.get(..LENGTH)?;
    let fits = candidate.iter().enumerate().all(|(at, &byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-' || byte == b'_',
        _ => byte.is_ascii_hexdigit(),
    });
    (fits && word_length(&text[LENGTH..]) == 0).then_some(LENGTH)
}

/// The lengths of the prefix and of the whole, if `text` begins with `tmp` or `temp` and as many letters, digits and
/// underscores as mkstemp(3), Python's tempfile or mktemp(1) draw.
fn drawn_length(text: &[u8]) -> Option<(usize, usize)> {
    let prefix = [&b"tmp"[..], b"temp"].into_iter().rfind(|prefix| text.starts_with(prefix))?.len();
    let drawn = text[prefix..].iter().position(|&b| !b.is_ascii_alphanumeric() && b != b'_');
    let drawn = drawn.unwrap_or(text.len() - prefix);
    matches!(drawn, 6 | 8 | 10).then_some((prefix, prefix + drawn))
}

/// The length of the word that `text` begins with: letters, digits and what is not ASCII.
fn word_length(text: &[u8]) -> usize {
    text.iter().position(|&b| !b.is_ascii_alphanumeric() && b < 0x80).unwrap_or(text.len())
}

fn push_word(out: &mut Vec<u8>, word: &[u8], chance: Chance) {
    if is_id(word) || chance == Chance::Temporary && is_drawn(word) {
        return push_star(out);
    }
    for &byte in word {
        if byte.is_ascii_digit() {
            push_star(out);
        } else {
            out.push(byte);
        }
    }
}

/// One star stands for any run of changing parts.
fn push_star(out: &mut Vec<u8>) {
    if out.last() != Some(&b'*') {
        out.push(b'*');
    }
}

/// True for hexadecimal ids, and for long mixtures such as base64.
fn is_id(word: &[u8]) -> bool {
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    is_hex && word.len() >= 6 && digits >= 2
        || is_hex && word.len() >= 16
        || word.len() >= 12 && switches(word) * 3 >= word.len()
}

/// True for what mkstemp(3), mkdtemp(3) and their kin draw: letters and digits without the shape of words.
fn is_drawn(word: &[u8]) -> bool {
    (6..=16).contains(&word.len()) && word.is_ascii() && switches(word) >= 2
}

/// How often the word changes between lower case, upper case and digits; a capital that begins a word, or a digit
/// that ends one, is no change.
fn switches(word: &[u8]) -> usize {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    };
    let classes: Vec<u8> = word.iter().map(class).collect();
    let inner = classes.windows(2).enumerate().filter(|(at, pair)| {
        let capitalized = pair == &[1, 2] && (*at == 0 || classes[at - 1] == 2);
        pair[0] != pair[1] && !capitalized
    });
    let ends_in_digits = classes.last() == Some(&0) && classes.first() != Some(&0);
    inner.count() - usize::from(ends_in_digits && classes.windows(2).any(|pair| pair[0] != pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(chance: Chance, name: &str, expected: &str) {
        let squeezed = squeeze(name.as_bytes(), chance);
        assert_eq!(String::from_utf8_lossy(&squeezed), expected, "{name}");
    }

    #[test]
    fn numbers_and_ids_become_stars() {
        let clear = |name, expected| check(Chance::Clear, name, expected);
        clear("work-17", "work-*");
        clear("worker17", "worker*");
        clear("pool-1-thread-22", "pool-*-thread-*");
        clear("GC Thread#3", "GC Thread#*");
        clear("conn-7f3a9c01", "conn-*");
        clear("req-550e8400-e29b-41d4-a716-446655440000.json", "req-*.json");
        clear("d41d8cd98f00b204e9800998ecf8427e", "*");
        clear("HandlerThread", "HandlerThread");
        clear("tokio-runtime-w", "tokio-runtime-w");
        clear("MyHTTPServer", "MyHTTPServer");
        clear("shard-2024-05-17.log", "shard-*-*-*.log");
        clear("facade", "facade");
        clear("caf\u{e9}-9", "caf\u{e9}-*");
        clear("", "");
    }

    #[test]
    fn drawn_names_become_stars_where_such_are_expected() {
        let temporary = |name, expected| check(Chance::Temporary, name, expected);
        temporary("tmpab3x9q2k", "tmp*");
        temporary("tmpk3x_9q2a", "tmp*");
        temporary("tmpxyzabcde", "tmp*");
        temporary("upload.Xy7Qz1", "upload.*");
        temporary("tmp.pQ4rTz9aBc", "tmp.*");
        temporary("session-store", "session-store");
        temporary("HandlerThread", "HandlerThread");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_none_added(
            name in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            for chance in [Chance::Clear, Chance::Temporary] {
                prop_assert!(squeeze(&name, chance).len() <= name.len());
            }
        }

        #[test]
        fn numbered_siblings_are_one(word in "[a-z]{1,8}", one in any::<u32>(), other in any::<u32>()) {
            let name = |number: u32| squeeze(format!("/srv/{word}-{number}.log").as_bytes(), Chance::Clear);
            prop_assert_eq!(name(one), name(other));
        }
    }
}
