//! The smallest values: numbers as LEB128, texts with their length, times and tables as differences to the one before.
//!
//! What differences refer to is forgotten at every frame, so that frames can be read, dropped and rewritten alone.

use fdscope_model::{
    DeviceId, FdNumber, FileId, Monotonic, Name, Pid, SiteId, StackId, TableId, Tid,
};

use crate::error::Malformed;
use crate::words;

/// The most elements that room is made for before they are seen: a count is not to be believed.
const MOST_AHEAD: usize = 1_024;

/// Bytes being written, with what differences refer to.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) bytes: Vec<u8>,
    at: u64,
    table: u64,
    file: u64,
    words: Vec<&'static str>,
}

impl Out {
    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn text(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn difference(&mut self, value: u64, before: u64) {
        let difference = value.wrapping_sub(before) as i64;
        self.number((difference << 1 ^ difference >> 63) as u64);
    }
}

/// Bytes being read.
#[derive(Debug)]
pub(crate) struct In<'a> {
    pub(crate) bytes: &'a [u8],
    at: u64,
    table: u64,
    file: u64,
    words: Vec<&'static str>,
}

impl<'a> In<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        In { bytes, at: 0, table: 0, file: 0, words: Vec::new() }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.bytes.split_first().ok_or(Malformed::Short)?;
        self.bytes = rest;
        Ok(first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return Err(Malformed::Range);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Range)
    }

    pub(crate) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed::Range)?;
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(Malformed::Short)?;
        self.bytes = rest;
        Ok(text)
    }

    fn difference(&mut self, before: u64) -> Result<u64, Malformed> {
        let zigzag = self.number()?;
        let difference = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        Ok(before.wrapping_add(difference as u64))
    }
}

/// A value that can be written.
pub(crate) trait Put {
    fn put(&self, out: &mut Out);
}

/// A value that can be read.
pub(crate) trait Get: Sized {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed>;
}

/// Numbers, and types that wrap one.
macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Put for $type {
            fn put(&self, out: &mut Out) {
                out.number(u64::from(*self));
            }
        }
        impl Get for $type {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                from.number()?.try_into().map_err(|_| Malformed::Range)
            }
        }
    )*};
}

macro_rules! wrapped {
    ($($type:ident)*) => {$(
        impl Put for $type {
            fn put(&self, out: &mut Out) {
                self.0.put(out);
            }
        }
        impl Get for $type {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                Ok($type(Get::get(from)?))
            }
        }
    )*};
}

/// Numbers of which one is near the one before of the same type.
macro_rules! differences {
    ($($type:ident $field:ident)*) => {$(
        impl Put for $type {
            fn put(&self, out: &mut Out) {
                out.difference(self.0, out.$field);
                out.$field = self.0;
            }
        }
        impl Get for $type {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                from.$field = from.difference(from.$field)?;
                Ok($type(from.$field))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64);
wrapped!(Pid Tid FdNumber StackId SiteId DeviceId);
differences!(Monotonic at TableId table FileId file);

impl Put for i32 {
    fn put(&self, out: &mut Out) {
        out.number(u64::from(self.cast_unsigned()));
    }
}

impl Get for i32 {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(u32::get(from)?.cast_signed())
    }
}

impl Put for usize {
    fn put(&self, out: &mut Out) {
        out.number(*self as u64);
    }
}

impl Get for usize {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        from.number()?.try_into().map_err(|_| Malformed::Range)
    }
}

impl Put for bool {
    fn put(&self, out: &mut Out) {
        out.bytes.push(u8::from(*self));
    }
}

impl Get for bool {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Range),
        }
    }
}

impl Put for Name {
    fn put(&self, out: &mut Out) {
        out.text(self.bytes());
    }
}

impl Get for Name {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(Name::from(from.text()?))
    }
}

impl Put for String {
    fn put(&self, out: &mut Out) {
        out.text(self.as_bytes());
    }
}

impl Get for String {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(from.text()?).map_err(|_| Malformed::Text)?;
        Ok(text.to_owned())
    }
}

/// A word is spelt once a frame and referred to by its place from then on.
impl Put for &'static str {
    fn put(&self, out: &mut Out) {
        match out.words.iter().position(|word| word == self) {
            Some(place) => out.number(place as u64 + 1),
            None => {
                out.number(0);
                out.text(self.as_bytes());
                out.words.push(self);
            }
        }
    }
}

impl Get for &'static str {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        let place = usize::get(from)?;
        if let Some(place) = place.checked_sub(1) {
            return from.words.get(place).copied().ok_or(Malformed::Range);
        }
        let word = std::str::from_utf8(from.text()?).map_err(|_| Malformed::Text)?;
        let word = words::keep(word);
        from.words.push(word);
        Ok(word)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Out) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Get> Get for Option<T> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok(if bool::get(from)? { Some(T::get(from)?) } else { None })
    }
}

impl<T: Put> Put for Box<T> {
    fn put(&self, out: &mut Out) {
        T::put(self, out);
    }
}

impl<T: Get> Get for Box<T> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        T::get(from).map(Box::new)
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Out) {
        self.len().put(out);
        self.iter().for_each(|value| value.put(out));
    }
}

impl<T: Get> Get for Vec<T> {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        let count = usize::get(from)?;
        let mut values = Vec::with_capacity(count.min(MOST_AHEAD));
        for _ in 0..count {
            values.push(T::get(from)?);
        }
        Ok(values)
    }
}

impl<A: Put, B: Put> Put for (A, B) {
    fn put(&self, out: &mut Out) {
        self.0.put(out);
        self.1.put(out);
    }
}

impl<A: Get, B: Get> Get for (A, B) {
    fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
        Ok((A::get(from)?, B::get(from)?))
    }
}

/// A struct, field by field.
macro_rules! form_struct {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Out) {
                $(self.$field.put(out);)*
            }
        }
        impl Get for $name {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                $(let $field = Get::get(from)?;)*
                Ok($name { $($field),* })
            }
        }
    )*};
}

/// An enum: the number of the variant, then its members.
macro_rules! form_enum {
    ($name:ident $written:ty, $read:ty {
        $($tag:literal $variant:ident { $($member:tt : $field:ident),* })*
    }) => {
        impl Put for $written {
            fn put(&self, out: &mut Out) {
                match self {$(
                    $name::$variant { $($member: $field),* } => {
                        out.bytes.push($tag);
                        $($field.put(out);)*
                    }
                )*}
            }
        }
        impl Get for $read {
            fn get(from: &mut In<'_>) -> Result<Self, Malformed> {
                match from.byte()? {
                    $($tag => {
                        $(let $field = Get::get(from)?;)*
                        Ok($name::$variant { $($member: $field),* })
                    })*
                    _ => Err(Malformed::Unknown(stringify!($name))),
                }
            }
        }
    };
}

pub(crate) use {form_enum, form_struct};

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Put + Get + PartialEq + std::fmt::Debug>(values: &[T]) {
        let mut out = Out::default();
        values.iter().for_each(|value| value.put(&mut out));
        let mut from = In::new(&out.bytes);
        for value in values {
            assert_eq!(T::get(&mut from).as_ref(), Ok(value));
        }
        assert!(from.bytes.is_empty());
    }

    #[test]
    fn values_come_back() {
        there_and_back(&[0, 1, 127, 128, 300, u64::MAX]);
        there_and_back(&[Monotonic(5), Monotonic(3), Monotonic(u64::MAX), Monotonic(0)]);
        there_and_back(&[TableId(0xffff_8880_1234_5678), TableId(0), TableId(1 << 63)]);
        there_and_back(&[i32::MIN, -1, 0, i32::MAX]);
        there_and_back(&[Some(Name::from("a")), None, Some(Name::from(&b"\xff\x1b"[..]))]);
        there_and_back(&["close", "openat", "close"]);
        there_and_back(&[vec![true, false], Vec::new()]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(u64::get(&mut In::new(&[0xff; 10])), Err(Malformed::Range));
        assert_eq!(u64::get(&mut In::new(&[0x80])), Err(Malformed::Short));
        assert_eq!(u32::get(&mut In::new(&[0xff, 0xff, 0xff, 0xff, 0x7f])), Err(Malformed::Range));
        assert_eq!(Name::get(&mut In::new(&[200, 1, b'x'])), Err(Malformed::Short));
        assert_eq!(<&str>::get(&mut In::new(&[3])), Err(Malformed::Range));
        assert_eq!(Vec::<u8>::get(&mut In::new(&[0xff, 0xff, 0xff, 0x7f])), Err(Malformed::Short));
    }
}
