//! Multipath TCP's option.

use super::line::{Line, Read, put};

const SYN: u8 = 2;
const ACK: u8 = 16;
const SUBTYPES: [&str; 8] =
    ["capable", "join", "dss", "add-addr", "rem-addr", "prio", "fail", "fast-close"];

impl Line<'_> {
    /// The option from its code on; false if it is wrong.
    pub fn mptcp(&mut self, at: usize, length: usize, flags: u8) -> Read<bool> {
        self.protocol = "mptcp";
        if length < 3 {
            return Ok(false);
        }
        let subtype = self.u8(at + 2)? >> 4;
        let word = SUBTYPES.get(usize::from(subtype)).copied().unwrap_or("unknown");
        put!(self, " {length} {word}");
        match subtype {
            0 => self.mptcp_capable(at, length, flags),
            1 => self.mptcp_join(at, length, flags),
            2 => self.mptcp_sequence(at, length, flags),
            3 => self.mptcp_add(at, length),
            4 if length < 4 => Ok(false),
            4 => {
                self.text(" id");
                for index in 3..length {
                    put!(self, " {}", self.u8(at + index)?);
                }
                Ok(true)
            }
            5 if length == 3 || length == 4 => {
                self.text(if self.u8(at + 2)? & 1 != 0 { " backup" } else { " non-backup" });
                if length == 4 {
                    put!(self, " id {}", self.u8(at + 3)?);
                }
                Ok(true)
            }
            6 if length == 12 => {
                put!(self, " seq {}", self.u64(at + 4)?);
                Ok(true)
            }
            7 if length == 12 => {
                put!(self, " key 0x{:x}", self.u64(at + 4)?);
                Ok(true)
            }
            5..=7 => Ok(false),
            _ => Ok(true),
        }
    }

    fn mptcp_capable(&mut self, at: usize, length: usize, flags: u8) -> Read<bool> {
        let begins = matches!(length, 4 | 12) && flags & SYN != 0;
        let goes_on = matches!(length, 20 | 22) && flags & (SYN | ACK) == ACK;
        if !begins && !goes_on {
            return Ok(false);
        }
        let version = self.u8(at + 2)? & 15;
        if version > 1 {
            put!(self, " Unknown Version ({version})");
            return Ok(true);
        }
        put!(self, " v{version}");
        if self.u8(at + 3)? & 0x80 != 0 {
            self.text(" csum");
        }
        if length >= 12 {
            put!(self, " {{0x{:x}", self.u64(at + 4)?);
            if length >= 20 {
                put!(self, ",0x{:x}", self.u64(at + 12)?);
            }
            self.text("}");
        }
        Ok(true)
    }

    fn mptcp_join(&mut self, at: usize, length: usize, flags: u8) -> Read<bool> {
        let good = match length {
            12 => flags & SYN != 0,
            16 => flags & (SYN | ACK) == SYN | ACK,
            24 => flags & ACK != 0,
            _ => false,
        };
        if !good {
            return Ok(false);
        }
        if length != 24 {
            if self.u8(at + 2)? & 1 != 0 {
                self.text(" backup");
            }
            put!(self, " id {}", self.u8(at + 3)?);
        }
        match length {
            12 => put!(self, " token 0x{:x} nonce 0x{:x}", self.u32(at + 4)?, self.u32(at + 8)?),
            16 => put!(self, " hmac 0x{:x} nonce 0x{:x}", self.u64(at + 4)?, self.u32(at + 12)?),
            _ => {
                self.text(" hmac 0x");
                self.hex_bytes(at + 4, 20, "")?;
            }
        }
        Ok(true)
    }

    fn mptcp_sequence(&mut self, at: usize, length: usize, tcp_flags: u8) -> Read<bool> {
        if length < 4 || tcp_flags & SYN != 0 {
            return Ok(false);
        }
        let flags = self.u8(at + 3)?;
        if flags & 0x10 != 0 {
            self.text(" fin");
        }
        let (mut at, mut left) = (at + 4, length - 4);
        for (present, wide, word) in [(1, 2, " ack "), (4, 8, " seq ")] {
            if flags & present == 0 {
                continue;
            }
            self.text(word);
            let own = if flags & wide != 0 { 8 } else { 4 };
            if left < own {
                return Ok(false);
            }
            let value = if own == 8 { self.u64(at)? } else { self.u32(at)?.into() };
            self.dec(value);
            at += own;
            left -= own;
        }
        if flags & 4 != 0 {
            if left < 4 {
                return Ok(false);
            }
            put!(self, " subseq {}", self.u32(at)?);
            if left < 6 {
                return Ok(false);
            }
            put!(self, " len {}", self.u16(at + 4)?);
            left -= 6;
            if left >= 2 {
                put!(self, " csum 0x{:x}", self.u16(at + 6)?);
                left -= 2;
            }
        }
        Ok(left == 0)
    }

    fn mptcp_add(&mut self, at: usize, length: usize) -> Read<bool> {
        let (wide, rest) = match length {
            8 | 10 | 16 | 18 => (4, length - 8),
            20 | 22 | 28 | 30 => (16, length - 20),
            _ => return Ok(false),
        };
        let word = match self.u8(at + 2)? & 15 {
            6 => "v0-ip6",
            4 => "v0-ip4",
            1 => "v1-echo",
            0 => "v1",
            _ => "[bad version/echo]",
        };
        put!(self, " {word} id {} ", self.u8(at + 3)?);
        if wide == 4 {
            self.ip4(at + 4)?
        } else {
            self.ip6(at + 4)?
        }
        let mut place = at + 4 + wide;
        if rest % 8 == 2 {
            put!(self, ":{}", self.u16(place)?);
            place += 2;
        }
        if rest >= 8 {
            put!(self, " hmac 0x{:x}", self.u64(place)?);
        }
        Ok(true)
    }
}
