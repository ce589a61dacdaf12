//! Options of neighbor discovery.

use super::icmp6::preference;
use super::line::{Line, Read, put};
use super::tokens::token;

const OPTIONS: &[(u32, &str)] = &[
    (1, "source link-address"),
    (2, "destination link-address"),
    (3, "prefix info"),
    (4, "redirected header"),
    (5, "mtu"),
    (25, "rdnss"),
    (31, "dnssl"),
    (7, "advertisement interval"),
    (8, "homeagent information"),
    (24, "route info"),
];
const PREFIX: &[(u32, &str)] = &[(0x80, "onlink"), (0x40, "auto"), (0x20, "router")];

impl Line<'_> {
    /// The options, over `left` bytes; false if they are cut.
    pub fn icmp6_options(&mut self, start: usize, left: i64) -> Read<bool> {
        let (mut at, mut left) = (start, left);
        while at < self.end {
            if !self.has(at + 1, 1) {
                return Ok(false);
            }
            if left <= 0 {
                break;
            }
            let (kind, words) = (self.u8(at)?, usize::from(self.u8(at + 1)?));
            let own = words << 3;
            if words == 0 || at + own > self.end {
                return Ok(false);
            }
            let word = token(OPTIONS, kind.into()).unwrap_or("unknown");
            put!(self, "\n\t  {word} option ({kind}), length {own} ({words}): ");
            if !self.icmp6_option(kind, words, at, start)? {
                return Ok(kind != 24 && kind != 31);
            }
            if self.verbose() > 1 {
                self.unknown("\n\t    ", at + 2, own - 2)?;
            }
            at += own;
            left -= own as i64;
        }
        Ok(true)
    }

    /// One option; false if the rest is not to be told.
    fn icmp6_option(&mut self, kind: u8, words: usize, at: usize, start: usize) -> Read<bool> {
        match kind {
            1 | 2 => self.hex_bytes(at + 2, (words << 3) - 2, ":")?,
            3 => self.icmp6_prefix(at, words)?,
            4 => self.unknown("\n\t    ", start, words << 3)?,
            5 => {
                let bad = if words == 1 { "" } else { "bad option length" };
                put!(self, " {}{bad}", self.u32(at + 4)?);
            }
            25 => {
                put!(self, " lifetime {}s,", self.u32(at + 4)?);
                for index in 0..(words - 1) / 2 {
                    self.check(at + 8 + index * 16, 16)?;
                    self.text(" addr: ");
                    self.ip6(at + 8 + index * 16)?;
                }
            }
            31 => {
                put!(self, " lifetime {}s, domain(s):", self.u32(at + 4)?);
                let mut name = at + 8;
                while name < at + (words << 3) && self.u8(name)? != 0 {
                    self.text(" ");
                    let Some(next) = self.dns_name(name, start)? else { return Ok(false) };
                    name = next;
                }
            }
            7 => put!(self, " {}ms", self.u32(at + 4)?),
            8 => put!(self, " preference {}, lifetime {}", self.u16(at + 4)?, self.u16(at + 6)?),
            24 => return self.icmp6_route(at, words),
            _ if self.verbose() <= 1 => {
                self.unknown("\n\t  ", at + 2, (words << 3) - 2)?;
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    fn icmp6_prefix(&mut self, at: usize, words: usize) -> Read {
        self.check(at, 32)?;
        self.ip6(at + 16)?;
        let bad = if words == 4 { "" } else { "badlen" };
        put!(self, "/{}{bad}, Flags [", self.u8(at + 2)?);
        let flags = self.u8(at + 3)?;
        self.bits(PREFIX, flags.into(), ", ");
        self.text("], valid time ");
        self.lifetime(at + 4)?;
        self.text(", pref. time ");
        self.lifetime(at + 8)
    }

    fn icmp6_route(&mut self, at: usize, words: usize) -> Read<bool> {
        let mut address = [0; 16];
        match words {
            1 => {}
            2 => {
                let half: [u8; 8] = self.array(at + 8)?;
                for (to, from) in address.iter_mut().zip(half) {
                    *to = from;
                }
            }
            3 => address = self.array(at + 8)?,
            _ => return Ok(false),
        }
        self.text(" ");
        self.address6(address);
        let (length, flags) = (self.u8(at + 2)?, self.u8(at + 3)?);
        put!(self, "/{length}, pref={}, lifetime=", preference(flags));
        self.lifetime(at + 4)?;
        Ok(true)
    }

    fn lifetime(&mut self, at: usize) -> Read {
        match self.u32(at)? {
            u32::MAX => self.text("infinity"),
            s => put!(self, "{s}s"),
        }
        Ok(())
    }
}
