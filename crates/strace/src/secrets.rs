//! Values of environment variables whose names say that they are secret, in the text of an exec.

/// Words in names of variables that hold secrets.
const WORDS: [&str; 9] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
];
/// What stands in place of a value.
const MASK: &[u8] = b"***";

/// Replaces the values in quoted `"NAME=value"` words.
pub fn mask(text: &mut Vec<u8>) {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (before, quoted) = rest.split_at(start + 1);
        out.extend_from_slice(before);
        let end = end_of_quote(quoted);
        let (word, after) = quoted.split_at(end);
        match word.iter().position(|byte| *byte == b'=') {
            Some(equals) if is_secret(word.get(..equals).unwrap_or_default()) => {
                out.extend_from_slice(word.get(..=equals).unwrap_or_default());
                out.extend_from_slice(MASK);
            }
            _ => out.extend_from_slice(word),
        }
        let close = after.len().min(1);
        out.extend_from_slice(after.get(..close).unwrap_or_default());
        rest = after.get(close..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    *text = out;
}

fn end_of_quote(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_secret(name: &[u8]) -> bool {
    let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let upper = String::from_utf8_lossy(name).to_ascii_uppercase();
    is_name && WORDS.iter().any(|word| upper.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_names_are_masked() {
        let mut text =
            br#"execve("/a=b", ["x", "--t\"=1"], ["HOME=/", "GH_TOKEN=abc\"d", "A=1"]"#.to_vec();
        mask(&mut text);
        let expected = r#"execve("/a=b", ["x", "--t\"=1"], ["HOME=/", "GH_TOKEN=***", "A=1"]"#;
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
