//! A row of the table: what a call's arguments are.

use super::pen::Pen;
use super::xlat::Table;
use crate::capture::{Capture, What, When};

/// A call.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Its name in the tables of numbers ([`crate::names`]).
    pub name: &'static str,
    /// Its arguments in the order in which they are written.
    pub arguments: &'static [Argument],
    /// What it returns.
    pub result: Return,
}

/// An argument.
#[derive(Clone, Copy)]
pub(crate) struct Argument {
    /// How it is written.
    pub show: Show,
    /// When it is known.
    pub when: When,
    /// Written as an address if the call failed.
    pub only_success: bool,
    /// What must be copied for it: offset from its own register, moment, shape.
    pub leads: &'static [(u8, When, What)],
}

/// How an argument is written.
#[derive(Clone, Copy)]
pub(crate) enum Show {
    /// By a function, which is told the register where the argument begins.
    By(fn(&mut Pen, u8)),
    /// Flags of a table, 32 bits wide.
    Flags(&'static Table),
    /// One value of a table, 32 bits wide.
    Choice(&'static Table),
    /// A 64-bit number in decimal: two registers of a 32-bit interface, one of others.
    Offset,
    /// The same, but two registers in every interface; 64-bit ones use the first only.
    OffsetPair,
}

/// What a call returns.
#[derive(Clone, Copy)]
pub(crate) enum Return {
    /// A number.
    Decimal,
    /// An address or flags.
    Hex,
    /// A mode.
    Octal,
    /// A descriptor.
    Fd,
    /// A process or thread.
    Pid,
    /// It does not return.
    Never,
    /// What a function writes.
    Special(fn(&mut Pen, i64)),
}

/// An argument that needs no memory.
pub(crate) const fn plain(show: fn(&mut Pen, u8)) -> Argument {
    Argument { show: Show::By(show), when: When::Enter, only_success: false, leads: &[] }
}

/// Flags of a table.
pub(crate) const fn flags(table: &'static Table) -> Argument {
    Argument { show: Show::Flags(table), when: When::Enter, only_success: false, leads: &[] }
}

/// A value of a table.
pub(crate) const fn choice(table: &'static Table) -> Argument {
    Argument { show: Show::Choice(table), when: When::Enter, only_success: false, leads: &[] }
}

/// What the kernel reads.
pub(crate) const fn input(show: fn(&mut Pen, u8), leads: &'static [(u8, When, What)]) -> Argument {
    Argument { show: Show::By(show), when: When::Enter, only_success: false, leads }
}

/// What the kernel wrote if the call succeeded.
pub(crate) const fn output(show: fn(&mut Pen, u8), leads: &'static [(u8, When, What)]) -> Argument {
    Argument { show: Show::By(show), when: When::Exit, only_success: true, leads }
}

/// What is written when the call has ended, however it did.
pub(crate) const fn ended(show: fn(&mut Pen, u8), leads: &'static [(u8, When, What)]) -> Argument {
    Argument { show: Show::By(show), when: When::Exit, only_success: false, leads }
}

impl Argument {
    /// How many registers it takes.
    pub fn registers(&self, pointer_bytes: usize) -> u8 {
        match self.show {
            Show::OffsetPair => 2,
            Show::Offset if pointer_bytes == 4 => 2,
            _ => 1,
        }
    }
}

impl Row {
    /// What must be copied for the call.
    pub fn captures(&self) -> Vec<Capture> {
        let mut register = 0;
        let mut captures = Vec::new();
        for argument in self.arguments {
            let at = register;
            captures.extend(argument.leads.iter().map(|(offset, when, what)| Capture {
                argument: at + offset,
                when: *when,
                what: *what,
            }));
            register += argument.registers(8);
        }
        captures
    }
}

/// Rows: `rows! { ROWS; openat [FD, PATH, flags(&X)] Fd; }`.
macro_rules! rows {
    ($($name:ident [$($argument:expr),* $(,)?] $result:expr;)*) => {
        #[allow(unused_imports)]
        use $crate::decode::row::Return::{self, *};
        /// The calls of this family.
        pub(crate) const ROWS: &[$crate::decode::row::Row] = &[$($crate::decode::row::Row {
            name: stringify!($name),
            arguments: &[$($argument),*],
            result: $result,
        }),*];
    };
}
pub(crate) use rows;
