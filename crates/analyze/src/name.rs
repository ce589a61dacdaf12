//! Name patterns, each kept once and known by a number: the ledger holds no text per handle.

use fdscope_model::Name;

use crate::hash::FastMap;

/// The most patterns kept; names beyond it share one. A pattern function that normalises little meets this first.
const MOST: usize = 1 << 16;

/// Patterns by number.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    names: Vec<Name>,
    numbers: FastMap<Name, u32>,
}

/// What names beyond the bound are called.
const OVERFLOW: &str = "(other names)";

impl Patterns {
    pub(crate) fn intern(&mut self, name: Name) -> u32 {
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        if self.names.len() == MOST {
            return self.names.len() as u32;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    pub(crate) fn find(&self, name: &Name) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> Name {
        self.names.get(number as usize).cloned().unwrap_or_else(|| OVERFLOW.into())
    }
}
