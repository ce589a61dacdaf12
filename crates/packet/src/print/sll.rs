//! Linux cooked captures, versions 1 and 2: what `-i any` gives.

use super::line::{Line, Read, put};
use super::protocols::{ETHERTYPE_VLAN, ETHERTYPES, LONGEST_8023};
use super::tokens::token;

const HEADER: usize = 16;
const HEADER2: usize = 20;
const NOVELL: u16 = 1;
const LLC: u16 = 4;

const WAYS: &[(u32, &str)] = &[(0, "In"), (1, "B"), (2, "M"), (3, "P"), (4, "Out")];

impl Line<'_> {
    pub fn sll_packet(&mut self, length: usize) -> Read {
        self.protocol = "sll";
        self.check(0, HEADER)?;
        if self.options.link_header {
            self.sll_header(length)?;
        }
        let kind = self.u16(14)?;
        let known = self.sll_payload(kind, HEADER, length.saturating_sub(HEADER))?;
        if known == Known::NoEthertype && !self.options.link_header {
            // Tags that were told are not counted again.
            let tags = self.link_header - HEADER;
            self.sll_header(length.saturating_sub(tags))?;
        }
        self.sll_rest(known, HEADER)
    }

    fn sll_header(&mut self, length: usize) -> Read {
        self.protocol = "sll";
        let way = token(WAYS, self.u16(0)?.into()).unwrap_or("?");
        put!(self, "{way:>3} ");
        if self.u16(4)? == 6 {
            self.mac(6)?;
            self.text(" ");
        }
        self.sll_kind(14, length)
    }

    pub fn sll2_packet(&mut self, length: usize) -> Read {
        self.protocol = "sll2";
        self.check(0, HEADER2)?;
        let index = self.u32(4)?;
        let options = self.options;
        let name = options.interfaces.iter().find(|row| row.0 == index).map(|row| row.1.as_slice());
        let before = self.out.len();
        for &byte in name.unwrap_or(b"?") {
            self.shown(byte);
        }
        while self.out.len() < before + 5 {
            self.out.push(b' ');
        }
        let way = token(WAYS, self.u8(10)?.into()).unwrap_or("?");
        put!(self, " {way:<3} ");
        if self.options.link_header {
            self.sll2_header(length)?;
        }
        let kind = self.u16(0)?;
        let known = self.sll_payload(kind, HEADER2, length.saturating_sub(HEADER2))?;
        if known == Known::NoEthertype && !self.options.link_header {
            // Tags that were told are not counted again.
            let tags = self.link_header - HEADER2;
            self.sll2_header(length.saturating_sub(tags))?;
        }
        self.sll_rest(known, HEADER2)
    }

    fn sll2_header(&mut self, length: usize) -> Read {
        self.protocol = "sll2";
        put!(self, "ifindex {} ", self.u32(4)?);
        if self.u8(11)? == 6 {
            self.mac(12)?;
            self.text(" ");
        }
        self.sll_kind(0, length)
    }

    fn sll_kind(&mut self, at: usize, length: usize) -> Read {
        if self.options.quiet > 0 {
            return Ok(());
        }
        let kind = self.u16(at)?;
        match kind {
            NOVELL => self.text("802.3"),
            LLC => self.text("802.2"),
            _ => {
                let ethertypes = if kind <= LONGEST_8023 { &[] } else { ETHERTYPES };
                let word = token(ethertypes, kind.into()).unwrap_or("Unknown");
                put!(self, "ethertype {word} (0x{kind:04x})");
            }
        }
        put!(self, ", length {length}: ");
        Ok(())
    }

    /// The layers behind the header; the link header's end is noted.
    fn sll_payload(&mut self, kind: u16, at: usize, length: usize) -> Read<Known> {
        let (mut kind, mut at, mut length) = (kind, at, length);
        while kind == ETHERTYPE_VLAN {
            if self.left(at) < 4 {
                self.protocol = "vlan";
                self.cut();
                self.link_header = self.end;
                return Ok(Known::Cut);
            }
            if self.options.link_header {
                self.vlan(at)?;
            }
            kind = self.u16(at + 2)?;
            if kind <= LONGEST_8023 {
                kind = LLC;
            }
            if self.options.quiet == 0 {
                let word = token(ETHERTYPES, kind.into()).unwrap_or("Unknown");
                put!(self, "ethertype {word}, ");
            }
            at += 4;
            length = length.saturating_sub(4);
        }
        let known = match kind {
            LLC => {
                self.llc(at, length)?;
                Known::Yes
            }
            0..=LONGEST_8023 => Known::No,
            _ if self.ethertype(kind, at, length)? => Known::Yes,
            _ => Known::NoEthertype,
        };
        self.link_header = at;
        Ok(known)
    }

    fn sll_rest(&mut self, known: Known, header: usize) -> Read {
        let at = self.link_header.max(header);
        match known {
            Known::Yes | Known::Cut => Ok(()),
            Known::No | Known::NoEthertype => self.default_dump(at, self.left(at)),
        }
    }
}

#[derive(PartialEq)]
enum Known {
    Yes,
    No,
    NoEthertype,
    Cut,
}
