//! Arguments that many calls have: descriptors, paths, numbers, data.

use super::pen::Pen;
use super::row::{Argument, input, output, plain};
use crate::capture::{Length, What};

/// A descriptor.
pub(crate) const FD: Argument = plain(|pen, r| pen.fd(pen.arg_i32(r))).descriptor();
/// A descriptor of a directory, or AT_FDCWD.
pub(crate) const DIRFD: Argument = plain(|pen, r| pen.dirfd(pen.arg_i32(r))).descriptor();
/// A path, shown whole.
pub(crate) const PATH: Argument = input(|pen, r| pen.path(pen.arg(r)), What::CString);
/// A string, cut where the style says.
pub(crate) const STRING: Argument = input(|pen, r| pen.string(pen.arg(r)), What::CString);
/// An `int`.
pub(crate) const INT: Argument = plain(|pen, r| pen.signed(pen.arg_i32(r).into()));
/// An `unsigned int`.
pub(crate) const UINT: Argument = plain(|pen, r| pen.unsigned(pen.arg_u32(r).into()));
/// A `long`.
pub(crate) const LONG: Argument = plain(|pen, r| pen.signed(pen.arg_long(r)));
/// A `size_t` or `unsigned long`.
pub(crate) const SIZE: Argument = plain(|pen, r| pen.unsigned(pen.arg(r)));
/// An `unsigned long` in hexadecimal.
pub(crate) const HEX: Argument = plain(|pen, r| pen.hex(pen.arg(r)));
/// An `unsigned int` in hexadecimal.
pub(crate) const HEX32: Argument = plain(|pen, r| pen.hex(pen.arg_u32(r).into()));
/// An address.
pub(crate) const ADDRESS: Argument = plain(|pen, r| pen.address(pen.arg(r)));
/// A mode without kind.
pub(crate) const MODE: Argument = plain(|pen, r| pen.permissions((pen.arg(r) as u16).into()));
/// A process or thread.
pub(crate) const PID: Argument = plain(|pen, r| pen.pid(pen.arg_i32(r)));
/// A user or group; -1 for none.
pub(crate) const UID: Argument = plain(|pen, r| pen.id_argument(r));

/// Data that the kernel reads, whose length is the next argument.
pub(crate) const fn data(length_register: u8) -> Argument {
    input(
        |pen, r| pen.data(pen.arg(r), pen.arg(r + 1)),
        What::Bytes(Length::Argument(length_register)),
    )
}

/// Data that the kernel wrote: as much as the call returned.
pub(crate) const RETURNED: Argument = output(
    |pen, r| pen.data(pen.arg(r), pen.returned().unwrap_or(0).max(0) as u64),
    What::Bytes(Length::Returned),
);

/// An `int` behind a pointer, after success.
pub(crate) const INT_OUT: Argument =
    output(|pen, r| pen.pointed_int(pen.arg(r)), What::Bytes(Length::Const(4)));

impl Pen<'_> {
    /// A user or group; -1 for none.
    pub fn uid(&mut self, id: u64) {
        match id as u32 {
            u32::MAX => self.text("-1"),
            id => self.unsigned(id.into()),
        }
    }

    /// A user or group, which i386's older calls take as 16 bits.
    pub fn id_argument(&mut self, r: u8) {
        let narrow = self.call.arch == crate::Arch::I386
            && !self.name.ends_with("32")
            && self.name != "fchownat";
        match (narrow, self.arg(r) & 0xffff) {
            (true, 0xffff) => self.text("-1"),
            (true, id) => self.unsigned(id),
            (false, _) => self.uid(self.arg_u32(r).into()),
        }
    }

    /// An `int` behind a pointer: `[5]`.
    pub fn pointed_int(&mut self, address: u64) {
        self.pointed(address, 4, |pen, block| pen.signed(block.i32(0)));
    }

    /// A value behind a pointer in square brackets.
    pub fn pointed(
        &mut self,
        address: u64,
        size: usize,
        write: impl FnOnce(&mut Pen, &super::pen::Block),
    ) {
        if let Some(block) = self.fetch_or_address(address, size) {
            self.text("[");
            write(self, &block);
            self.text("]");
        }
    }

    /// A field with a decimal number.
    pub fn field_u(&mut self, name: &str, value: u64) {
        self.field(name);
        self.unsigned(value);
    }

    /// A field with a signed number.
    pub fn field_d(&mut self, name: &str, value: i64) {
        self.field(name);
        self.signed(value);
    }

    /// A field with a hexadecimal number.
    pub fn field_x(&mut self, name: &str, value: u64) {
        self.field(name);
        self.hex(value);
    }

    /// A field with an address.
    pub fn field_p(&mut self, name: &str, value: u64) {
        self.field(name);
        self.address(value);
    }

    /// A field with flags.
    pub fn field_f(&mut self, name: &str, table: &super::xlat::Table, value: u64) {
        self.field(name);
        self.flags(table, value);
    }

    /// A field with a value of a table.
    pub fn field_c(&mut self, name: &str, table: &super::xlat::Table, value: u64) {
        self.field(name);
        self.choice(table, value);
    }
}
