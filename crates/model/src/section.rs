//! A file of /proc/PID as rows with names and units.

use crate::fault::Fault;
use crate::name::Name;

/// One file, or one question, of a process.
#[derive(Clone, PartialEq, Debug)]
pub struct Section {
    /// Its word: `stat`.
    pub name: &'static str,
    /// What it says, in the kernel's order.
    pub rows: Vec<Row>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What is told: `minflt`.
    pub name: Name,
    /// The kernel's own text.
    pub value: Name,
    /// What it is counted in; [`Unit::None`] for text.
    pub unit: Unit,
    /// What it means, in a few words; empty where the name says it.
    pub meaning: Name,
}

impl Row {
    /// A row of plain text.
    pub fn new(name: impl Into<Name>, value: impl Into<Name>) -> Self {
        Row { name: name.into(), value: value.into(), unit: Unit::None, meaning: Name::default() }
    }

    /// The same, with a unit and a meaning.
    #[must_use]
    pub fn with(self, unit: Unit, meaning: impl Into<Name>) -> Self {
        Row { unit, meaning: meaning.into(), ..self }
    }
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Text, or a bare number.
    None,
    /// Bytes.
    Bytes,
    /// Pages of memory, of so many bytes.
    Pages(u64),
    /// Clock ticks, of so many a second.
    Ticks(u64),
    /// An address.
    Address,
}

impl Unit {
    /// The word in JSON; `None` for text.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Unit::None => None,
            Unit::Bytes => Some("bytes"),
            Unit::Pages(_) => Some("pages"),
            Unit::Ticks(_) => Some("ticks"),
            Unit::Address => Some("address"),
        }
    }
}
