//! Can a return address be that of the frame below it? For code without unwind information (musl, hand-written
//! assembly), where return addresses are searched for on the stack, and old ones lie about.
//!
//! The instruction before a return address tells whom it called. If that is known, and is neither the function that
//! the lower frame is in, nor one that ends by jumping there, the word is left over from an earlier call.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use object::elf::{Rela64, STT_FUNC, Sym64};
use object::pod::slice_from_all_bytes;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection, ReadCache};

use crate::arch::Branches;
use crate::elf::Elf;

/// The largest section that is read: 87,000 symbols.
const LARGEST_SECTION: u64 = 2 << 20;
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
    /// Reads both symbol tables and the dynamic relocations; nothing where there are none, or too many: this happens
    /// while the target runs, and programs of such size bring unwind information.
    pub fn read(file: &File) -> Functions {
        let cache = ReadCache::new(file);
        let elf = ElfFile64::<Endianness, _>::parse(&cache);
        elf.map(|elf| Functions::of(&elf)).unwrap_or_default()
    }

    fn of<'a>(elf: &ElfFile64<'a, Endianness, &'a ReadCache<&File>>) -> Functions {
        let endian = elf.endian();
        // Whole sections at a time: a read for each name took four seconds for a browser's worth of symbols.
        let section = |name: &str| {
            let found = elf.section_by_name(name).filter(|found| found.size() <= LARGEST_SECTION);
            found.and_then(|found| found.data().ok()).unwrap_or_default()
        };
        let dynamic = slice_from_all_bytes::<Sym64<Endianness>>(section(".dynsym"));
        let dynamic = dynamic.unwrap_or_default();
        let names = section(".dynstr");
        let name_of = |symbol: &Sym64<Endianness>| {
            let tail = names.get(symbol.st_name.get(endian) as usize..)?;
            let end = tail.iter().position(|&b| b == 0)?;
            Some(tail[..end].to_vec())
        };
        let all = slice_from_all_bytes::<Sym64<Endianness>>(section(".symtab")).unwrap_or_default();
        let is_function =
            |s: &&Sym64<Endianness>| s.st_type() == STT_FUNC && s.st_shndx.get(endian) != 0;
        let range = |s: &Sym64<Endianness>| (s.st_value.get(endian), s.st_size.get(endian));
        let mut ranges: Vec<_> = all.iter().chain(dynamic).filter(is_function).map(range).collect();
        ranges.sort_unstable();
        let exported = dynamic.iter().filter(is_function);
        let exported =
            exported.filter_map(|s| Some((name_of(s)?, s.st_value.get(endian)))).collect();
        let relocations = [section(".rela.plt"), section(".rela.dyn")].into_iter();
        let slots = relocations
            .flat_map(|bytes| slice_from_all_bytes::<Rela64<Endianness>>(bytes).unwrap_or_default())
            .filter_map(|r| {
                let symbol = dynamic.get((r.r_info.get(endian) >> 32) as usize)?;
                let name = name_of(symbol).filter(|name| !name.is_empty())?;
                Some((r.r_offset.get(endian), name))
            })
            .collect();
        Functions { ranges, exported, slots }
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
