//! Numbers as text, without the formatting machinery: these are written millions of times.

/// Appends a number in decimal.
pub fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a signed number in decimal.
pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    decimal(out, value.unsigned_abs());
}

/// Appends a number in hexadecimal with `0x`; zero is `0`, as `%#x` of printf(3) writes it.
pub(crate) fn hex(out: &mut Vec<u8>, value: u64) {
    if value != 0 {
        out.extend_from_slice(b"0x");
    }
    let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
    padded_hex(out, value, digits);
}

/// Appends a number in hexadecimal, in so many digits.
pub(crate) fn padded_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * digit) & 15) as usize]);
    }
}

/// Appends a number in octal with a leading zero, as `%#o` does.
pub(crate) fn octal(out: &mut Vec<u8>, value: u64) {
    out.push(b'0');
    let digits = (64 - value.leading_zeros()).div_ceil(3);
    for digit in (0..digits).rev() {
        out.push(b'0' + (value >> (3 * digit) & 7) as u8);
    }
}

/// Appends a decimal number with leading zeros, in at least so many digits; at most 20 are written.
pub fn padded(out: &mut Vec<u8>, mut value: u64, digits: usize) {
    let mut text = [b'0'; 20];
    let mut at = text.len();
    while value > 0 {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text[at.min(text.len().saturating_sub(digits))..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: fn(&mut Vec<u8>, u64), value: u64, expected: &str) {
        let mut out = Vec::new();
        write(&mut out, value);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn numbers_are_as_printf_writes_them() {
        for value in [0, 1, 7, 8, 9, 10, 15, 16, 0o644, 1 << 32, u64::MAX] {
            check(decimal, value, &format!("{value}"));
            check(hex, value, &if value == 0 { "0".into() } else { format!("{value:#x}") });
            check(octal, value, &if value == 0 { "0".into() } else { format!("0{value:o}") });
        }
        check(|out, n| signed(out, n as i64), -5i64 as u64, "-5");
        check(|out, n| signed(out, n as i64), i64::MIN as u64, "-9223372036854775808");
        check(|out, n| padded(out, n, 3), 7, "007");
        check(|out, n| padded(out, n, 1), 0, "0");
        check(|out, n| padded(out, n, 2), 12345, "12345");
        check(|out, n| padded(out, n, 0), u64::MAX, "18446744073709551615");
    }
}
