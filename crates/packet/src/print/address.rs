//! IPv6 addresses as tcpdump writes them: the longest run of zeros as `::`, and IPv4 in the last words.

use super::line::dotted;
use std::io::Write as _;

/// Appends an IPv6 address.
pub fn write6(out: &mut Vec<u8>, address: [u8; 16]) {
    let mut words = [0_u16; 8];
    for (word, pair) in words.iter_mut().zip(address.chunks_exact(2)) {
        *word = u16::from_be_bytes([
            pair.first().copied().unwrap_or(0),
            pair.last().copied().unwrap_or(0),
        ]);
    }
    let (start, length) = longest_zeros(&words);
    for (index, word) in words.iter().enumerate() {
        if length > 1 && (start..start + length).contains(&index) {
            if index == start {
                out.push(b':');
            }
            continue;
        }
        if index != 0 {
            out.push(b':');
        }
        let mapped = length == 6 || (length == 5 && words.get(5) == Some(&0xffff));
        if index == 6 && start == 0 && mapped {
            dotted(out, address.last_chunk().copied().unwrap_or_default());
            return;
        }
        // Writing into memory cannot fail.
        let _infallible = write!(out, "{word:x}");
    }
    if length > 1 && start + length == 8 {
        out.push(b':');
    }
}

/// The first of the longest runs of zero words, and its length.
fn longest_zeros(words: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut current) = ((0, 0), (0, 0));
    for (index, word) in words.iter().enumerate() {
        if *word != 0 {
            current = (index + 1, 0);
            continue;
        }
        current.1 += 1;
        if current.1 > best.1 {
            best = current;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::write6;
    use std::net::Ipv6Addr;

    #[test]
    fn addresses_are_as_the_standard_library_writes_them() {
        for text in ["::", "::1", "fe80::1", "2001:db8:0:1::5", "1:2:3:4:5:6:7:8", "1::", "0:1::"] {
            let mut out = Vec::new();
            let address: Ipv6Addr = text.parse().expect("an address");
            write6(&mut out, address.octets());
            assert_eq!(String::from_utf8_lossy(&out), address.to_string());
        }
    }
}
