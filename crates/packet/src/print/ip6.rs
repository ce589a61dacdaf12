//! IPv6 and its chain of extension headers.

use super::ip::Above;
use super::line::{Line, Read, put};
use super::protocols::{
    DCCP, DESTINATION_OPTIONS, FRAGMENT, IP_PROTOCOLS, MOBILITY, MOBILITY_OLD, ROUTING, SCTP, TCP,
    UDP,
};
use super::tokens::token;

const HEADER: usize = 40;
const HOP_BY_HOP: u8 = 0;

/// Where in the chain the reader is.
struct Chain {
    /// Where the IPv6 header stands.
    start: usize,
    /// The packet's length from below.
    length: usize,
    /// Where the packet's end was before this header told its own.
    outer: usize,
    /// Bytes that the headers may still have.
    left: usize,
    payload: u32,
    jumbo: bool,
    hop_by_hop: bool,
    any: bool,
    first: bool,
    fragmented: bool,
}

impl Line<'_> {
    pub fn ip6_packet(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "ip6";
        if !self.has(at, HEADER) {
            self.cut();
            return Ok(());
        }
        if length < HEADER {
            put!(self, "truncated-ip6 {length}");
            return Ok(());
        }
        if !self.options.link_header {
            self.text("IP6 ");
        }
        let version = self.u8(at)? >> 4;
        if version != 6 {
            put!(self, "version error: {version} != 6");
            return Ok(());
        }
        let payload = self.u16(at + 4)?;
        let mut left = length + HEADER;
        if payload != 0 {
            left = usize::from(payload) + HEADER;
            if length < left {
                put!(self, "truncated-ip6 - {} bytes missing!", left - length);
            }
        }
        let next = self.u8(at + 6)?;
        if self.verbose() > 0 {
            self.ip6_details(at, next, payload)?;
        }
        let outer = self.end;
        let chain = Chain {
            start: at,
            length,
            outer,
            left,
            payload: payload.into(),
            jumbo: false,
            hop_by_hop: false,
            any: false,
            first: true,
            fragmented: false,
        };
        let before = self.end;
        self.end = before.min(at + left);
        self.depth += 1;
        let read =
            if self.depth > 16 { Err(super::line::Cut) } else { self.ip6_chain(chain, next) };
        self.depth -= 1;
        self.end = before;
        read
    }

    fn ip6_details(&mut self, at: usize, next: u8, payload: u16) -> Read {
        let flow = self.u32(at)?;
        self.text("(");
        if flow & 0x0ff0_0000 != 0 {
            put!(self, "class 0x{:02x}, ", (flow & 0x0ff0_0000) >> 20);
        }
        if flow & 0x000f_ffff != 0 {
            put!(self, "flowlabel 0x{:05x}, ", flow & 0x000f_ffff);
        }
        let hops = self.u8(at + 7)?;
        let word = token(IP_PROTOCOLS, next.into()).unwrap_or("unknown");
        put!(self, "hlim {hops}, next-header {word} ({next}) payload length: {payload}) ");
        Ok(())
    }

    fn ip6_chain(&mut self, chain: Chain, next: u8) -> Read {
        let (mut chain, mut next) = (chain, next);
        let (mut at, mut advance) = (chain.start, HEADER);
        while at < self.end {
            if chain.left < advance {
                self.cut();
                return Ok(());
            }
            at += advance;
            chain.left -= advance;
            if at == chain.start + HEADER && !matches!(next, TCP | UDP | DCCP | SCTP) {
                self.ip6(chain.start + 8)?;
                self.text(" > ");
                self.ip6(chain.start + 24)?;
                self.text(": ");
            }
            let header = match next {
                HOP_BY_HOP => self.ip6_hop_by_hop(at, &mut chain)?,
                DESTINATION_OPTIONS => self.ip6_destination_options(at)?,
                FRAGMENT => {
                    chain.fragmented = true;
                    self.ip6_fragment(at, chain.start)?.filter(|length| at + length < self.end)
                }
                ROUTING => self.ip6_routing(at)?,
                MOBILITY | MOBILITY_OLD => {
                    self.protocol = "mobility";
                    put!(self, "mobility, length {}", chain.left);
                    None
                }
                _ => return self.ip6_upper(at, next, chain),
            };
            let Some(length) = header else { return Ok(()) };
            advance = length;
            chain.any = true;
            chain.first = false;
            next = self.u8(at)?;
            self.protocol = "ip6";
        }
        Ok(())
    }

    fn ip6_hop_by_hop(&mut self, at: usize, chain: &mut Chain) -> Read<Option<usize>> {
        if chain.hop_by_hop {
            self.text("[The Hop-by-Hop Options header was already found]");
            self.invalid();
            return Ok(None);
        }
        if !chain.first {
            self.text("[The Hop-by-Hop Options header don't follow the IPv6 header]");
            self.invalid();
            return Ok(None);
        }
        self.protocol = "hbhopt";
        let length = (usize::from(self.u8(at + 1)?) + 1) << 3;
        let mut advance = None;
        if self.has(at, length) {
            self.text("HBH ");
            let mut jumbo = Some((chain.payload, false));
            if self.ip6_options(at + 2, length - 2, &mut jumbo)? {
                advance = Some(length);
            }
            if let Some((payload, found)) = jumbo {
                chain.payload = payload;
                chain.jumbo = found;
            }
        }
        if advance.is_none() {
            self.cut();
        }
        if chain.payload == 0 && !chain.jumbo {
            self.text("[No valid Jumbo Payload Hop-by-Hop option found]");
            self.invalid();
            return Ok(None);
        }
        chain.hop_by_hop = true;
        Ok(advance)
    }

    fn ip6_destination_options(&mut self, at: usize) -> Read<Option<usize>> {
        self.protocol = "dstopt";
        let length = (usize::from(self.u8(at + 1)?) + 1) << 3;
        if !self.has(at, length) {
            self.cut();
            return Ok(None);
        }
        self.text("DSTOPT ");
        if self.verbose() > 0 && !self.ip6_options(at + 2, length - 2, &mut None)? {
            self.cut();
            return Ok(None);
        }
        Ok(Some(length))
    }

    /// A fragment header; none if it is not the first fragment.
    fn ip6_fragment(&mut self, at: usize, start: usize) -> Read<Option<usize>> {
        self.protocol = "frag6";
        let (offset, identification) = (self.u16(at + 2)? & 0xfff8, self.u32(at + 4));
        let payload = u64::from(self.u16(start + 4)?);
        let length = (40 + payload).wrapping_sub((at - start) as u64).wrapping_sub(8);
        if self.verbose() > 0 {
            put!(self, "frag (0x{:08x}:{offset}|{length})", identification?);
        } else {
            put!(self, "frag ({offset}|{length})");
        }
        if offset != 0 {
            return Ok(None);
        }
        self.text(" ");
        Ok(Some(8))
    }

    fn ip6_routing(&mut self, at: usize) -> Read<Option<usize>> {
        self.protocol = "rt6";
        if !self.has(at, 1) {
            self.protocol = "ip6";
            self.cut();
            return Ok(None);
        }
        self.text("RT6");
        let words = usize::from(self.u8(at + 1)?);
        put!(self, " (len={words}");
        let kind = self.u8(at + 2)?;
        put!(self, ", type={kind}");
        if kind == 0 {
            self.text(" [Deprecated]");
        }
        put!(self, ", segleft={}", self.u8(at + 3)?);
        match kind {
            0 | 2 => {
                let reserved = self.u32(at + 4)?;
                if reserved != 0 || self.verbose() > 0 {
                    put!(self, ", rsv=0x{reserved:x}");
                }
            }
            4 => {
                put!(self, ", last-entry={}", self.u8(at + 4)?);
                let flags = self.u8(at + 5)?;
                if flags != 0 || self.verbose() > 0 {
                    put!(self, ", flags=0x{flags:x}");
                }
                put!(self, ", tag={:x}", self.u16(at + 6)?);
            }
            _ => {
                self.text(" (unknown type)");
                self.invalid();
                return Ok(None);
            }
        }
        if words % 2 == 1 {
            put!(self, " (invalid length {words})");
            self.invalid();
            return Ok(None);
        }
        for index in 0..words / 2 {
            self.check(at + 8 + index * 16, 16)?;
            put!(self, ", [{index}]");
            self.ip6(at + 8 + index * 16)?;
        }
        self.text(") ");
        Ok(Some((words + 1) << 3))
    }

    fn ip6_upper(&mut self, at: usize, next: u8, chain: Chain) -> Read {
        let passed = at - chain.start;
        let mut left = chain.left;
        if chain.jumbo || chain.payload == 0 {
            if !chain.jumbo && chain.any {
                self.cut();
                return Ok(());
            }
            let total = if chain.jumbo { chain.payload as usize + HEADER } else { HEADER };
            if total < passed {
                self.cut();
                return Ok(());
            }
            if chain.jumbo && chain.length < total {
                put!(self, "truncated-ip6 - {} bytes missing!", total - chain.length);
            }
            self.end = chain.outer.min(chain.start.saturating_add(total));
            left = total - passed;
        }
        let above = Above { at: chain.start, version: 6, fragmented: chain.fragmented };
        self.ip_payload(next, at, left, above)
    }

    /// Where an IPv6 packet goes in the end: what a routing header says, if there is one.
    pub fn ip6_destination(&self, start: usize) -> Read<[u8; 16]> {
        let own = self.array(start + 24)?;
        let (mut at, mut next) = (start + HEADER, self.u8(start + 6)?);
        while at < self.end {
            match next {
                HOP_BY_HOP | DESTINATION_OPTIONS | MOBILITY | MOBILITY_OLD => {
                    next = self.u8(at)?;
                    at += (usize::from(self.u8(at + 1)?) + 1) << 3;
                }
                FRAGMENT => {
                    next = self.u8(at)?;
                    at += 8;
                }
                ROUTING => {
                    let words = usize::from(self.u8(at + 1)?);
                    let place = match self.u8(at + 2)? {
                        _ if words % 2 == 1 || words == 0 => return Ok(own),
                        0 | 2 => at + 8 + (words / 2 - 1) * 16,
                        4 => at + 8,
                        _ => return Ok(own),
                    };
                    return Ok(self.array(place).unwrap_or(own));
                }
                _ => break,
            }
        }
        Ok(own)
    }
}
