//! Numbers as the kernel prints them. `None` for anything else, overflow included.

/// A decimal number, without sign.
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    digits(bytes, 10)
}

/// A hexadecimal number, with or without `0x`.
pub fn hex(bytes: &[u8]) -> Option<u64> {
    digits(bytes.strip_prefix(b"0x").unwrap_or(bytes), 16)
}

/// An octal number, as open flags are printed in fdinfo.
pub fn octal(bytes: &[u8]) -> Option<u64> {
    digits(bytes, 8)
}

/// A decimal number that fits 32 bits.
pub(super) fn decimal32(bytes: &[u8]) -> Option<u32> {
    decimal(bytes)?.try_into().ok()
}

fn digits(bytes: &[u8], radix: u32) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b""), None);
        assert_eq!(decimal(b"-1"), None);
        assert_eq!(decimal(b"1 "), None);
        assert_eq!(hex(b"0x1f"), Some(31));
        assert_eq!(octal(b"02000002"), Some(0o2000002));
        assert_eq!(octal(b"8"), None);
    }
}
