//! The table of all families, by number; and the calls that hide behind others on i386.

use std::sync::OnceLock;

use super::row::Row;
use crate::arch::Arch;
use crate::memory::Memory;
use crate::names;
use crate::traced::Call;

/// The families. A name stands in one of them only.
const FAMILIES: &[&[Row]] = &[];

type Index = Vec<Option<&'static Row>>;

fn index(arch: Arch) -> Index {
    let mut index = Vec::new();
    for named in names::NAMES {
        let Some(number) = named.numbers.of(arch).map(usize::from) else { continue };
        let row = FAMILIES.iter().flat_map(|rows| rows.iter()).find(|row| row.name == named.name);
        if index.len() <= number {
            index.resize(number + 1, None);
        }
        index[number] = row;
    }
    index
}

/// The row of a call by its number.
pub(crate) fn row(arch: Arch, number: u64) -> Option<&'static Row> {
    static INDEXES: OnceLock<[Index; 3]> = OnceLock::new();
    let indexes = INDEXES.get_or_init(|| Arch::ALL.map(index));
    indexes[arch as usize].get(usize::try_from(number).ok()?).copied().flatten()
}

/// The name of a call in the table of numbers.
pub(crate) fn plain_name(call: &Call) -> Option<&'static str> {
    names::name(call.arch, call.number)
}

/// The call that is meant, and its row.
pub(crate) fn resolve(call: &Call, _memory: &dyn Memory) -> (Call, Option<&'static Row>) {
    (*call, row(call.arch, call.number))
}
