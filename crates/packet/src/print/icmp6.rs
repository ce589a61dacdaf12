//! ICMPv6: errors, echoes, neighbor discovery, multicast listeners.

use super::checksum;
use super::ip::Above;
use super::line::{Line, Read, put};
use super::protocols::{AH, DESTINATION_OPTIONS, FRAGMENT, ICMPV6, ROUTING, TCP, UDP};
use super::tokens::token;

const TYPES: &[(u32, &str)] = &[
    (1, "destination unreachable"),
    (2, "packet too big"),
    (3, "time exceeded in-transit"),
    (4, "parameter problem"),
    (128, "echo request"),
    (129, "echo reply"),
    (130, "multicast listener query"),
    (131, "multicast listener report"),
    (132, "multicast listener done"),
    (133, "router solicitation"),
    (134, "router advertisement"),
    (135, "neighbor solicitation"),
    (136, "neighbor advertisement"),
    (137, "redirect"),
    (138, "router renumbering"),
    (141, "inverse neighbor solicitation"),
    (142, "inverse neighbor advertisement"),
    (143, "multicast listener report v2"),
    (144, "ha discovery request"),
    (145, "ha discovery reply"),
    (146, "mobile router solicitation"),
    (147, "mobile router advertisement"),
    (139, "who-are-you request"),
    (140, "who-are-you reply"),
    (201, "mtrace message"),
    (200, "mtrace response"),
    (155, "RPL"),
];

const UNREACHABLE: &[(u32, &str)] = &[
    (0, "unreachable route"),
    (1, " unreachable prohibited"),
    (2, "beyond scope"),
    (3, "unreachable address"),
    (4, "unreachable port"),
];

const ADVERTISEMENT: &[(u32, &str)] =
    &[(0x8000_0000, "router"), (0x4000_0000, "solicited"), (0x2000_0000, "override")];
const ROUTER: &[(u32, &str)] =
    &[(0x80, "managed"), (0x40, "other stateful"), (0x20, "home agent"), (0x02, "ipv6 only")];
const CHANGES: &[(u32, &str)] =
    &[(1, "is_in"), (2, "is_ex"), (3, "to_in"), (4, "to_ex"), (5, "allow"), (6, "block")];

/// What is left to say when a message was told.
enum Told {
    All,
    /// The length, unless it was told already.
    Length,
    /// The rest is cut.
    Cut,
}

impl Line<'_> {
    pub fn icmp6(&mut self, at: usize, length: usize, above: Above) -> Read {
        self.protocol = "icmp6";
        if length == 0 {
            self.text("ICMP6, length 0");
            self.invalid();
            return Ok(());
        }
        let verbose = self.verbose() > 0;
        if verbose && !above.fragmented && self.has(at, length) {
            let is = self.u16(at + 2)?;
            match self.segment_sum(at, length, above, ICMPV6)? {
                0 => self.text("[icmp6 sum ok] "),
                sum => put!(
                    self,
                    "[bad icmp6 cksum 0x{is:04x} -> 0x{:04x}!] ",
                    checksum::should_be(is, sum)
                ),
            }
        }
        let kind = self.u8(at)?;
        self.text("ICMP6, ");
        self.token(TYPES, kind.into(), ("unknown icmp6 type (", ")"));
        if verbose && matches!(kind, 133..=137 | 145 | 147) {
            put!(self, ", length {length}");
        }
        let code = self.u8(at + 1)?;
        match self.icmp6_message(kind, code, at, length)? {
            Told::Length if !verbose => put!(self, ", length {length}"),
            Told::Cut => self.cut(),
            _ => {}
        }
        Ok(())
    }

    fn icmp6_message(&mut self, kind: u8, code: u8, at: usize, length: usize) -> Read<Told> {
        match kind {
            1 => return self.icmp6_unreachable(code, at, length),
            2 => put!(self, ", mtu {}", self.u32(at + 4)?),
            3 => match code {
                0 => {
                    self.check(at + 32, 16)?;
                    self.text(" for ");
                    self.ip6(at + 32)?;
                }
                1 => self.text(" (reassembly)"),
                _ => put!(self, ", unknown code ({code})"),
            },
            4 => return self.icmp6_parameter(code, at),
            128 | 129 => put!(self, ", id {}, seq {}", self.u16(at + 4)?, self.u16(at + 6)?),
            130 if length == 24 => self.icmp6_listener(at)?,
            130 if length >= 28 => {
                self.text(" v2");
                self.icmp6_query(at, length)?;
            }
            130 => put!(self, " unknown-version (len {length}) "),
            131 | 132 => self.icmp6_listener(at)?,
            133..=137 | 147 => return self.icmp6_discovery(kind, at, length),
            143 => self.icmp6_report(at, length)?,
            144 | 146 => put!(self, ", id 0x{:04x}", self.u16(at + 4)?),
            138 if !self.icmp6_renumbering(at)? => self.cut(),
            139 => self.icmp6_node_question(at)?,
            140 if !self.icmp6_node_answer(at, length)? => self.cut(),
            145 if self.verbose() > 0 => {
                put!(self, ", id 0x{:04x}", self.u16(at + 4)?);
                for place in (at + 8..at + length).step_by(16) {
                    self.check(place, 16)?;
                    self.text(", ");
                    self.ip6(place)?;
                }
            }
            138 | 140..=142 | 145 | 155 => {}
            _ => {
                put!(self, ", length {length}");
                if self.verbose() <= 1 {
                    self.unknown("\n\t", at, length)?;
                }
                return Ok(Told::All);
            }
        }
        Ok(Told::Length)
    }

    fn icmp6_unreachable(&mut self, code: u8, at: usize, length: usize) -> Read<Told> {
        let quoted = at + 8;
        self.text(", ");
        self.token(UNREACHABLE, code.into(), ("unknown unreach code (", ")"));
        match code {
            0 | 1 | 3 => {
                self.check(quoted + 24, 16)?;
                self.text(" ");
                self.ip6(quoted + 24)?;
            }
            2 => {
                self.check(quoted + 8, 32)?;
                self.text(" ");
                self.ip6(quoted + 24)?;
                self.text(", source address ");
                self.ip6(quoted + 8)?;
            }
            4 => {
                let Some((protocol, place)) = self.icmp6_upper(quoted)? else {
                    return Ok(Told::Cut);
                };
                let port = self.u16(place + 2)?;
                self.text(", ");
                self.ip6(quoted + 24)?;
                if protocol == TCP {
                    self.text(" tcp port ");
                    self.tcp_port(port);
                } else {
                    self.text(" udp port ");
                    self.udp_port(port);
                }
            }
            _ if self.verbose() <= 1 => {
                self.unknown("\n\t", at, length)?;
                return Ok(Told::All);
            }
            _ => {}
        }
        Ok(Told::Length)
    }

    fn icmp6_parameter(&mut self, code: u8, at: usize) -> Read<Told> {
        if !self.has(at + 32, 16) {
            return Ok(Told::Cut);
        }
        let word = match code {
            0 => "erroneous",
            1 => "next header",
            2 => "option",
            3 => "incomplete header chain",
            _ => {
                put!(self, ", code-#{code}");
                return Ok(Told::Length);
            }
        };
        put!(self, ", {word} - octet {}", self.u32(at + 4)?);
        Ok(Told::Length)
    }

    /// The TCP or UDP header of a quoted packet.
    fn icmp6_upper(&self, quoted: usize) -> Read<Option<(u8, usize)>> {
        if !self.has(quoted + 6, 1) {
            return Ok(None);
        }
        let (mut next, mut at) = (self.u8(quoted + 6)?, quoted + 40);
        while at < self.end {
            let own = match next {
                TCP | UDP => return Ok(self.has(at + 2, 2).then_some((next, at))),
                0 | DESTINATION_OPTIONS | ROUTING if self.has(at, 2) => {
                    (usize::from(self.u8(at + 1)?) + 1) << 3
                }
                FRAGMENT if self.has(at, 4) && self.u16(at + 2)? & 0xfff8 == 0 => 8,
                AH if self.has(at, 2) => (usize::from(self.u8(at + 1)?) + 2) << 2,
                _ => return Ok(None),
            };
            next = self.u8(at)?;
            at += own;
        }
        Ok(None)
    }

    fn icmp6_discovery(&mut self, kind: u8, at: usize, length: usize) -> Read<Told> {
        let verbose = self.verbose() > 0;
        let header = match kind {
            133 => 8,
            134 if verbose => {
                self.icmp6_router(at)?;
                16
            }
            134 => 16,
            135 => {
                self.check(at + 8, 16)?;
                self.text(", who has ");
                self.ip6(at + 8)?;
                24
            }
            136 => {
                self.check(at + 8, 16)?;
                self.text(", tgt is ");
                self.ip6(at + 8)?;
                if verbose {
                    let flags = self.u32(at + 4)?;
                    self.text(", Flags [");
                    self.bits(ADVERTISEMENT, flags, ", ");
                    self.text("]");
                }
                24
            }
            137 => {
                self.check(at + 24, 16)?;
                self.text(", ");
                self.ip6(at + 24)?;
                self.text(" to ");
                self.ip6(at + 8)?;
                40
            }
            _ if verbose => {
                put!(self, ", id 0x{:04x}", self.u16(at + 4)?);
                let flags = self.u16(at + 6)?;
                let words = [" M", " O", " MO"].get(match flags >> 14 {
                    2 => 0,
                    1 => 1,
                    _ => 2,
                });
                self.text(if flags & 0xc000 == 0 {
                    ""
                } else {
                    words.copied().unwrap_or_default()
                });
                8
            }
            _ => 8,
        };
        if verbose && !self.icmp6_options(at + header, length as i64 - header as i64)? {
            return Ok(Told::Cut);
        }
        Ok(Told::Length)
    }

    fn icmp6_router(&mut self, at: usize) -> Read {
        let flags = self.u8(at + 5)?;
        self.check(at, 16)?;
        put!(self, "\n\thop limit {}, Flags [", self.u8(at + 4)?);
        self.bits(ROUTER, flags.into(), ", ");
        put!(
            self,
            "], pref {}, router lifetime {}s, reachable time {}ms, retrans timer {}ms",
            preference(flags),
            self.u16(at + 6)?,
            self.u32(at + 8)?,
            self.u32(at + 12)?
        );
        Ok(())
    }

    fn icmp6_listener(&mut self, at: usize) -> Read {
        if !self.has(at, 24) {
            return Ok(());
        }
        put!(self, "max resp delay: {} addr: ", self.u16(at + 4)?);
        self.ip6(at + 8)
    }

    fn icmp6_query(&mut self, at: usize, length: usize) -> Read {
        let code = u32::from(self.u16(at + 4)?);
        let delay = if code < 32768 {
            code
        } else {
            ((code & 0xfff) | 0x1000) << (((code & 0x7000) >> 12) + 3)
        };
        let verbose = self.verbose();
        if verbose > 0 {
            put!(self, " [max resp delay={delay}]");
        }
        self.check(at + 8, 16)?;
        self.text(" [gaddr ");
        self.ip6(at + 8)?;
        if verbose > 0 {
            let flags = self.u8(at + 24)?;
            if flags & 8 != 0 {
                self.text(" sflag");
            }
            if flags & 7 != 0 {
                put!(self, " robustness={}", flags & 7);
            }
            let code = u32::from(self.u8(at + 25)?);
            let interval =
                if code < 128 { code } else { ((code & 15) | 16) << (((code & 0x70) >> 4) + 3) };
            put!(self, " qqi={interval}");
        }
        let sources = usize::from(self.u16(at + 26)?);
        if sources > 0 && length < 28 + sources * 16 {
            self.text(" [invalid number of sources]");
        } else if sources > 0 {
            self.icmp6_sources(at + 28, sources)?;
        }
        self.text("]");
        Ok(())
    }

    fn icmp6_sources(&mut self, at: usize, count: usize) -> Read {
        if self.verbose() <= 1 {
            put!(self, ", {count} source(s)");
            return Ok(());
        }
        self.text(" {");
        for index in 0..count {
            self.check(at + index * 16, 16)?;
            self.text(" ");
            self.ip6(at + index * 16)?;
        }
        self.text(" }");
        Ok(())
    }

    fn icmp6_report(&mut self, at: usize, length: usize) -> Read {
        if length < 8 {
            put!(self, " [invalid len {length}]");
            return Ok(());
        }
        let groups = self.u16(at + 6)?;
        put!(self, ", {groups} group record(s)");
        if self.verbose() == 0 {
            return Ok(());
        }
        let mut group = 8;
        for _ in 0..groups {
            if length < group + 20 {
                self.text(" [invalid number of groups]");
                return Ok(());
            }
            self.check(at + group + 4, 16)?;
            self.text(" [gaddr ");
            self.ip6(at + group + 4)?;
            let change = self.u8(at + group)?;
            match token(CHANGES, change.into()) {
                Some(word) => put!(self, " {word}"),
                None => put!(self, "  [v2-report-#{change}]"),
            }
            let sources = usize::from(self.u16(at + group + 2)?);
            if length < group + 20 + sources * 16 {
                put!(self, " [invalid number of sources {sources}]");
                return Ok(());
            }
            self.icmp6_sources(at + group + 20, sources)?;
            group += 20 + sources * 16;
            self.text("]");
        }
        Ok(())
    }
}

/// A router's preference, from its flags.
pub fn preference(flags: u8) -> &'static str {
    match flags >> 3 & 3 {
        0 => "medium",
        1 => "high",
        2 => "rsv",
        _ => "low",
    }
}
