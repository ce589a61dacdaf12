//! The line of one packet while it is written: the bytes that were kept, where they end, and what was said so far.

use super::{Options, flows::Flows};

/// The bytes end before what was to be read. The packet's line ends there with `[|protocol]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut;

/// How far a dissector came.
pub type Read<T = ()> = Result<T, Cut>;

/// Appends formatted text to a line. For what is rare; numbers of every packet have methods of their own.
macro_rules! put {
    ($line:expr, $($text:tt)*) => {{
        use std::io::Write as _;
        // Writing into memory cannot fail.
        let _infallible = write!($line.out, $($text)*);
    }};
}
pub(super) use put;

/// Packets in packets in packets: no real packet has so many.
const DEEPEST: u32 = 16;

/// One packet's line.
pub struct Line<'a> {
    /// What was said so far.
    pub out: &'a mut Vec<u8>,
    pub options: &'a Options,
    pub flows: &'a mut Flows,
    pub data: &'a [u8],
    /// Where the bytes of the layer at hand end; never beyond `data`.
    pub end: usize,
    /// Which protocol is told to be cut.
    pub protocol: &'static str,
    /// Bytes of link headers, which hex dumps leave out.
    pub link_header: usize,
    pub depth: u32,
}

impl Line<'_> {
    #[inline]
    pub fn verbose(&self) -> u8 {
        self.options.verbose
    }

    /// Bytes from `at` to the end.
    #[inline]
    pub fn left(&self, at: usize) -> usize {
        self.end.saturating_sub(at)
    }

    /// Whether `length` bytes stand at `at`.
    #[inline]
    pub fn has(&self, at: usize, length: usize) -> bool {
        at <= self.end && length <= self.end - at
    }

    #[inline]
    pub fn check(&self, at: usize, length: usize) -> Read {
        if self.has(at, length) { Ok(()) } else { Err(Cut) }
    }

    pub fn bytes(&self, at: usize, length: usize) -> Read<&[u8]> {
        self.check(at, length)?;
        self.data.get(at..at + length).ok_or(Cut)
    }

    #[inline]
    pub fn array<const N: usize>(&self, at: usize) -> Read<[u8; N]> {
        self.check(at, N)?;
        self.data.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Cut)
    }

    #[inline]
    pub fn u8(&self, at: usize) -> Read<u8> {
        if at < self.end { self.data.get(at).copied().ok_or(Cut) } else { Err(Cut) }
    }

    #[inline]
    pub fn u16(&self, at: usize) -> Read<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    #[inline]
    pub fn u32(&self, at: usize) -> Read<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub fn u64(&self, at: usize) -> Read<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    #[inline]
    pub fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A decimal number.
    pub fn dec(&mut self, value: impl Into<u64>) {
        decimal(self.out, value.into());
    }

    /// An IPv4 address.
    pub fn ip4(&mut self, at: usize) -> Read {
        let address: [u8; 4] = self.array(at)?;
        self.address4(address);
        Ok(())
    }

    pub fn address4(&mut self, address: [u8; 4]) {
        dotted(self.out, address);
    }

    /// An IPv6 address.
    pub fn ip6(&mut self, at: usize) -> Read {
        let address: [u8; 16] = self.array(at)?;
        self.address6(address);
        Ok(())
    }

    pub fn address6(&mut self, address: [u8; 16]) {
        super::address::write6(self.out, address);
    }

    /// Bytes as hex digits with a separator between.
    pub fn hex_bytes(&mut self, at: usize, length: usize, separator: &str) -> Read {
        for index in 0..length {
            let byte = self.u8(at + index)?;
            if index > 0 {
                self.text(separator);
            }
            self.hex2(byte);
        }
        Ok(())
    }

    pub fn hex2(&mut self, byte: u8) {
        self.out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }

    pub fn mac(&mut self, at: usize) -> Read {
        self.hex_bytes(at, 6, ":")
    }

    /// A byte of a name, as tcpdump shows it: control characters as `^A`, high ones as `M-a`.
    pub fn shown(&mut self, byte: u8) {
        let mut byte = byte;
        if byte >= 0x80 {
            byte &= 0x7f;
            self.text("M-");
        }
        if !(0x20..0x7f).contains(&byte) {
            byte ^= 0x40;
            self.out.push(b'^');
        }
        self.out.push(byte);
    }

    /// `length` bytes shown; false if they end before.
    pub fn shown_bytes(&mut self, at: usize, length: usize) -> Read<bool> {
        for index in 0..length {
            if at + index >= self.end {
                return Ok(false);
            }
            let byte = self.u8(at + index)?;
            self.shown(byte);
        }
        Ok(true)
    }

    /// ` [|protocol]`.
    pub fn cut(&mut self) {
        self.text(" [|");
        self.text(self.protocol);
        self.text("]");
    }

    pub fn invalid(&mut self) {
        self.text(" (invalid)");
    }

    /// Runs a dissector with an earlier end; on the way out the end is as before.
    pub fn within(&mut self, end: usize, body: impl FnOnce(&mut Self) -> Read) -> Read {
        let before = self.end;
        self.end = before.min(end);
        self.depth += 1;
        let read = if self.depth > DEEPEST { Err(Cut) } else { body(self) };
        self.depth -= 1;
        self.end = before;
        read
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = [b'0' + (at / 10) as u8, b'0' + (at % 10) as u8];
        at += 1;
    }
    pairs
};

/// The bytes from 0 to 255 in decimal, with a point behind, and how many digits there are.
const BYTES: [([u8; 4], usize); 256] = {
    let mut texts = [([b'.'; 4], 1); 256];
    let mut at = 0;
    while at < texts.len() {
        let length = if at >= 100 {
            3
        } else if at >= 10 {
            2
        } else {
            1
        };
        let (mut rest, mut place) = (at, length);
        while place > 0 {
            place -= 1;
            texts[at].0[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        texts[at].1 = length;
        at += 1;
    }
    texts
};

/// Appends an IPv4 address. What is written has a fixed length and is cut afterwards: that is quicker.
#[inline]
pub fn dotted(out: &mut Vec<u8>, address: [u8; 4]) {
    for byte in address {
        let (text, length) = BYTES.get(usize::from(byte)).copied().unwrap_or_default();
        let before = out.len();
        out.extend_from_slice(&text);
        out.truncate(before + length + 1);
    }
    out.pop();
}

/// Writes a number's digits so that they end where the bytes do, and says how many it has.
fn digits<const N: usize>(text: &mut [u8; N], value: u64) -> usize {
    let (mut at, mut rest) = (N, value);
    while rest >= 10 && at >= 2 {
        let pair = PAIRS.get((rest % 100) as usize).copied().unwrap_or_default();
        at -= 2;
        if let Some(place) = text.get_mut(at..at + 2) {
            place.copy_from_slice(&pair);
        }
        rest /= 100;
    }
    if rest > 0 || value == 0 {
        at = at.saturating_sub(1);
        if let Some(place) = text.get_mut(at) {
            *place = b'0' + rest as u8;
        }
    }
    N - at
}

/// Appends a decimal number.
pub fn decimal(out: &mut Vec<u8>, value: u64) {
    if let Some((text, length)) = BYTES.get(value as usize) {
        let before = out.len();
        out.extend_from_slice(text);
        out.truncate(before + length);
        return;
    }
    let mut text = [b'0'; 20];
    let length = digits(&mut text, value);
    out.extend_from_slice(text.get(20 - length..).unwrap_or_default());
}

/// Appends a number with at least `width` digits, 20 at most.
pub fn padded(out: &mut Vec<u8>, value: u64, width: u32) {
    let mut text = [b'0'; 20];
    let length = digits(&mut text, value).max(width as usize);
    out.extend_from_slice(text.get(20_usize.saturating_sub(length)..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::{decimal, dotted, padded};

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let near = powers.flat_map(|power| [power - 1, power, power + 1, power / 2, power / 9 * 8]);
        for value in near.chain(0..1100).chain([u64::MAX, u64::from(u32::MAX)]) {
            let mut out = Vec::new();
            decimal(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), value.to_string());
            for width in [1, 2, 4, 6, 9] {
                out.clear();
                padded(&mut out, value, width as u32);
                assert_eq!(String::from_utf8_lossy(&out), format!("{value:0width$}"));
            }
        }
    }

    #[test]
    fn addresses_are_dotted() {
        let mut out = b"x".to_vec();
        dotted(&mut out, [10, 0, 255, 99]);
        assert_eq!(out, b"x10.0.255.99");
    }
}
