//! What a column is compared with.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use fdscope_model::name::escape;
use regex::bytes::{Regex, RegexBuilder};

use super::literal;
use crate::column::Value;

/// A value in a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Text, byte for byte.
    Text(Vec<u8>),
    /// A word of the column's vocabulary.
    Word(&'static str),
    /// A number without unit.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Nanoseconds.
    Duration(u64),
    /// Yes or no.
    Flag(bool),
    /// An address, or a part of one.
    Address(AddressPattern),
    /// A regular expression.
    Pattern(Pattern),
}

impl Operand {
    /// True if a value, or one of a list, is this.
    pub fn is(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (_, Value::List(values)) => values.iter().any(|value| self.is(value)),
            (Operand::Pattern(pattern), Value::Missing) => pattern.is_match(b""),
            (Operand::Pattern(pattern), value) => pattern.is_match(&value.matched()),
            (Operand::Address(pattern), value) => pattern.is(value),
            (Operand::Text(text), Value::Text(bytes)) => text[..] == bytes[..],
            (Operand::Text(text), Value::Missing) => text.is_empty(),
            (Operand::Text(text), value) => text[..] == value.matched()[..],
            (Operand::Word(word), Value::Word(known)) => word == known,
            (Operand::Flag(flag), Value::Flag(known)) => flag == known,
            (operand, value) => operand.compare(value).is_some_and(std::cmp::Ordering::is_eq),
        }
    }

    /// How a measured value stands to this; `None` if one of them is none.
    pub fn compare(&self, value: &Value<'_>) -> Option<std::cmp::Ordering> {
        let (Operand::Number(own) | Operand::Size(own) | Operand::Duration(own)) = self else {
            return None;
        };
        match value {
            Value::Number(n) | Value::Size(n) | Value::Duration(n) => Some(n.cmp(own)),
            _ => None,
        }
    }
}

/// As the filter language has it: reading it again gives the same.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Text(text) => write!(f, "{}", quote(&escape(text))),
            Operand::Word(word) => write!(f, "{word}"),
            Operand::Number(number) | Operand::Size(number) => write!(f, "{number}"),
            Operand::Duration(ns) => write!(f, "{}", literal::print_time(*ns)),
            Operand::Flag(flag) => write!(f, "{}", if *flag { "yes" } else { "no" }),
            Operand::Address(pattern) => write!(f, "{pattern}"),
            Operand::Pattern(pattern) => write!(f, "{}", quote(&pattern.source)),
        }
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// A regular expression in the syntax of the `regex` crate, over bytes: `.` is any byte, classes are ASCII's.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Makes one.
    ///
    /// # Errors
    /// With what is wrong with it, in a few words.
    pub fn new(source: &str) -> Result<Self, String> {
        /// Enough for any that people write, and soon compiled.
        const MOST_BYTES: usize = 1 << 20;
        let mut builder = RegexBuilder::new(source);
        builder.unicode(false).dot_matches_new_line(true).size_limit(MOST_BYTES).nest_limit(50);
        match builder.build() {
            Ok(regex) => Ok(Pattern { source: source.to_owned(), regex }),
            Err(error) => Err(last_line(&error.to_string())),
        }
    }

    /// True if it is found anywhere in `bytes`.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex.is_match(bytes)
    }
}

/// The parser of regular expressions draws a caret of its own above the reason.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

/// An address, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressPattern {
    /// Address and port: `10.0.0.7:443`, `[::1]:80`.
    Whole(SocketAddr),
    /// An address with any port: `10.0.0.7`, `::1`.
    Host(IpAddr),
    /// A port of any address: `:443`.
    Port(u16),
    /// Every address that begins with so many bits: `10.0.0.0/8`.
    Network(IpAddr, u8),
    /// Any other text: the path or abstract name of a UNIX socket.
    Text(Vec<u8>),
}

impl AddressPattern {
    /// Reads one: what is no Internet address is text, whose bytes `unescape` gives.
    pub(super) fn read(text: &str, unescape: impl Fn(&str) -> Vec<u8>) -> Self {
        let host = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let network = || {
            let (address, bits) = text.split_once('/')?;
            let (address, bits) = (host(address)?, literal::number(bits)?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            Some(AddressPattern::Network(address, u8::try_from(bits).ok().filter(|b| *b <= most)?))
        };
        let port = || text.strip_prefix('*').unwrap_or(text).strip_prefix(':')?.parse().ok();
        let whole = text.parse().ok().map(AddressPattern::Whole);
        whole
            .or_else(|| host(text).map(AddressPattern::Host))
            .or_else(|| port().map(AddressPattern::Port))
            .or_else(network)
            .unwrap_or_else(|| AddressPattern::Text(unescape(text)))
    }

    fn is(&self, value: &Value<'_>) -> bool {
        let Value::Address(address) = value else {
            return matches!(self, AddressPattern::Text(text) if text[..] == value.matched()[..]);
        };
        let ip = address.ip().to_canonical();
        match self {
            AddressPattern::Whole(own) => {
                own.port() == address.port() && own.ip().to_canonical() == ip
            }
            AddressPattern::Host(own) => own.to_canonical() == ip,
            AddressPattern::Port(own) => *own == address.port(),
            AddressPattern::Network(own, bits) => is_within(ip, *own, *bits),
            AddressPattern::Text(_) => false,
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let leading = |bytes: &[u8], other: &[u8]| {
        let (whole, rest) = (usize::from(bits / 8), bits % 8);
        let mask = !(0xff_u8.checked_shr(rest.into()).unwrap_or(0));
        bytes[..whole] == other[..whole]
            && (rest == 0 || bytes[whole] & mask == other[whole] & mask)
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => leading(&a.octets(), &n.octets()),
        (IpAddr::V6(a), IpAddr::V6(n)) => leading(&a.octets(), &n.octets()),
        _ => false,
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressPattern::Whole(address) => write!(f, "{address}"),
            AddressPattern::Host(address) => write!(f, "{address}"),
            AddressPattern::Port(port) => write!(f, ":{port}"),
            AddressPattern::Network(address, bits) => write!(f, "{address}/{bits}"),
            AddressPattern::Text(text) => write!(f, "{}", quote(&escape(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_match_by_their_parts() {
        let check = |pattern: &str, address: &str, expected| {
            let value = Value::Address(address.parse().expect("an address"));
            let pattern = AddressPattern::read(pattern, |text| text.as_bytes().to_vec());
            assert_eq!(pattern.is(&value), expected, "{pattern:?} {address}");
        };
        check("10.0.0.7:443", "10.0.0.7:443", true);
        check("10.0.0.7:443", "10.0.0.7:80", false);
        check("10.0.0.7", "[::ffff:10.0.0.7]:443", true);
        check(":443", "[::1]:443", true);
        check("*:443", "[::1]:444", false);
        check("10.0.0.0/8", "10.255.1.2:1", true);
        check("10.0.0.0/8", "11.0.0.1:1", false);
        check("10.1.0.0/15", "10.0.3.4:1", true);
        check("0.0.0.0/0", "1.2.3.4:1", true);
        check("fe80::/10", "[fe80::1]:1", true);
        check("fe80::/10", "10.0.0.1:1", false);
        check("::1/128", "[::1]:9", true);
        check("/run/x.sock", "10.0.0.1:1", false);
    }

    #[test]
    fn a_wrong_pattern_says_why_in_one_line() {
        assert_eq!(Pattern::new("a(").expect_err("not closed"), "unclosed group");
        assert!(Pattern::new("(a{1000}){1000}").is_err());
    }
}
