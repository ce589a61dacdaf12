//! What a cell holds, and what a column promises of its cells.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::SocketAddr;

use fdscope_model::name::escape;

use crate::charset::Charset;
use crate::units;

/// The value of one cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Not known, or there is none.
    Missing,
    /// Bytes from the kernel: escaped when printed.
    Text(Cow<'a, [u8]>),
    /// Words of fdscope, in which names are escaped already.
    Phrase(String),
    /// A word of the column's vocabulary.
    Word(&'static str),
    /// A number that is not measured in anything: a pid, a count.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Nanoseconds.
    Duration(u64),
    /// Yes or no.
    Flag(bool),
    /// An Internet address with its port.
    Address(SocketAddr),
    /// Several values: a filter asks whether one of them fits.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// Bytes from the kernel, or nothing if there are none.
    pub fn text(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Value::Missing } else { Value::Text(Cow::Borrowed(bytes)) }
    }

    /// Words of fdscope, or nothing if there are none.
    pub fn phrase(text: String) -> Self {
        if text.is_empty() { Value::Missing } else { Value::Phrase(text) }
    }

    /// `value` made into a value, or nothing if there is none.
    pub fn known<T>(value: Option<T>, make: impl Fn(T) -> Value<'a>) -> Self {
        value.map_or(Value::Missing, make)
    }

    /// True for all but what is missing, `no` and empty lists.
    pub fn is_there(&self) -> bool {
        match self {
            Value::Missing | Value::Flag(false) => false,
            Value::List(values) => values.iter().any(Value::is_there),
            _ => true,
        }
    }

    /// The same value, owning what it holds.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Missing => Value::Missing,
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Phrase(text) => Value::Phrase(text),
            Value::Word(word) => Value::Word(word),
            Value::Number(number) => Value::Number(number),
            Value::Size(bytes) => Value::Size(bytes),
            Value::Duration(ns) => Value::Duration(ns),
            Value::Flag(flag) => Value::Flag(flag),
            Value::Address(address) => Value::Address(address),
            Value::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// Appends the value as a table shows it: numbers whole, names escaped, nothing for what is missing.
    pub fn print(&self, charset: Charset, out: &mut String) {
        match self {
            Value::Missing => {}
            Value::Text(bytes) => print_bytes(bytes, charset, out),
            Value::Phrase(text) if charset == Charset::Utf8 => out.push_str(text),
            Value::Phrase(text) => out.push_str(&charset.sentence(text)),
            Value::Word(word) => out.push_str(word),
            Value::Number(number) | Value::Size(number) => push_number(*number, out),
            Value::Duration(ns) => out.push_str(&charset.sentence(&units::duration_ns(*ns))),
            Value::Flag(flag) => out.push_str(if *flag { "yes" } else { "no" }),
            Value::Address(address) => push_display(address, out),
            Value::List(values) => print_list(values, charset, out),
        }
    }

    /// The bytes that a pattern is matched against: raw names, and everything else as it is printed.
    pub fn matched(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Text(bytes) => Cow::Borrowed(bytes),
            Value::Phrase(text) => Cow::Borrowed(text.as_bytes()),
            other => {
                let mut out = String::new();
                other.print(Charset::Utf8, &mut out);
                Cow::Owned(out.into_bytes())
            }
        }
    }

    /// The order in which rows are sorted: numbers by size, texts by bytes, what is missing at the end.
    pub fn order(&self, other: &Value<'_>) -> Ordering {
        use Value::{Address, Duration, Flag, List, Missing, Number, Size};
        match (self, other) {
            (Missing, Missing) => Ordering::Equal,
            (Missing, _) => Ordering::Greater,
            (_, Missing) => Ordering::Less,
            (Number(a) | Size(a) | Duration(a), Number(b) | Size(b) | Duration(b)) => a.cmp(b),
            (Flag(a), Flag(b)) => a.cmp(b),
            (Address(a), Address(b)) => a.cmp(b),
            (List(a), List(b)) => {
                let differs = a.iter().zip(b).map(|(a, b)| a.order(b)).find(|o| o.is_ne());
                differs.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (a, b) => a.matched().cmp(&b.matched()),
        }
    }
}

impl Value<'_> {
    /// The order with the greatest first; what is missing stays at the end.
    pub fn descending(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Missing, _) | (_, Value::Missing) => self.order(other),
            _ => other.order(self),
        }
    }
}

fn print_list(values: &[Value<'_>], charset: Charset, out: &mut String) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        value.print(charset, out);
    }
}

/// Nearly every name is printable ASCII without a backslash: those are copied as they are.
fn print_bytes(bytes: &[u8], charset: Charset, out: &mut String) {
    let plain = bytes.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => out.push_str(text),
        _ if charset == Charset::Utf8 => out.push_str(&escape(bytes)),
        _ => out.push_str(&charset.name(&bytes.into())),
    }
}

/// Without going through the formatter, for there are several in each of 100,000 rows.
fn push_number(number: u64, out: &mut String) {
    let mut digits = [0; 20];
    let mut begin = digits.len();
    let mut rest = number;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        begin -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(begin).map(|&digit| char::from(digit)));
}

fn push_display(value: &dyn std::fmt::Display, out: &mut String) {
    use std::fmt::Write;
    // A string takes every write.
    let _always = write!(out, "{value}");
}

/// What a column's cells are, and so what they may be compared with.
#[derive(Clone, Copy, Debug)]
pub enum Class {
    /// Text: `=`, `~`, `in`.
    Text,
    /// A word out of a few: `=`, `in`; a wrong word is an error.
    Word(&'static Vocabulary),
    /// A number without unit: all comparisons.
    Number,
    /// Bytes: all comparisons, with `K`, `M`, `G`, `T`.
    Size,
    /// A time: all comparisons, with `ns` to `d`.
    Duration,
    /// Yes or no: its name alone is a filter.
    Flag,
    /// An address: `=` takes `10.0.0.7:443`, `10.0.0.7`, `:443`, `10.0.0.0/8` or a path; `~` text of it.
    Address,
}

impl Class {
    /// What a column of it is, in a sentence: "a number".
    pub fn noun(self) -> &'static str {
        match self {
            Class::Text => "text",
            Class::Word(_) => "a word",
            Class::Number => "a number",
            Class::Size => "a size in bytes",
            Class::Duration => "a time",
            Class::Flag => "yes or no",
            Class::Address => "an address",
        }
    }

    /// The word for it in `--list-columns` and the JSON Schema.
    pub fn word(self) -> &'static str {
        match self {
            Class::Text => "text",
            Class::Word(_) => "word",
            Class::Number => "number",
            Class::Size => "size",
            Class::Duration => "time",
            Class::Flag => "flag",
            Class::Address => "address",
        }
    }

    /// True if its cells have an order that `<` can ask for.
    pub fn is_measured(self) -> bool {
        matches!(self, Class::Number | Class::Size | Class::Duration)
    }
}

/// The words of a column of [`Class::Word`].
pub struct Vocabulary {
    /// All of them.
    pub all: fn() -> Vec<&'static str>,
    /// The word that a text names, other spellings included.
    pub find: fn(&str) -> Option<&'static str>,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.all)()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_whole_and_harmless() {
        let check = |value: Value<'_>, expected: &str| {
            let mut out = String::new();
            value.print(Charset::Utf8, &mut out);
            assert_eq!(out, expected);
        };
        check(Value::Missing, "");
        check(Value::text(b"/etc/passwd"), "/etc/passwd");
        check(Value::text(b"a\x1b\\\n"), "a\\x1b\\\\\\n");
        check(Value::Size(u64::MAX), "18446744073709551615");
        check(Value::Address("[::1]:80".parse().expect("an address")), "[::1]:80");
        check(Value::List(vec![Value::Number(1), Value::Word("r")]), "1, r");
    }

    #[test]
    fn numbers_sort_by_size_and_what_is_missing_goes_last() {
        let mut values = vec![Value::Missing, Value::Number(10), Value::Number(9)];
        values.sort_by(Value::order);
        assert_eq!(values, [Value::Number(9), Value::Number(10), Value::Missing]);
        let mut values = [Value::text(b"b"), Value::phrase("a".into())];
        values.sort_by(Value::order);
        assert_eq!(values[0], Value::phrase("a".into()));
    }
}
