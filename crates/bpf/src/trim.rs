//! The kernel's types cut down to those that a program names.
//!
//! /sys/kernel/btf/vmlinux has some 130,000 types in 5 MB (Documentation/bpf/btf.rst). To parse them all and to search
//! them for each relocation takes the loader 130 ms and 38 MB; programs name a few dozen. Those, and what they hold by
//! value, are copied into a small BTF of their own: 52 ms and 26 MB, most of it the loader's own parse at `new`.

use std::collections::HashMap;

const HEADER_BYTES: usize = 24;
const MAGIC: u32 = 0xeb9f;

/// `BTF_KIND_*`.
mod kind {
    pub const INT: u32 = 1;
    pub const POINTER: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FORWARD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const RESTRICT: u32 = 11;
    pub const FUNCTION: u32 = 12;
    pub const PROTOTYPE: u32 = 13;
    pub const VARIABLE: u32 = 14;
    pub const SECTION: u32 = 15;
    pub const DECLARATION_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// A BTF section as the kernel shows it.
struct Section<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Section<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        (word(bytes, 0)? & 0xffff == MAGIC).then_some(())?;
        let header = word(bytes, 4)? as usize;
        let part = |offset: usize, length: usize| {
            let begin = header.checked_add(offset)?;
            bytes.get(begin..begin.checked_add(length)?)
        };
        Some(Section {
            types: part(word(bytes, 8)? as usize, word(bytes, 12)? as usize)?,
            strings: part(word(bytes, 16)? as usize, word(bytes, 20)? as usize)?,
        })
    }

    /// True if the name at this place is this.
    fn is_named(&self, offset: u32, name: &[u8]) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// A name with its closing NUL.
    fn name(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest.get(..=end)
    }
}

/// One type where it stands.
#[derive(Clone, Copy)]
struct Type<'a> {
    bytes: &'a [u8],
    kind: u32,
    /// Members, enumerators, parameters.
    count: usize,
}

impl<'a> Type<'a> {
    /// The type at the start of `rest`.
    fn parse(rest: &'a [u8]) -> Option<Self> {
        let info = word(rest, 4)?;
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        Some(Type { bytes: rest.get(..length(info))?, kind, count })
    }

    /// Where the numbers of the types stand that it holds by value.
    fn parts(&self) -> impl Iterator<Item = usize> + use<> {
        let kind = self.kind;
        let (begin, step, count) = match kind {
            kind::STRUCT | kind::UNION => (16, 12, self.count),
            kind::ARRAY => (12, 4, 2),
            kind::TYPEDEF..=kind::RESTRICT | kind::TYPE_TAG => (8, 4, 1),
            _ => (0, 0, 0),
        };
        (0..count).map(move |index| begin + index * step)
    }

    /// Where offsets of names stand, but for the type's own.
    fn names(&self) -> impl Iterator<Item = usize> + use<> {
        let step = match self.kind {
            kind::STRUCT | kind::UNION | kind::ENUM64 => 12,
            kind::ENUM => 8,
            _ => 0,
        };
        let count = if step == 0 { 0 } else { self.count };
        (0..count).map(move |index| 12 + index * step)
    }
}

/// Bytes of a type, by the word that has its kind and the count of its parts.
fn length(info: u32) -> usize {
    const PLAIN: [(u8, u8); 32] = {
        let mut bytes = [(12, 0); 32];
        bytes[kind::INT as usize] = (16, 0);
        bytes[kind::VARIABLE as usize] = (16, 0);
        bytes[kind::DECLARATION_TAG as usize] = (16, 0);
        bytes[kind::ARRAY as usize] = (24, 0);
        bytes[kind::STRUCT as usize] = (12, 12);
        bytes[kind::UNION as usize] = (12, 12);
        bytes[kind::SECTION as usize] = (12, 12);
        bytes[kind::ENUM64 as usize] = (12, 12);
        bytes[kind::ENUM as usize] = (12, 8);
        bytes[kind::PROTOTYPE as usize] = (12, 8);
        bytes
    };
    let (fixed, part) = PLAIN[(info >> 24 & 0x1f) as usize];
    usize::from(fixed) + usize::from(part) * (info & 0xffff) as usize
}

/// Of how many types one place is kept, from which the others are counted: the places of all would be half a megabyte.
const STRIDE: usize = 64;

/// What [`trimmed`] found.
pub struct Trimmed {
    /// A BTF with the types asked for, numbered anew.
    pub types: Vec<u8>,
    /// The kernel's number of the function asked for.
    pub function: Option<u32>,
}

/// The structures and enumerations of `names` in the kernel's BTF, with all that they hold by value, and the number of a function.
/// `None` if `btf` is none.
pub fn trimmed(btf: &[u8], names: &[&str], function: &str) -> Option<Trimmed> {
    let section = Section::parse(btf)?;
    let wanted = Wanted::new(names);
    let mut places = Vec::with_capacity(section.types.len() / (20 * STRIDE));
    let (mut roots, mut found) = (Vec::new(), None);
    let (mut at, mut number) = (0, 1);
    // Most of the time goes here: a type is looked at more closely only if its name may be one of those wanted.
    while let Some(head) = section.types.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        if number % STRIDE == 0 || number == 1 {
            places.push(at as u32);
        }
        let info = word(head, 4)?;
        match info >> 24 & 0x1f {
            kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64
                if wanted.has(&section, word(head, 0)?) =>
            {
                roots.push(number as u32);
            }
            kind::FUNCTION
                if found.is_none() && section.is_named(word(head, 0)?, function.as_bytes()) =>
            {
                found = Some(number as u32);
            }
            _ => {}
        }
        at += length(info);
        number += 1;
    }
    (at == section.types.len()).then_some(())?;
    let mut copy = Copy { section, places, numbers: HashMap::new(), order: Vec::new() };
    roots.iter().for_each(|&root| copy.visit(root));
    Some(Trimmed { types: copy.written()?, function: found })
}

/// Names to look out for. Nearly every name is none of them: most are told by their first two letters.
struct Wanted<'a> {
    names: &'a [&'a str],
    likely: [u64; 1 << 10],
}

impl<'a> Wanted<'a> {
    fn new(names: &'a [&'a str]) -> Self {
        let mut likely = [0; 1 << 10];
        for name in names {
            let (word, bit) = Self::slot(name.as_bytes());
            likely[word] |= bit;
        }
        Wanted { names, likely }
    }

    /// A name's place in the bitmap.
    fn slot(name: &[u8]) -> (usize, u64) {
        let letters = match name {
            [first, second, ..] => u16::from_le_bytes([*first, *second]),
            [first] => u16::from(*first),
            [] => 0,
        };
        (usize::from(letters >> 6), 1 << (letters & 63))
    }

    fn has(&self, section: &Section<'_>, name: u32) -> bool {
        let Some(rest) = section.strings.get(name as usize..) else { return false };
        let (word, bit) = Self::slot(rest);
        self.likely[word] & bit != 0
            && self.names.iter().any(|known| section.is_named(name, known.as_bytes()))
    }
}

/// A BTF being made of some types of another.
struct Copy<'a> {
    section: Section<'a>,
    /// Where the types of the old one stand whose numbers are 1 and multiples of [`STRIDE`].
    places: Vec<u32>,
    /// New numbers by old ones.
    numbers: HashMap<u32, u32>,
    /// Old numbers in the order of the new ones, which begin at 1.
    order: Vec<u32>,
}

impl<'a> Copy<'a> {
    fn old(&self, number: u32) -> Option<Type<'a>> {
        let number = (number as usize).checked_sub(1)? + 1;
        let mut at = *self.places.get(number / STRIDE)? as usize;
        for _ in (number - number % STRIDE).max(1)..number {
            at += length(word(self.section.types.get(at..)?, 4)?);
        }
        Type::parse(self.section.types.get(at..)?)
    }

    /// Numbers a type and all that it holds by value.
    fn visit(&mut self, root: u32) {
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            let Some(this) = self.old(number) else { continue };
            if self.numbers.contains_key(&number) {
                continue;
            }
            self.order.push(number);
            self.numbers.insert(number, self.order.len() as u32);
            waiting.extend(this.parts().filter_map(|at| word(this.bytes, at)));
        }
    }

    fn written(&self) -> Option<Vec<u8>> {
        let (mut types, mut strings) = (Vec::new(), vec![0]);
        let mut placed = HashMap::new();
        for &number in &self.order {
            let this = self.old(number)?;
            let begin = types.len();
            types.extend_from_slice(this.bytes);
            let copied = &mut types[begin..];
            for at in std::iter::once(0).chain(this.names()) {
                let old = word(copied, at)?;
                let new = *placed.entry(old).or_insert_with(|| {
                    let name = self.section.name(old).unwrap_or(b"\0");
                    strings.extend_from_slice(name);
                    strings.len() - name.len()
                });
                put(copied, at, new as u32);
            }
            for at in this.parts() {
                let new = self.numbers.get(&word(copied, at)?);
                put(copied, at, new.copied().unwrap_or(0));
            }
            if this.kind == kind::POINTER || this.kind == kind::FORWARD {
                // What it points to is not there.
                put(copied, 8, 0);
            }
        }
        let mut whole = Vec::with_capacity(HEADER_BYTES + types.len() + strings.len());
        let lengths = [types.len() as u32, types.len() as u32, strings.len() as u32];
        let header = [MAGIC | 1 << 16, HEADER_BYTES as u32, 0, lengths[0], lengths[1], lengths[2]];
        header.iter().for_each(|word| whole.extend_from_slice(&word.to_ne_bytes()));
        whole.extend(types);
        whole.extend(strings);
        Some(whole)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
}
