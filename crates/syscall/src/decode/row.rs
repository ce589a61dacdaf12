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
    /// How many registers it takes.
    pub takes: u8,
    /// It writes its own comma, if it writes anything.
    pub glued: bool,
    /// It is a descriptor.
    pub descriptor: bool,
    /// What must be copied for it: offset from its own register, moment, shape.
    pub leads: [Option<Lead>; 4],
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
    /// The same by a function.
    Wide(fn(&mut Pen, u8)),
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

/// What must be copied: an offset from the argument's register, a moment, a shape.
pub(crate) type Lead = (u8, When, What);

const fn by(show: Show, when: When, only_success: bool) -> Argument {
    Argument {
        show,
        when,
        only_success,
        takes: 1,
        glued: false,
        descriptor: false,
        leads: [None; 4],
    }
}

/// An argument that needs no memory.
pub(crate) const fn plain(show: fn(&mut Pen, u8)) -> Argument {
    by(Show::By(show), When::Enter, false)
}

/// Flags of a table.
pub(crate) const fn flags(table: &'static Table) -> Argument {
    by(Show::Flags(table), When::Enter, false)
}

/// A value of a table.
pub(crate) const fn choice(table: &'static Table) -> Argument {
    by(Show::Choice(table), When::Enter, false)
}

/// A 64-bit number.
pub(crate) const OFFSET: Argument = by(Show::Offset, When::Enter, false);

/// A 64-bit value, written by a function.
pub(crate) const fn wide(show: fn(&mut Pen, u8)) -> Argument {
    by(Show::Wide(show), When::Enter, false)
}

/// A 64-bit number in two registers of every interface.
pub(crate) const OFFSET_PAIR: Argument = by(Show::OffsetPair, When::Enter, false);

/// What the kernel reads.
pub(crate) const fn input(show: fn(&mut Pen, u8), what: What) -> Argument {
    by(Show::By(show), When::Enter, false).also(0, When::Enter, what)
}

/// What the kernel wrote if the call succeeded.
pub(crate) const fn output(show: fn(&mut Pen, u8), what: What) -> Argument {
    by(Show::By(show), When::Exit, true).also(0, When::Exit, what)
}

/// What is written when the call has ended, however it did.
pub(crate) const fn ended(show: fn(&mut Pen, u8)) -> Argument {
    by(Show::By(show), When::Exit, false)
}

impl Argument {
    /// The same, but no comma is written before it.
    pub const fn glued(mut self) -> Argument {
        self.glued = true;
        self
    }

    /// The same, and it is a descriptor.
    pub const fn descriptor(mut self) -> Argument {
        self.descriptor = true;
        self
    }

    /// The same, but it takes so many registers.
    pub const fn taking(mut self, registers: u8) -> Argument {
        self.takes = registers;
        self
    }

    /// The same, and something more must be copied.
    pub const fn also(mut self, offset: u8, when: When, what: What) -> Argument {
        let mut n = 0;
        while n < self.leads.len() {
            if self.leads[n].is_none() {
                self.leads[n] = Some((offset, when, what));
                break;
            }
            n += 1;
        }
        self
    }

    /// How many registers it takes.
    pub fn registers(&self, pointer_bytes: usize) -> u8 {
        match self.show {
            Show::OffsetPair => 2,
            Show::Offset | Show::Wide(_) if pointer_bytes == 4 => 2,
            _ => self.takes,
        }
    }
}

impl Row {
    /// What must be copied for the call.
    pub fn captures(&self, pointer_bytes: usize) -> Vec<Capture> {
        let mut register = 0;
        let mut captures = Vec::new();
        for argument in self.arguments {
            let leads = argument.leads.iter().flatten();
            captures.extend(leads.map(|(offset, when, what)| Capture {
                argument: register + offset,
                when: *when,
                what: *what,
            }));
            register += argument.registers(pointer_bytes);
        }
        captures
    }

    /// The arguments that are descriptors.
    pub fn descriptors(&self, pointer_bytes: usize) -> Vec<u8> {
        let mut register = 0;
        let mut found = Vec::new();
        for argument in self.arguments {
            if argument.descriptor {
                found.push(register);
            }
            register += argument.registers(pointer_bytes);
        }
        found
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
