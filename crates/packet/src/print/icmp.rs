//! ICMP of IPv4.

use super::checksum;
use super::ip::Above;
use super::line::{Line, Read, put};
use super::protocols::{TCP, UDP};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const QUENCH: u8 = 4;
const REDIRECT: u8 = 5;
const ECHO: u8 = 8;
const ROUTER_ADVERTISEMENT: u8 = 9;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;
const TIMESTAMP: u8 = 13;
const TIMESTAMP_REPLY: u8 = 14;
const MASK_REPLY: u8 = 18;

const WORDS: &[(u32, &str)] = &[
    (4, "source quench"),
    (10, "router solicitation"),
    (15, "information request"),
    (16, "information reply"),
    (17, "address mask request"),
];

/// What stands before and behind the address that cannot be reached, by code.
const UNREACHABLE_WORDS: &[(u8, &str, &str)] = &[
    (0, "net ", " unreachable"),
    (1, "host ", " unreachable"),
    (5, "", " unreachable - source route failed"),
    (6, "net ", " unreachable - unknown"),
    (7, "host ", " unreachable - unknown"),
    (8, "", " unreachable - source host isolated"),
    (9, "net ", " unreachable - admin prohibited"),
    (10, "host ", " unreachable - admin prohibited"),
    (11, "net ", " unreachable - tos prohibited"),
    (12, "host ", " unreachable - tos prohibited"),
    (13, "host ", " unreachable - admin prohibited filter"),
    (14, "host ", " unreachable - host precedence violation"),
    (15, "host ", " unreachable - precedence cutoff"),
];

/// Where the quoted packet stands, and its destination.
const QUOTED: usize = 8;
const QUOTED_DESTINATION: usize = QUOTED + 16;

impl Line<'_> {
    pub fn icmp(&mut self, at: usize, length: usize, above: Above) -> Read {
        self.protocol = "icmp";
        let (kind, code) = (self.u8(at)?, self.u8(at + 1)?);
        // tcpdump says nothing of the message before it has all of it.
        let before = self.out.len();
        self.text("ICMP ");
        match self.icmp_message(kind, code, at) {
            Ok(true) => {}
            Ok(false) => {
                self.out.truncate(before);
                self.cut();
                return Ok(());
            }
            Err(cut) => {
                self.out.truncate(before);
                return Err(cut);
            }
        }
        put!(self, ", length {length}");
        if self.verbose() == 0 {
            return Ok(());
        }
        if !above.fragmented && self.has(at, length) {
            let sum = checksum::sum(&[self.bytes(at, length)?]);
            if sum != 0 {
                let is = self.u16(at + 2)?;
                put!(self, " (wrong icmp cksum {is:x} (->{:x})!)", checksum::should_be(is, sum));
            }
        }
        if matches!(kind, UNREACHABLE | QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM) {
            self.text("\n\t");
            let quoted = usize::from(self.u16(at + QUOTED + 2)?);
            self.within(at + QUOTED + quoted, |line| {
                // Of a packet that says to be shorter than that, its length is cut.
                line.check(at + QUOTED, 4)?;
                line.ip(at + QUOTED, quoted)
            })?;
        }
        self.protocol = "icmp";
        if matches!(kind, UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM) && length > EXTENDED {
            return self.icmp_extensions(at, length);
        }
        Ok(())
    }

    /// The message; false if it is cut.
    fn icmp_message(&mut self, kind: u8, code: u8, at: usize) -> Read<bool> {
        match kind {
            ECHO | ECHO_REPLY => {
                let word = if kind == ECHO { "request" } else { "reply" };
                put!(self, "echo {word}, id {}, seq {}", self.u16(at + 4)?, self.u16(at + 6)?);
            }
            UNREACHABLE => return self.icmp_unreachable(code, at),
            REDIRECT => self.icmp_redirect(code, at)?,
            ROUTER_ADVERTISEMENT => return self.icmp_router(at),
            TIME_EXCEEDED => {
                if !self.has(at + QUOTED_DESTINATION, 4) {
                    return Ok(false);
                }
                match code {
                    0 => self.text("time exceeded in-transit"),
                    1 => self.text("ip reassembly time exceeded"),
                    _ => put!(self, "time exceeded-#{code}"),
                }
            }
            PARAMETER_PROBLEM if code != 0 => put!(self, "parameter problem - code {code}"),
            PARAMETER_PROBLEM => put!(self, "parameter problem - octet {}", self.u8(at + 4)?),
            MASK_REPLY => put!(self, "address mask is 0x{:08x}", self.u32(at + 8)?),
            TIMESTAMP => {
                put!(self, "time stamp query id {} seq {}", self.u16(at + 4)?, self.u16(at + 6)?);
            }
            TIMESTAMP_REPLY => {
                if !self.has(at + 16, 4) {
                    return Ok(false);
                }
                put!(self, "time stamp reply id {} seq {}", self.u16(at + 4)?, self.u16(at + 6)?);
                for (word, place) in [(": org ", 8), (", recv ", 12), (", xmit ", 16)] {
                    let ms = self.u32(at + place)?;
                    let s = ms / 1000;
                    put!(
                        self,
                        "{word}{:02}:{:02}:{:02}.{:03}",
                        s / 3600,
                        s / 60 % 60,
                        s % 60,
                        ms % 1000
                    );
                }
            }
            _ => self.token(WORDS, kind.into(), ("type-#", "")),
        }
        Ok(true)
    }

    fn icmp_unreachable(&mut self, code: u8, at: usize) -> Read<bool> {
        let destination = at + QUOTED_DESTINATION;
        match code {
            2 => {
                self.ip4(destination)?;
                put!(self, " protocol {} unreachable", self.u8(at + QUOTED + 9)?);
            }
            3 => {
                if !self.has(at + QUOTED + 9, 1) {
                    return Ok(false);
                }
                let header = usize::from(self.u8(at + QUOTED)? & 15) * 4;
                let port = self.u16(at + QUOTED + header + 2)?;
                let protocol = self.u8(at + QUOTED + 9)?;
                self.ip4(destination)?;
                match protocol {
                    TCP => {
                        self.text(" tcp port ");
                        self.tcp_port(port);
                    }
                    UDP => {
                        self.text(" udp port ");
                        self.udp_port(port);
                    }
                    _ => put!(self, " protocol {protocol} port {port}"),
                }
                self.text(" unreachable");
            }
            4 => {
                let mtu = self.u16(at + 6)?;
                self.ip4(destination)?;
                self.text(" unreachable - need to frag");
                if mtu != 0 {
                    put!(self, " (mtu {mtu})");
                }
            }
            _ => match UNREACHABLE_WORDS.iter().find(|row| row.0 == code) {
                Some((_, before, after)) => {
                    self.text(before);
                    self.ip4(destination)?;
                    self.text(after);
                }
                None => {
                    self.ip4(destination)?;
                    put!(self, " unreachable - #{code}");
                }
            },
        }
        Ok(true)
    }

    fn icmp_redirect(&mut self, code: u8, at: usize) -> Read {
        match code {
            0 | 1 => self.text("redirect "),
            2 | 3 => self.text("redirect-tos "),
            _ => put!(self, "redirect-#{code} "),
        }
        self.ip4(at + QUOTED_DESTINATION)?;
        self.text(match code {
            0 | 2 => " to net ",
            1 | 3 => " to host ",
            _ => " to ",
        });
        self.ip4(at + 4)
    }

    fn icmp_router(&mut self, at: usize) -> Read<bool> {
        self.text("router advertisement");
        if !self.has(at + 4, 4) {
            return Ok(false);
        }
        self.text(" lifetime ");
        let s = self.u16(at + 6)?;
        match s {
            0..60 => put!(self, "{s}"),
            60..3600 => put!(self, "{}:{:02}", s / 60, s % 60),
            _ => put!(self, "{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
        }
        let (count, size) = (self.u8(at + 4)?, self.u8(at + 5)?);
        put!(self, " {count}:");
        if size != 2 {
            put!(self, " [size {size}]");
            return Ok(true);
        }
        for index in 0..usize::from(count) {
            let place = at + 8 + index * 8;
            if !self.has(place, 8) {
                return Ok(false);
            }
            self.text(" {");
            self.ip4(place)?;
            put!(self, " {}}}", self.u32(place + 4)?);
        }
        Ok(true)
    }

    /// RFC 4884: what routers add behind the quoted packet.
    fn icmp_extensions(&mut self, at: usize, length: usize) -> Read {
        let (start, mut left) = (at + EXTENDED, length - EXTENDED);
        if !self.has(at, EXTENDED + 5) {
            self.cut();
            return Ok(());
        }
        let whole = self.has(start, left);
        let sum = if whole { checksum::sum(&[self.bytes(start, left)?]) } else { 0 };
        if self.u8(at + 5)? == 0 && whole && sum != 0 {
            return Ok(());
        }
        let version = self.u8(start)? >> 4;
        put!(self, "\n\tICMP Multi-Part extension v{version}");
        if version != 2 {
            self.text(" packet not supported");
            return Ok(());
        }
        if whole {
            let word = if sum == 0 { "" } else { "in" };
            put!(self, ", checksum 0x{:04x} ({word}correct), length {left}", self.u16(start + 2)?);
        }
        left = left.saturating_sub(4);
        let mut place = start + 4;
        while left > 4 {
            if !self.has(place, 4) {
                self.cut();
                return Ok(());
            }
            let own = usize::from(self.u16(place)?);
            let (class, kind) = (self.u8(place + 2)?, self.u8(place + 3)?);
            let word = match class {
                1 => "MPLS Stack Entry",
                2 => "Interface Identification",
                _ => "unknown",
            };
            put!(self, "\n\t  {word} Object ({class}), Class-Type: {kind}, length {own}");
            left -= 4;
            place += 4;
            if class == 0 || own < 4 {
                return Ok(());
            }
            let own = own - 4;
            if (class, kind) == (1, 1) {
                let label = self.u32(place)?;
                put!(self, "\n\t    label {}, tc {}", label >> 12, label >> 9 & 7);
                if label & 0x100 != 0 {
                    self.text(", [S]");
                }
                put!(self, ", ttl {}", label & 0xff);
            } else {
                self.unknown("\n\t    ", place, own)?;
            }
            if left < own {
                break;
            }
            left -= own;
            place += own;
        }
        Ok(())
    }
}

/// Where extensions begin: a header and 128 bytes of the quoted packet.
const EXTENDED: usize = 136;
