//! Ethernet, VLAN tags and what an ethertype leads to.

use super::line::{Line, Read, put};
use super::protocols::{
    ETHERTYPE_ARP, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_RARP, ETHERTYPE_VLAN,
    ETHERTYPE_VLAN_9100, ETHERTYPE_VLAN_9200, ETHERTYPES, LONGEST_8023,
};
use super::tokens::token;

const HEADER: usize = 14;

impl Line<'_> {
    pub fn ether_packet(&mut self, length: usize) -> Read {
        self.protocol = "ether";
        let kept = self.end;
        if length < kept {
            put!(self, "[length {length} < caplen {kept}]");
            self.invalid();
            self.link_header = length;
            return Ok(());
        }
        if kept < HEADER {
            self.cut();
            self.link_header = kept;
            return Ok(());
        }
        if self.options.link_header {
            self.ether_addresses()?;
        }
        let mut at = 12;
        let mut kind = self.u16(at)?;
        at += 2;
        let mut told = false;
        while is_vlan(kind) {
            if self.left(at) < 4 {
                self.protocol = "vlan";
                self.cut();
                self.link_header = kept;
                return Ok(());
            }
            if self.options.link_header {
                self.ether_kind(kind);
                self.told_length(length, &mut told);
                self.vlan(at)?;
            }
            kind = self.u16(at + 2)?;
            at += 4;
        }
        self.ether_payload(kind, at, length, told)
    }

    fn ether_payload(&mut self, kind: u16, at: usize, length: usize, told: bool) -> Read {
        let inner = length - at;
        let mut told = told;
        if kind <= LONGEST_8023 {
            let inner = inner.min(kind.into());
            if self.options.link_header {
                self.text("802.3");
                self.told_length_once(inner, told);
            }
            self.link_header = at;
            let end = at + inner;
            return self.within(end, |line| line.llc(at, inner));
        }
        if self.options.link_header {
            self.ether_kind(kind);
            self.told_length(length, &mut told);
        }
        let known = self.ethertype(kind, at, inner)?;
        if !known {
            if !self.options.link_header {
                self.ether_addresses()?;
                self.ether_kind(kind);
                put!(self, ", length {length}: ");
            }
            self.default_dump(at, self.left(at))?;
        }
        self.link_header = at;
        Ok(())
    }

    /// The length once, a comma afterwards.
    fn told_length(&mut self, length: usize, told: &mut bool) {
        if std::mem::replace(told, true) {
            self.text(", ");
        } else {
            put!(self, ", length {length}: ");
        }
    }

    fn told_length_once(&mut self, length: usize, told: bool) {
        if !told {
            put!(self, ", length {length}: ");
        }
    }

    fn ether_addresses(&mut self) -> Read {
        self.mac(6)?;
        self.text(" > ");
        self.mac(0)?;
        self.text(", ");
        Ok(())
    }

    fn ether_kind(&mut self, kind: u16) {
        let word = token(ETHERTYPES, kind.into());
        match (self.options.quiet, word) {
            (0, word) => put!(self, "ethertype {} (0x{kind:04x})", word.unwrap_or("Unknown")),
            (_, Some(word)) => self.text(word),
            (_, None) => put!(self, "Unknown Ethertype (0x{kind:04x})"),
        }
    }

    /// A VLAN tag's numbers.
    pub fn vlan(&mut self, at: usize) -> Read {
        let tag = self.u16(at)?;
        let eligible = if tag & 0x1000 != 0 { ", DEI" } else { "" };
        put!(self, "vlan {}, p {}{eligible}, ", tag & 0xfff, tag >> 13);
        Ok(())
    }

    /// What an ethertype leads to; false if that is not known.
    pub fn ethertype(&mut self, kind: u16, at: usize, length: usize) -> Read<bool> {
        match kind {
            ETHERTYPE_IP => self.ip(at, length)?,
            ETHERTYPE_IPV6 => self.ip6_packet(at, length)?,
            ETHERTYPE_ARP | ETHERTYPE_RARP => self.arp(at, length)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// 802.2: only its presence and length are told.
    pub fn llc(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "llc";
        if length < 3 || !self.has(at, 3) {
            self.cut();
            return self.default_dump(at, self.left(at));
        }
        let (to, from) = (self.u8(at)?, self.u8(at + 1)?);
        put!(self, "LLC, dsap 0x{to:02x}, ssap 0x{from:02x}, length {length}");
        Ok(())
    }
}

fn is_vlan(kind: u16) -> bool {
    matches!(kind, ETHERTYPE_VLAN | ETHERTYPE_QINQ | ETHERTYPE_VLAN_9100 | ETHERTYPE_VLAN_9200)
}
