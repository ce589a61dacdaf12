//! Can a return address be that of the frame below it? For code without unwind information (musl, hand-written
//! assembly), where return addresses are searched for on the stack, and old ones lie about.
//!
//! The instruction before a return address tells whom it called. If that is known, and is neither the function that
//! the lower frame is in, nor one that ends by jumping there, the word is left over from an earlier call.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use object::{Object, ObjectSymbol, ReadCache, RelocationTarget, SymbolKind};

use crate::arch::Branches;
use crate::elf::Elf;

/// The most symbols that are read of one file.
const MOST_SYMBOLS: usize = 1 << 19;
/// The longest function that is searched for a jump at its end.
const LONGEST_JUMPER: u64 = 512;

/// How a return address and the frame below it go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// The call is to the function that the lower frame is in.
    Certain,
    /// Whom it calls is not known.
    Possible,
    /// The call is to another function.
    Refuted,
}

/// The functions of one file, and what its PLT stubs stand for. Addresses as stated in the file.
#[derive(Debug, Default)]
pub struct Functions {
    /// First address and size, sorted.
    ranges: Vec<(u64, u64)>,
    exported: HashMap<Vec<u8>, u64>,
    slots: HashMap<u64, Vec<u8>>,
}

impl Functions {
    /// Reads both symbol tables and the dynamic relocations; nothing where there are none.
    pub fn read(file: &File) -> Functions {
        let cache = ReadCache::new(file);
        object::File::parse(&cache).map(|elf| Functions::of(&elf)).unwrap_or_default()
    }

    fn of<'a>(elf: &impl Object<'a>) -> Functions {
        let mut found = Functions::default();
        let symbols = elf.symbols().chain(elf.dynamic_symbols()).take(MOST_SYMBOLS);
        for symbol in symbols.filter(|s| s.kind() == SymbolKind::Text && s.is_definition()) {
            found.ranges.push((symbol.address(), symbol.size()));
            if let Ok(name) = symbol.name_bytes() {
                found.exported.insert(name.to_vec(), symbol.address());
            }
        }
        found.ranges.sort_unstable();
        let name_of = |target| match target {
            RelocationTarget::Symbol(index) => elf
                .dynamic_symbol_table()
                .and_then(|table| object::ObjectSymbolTable::symbol_by_index(&table, index).ok())
                .and_then(|symbol| symbol.name_bytes().ok().map(<[u8]>::to_vec)),
            _ => None,
        };
        let relocations = elf.dynamic_relocations().into_iter().flatten().take(MOST_SYMBOLS);
        found.slots = relocations
            .filter_map(|(address, relocation)| Some((address, name_of(relocation.target())?)))
            .collect();
        found
    }

    /// First address and size of the function that holds `address`, if its size is known.
    fn holding(&self, address: u64) -> Option<(u64, u64)> {
        let after = self.ranges.partition_point(|&(start, _)| start <= address);
        let near = self.ranges[..after].iter().rev().take(8);
        near.copied().find(|&(start, size)| address - start < size)
    }
}

/// One side of the question: a file, what is known of it, and an address in it.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The module's number, to tell files apart.
    pub module: u32,
    /// The file.
    pub file: &'a File,
    /// Its segments.
    pub elf: &'a Elf,
    /// Its functions.
    pub functions: &'a Functions,
    /// The address: of the return address, or inside the lower frame's function.
    pub address: u64,
}

/// Does the call before `upper` call the function that holds `lower`?
pub fn fit(upper: Side<'_>, lower: Side<'_>) -> Fit {
    let Some(branches) = upper.elf.arch.branches else { return Fit::Possible };
    let Some((function, _)) = lower.functions.holding(lower.address) else { return Fit::Possible };
    let Some(target) = upper.branch(branches.call, upper.address) else {
        return Fit::Possible;
    };
    let leads = |target: u64| match upper.behind_stub(target, branches) {
        Some(name) => lower.functions.exported.get(name).map(|&start| start == function),
        None => Some(upper.module == lower.module && target == function),
    };
    match leads(target) {
        Some(true) => Fit::Certain,
        None => Fit::Possible,
        Some(false) if upper.jumps(target, branches, |to| leads(to) == Some(true)) => Fit::Certain,
        Some(false) => Fit::Refuted,
    }
}

impl<'a> Side<'a> {
    /// Where the direct branch leads that ends at `end`.
    fn branch(&self, opcode: u8, end: u64) -> Option<u64> {
        let code: [u8; 5] = self.code(end.checked_sub(5)?)?;
        let displacement = i32::from_le_bytes(*code.last_chunk()?);
        (code[0] == opcode).then(|| end.wrapping_add_signed(displacement.into()))
    }

    /// The name of the function behind the PLT stub at `address`; `None` if there is no stub.
    fn behind_stub(&self, address: u64, branches: &Branches) -> Option<&'a [u8]> {
        let code: [u8; 16] = self.code(address)?;
        let through = branches.jump_through;
        let at = code.windows(through.len()).position(|bytes| bytes == through)? + through.len();
        let displacement = i32::from_le_bytes(*code.get(at..)?.first_chunk()?);
        let slot = address.wrapping_add(at as u64 + 4).wrapping_add_signed(displacement.into());
        self.functions.slots.get(&slot).map(Vec::as_slice)
    }

    /// True if the function at `start` has a jump whose target `leads` accepts.
    fn jumps(&self, start: u64, branches: &Branches, leads: impl Fn(u64) -> bool) -> bool {
        let size = self.functions.holding(start).map_or(32, |(_, size)| size);
        let ends = (5..=size.min(LONGEST_JUMPER)).map(|length| start.saturating_add(length));
        ends.filter_map(|end| self.branch(branches.jump, end)).any(leads)
    }

    fn code<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, self.elf.offset_of(address)?).ok()?;
        Some(bytes)
    }
}
