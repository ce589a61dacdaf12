//! IPv4, and what follows an IP header of either version.

use super::checksum;
use super::line::{Cut, Line, Read, put};
use super::protocols::{
    AH, DCCP, ETHERNET, ICMP, ICMPV6, IGMP, IP_PROTOCOLS, IPV4, IPV6, NO_NEXT, SCTP, TCP, UDP,
};
use super::tokens::token;

const HEADER: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
const FLAGS: &[(u32, &str)] = &[(0x2000, "+"), (0x4000, "DF"), (0x8000, "rsvd")];

/// The IP header above a segment.
#[derive(Clone, Copy)]
pub struct Above {
    pub at: usize,
    pub version: u8,
    /// It is a fragment, so that checksums cannot be verified.
    pub fragmented: bool,
}

impl Line<'_> {
    pub fn ip(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "ip";
        let version = self.u8(at)? >> 4;
        if version != 4 {
            match version {
                6 => self.text("IP6, wrong link-layer encapsulation"),
                version => put!(self, "IP{version}"),
            }
            self.invalid();
            return Ok(());
        }
        if !self.options.link_header {
            self.text("IP ");
        }
        if !self.has(at, HEADER) {
            self.cut();
            return Ok(());
        }
        if length < HEADER {
            put!(self, "truncated-ip {length}");
            return Ok(());
        }
        let header = usize::from(self.u8(at)? & 15) * 4;
        if header < HEADER {
            put!(self, "bad-hlen {header}");
            return Ok(());
        }
        let total = usize::from(self.u16(at + 2)?);
        if length < total {
            put!(self, "truncated-ip - {} bytes missing! ", total - length);
        }
        if total < header {
            put!(self, "bad-len {total}");
            return Ok(());
        }
        self.within(at + total, |line| line.ip_inside(at, header, total))
    }

    fn ip_inside(&mut self, at: usize, header: usize, total: usize) -> Read {
        let length = total.wrapping_sub(header) as u32 as usize;
        let offset = self.u16(at + 6)?;
        let protocol = self.u8(at + 9)?;
        if self.verbose() > 0 && !self.ip_details(at, header, offset, protocol)? {
            self.ip_ends(at, ": ")?;
            self.cut();
            return Ok(());
        }
        if offset & OFFSET != 0 {
            if self.options.quiet > 1 {
                return Ok(());
            }
            self.ip_ends(at, ":")?;
            self.protocol_name(protocol);
            return Ok(());
        }
        if !matches!(protocol, TCP | UDP | SCTP | DCCP) {
            self.ip_ends(at, ": ")?;
        }
        if !self.has(at, header) {
            let left = self.left(at);
            put!(self, " [remaining caplen({left}) < header length({header})]");
            return Err(Cut);
        }
        let above = Above { at, version: 4, fragmented: offset & MORE_FRAGMENTS != 0 };
        self.ip_payload(protocol, at + header, length, above)
    }

    fn ip_ends(&mut self, at: usize, after: &str) -> Read {
        self.ip4(at + 12)?;
        self.text(" > ");
        self.ip4(at + 16)?;
        self.text(after);
        Ok(())
    }

    fn protocol_name(&mut self, protocol: u8) {
        let options = self.options;
        match options.names.as_ref().and_then(|names| names.protocol(protocol)) {
            Some(name) => {
                self.text(" ");
                self.out.extend_from_slice(name);
            }
            None => put!(self, " ip-proto-{protocol}"),
        }
    }

    /// The parenthesis of `-v`; false if the options are cut.
    fn ip_details(&mut self, at: usize, header: usize, offset: u16, protocol: u8) -> Read<bool> {
        let service = self.u8(at + 1)?;
        let congestion = ["", ",ECT(1)", ",ECT(0)", ",CE"];
        let congestion = congestion.get(usize::from(service & 3)).copied().unwrap_or_default();
        put!(self, "(tos 0x{service:x}{congestion}");
        let hops = self.u8(at + 8)?;
        if hops >= 1 {
            put!(self, ", ttl {hops}");
        }
        put!(
            self,
            ", id {}, offset {}, flags [",
            self.u16(at + 4)?,
            u32::from(offset & OFFSET) * 8
        );
        self.bits(FLAGS, u32::from(offset & 0xe000), ", ");
        let word = token(IP_PROTOCOLS, protocol.into()).unwrap_or("unknown");
        put!(self, "], proto {word} ({protocol}), length {}", self.u16(at + 2)?);
        let mut whole = true;
        if header > HEADER {
            self.text(", options (");
            whole = self.ip_options(at + HEADER, header - HEADER)?;
            if !whole {
                self.text(" [truncated-option]");
            }
            self.text(")");
        }
        if !self.options.unchecked && self.has(at, header) {
            let sum = checksum::sum(&[self.bytes(at, header)?]);
            if sum != 0 {
                let is = self.u16(at + 10)?;
                put!(self, ", bad cksum {is:x} (->{:x})!", checksum::should_be(is, sum));
            }
        }
        self.text(")\n    ");
        Ok(whole)
    }

    /// What follows an IP header.
    pub fn ip_payload(&mut self, protocol: u8, at: usize, length: usize, above: Above) -> Read {
        match protocol {
            TCP => self.tcp(at, length, above),
            UDP => self.udp(at, length, above),
            ICMP if above.version == 4 => self.icmp(at, length, above),
            ICMPV6 if above.version == 6 => self.icmp6(at, length, above),
            ICMP | ICMPV6 | IGMP | ETHERNET
                if matches!(protocol, ICMP | IGMP) != (above.version == 4) =>
            {
                let word = token(IP_PROTOCOLS, protocol.into()).unwrap_or("unknown");
                let wanted = if matches!(protocol, ICMP | IGMP) { 4 } else { 6 };
                put!(self, "[{word} requires IPv{wanted}]");
                self.invalid();
                Ok(())
            }
            IPV4 => self.within(self.end, |line| line.ip(at, length)),
            IPV6 => self.within(self.end, |line| line.ip6_packet(at, length)),
            NO_NEXT => {
                self.text("no next header");
                Ok(())
            }
            AH => self.authentication(at, length, above),
            _ => {
                self.protocol_name(protocol);
                put!(self, " {length}");
                Ok(())
            }
        }
    }

    /// The authentication header (RFC 4302): its length is in words, two left out.
    fn authentication(&mut self, at: usize, length: usize, above: Above) -> Read {
        self.protocol = "ah";
        if !self.has(at, 1) {
            self.cut();
            return Ok(());
        }
        let next = self.u8(at)?;
        self.text("AH");
        let words = usize::from(self.u8(at + 1)?);
        let own = (words + 2) * 4;
        self.text("(");
        if self.verbose() > 0 {
            put!(self, "length={words}({own}-bytes),");
        }
        let reserved = self.u16(at + 2)?;
        if reserved != 0 {
            put!(self, "reserved=0x{reserved:x}[MustBeZero],");
        }
        put!(self, "spi=0x{:08x},", self.u32(at + 4)?);
        put!(self, "seq=0x{:x},", self.u32(at + 8)?);
        self.text("icv=0x");
        for index in 12..own {
            let byte = self.u8(at + index)?;
            self.hex2(byte);
        }
        self.text("): ");
        let rest = length.saturating_sub(own);
        self.within(self.end, |line| line.ip_payload(next, at + own, rest, above))
    }

    /// The checksum of a segment with its pseudo header; 0 is right.
    pub fn segment_sum(&self, at: usize, length: usize, above: Above, protocol: u8) -> Read<u16> {
        let segment = self.bytes(at, length)?;
        if above.version == 6 {
            let source: [u8; 16] = self.array(above.at + 8)?;
            let destination = self.ip6_destination(above.at)?;
            let mut tail = [0; 8];
            tail[..4].copy_from_slice(&(length as u32).to_be_bytes());
            tail[7] = protocol;
            return Ok(checksum::sum(&[&source, &destination, &tail, segment]));
        }
        let source: [u8; 4] = self.array(above.at + 12)?;
        let destination = self.ip4_destination(above.at)?;
        let [high, low] = (length as u16).to_be_bytes();
        Ok(checksum::sum(&[&source, &destination, &[0, protocol, high, low], segment]))
    }
}
