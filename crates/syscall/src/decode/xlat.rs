//! Constants by name: tables, and the three ways to show them.

use super::pen::Pen;
use super::style::Xlat;

/// Names of the values of one argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// Values and names, in strace's order: of flags that overlap, the wider first.
    pub rows: &'static [(u64, &'static str)],
    /// What is said of a value without a name.
    pub unknown: &'static str,
}

/// A table of constants: `xlat! { NAME "O_???" { O_CREAT 0o100, O_EXCL 0o200 } }`.
macro_rules! xlat {
    ($($vis:vis $name:ident $unknown:literal { $($word:ident $value:expr),* $(,)? })*) => {
        $($vis const $name: $crate::decode::xlat::Table = $crate::decode::xlat::Table {
            rows: &[$(($value as u64, stringify!($word))),*],
            unknown: $unknown,
        };)*
    };
}
pub(crate) use xlat;

impl Table {
    /// The name of a value.
    pub fn name(&self, value: u64) -> Option<&'static str> {
        self.rows.iter().find(|row| row.0 == value).map(|row| row.1)
    }
}

impl Pen<'_> {
    /// One value of a table: `AF_INET`, `0x63 /* AF_??? */`.
    pub fn choice(&mut self, table: &Table, value: u64) {
        match (table.name(value), self.style.xlat) {
            (_, Xlat::Raw) => self.hex(value),
            (Some(name), Xlat::Abbrev) => self.text(name),
            (name, _) => {
                self.hex(value);
                self.remark_in_place(name.unwrap_or(table.unknown));
            }
        }
    }

    /// Flags of a table: `O_RDWR|O_CLOEXEC`, `MSG_PEEK|0x40`, `0x40 /* MSG_??? */`.
    pub fn flags(&mut self, table: &Table, value: u64) {
        if self.style.xlat == Xlat::Raw {
            return self.hex(value);
        }
        let verbose = self.style.xlat == Xlat::Verbose;
        if value == 0 {
            match (table.name(0), verbose) {
                (Some(name), false) => self.text(name),
                (Some(name), true) => {
                    self.text("0");
                    self.remark_in_place(name);
                }
                (None, _) => self.text("0"),
            }
            return;
        }
        let start = self.out.len();
        if verbose {
            self.hex(value);
            self.text(" /* ");
        }
        let rest = self.flag_names(table, value);
        if rest == value {
            self.out.truncate(start);
            self.hex(value);
            return self.remark_in_place(table.unknown);
        }
        if rest != 0 {
            self.text("|");
            self.hex(rest);
        }
        if verbose {
            self.text(" */");
        }
    }

    /// Flags behind others: without a remark if none of them is known.
    pub fn bare_flags(&mut self, table: &Table, value: u64) {
        if self.style.xlat != Xlat::Abbrev {
            return self.flags(table, value);
        }
        let rest = self.flag_names(table, value);
        if rest != 0 {
            if rest != value {
                self.text("|");
            }
            self.hex(rest);
        }
    }

    /// Writes something by name, whatever the style.
    pub fn by_name(&mut self, write: impl FnOnce(&mut Pen)) {
        let style = super::style::Style { xlat: Xlat::Abbrev, ..*self.style };
        let mut pen = Pen {
            call: self.call,
            memory: self.memory,
            style: &style,
            names: self.names,
            out: &mut *self.out,
            ended: self.ended,
            state: &mut *self.state,
            name: self.name,
            remark: Vec::new(),
        };
        write(&mut pen);
    }

    /// A number with what it means, in the three ways.
    pub fn meaning(&mut self, number: impl FnOnce(&mut Pen), words: impl FnOnce(&mut Pen)) {
        match self.style.xlat {
            Xlat::Abbrev => words(self),
            Xlat::Raw => number(self),
            Xlat::Verbose => {
                number(self);
                self.text(" /* ");
                words(self);
                self.text(" */");
            }
        }
    }

    /// Writes the names of the flags that a table knows, and gives the others.
    pub fn flag_names(&mut self, table: &Table, value: u64) -> u64 {
        let mut rest = value;
        for (flag, name) in table.rows {
            if *flag != 0 && rest & flag == *flag {
                if rest != value {
                    self.text("|");
                }
                self.text(name);
                rest &= !flag;
            }
        }
        rest
    }

    /// ` /* words */`.
    pub fn remark_in_place(&mut self, words: &str) {
        if !words.is_empty() {
            self.text(" /* ");
            self.text(words);
            self.text(" */");
        }
    }
}
