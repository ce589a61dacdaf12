//! exec: the program's arguments and environment.

use super::args::{DIRFD, PATH};
use super::pen::Pen;
use super::row::{Argument, flags, input, rows};
use super::tables::file::AT;
use crate::capture::What;

/// The arguments of a program.
const ARGV: Argument = input(|pen, r| pen.strings(pen.arg(r)), What::Strings);
/// Its environment: how many there are, or all of them.
const ENVP: Argument = input(
    |pen, r| match pen.style.abbreviate {
        true => pen.count_strings(pen.arg(r)),
        false => pen.strings(pen.arg(r)),
    },
    What::Strings,
);

impl Pen<'_> {
    /// Pointers to strings up to a null one.
    pub fn strings(&mut self, address: u64) {
        let word = self.pointer() as u64;
        if address == 0 || !self.style.dereference {
            return self.address(address);
        }
        let most = if self.style.abbreviate { self.style.strings as u64 } else { 1 << 20 };
        for n in 0.. {
            let at = self.word(address.wrapping_add(n * word));
            let Some(pointer) = self.copy(at, word as usize).map(|block| block.word(0)) else {
                if n == 0 {
                    return self.address(at);
                }
                self.text(", ... /* ");
                self.address(at);
                self.text(" */");
                break;
            };
            if n == 0 {
                self.text("[");
            }
            if pointer == 0 {
                break;
            }
            if n > 0 {
                self.text(", ");
            }
            if n >= most {
                self.text("...");
                break;
            }
            self.string(pointer);
        }
        self.text("]");
    }

    /// `0x7ffe0000 /* 12 vars */`.
    fn count_strings(&mut self, address: u64) {
        let word = self.pointer() as u64;
        self.address(address);
        if address == 0 || !self.style.dereference {
            return;
        }
        let mut count = 0;
        let mut readable = true;
        while count < 1 << 20 {
            let at = self.word(address.wrapping_add(count * word));
            match self.copy(at, word as usize).map(|block| block.word(0)) {
                Some(0) => break,
                Some(_) => count += 1,
                None => {
                    readable = false;
                    break;
                }
            }
        }
        if !readable && count == 0 {
            return;
        }
        self.text(" /* ");
        self.unsigned(count);
        self.text(if count == 1 { " var" } else { " vars" });
        self.text(if readable { " */" } else { ", unterminated */" });
    }
}

rows! {
    execve [PATH, ARGV, ENVP] Decimal;
    execveat [DIRFD, PATH, ARGV, ENVP, flags(&AT)] Decimal;
}
