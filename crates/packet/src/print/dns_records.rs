//! Records of DNS.

use super::dns::Message;
use super::dns_tables::{DIGESTS, HASHES, OPTIONS, SIGNATURES, TYPES};
use super::line::{Line, Read, put};

const A: u16 = 1;
const OPT: u16 = 41;

const UNITS: [(u32, char); 6] =
    [(31_536_000, 'y'), (604_800, 'w'), (86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];

impl Line<'_> {
    /// A record; where it ends, or none if it is cut.
    pub fn dns_record(&mut self, at: usize, message: Message) -> Read<Option<usize>> {
        let after = if self.verbose() > 0 {
            self.text(" ");
            match self.dns_name(at, message.start)? {
                Some(after) => Some(after),
                None => return Ok(None),
            }
        } else {
            self.dns_skip(at)?
        };
        let Some(at) = after.filter(|at| self.has(*at, 10)) else { return Ok(Some(self.end)) };
        let (kind, told) = (self.u16(at)?, self.u16(at + 2)?);
        let class = if message.multicast { told & 0x7fff } else { told };
        if kind != OPT {
            self.dns_class(class);
        }
        if message.multicast && told & 0x8000 != 0 {
            self.text(" (Cache flush)");
        }
        if kind != OPT && self.verbose() > 2 {
            let s = self.u32(at + 4)?;
            self.text(" [");
            self.span(s);
            self.text("]");
        }
        let flags = self.u16(at + 6)?;
        let length = usize::from(self.u16(at + 8)?);
        let value = at + 10;
        self.text(" ");
        self.token(TYPES, kind.into(), ("Type", ""));
        if value + length > self.end {
            return Ok(None);
        }
        let whole = if kind == OPT {
            put!(self, " UDPsize={class}");
            self.text(if flags & 0x8000 != 0 { " DO" } else { "" });
            self.dns_options(value, length)?
        } else {
            self.dns_value(kind, value, length, message)?
        };
        Ok(whole.then_some(value + length))
    }

    /// Seconds as years, weeks and so on.
    fn span(&mut self, seconds: u32) {
        if seconds == 0 {
            self.text("0s");
        }
        let mut rest = seconds;
        for (unit, letter) in UNITS {
            if rest >= unit {
                put!(self, "{}{letter}", rest / unit);
                rest %= unit;
            }
        }
    }

    /// A record's value; false if it is cut.
    fn dns_value(&mut self, kind: u16, at: usize, length: usize, message: Message) -> Read<bool> {
        let start = message.start;
        match kind {
            A => {
                if !self.has(at, 4) {
                    return Ok(false);
                }
                self.text(" ");
                self.ip4(at)?;
            }
            2 | 5 | 12 | 39 => {
                self.text(" ");
                return Ok(self.dns_name(at, start)?.is_some());
            }
            6 if self.verbose() > 0 => return self.dns_authority(at, start),
            15 => {
                self.text(" ");
                if !self.has(at, 2) || self.dns_name(at + 2, start)?.is_none() {
                    return Ok(false);
                }
                put!(self, " {}", self.u16(at)?);
            }
            16 => return self.dns_texts(at, length),
            33 => {
                self.text(" ");
                if !self.has(at, 6) || self.dns_name(at + 6, start)?.is_none() {
                    return Ok(false);
                }
                put!(self, ":{} {} {}", self.u16(at + 4)?, self.u16(at)?, self.u16(at + 2)?);
            }
            28 => {
                if !self.has(at, 16) {
                    return Ok(false);
                }
                self.text(" ");
                self.ip6(at)?;
            }
            38 => return self.dns_a6(at, start),
            256 => {
                if !self.has(at, length) {
                    return Ok(false);
                }
                put!(self, " {} {} ", self.u16(at)?, self.u16(at + 2)?);
                return self.shown_bytes(at + 4, length.saturating_sub(4));
            }
            104 => return self.shown_bytes(at, length),
            250 if self.verbose() > 0 => return self.dns_signature(at, start),
            _ => {}
        }
        Ok(true)
    }

    fn dns_authority(&mut self, at: usize, start: usize) -> Read<bool> {
        let mut at = at;
        for _ in 0..2 {
            self.text(" ");
            match self.dns_name(at, start)? {
                Some(next) => at = next,
                None => return Ok(false),
            }
        }
        if !self.has(at, 20) {
            return Ok(false);
        }
        for index in 0..5 {
            put!(self, " {}", self.u32(at + index * 4)?);
        }
        Ok(true)
    }

    fn dns_texts(&mut self, at: usize, length: usize) -> Read<bool> {
        let (mut at, end) = (at, at + length);
        while at < end {
            self.text(" \"");
            if at >= self.end {
                return Ok(false);
            }
            let own = usize::from(self.u8(at)?);
            if !self.shown_bytes(at + 1, own)? {
                return Ok(false);
            }
            self.text("\"");
            at += 1 + own;
        }
        Ok(true)
    }

    fn dns_a6(&mut self, at: usize, start: usize) -> Read<bool> {
        if !self.has(at, 1) {
            return Ok(false);
        }
        let bits = usize::from(self.u8(at)?);
        let passed = bits / 8;
        if bits > 128 {
            put!(self, " {bits}(bad plen)");
            return Ok(true);
        }
        if bits < 128 {
            let mut address = [0; 16];
            let own = self.bytes(at + 1, 16 - passed)?;
            for (to, from) in address.iter_mut().skip(passed).zip(own) {
                *to = *from;
            }
            put!(self, " {bits} ");
            self.address6(address);
        }
        if bits > 0 {
            self.text(" ");
            return Ok(self.dns_name(at + 17 - passed, start)?.is_some());
        }
        Ok(true)
    }

    fn dns_signature(&mut self, at: usize, start: usize) -> Read<bool> {
        self.text(" ");
        let Some(at) = self.dns_name(at, start)? else { return Ok(false) };
        let mut at = at + 6;
        for word in [" fudge=", " maclen=", " origid=", " error=", " otherlen="] {
            if !self.has(at, 2) {
                return Ok(false);
            }
            let value = self.u16(at)?;
            put!(self, "{word}{value}");
            at += 2;
            if word == " maclen=" {
                at += usize::from(value);
            }
        }
        Ok(true)
    }

    /// The options of an OPT record; false if they are cut.
    fn dns_options(&mut self, at: usize, length: usize) -> Read<bool> {
        if length == 0 {
            return Ok(true);
        }
        let (mut at, end) = (at, at + length);
        self.text(" [");
        while at < end {
            if !self.has(at, 2) {
                return Ok(false);
            }
            let kind = self.u16(at)?;
            self.token(OPTIONS, kind.into(), ("Opt", ""));
            if !self.has(at + 2, 2) {
                return Ok(false);
            }
            let own = usize::from(self.u16(at + 2)?);
            if !self.has(at + 4, own) {
                return Ok(false);
            }
            if own > 0 {
                self.text(" ");
                self.dns_option(kind, at + 4, own)?;
            }
            at += 4 + own;
            if at < end {
                self.text(",");
            }
        }
        self.text("]");
        Ok(true)
    }

    fn dns_option(&mut self, kind: u16, at: usize, length: usize) -> Read {
        match kind {
            8 => self.dns_subnet(at, length)?,
            10 if length == 8 || (16..=40).contains(&length) => {
                self.hex_bytes(at, 8, "")?;
                if length > 8 {
                    self.text(" ");
                    self.hex_bytes(at + 8, length - 8, "")?;
                }
            }
            11 if length == 2 => {
                let tenths = self.u16(at)?;
                put!(self, "{}.{} sec", tenths / 10, tenths % 10);
            }
            9 if length == 4 => put!(self, "{} sec", self.u32(at)?),
            12 => put!(self, "({length})"),
            14 if length.is_multiple_of(2) => {
                for index in (0..length).step_by(2) {
                    self.text(if index > 0 { " " } else { "" });
                    put!(self, "{}", self.u16(at + index)?);
                }
            }
            9 | 10 | 11 | 14 => self.invalid(),
            5..=7 => {
                let table = match kind {
                    5 => SIGNATURES,
                    6 => DIGESTS,
                    _ => HASHES,
                };
                for index in 0..length {
                    self.text(if index > 0 { " " } else { "" });
                    let value = self.u8(at + index)?;
                    self.token(table, value.into(), ("Alg_", ""));
                }
            }
            13 => {
                // tcpdump looks for compressed names from the option's end on; there are none.
                let _end = self.dns_name(at, at + length)?;
            }
            _ => self.hex_bytes(at, length, "")?,
        }
        Ok(())
    }

    /// RFC 7871: the asker's network.
    fn dns_subnet(&mut self, at: usize, length: usize) -> Read {
        if length < 4 {
            self.invalid();
            return Ok(());
        }
        let (family, source, scope) = (self.u16(at)?, self.u8(at + 2)?, self.u8(at + 3)?);
        let bits: usize = match family {
            1 => 32,
            2 => 128,
            _ => 0,
        };
        let own = length - 4;
        let wrong = usize::from(source) > bits || usize::from(scope) > bits;
        if wrong || own > bits / 8 || bits == 0 || usize::from(source).div_ceil(8) != own {
            self.invalid();
            return Ok(());
        }
        let mut address = [0; 16];
        let bytes = self.bytes(at + 4, own)?;
        for (to, from) in address.iter_mut().zip(bytes) {
            *to = *from;
        }
        if family == 1 {
            self.address4(address.first_chunk().copied().unwrap_or_default());
        } else {
            self.address6(address);
        }
        put!(self, "/{source}/{scope}");
        Ok(())
    }
}
