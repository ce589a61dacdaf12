//! Names of Go functions from `.gopclntab`, which every Go program carries for its own tracebacks, stripped or not.
//!
//! The layouts of Go 1.16, 1.18 and 1.20 and later are known (debug/gosym and runtime/symtab.go of the Go sources);
//! they differ in the magic number and the width of two fields. Which functions are inlined at an address is written
//! elsewhere; where one is, its line is left out rather than told as its caller's.

use fdscope_model::Symbol;

/// The table of one program.
#[derive(Debug)]
pub struct GoTable {
    bytes: Vec<u8>,
    layout: Layout,
}

/// Where things are in the table, in bytes from its start.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// True since 1.18: addresses are 32-bit offsets from `text`.
    relative: bool,
    word: usize,
    quantum: u64,
    functions: u64,
    text: u64,
    names: usize,
    units: usize,
    files: usize,
    values: usize,
    lines: usize,
}

/// Field numbers of `_func`, 32 bits each, after the entry address.
const NAME: usize = 0;
const VALUES_FILE: usize = 4;
const VALUES_LINE: usize = 5;
const TABLES: usize = 6;
const UNIT: usize = 7;
/// Which of a function's tables holds the index of the inlined call, -1 for none.
const INLINED: usize = 2;
/// The most steps through one table of values: a bound for broken ones.
const MOST_STEPS: usize = 1 << 20;

impl GoTable {
    /// The table in the bytes of the section. `text` is the address of `.text`, for position independent programs
    /// whose table is completed when they are loaded.
    pub fn parse(bytes: Vec<u8>, text: u64) -> Option<GoTable> {
        let magic = u32::from_le_bytes(*bytes.first_chunk()?);
        let relative = match magic {
            0xffff_fff0 | 0xffff_fff1 => true,
            0xffff_fffa => false,
            _ => return None,
        };
        let word = usize::from(*bytes.get(7)?);
        if word != 8 && word != 4 {
            return None;
        }
        let field = |index: usize| read_word(&bytes, 8 + index * word, word);
        let offset = |index: usize| usize::try_from(field(index)?).ok();
        let first = if relative { 3 } else { 2 };
        let layout = Layout {
            relative,
            word,
            quantum: u64::from(*bytes.get(6)?),
            functions: field(0)?,
            text: if relative { field(2).filter(|&start| start != 0).unwrap_or(text) } else { 0 },
            names: offset(first)?,
            units: offset(first + 1)?,
            files: offset(first + 2)?,
            values: offset(first + 3)?,
            lines: offset(first + 4)?,
        };
        Some(GoTable { bytes, layout })
    }

    /// The function at an address as stated in the file, with its line.
    pub fn symbol(&self, address: u64) -> Option<Symbol> {
        let (entry, at) = self.function(address)?;
        let at = self.layout.lines.checked_add(at)?;
        let field = |index: usize| self.u32(at + self.entry_width() + index * 4);
        let function = self.text(self.layout.names.checked_add(field(NAME)? as usize)?)?;
        let value = |table: u32| self.value(table, address, entry);
        let inlined = field(TABLES)? as usize > INLINED && {
            let fields = if self.layout.relative { self.fixed_fields() } else { UNIT + 2 };
            field(fields + INLINED).and_then(value).is_some_and(|index| index >= 0)
        };
        let file_at = |address: u64| {
            let unit = field(UNIT)? as usize;
            let number = self.value(field(VALUES_FILE)?, address, entry)?;
            let number = unit.checked_add(usize::try_from(number).ok()?)?;
            let at = self.layout.units.checked_add(number.checked_mul(4)?)?;
            self.text(self.layout.files.checked_add(self.u32(at)? as usize)?)
        };
        let line = field(VALUES_LINE).and_then(value).and_then(|line| u32::try_from(line).ok());
        let (file, line) = if inlined { (file_at(entry), None) } else { (file_at(address), line) };
        Some(Symbol { function: Some(function), file, line, inlined: false })
    }

    /// Entry address and offset of the function that holds `address`, by binary search.
    fn function(&self, address: u64) -> Option<(u64, usize)> {
        let (mut low, mut high) = (0, usize::try_from(self.layout.functions).ok()?);
        high = high.min(self.bytes.len() / 8);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle)?.0 <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (entry, at) = self.row(low.checked_sub(1)?)?;
        // The row after the last function holds only the end of the text.
        (address < self.row_start(low)?).then_some((entry, at))
    }

    fn row(&self, index: usize) -> Option<(u64, usize)> {
        let width = self.entry_width();
        let at = self.layout.lines.checked_add(index.checked_mul(2 * width)?)? + width;
        Some((self.row_start(index)?, usize::try_from(read_word(&self.bytes, at, width)?).ok()?))
    }

    fn row_start(&self, index: usize) -> Option<u64> {
        let width = self.entry_width();
        let at = self.layout.lines.checked_add(index.checked_mul(2 * width)?)?;
        self.layout.text.checked_add(read_word(&self.bytes, at, width)?)
    }

    fn entry_width(&self) -> usize {
        if self.layout.relative { 4 } else { self.layout.word }
    }

    /// Fields of `_func` before its tables: 1.20 added the line of the declaration.
    fn fixed_fields(&self) -> usize {
        if self.bytes[0] == 0xf1 { UNIT + 3 } else { UNIT + 2 }
    }

    /// The value at `address` in a table of pairs: difference of the value, difference of the address.
    fn value(&self, table: u32, address: u64, entry: u64) -> Option<i64> {
        // Table 0 stands for none.
        let table = usize::try_from(table).ok().filter(|&table| table != 0)?;
        let mut at = self.layout.values.checked_add(table)?;
        let (mut value, mut end) = (-1_i64, entry);
        for step in 0..MOST_STEPS {
            let difference = self.varint(&mut at)?;
            if difference == 0 && step > 0 {
                return None;
            }
            value += i64::from((difference >> 1) as i32 ^ -((difference & 1) as i32));
            end = end.checked_add(u64::from(self.varint(&mut at)?) * self.layout.quantum)?;
            if address < end {
                return Some(value);
            }
        }
        None
    }

    fn varint(&self, at: &mut usize) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = *self.bytes.get(*at)?;
            *at += 1;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn u32(&self, at: usize) -> Option<u32> {
        read_word(&self.bytes, at, 4).map(|word| word as u32)
    }

    fn text(&self, at: usize) -> Option<String> {
        let bytes = self.bytes.get(at..)?;
        let end = bytes.iter().take(4096).position(|&b| b == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned()).filter(|text| !text.is_empty())
    }
}

fn read_word(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let tail = bytes.get(at..)?;
    match width {
        4 => tail.first_chunk().map(|&word| u32::from_le_bytes(word).into()),
        _ => tail.first_chunk().map(|&word| u64::from_le_bytes(word)),
    }
}
