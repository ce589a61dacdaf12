//! Call frame information of one module: from an address stated in the file to a [`Row`].
//!
//! `.eh_frame` is searched by the linker's table in `.eh_frame_hdr`, else by an index made here; `.debug_frame`, of
//! the module or of its debug file, serves addresses that `.eh_frame` does not cover (Go, kernels of hand-written
//! assembly, C compiled without unwind tables).

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, EhFrameHdr, EndianSlice,
    FrameDescriptionEntry, LittleEndian, RegisterRule, Section, SectionId, UnwindContext,
    UnwindExpression, UnwindOffset, UnwindSection,
};

use crate::arch::Arch;
use crate::elf::UnwindSections;
use crate::rule::{Cfa, Row, Saved, Span};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The longest entry that is interpreted: real ones stay far below, and interpretation is linear.
const LONGEST_ENTRY: usize = 1 << 20;

/// The unwind sections of a module, with indexes where the linker made none.
#[derive(Debug, Default)]
pub struct Cfi {
    sections: UnwindSections,
    bases: BaseAddresses,
    word: u8,
    eh_index: Option<Index>,
    debug_index: Option<Index>,
}

/// Entries by first address, for sections without the linker's table.
#[derive(Debug, Default)]
struct Index(Vec<(u64, u32)>);

impl Cfi {
    /// The information of a module whose sections these are.
    pub fn new(sections: UnwindSections, arch: &Arch) -> Cfi {
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(sections.eh_frame_hdr.address)
            .set_eh_frame(sections.eh_frame.address)
            .set_text(sections.text_address)
            .set_got(sections.got_address);
        let mut cfi = Cfi { sections, bases, word: arch.word, ..Cfi::default() };
        if !cfi.has_table() && !cfi.sections.eh_frame.bytes.is_empty() {
            cfi.eh_index = Some(Index::new(&cfi.eh_frame(), &cfi.bases));
        }
        if !cfi.sections.debug_frame.bytes.is_empty() {
            cfi.debug_index = Some(Index::new(&cfi.debug_frame(), &cfi.bases));
        }
        cfi
    }

    /// The row for `address` as stated in the file; `None` if no entry covers it.
    pub fn row(
        &self,
        address: u64,
        arch: &Arch,
        context: &mut UnwindContext<usize>,
    ) -> Option<Row> {
        let eh_frame = self.eh_frame();
        let offset = match &self.eh_index {
            Some(index) => index.find(address),
            None => self.find_by_table(address),
        };
        let row = offset.and_then(|at| self.row_of(&eh_frame, at, address, arch, context));
        row.or_else(|| {
            let at = self.debug_index.as_ref()?.find(address)?;
            self.row_of(&self.debug_frame(), at, address, arch, context)
        })
    }

    /// The bytes of an expression.
    pub fn expression(&self, span: Span) -> Option<&[u8]> {
        let section = if span.debug { &self.sections.debug_frame } else { &self.sections.eh_frame };
        section.bytes.get(span.start as usize..)?.get(..span.len as usize)
    }

    fn eh_frame(&self) -> EhFrame<Slice<'_>> {
        let mut section = EhFrame::new(&self.sections.eh_frame.bytes, LittleEndian);
        section.set_address_size(self.word);
        section
    }

    fn debug_frame(&self) -> DebugFrame<Slice<'_>> {
        let mut section = DebugFrame::new(&self.sections.debug_frame.bytes, LittleEndian);
        section.set_address_size(self.word);
        section
    }

    fn has_table(&self) -> bool {
        let header = EhFrameHdr::new(&self.sections.eh_frame_hdr.bytes, LittleEndian);
        header.parse(&self.bases, self.word).is_ok_and(|header| header.table().is_some())
    }

    fn find_by_table(&self, address: u64) -> Option<usize> {
        let header = EhFrameHdr::new(&self.sections.eh_frame_hdr.bytes, LittleEndian);
        let header = header.parse(&self.bases, self.word).ok()?;
        let table = header.table()?;
        let entry = table.lookup(address, &self.bases).ok()?.direct().ok()?;
        // Not by gimli's `pointer_to_offset`, which trusts the file that the entry is behind the section's start.
        let offset = entry.checked_sub(header.eh_frame_ptr().direct().ok()?)?;
        usize::try_from(offset).ok()
    }

    fn row_of<'a, S>(
        &self,
        section: &S,
        at: usize,
        address: u64,
        arch: &Arch,
        context: &mut UnwindContext<usize>,
    ) -> Option<Row>
    where
        S: UnwindSection<Slice<'a>> + Section<Slice<'a>>,
        S::Offset: UnwindOffset<usize>,
    {
        let entry = section.fde_from_offset(&self.bases, at.into(), S::cie_from_offset).ok()?;
        if !entry.contains(address) || entry.entry_len() > LONGEST_ENTRY {
            return None;
        }
        let row = entry.unwind_info_for_address(section, &self.bases, context, address).ok()?;
        let debug = S::id() == SectionId::DebugFrame;
        let cfa = match *row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                let offset = i32::try_from(offset).ok()?;
                let bases = [(arch.sp, Cfa::Sp(offset)), (arch.fp, Cfa::Fp(offset))];
                bases.into_iter().find(|&(base, _)| base == register)?.1
            }
            CfaRule::Expression(expression) => Cfa::Expression(span(expression, debug)?),
        };
        Some(Row {
            cfa,
            fp: saved(row.register(arch.fp), debug),
            ra: saved(row.register(return_column(&entry)), debug),
            signal: entry.is_signal_trampoline(),
        })
    }
}

fn return_column(entry: &FrameDescriptionEntry<Slice<'_>>) -> gimli::Register {
    entry.cie().return_address_register()
}

fn saved(rule: Option<RegisterRule<usize>>, debug: bool) -> Saved {
    match rule {
        None | Some(RegisterRule::SameValue) => Saved::Same,
        Some(RegisterRule::Undefined) => Saved::Undefined,
        Some(RegisterRule::Offset(offset)) => {
            i32::try_from(offset).map_or(Saved::Elsewhere, Saved::At)
        }
        Some(RegisterRule::Expression(at)) => {
            span(at, debug).map_or(Saved::Elsewhere, Saved::AtExpression)
        }
        Some(RegisterRule::ValExpression(value)) => {
            span(value, debug).map_or(Saved::Elsewhere, Saved::Expression)
        }
        Some(_) => Saved::Elsewhere,
    }
}

fn span(expression: UnwindExpression<usize>, debug: bool) -> Option<Span> {
    let start = u32::try_from(expression.offset).ok()?;
    Some(Span { start, len: u32::try_from(expression.length).ok()?, debug })
}

impl Index {
    /// Reads every entry once. A broken one ends the reading: those before it stay.
    fn new<'a, S: UnwindSection<Slice<'a>>>(section: &S, bases: &BaseAddresses) -> Index {
        let mut found = Vec::new();
        let mut entries = section.entries(bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let Ok(entry) = partial.parse(S::cie_from_offset) else { continue };
            if let Ok(at) = u32::try_from(entry.offset()) {
                found.push((entry.initial_address(), at));
            }
        }
        found.sort_unstable();
        Index(found)
    }

    fn find(&self, address: u64) -> Option<usize> {
        let after = self.0.partition_point(|&(start, _)| start <= address);
        after.checked_sub(1).map(|i| self.0[i].1 as usize)
    }
}
