//! The bytes of a packet: `-x`, `-X`, `-A`.

use super::Dump;
use super::line::{Line, Read, put};

impl Line<'_> {
    /// What the options ask for of the bytes.
    pub fn dump(&mut self) {
        let from = if self.options.dump_link { 0 } else { self.link_header };
        if self.data.len() <= from {
            return;
        }
        let length = self.data.len() - from;
        // The bytes are all there: nothing can be cut.
        let _whole = match self.options.dump {
            Dump::Nothing => Ok(()),
            Dump::Hex => self.hex("\n\t", from, length),
            Dump::HexAndText => self.hex_and_text("\n\t", from, length),
            Dump::Text => self.ascii(from, length),
        };
    }

    /// 16 bytes a line, as hex and as text.
    pub fn hex_and_text(&mut self, indent: &str, at: usize, length: usize) -> Read {
        let kept = self.left(at).min(length);
        for offset in (0..kept).step_by(16) {
            let count = (kept - offset).min(16);
            put!(self, "{indent}0x{offset:04x}: ");
            let before = self.out.len();
            self.pairs(at + offset, count)?;
            while self.out.len() < before + 40 {
                self.out.push(b' ');
            }
            self.text("  ");
            for index in 0..count {
                let byte = self.u8(at + offset + index)?;
                self.out.push(if byte.is_ascii_graphic() { byte } else { b'.' });
            }
        }
        if kept < length { Err(super::line::Cut) } else { Ok(()) }
    }

    /// 16 bytes a line, as hex.
    pub fn hex(&mut self, indent: &str, at: usize, length: usize) -> Read {
        let kept = self.left(at).min(length);
        for offset in (0..kept).step_by(16) {
            put!(self, "{indent}0x{offset:04x}: ");
            self.pairs(at + offset, (kept - offset).min(16))?;
        }
        if kept < length { Err(super::line::Cut) } else { Ok(()) }
    }

    fn pairs(&mut self, at: usize, count: usize) -> Read {
        for index in 0..count {
            if index % 2 == 0 {
                self.out.push(b' ');
            }
            let byte = self.u8(at + index)?;
            self.hex2(byte);
        }
        Ok(())
    }

    fn ascii(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "ascii";
        self.out.push(b'\n');
        for index in 0..length {
            let byte = self.u8(at + index)?;
            if byte == b'\r' {
                if length - index > 2 && self.u8(at + index + 1)? != b'\n' {
                    self.out.push(b'.');
                }
            } else if byte.is_ascii_graphic() || matches!(byte, b'\t' | b' ' | b'\n') {
                self.out.push(byte);
            } else {
                self.out.push(b'.');
            }
        }
        Ok(())
    }

    /// Bytes of something unknown, as many as there are.
    pub fn unknown(&mut self, indent: &str, at: usize, length: usize) -> Read {
        if at > self.end {
            self.text(indent);
            self.text("Dissector error: print_unknown_data called with pointer past end of packet");
            return Ok(());
        }
        self.hex(indent, at, length.min(self.left(at)))
    }
}
