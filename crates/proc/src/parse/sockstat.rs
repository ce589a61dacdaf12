//! net/sockstat, net/sockstat6, net/netstat: the kernel's own counts of sockets (net/ipv4/proc.c). Pure.

use super::number::decimal;
use super::{lines, words};

/// The number behind a word of a line: `TCP`'s `mem` in `TCP: inuse 1 orphan 0 tw 0 alloc 3 mem 1`.
pub fn parse_sockstat(bytes: &[u8], line: &[u8], word: &[u8]) -> Option<u64> {
    let found = lines(bytes).find_map(|text| text.strip_prefix(line)?.strip_prefix(b":"))?;
    let mut fields = words(found);
    while let Some(name) = fields.next() {
        let number = fields.next()?;
        if name == word {
            return decimal(number);
        }
    }
    None
}

/// The counter of a name: `TcpExt`'s `ListenDrops`, which stand in two lines, names above numbers.
pub fn parse_netstat(bytes: &[u8], group: &[u8], name: &[u8]) -> Option<u64> {
    let mut rows = lines(bytes).filter_map(|text| text.strip_prefix(group)?.strip_prefix(b":"));
    let (names, numbers) = (rows.next()?, rows.next()?);
    let at = words(names).position(|word| word == name)?;
    decimal(words(numbers).nth(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_by_line_and_word() {
        let text =
            b"sockets: used 17\nTCP: inuse 1 orphan 2 tw 3 alloc 4 mem 315\nUDP: inuse 7 mem 5\n";
        assert_eq!(parse_sockstat(text, b"TCP", b"mem"), Some(315));
        assert_eq!(parse_sockstat(text, b"UDP", b"inuse"), Some(7));
        assert_eq!(parse_sockstat(text, b"UDP", b"orphan"), None);
        assert_eq!(parse_sockstat(text, b"TCP6", b"inuse"), None);
    }

    #[test]
    fn counters_are_found_below_their_names() {
        let text = b"TcpExt: A ListenDrops B\nTcpExt: 1 22 3\nIpExt: C\nIpExt: 9\n";
        assert_eq!(parse_netstat(text, b"TcpExt", b"ListenDrops"), Some(22));
        assert_eq!(parse_netstat(text, b"IpExt", b"C"), Some(9));
        assert_eq!(parse_netstat(text, b"TcpExt", b"Z"), None);
        assert_eq!(parse_netstat(b"TcpExt: A\n", b"TcpExt", b"A"), None);
    }
}
