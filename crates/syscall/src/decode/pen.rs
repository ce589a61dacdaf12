//! What writes arguments: the call, its memory, the style, and the text so far.

use super::State;
pub(crate) use super::block::Block;
use super::numbers;
use super::row::{Argument, Row, Show};
use super::style::{AT_FDCWD, Names, Style, Xlat};
use crate::capture::When;
use crate::memory::Memory;
use crate::traced::{Call, Ended};

/// Writes one call.
pub(crate) struct Pen<'a> {
    /// The call.
    pub call: &'a Call,
    /// Where its pointers lead.
    pub memory: &'a dyn Memory,
    /// How to write.
    pub style: &'a Style,
    /// What numbers stand for.
    pub names: &'a dyn Names,
    /// The text so far.
    pub out: &'a mut Vec<u8>,
    /// How the call ended; `None` while it runs.
    pub ended: Option<Ended>,
    /// What was known when it began.
    pub state: &'a mut State,
    /// The name of the call.
    pub name: &'static str,
    /// What stands behind the result, in brackets.
    pub remark: Vec<u8>,
}

impl<'a> Pen<'a> {
    /// A pen that appends to `out`.
    pub fn new(
        call: &'a Call,
        memory: &'a dyn Memory,
        style: &'a Style,
        names: &'a dyn Names,
        out: &'a mut Vec<u8>,
        ended: Option<Ended>,
        state: &'a mut State,
    ) -> Pen<'a> {
        Pen { call, memory, style, names, out, ended, state, name: "", remark: Vec::new() }
    }

    /// Writes as many arguments as can be known by now, from where the state says.
    pub fn arguments(&mut self, row: Option<&Row>) {
        let row = match row {
            Some(row) if !self.style.raw => row,
            row => return self.raw_arguments(row),
        };
        self.name = row.name;
        while let Some(argument) = row.arguments.get(usize::from(self.state.next)) {
            if self.ended.is_none() && argument.when == When::Exit {
                return;
            }
            self.argument(argument);
            self.state.register += argument.registers(self.call.arch.pointer_bytes());
            self.state.next += 1;
            if row.arguments.get(usize::from(self.state.next)).is_some_and(|next| !next.glued) {
                self.text(", ");
            }
        }
    }

    fn argument(&mut self, argument: &Argument) {
        let register = self.state.register;
        if argument.only_success && self.failed() {
            return self.address(self.arg(register));
        }
        match argument.show {
            Show::By(write) | Show::Wide(write) => write(self, register),
            Show::Flags(table) => self.flags(table, self.arg_u32(register).into()),
            Show::Choice(table) => self.choice(table, self.arg_u32(register).into()),
            Show::Offset => self.signed(self.arg_u64(register)),
            Show::OffsetPair if self.compat() => self.signed(self.arg_u64(register)),
            Show::OffsetPair => self.signed(self.arg(register) as i64),
        }
    }

    fn raw_arguments(&mut self, row: Option<&Row>) {
        if self.ended.is_some() && self.state.next > 0 {
            return;
        }
        let count = row.map_or(6, |row| {
            row.arguments.iter().map(|a| a.registers(self.call.arch.pointer_bytes())).sum()
        });
        for register in 0..count {
            if register > 0 {
                self.text(", ");
            }
            self.hex(self.arg(register));
        }
        self.state.next = u8::MAX;
    }

    /// The value of an argument.
    pub fn arg(&self, register: u8) -> u64 {
        self.word(self.call.arguments.get(usize::from(register)).copied().unwrap_or(0))
    }

    /// A number as wide as a pointer of the call's interface.
    pub fn word(&self, value: u64) -> u64 {
        if self.compat() { value & 0xffff_ffff } else { value }
    }

    /// The lower half of an argument.
    pub fn arg_u32(&self, register: u8) -> u32 {
        self.arg(register) as u32
    }

    /// The lower half of an argument, signed.
    pub fn arg_i32(&self, register: u8) -> i32 {
        self.arg(register) as i32
    }

    /// A `long` argument.
    pub fn arg_long(&self, register: u8) -> i64 {
        if self.compat() { self.arg_i32(register).into() } else { self.arg(register) as i64 }
    }

    /// A 64-bit argument: of a 32-bit interface, this register and the next.
    pub fn arg_u64(&self, register: u8) -> i64 {
        match self.compat() {
            true => (self.arg(register) | self.arg(register + 1) << 32) as i64,
            false => self.arg(register) as i64,
        }
    }

    /// True for a 32-bit interface.
    pub fn compat(&self) -> bool {
        self.call.arch.is_compat()
    }

    /// Bytes of a pointer.
    pub fn pointer(&self) -> usize {
        self.call.arch.pointer_bytes()
    }

    /// True if the call did not succeed, as far as is known.
    pub fn failed(&self) -> bool {
        !matches!(self.ended, Some(Ended::Returned(_)))
    }

    /// What the call returned.
    pub fn returned(&self) -> Option<i64> {
        match self.ended {
            Some(Ended::Returned(value)) => Some(value),
            _ => None,
        }
    }

    /// Copies a structure; `None` if any of it cannot be read, or if pointers are not to be followed.
    pub fn fetch(&self, address: u64, length: usize) -> Option<Block> {
        if address == 0 || !self.style.dereference {
            return None;
        }
        self.copy(address, length)
    }

    /// Copies bytes even where pointers are not to be followed.
    pub fn copy(&self, address: u64, length: usize) -> Option<Block> {
        let length = length.min(Block::MOST);
        let mut block = Block { bytes: [0; Block::MOST], length, pointer: self.pointer() };
        let read = self.memory.read(address, block.bytes.get_mut(..length)?);
        (read == length).then_some(block)
    }

    /// Copies a structure, or writes its address.
    pub fn fetch_or_address(&mut self, address: u64, length: usize) -> Option<Block> {
        let block = self.fetch(address, length);
        if block.is_none() {
            self.address(address);
        }
        block
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A decimal number.
    pub fn signed(&mut self, value: i64) {
        numbers::signed(self.out, value);
    }

    /// A decimal number without sign.
    pub fn unsigned(&mut self, value: u64) {
        numbers::decimal(self.out, value);
    }

    /// A hexadecimal number; zero is `0`.
    pub fn hex(&mut self, value: u64) {
        numbers::hex(self.out, value);
    }

    /// An octal number; zero is `0`.
    pub fn octal(&mut self, value: u64) {
        numbers::octal(self.out, value);
    }

    /// A mode without kind: three digits at least.
    pub fn permissions(&mut self, mode: u64) {
        let start = self.out.len();
        numbers::octal(self.out, mode);
        while self.out.len() - start < 3 {
            self.out.insert(start, b'0');
        }
    }

    /// An address: `NULL` or hexadecimal.
    pub fn address(&mut self, address: u64) {
        match address {
            0 => self.text("NULL"),
            _ => self.hex(address),
        }
    }

    /// A descriptor, with its name if one is known.
    pub fn fd(&mut self, fd: i32) {
        self.signed(fd.into());
        if fd >= 0 {
            self.named(self.names.descriptor(fd));
        }
    }

    /// A descriptor in a 64-bit field.
    pub fn wide_fd(&mut self, value: u64) {
        match i32::try_from(value) {
            Ok(fd) => self.fd(fd),
            Err(_) => self.unsigned(value),
        }
    }

    /// A descriptor of a directory.
    pub fn dirfd(&mut self, fd: i32) {
        if fd != AT_FDCWD {
            return self.fd(fd);
        }
        match self.style.xlat {
            Xlat::Abbrev => self.text("AT_FDCWD"),
            Xlat::Raw => self.text("-100"),
            Xlat::Verbose => self.text("-100 /* AT_FDCWD */"),
        }
        self.named(self.names.descriptor(AT_FDCWD));
    }

    /// A process's number, with its name if known.
    pub fn pid(&mut self, pid: i32) {
        self.signed(pid.into());
        if pid > 0 {
            self.named(self.names.pid(pid));
        }
    }

    fn named(&mut self, name: Option<Vec<u8>>) {
        let Some(name) = name else { return };
        // The kernel marks deleted files inside the name, strace behind it.
        let left = name.strip_suffix(b" (deleted)");
        self.out.push(b'<');
        self.out.extend_from_slice(left.unwrap_or(&name));
        self.out.push(b'>');
        if left.is_some() {
            self.text("(deleted)");
        }
    }

    /// `name=` of a field, with a comma if it is not the first.
    pub fn field(&mut self, name: &str) {
        self.next();
        self.text(name);
        self.text("=");
    }

    /// A comma, unless a bracket was just opened.
    pub fn next(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[' | b'(')) {
            self.text(", ");
        }
    }

    /// `, ...` and the closing brace of a structure that is not shown whole.
    pub fn rest(&mut self) {
        self.next();
        self.text("...}");
    }

    /// An array of structures, as many as the style shows.
    pub fn array(
        &mut self,
        address: u64,
        count: u64,
        size: usize,
        each: impl FnMut(&mut Pen, &Block),
    ) {
        let most = if self.style.abbreviate { self.style.strings as u64 } else { 1 << 20 };
        self.array_of(address, count, size, most, each);
    }

    /// An array, at most so many elements of it.
    pub fn array_of(
        &mut self,
        address: u64,
        count: u64,
        size: usize,
        most: u64,
        mut each: impl FnMut(&mut Pen, &Block),
    ) {
        if address == 0 || !self.style.dereference {
            return self.address(address);
        }
        if count == 0 {
            return self.text("[]");
        }
        for n in 0..count {
            let at = self.word(address.wrapping_add(n.wrapping_mul(size as u64)));
            if n >= most {
                self.text(", ...");
                break;
            }
            let Some(block) = self.copy(at, size) else {
                if n == 0 {
                    return self.address(at);
                }
                self.text(", ... /* ");
                self.address(at);
                self.text(" */");
                break;
            };
            self.text(if n == 0 { "[" } else { ", " });
            each(self, &block);
        }
        self.text("]");
    }
}
