//! TCP.

use super::checksum;
use super::flows::{Begin, FlowKey};
use super::ip::Above;
use super::line::{Cut, Line, Read, put};
use super::protocols::TCP;

const HEADER: usize = 20;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const URG: u8 = 32;
const FLAGS: [u8; 8] = *b"FSRP.UEW";

/// The most bytes of a reset's text that are shown.
const LONGEST_REASON: usize = 30;

/// What was learnt of a segment's numbers.
#[derive(Clone, Copy, Default)]
pub struct Numbers {
    pub seq: u32,
    pub ack: u32,
    /// Where the selective acknowledgements' side began.
    pub sack_begin: u32,
    pub flags: u8,
    /// Where the segment ends on the wire.
    pub segment_end: usize,
}

impl Line<'_> {
    /// A port of TCP, by name if that is wanted.
    pub fn tcp_port(&mut self, port: u16) {
        let options = self.options;
        match options.names.as_ref().and_then(|names| names.tcp(port)) {
            Some(name) => self.out.extend_from_slice(name),
            None => self.dec(port),
        }
    }

    /// An address of the IP header above: 12 or 8 for the source's place.
    pub fn above_end(&mut self, above: Above, destination: bool) -> Read {
        match (above.version, destination) {
            (6, false) => self.ip6(above.at + 8),
            (6, true) => self.ip6(above.at + 24),
            (_, false) => self.ip4(above.at + 12),
            (_, true) => self.ip4(above.at + 16),
        }
    }

    pub fn tcp(&mut self, at: usize, length: usize, above: Above) -> Read {
        self.protocol = "tcp";
        if !self.has(at + 2, 2) {
            self.above_end(above, false)?;
            self.text(" > ");
            self.above_end(above, true)?;
            self.text(":");
            self.cut();
            return Ok(());
        }
        let (from, to) = (self.u16(at)?, self.u16(at + 2)?);
        let direct = self.above_protocol(above)? == TCP;
        if direct {
            self.above_end(above, false)?;
            self.text(".");
        }
        self.tcp_port(from);
        self.text(" > ");
        if direct {
            self.above_end(above, true)?;
            self.text(".");
        }
        self.tcp_port(to);
        self.text(": ");
        if !self.has(at, HEADER) {
            self.cut();
            return Ok(());
        }
        let header = usize::from(self.u8(at + 12)? >> 4) * 4;
        let payload = (length as u32).wrapping_sub(header as u32);
        if header < HEADER {
            put!(self, " tcp {payload} [bad hdr length {header} - too short, < 20]");
            return Ok(());
        }
        if self.options.quiet > 0 {
            put!(self, "tcp {payload}");
            if header > length {
                put!(self, " [bad hdr length {header} - too long, > {length}]");
            }
            return Ok(());
        }
        self.tcp_flags(at)?;
        let numbers = self.tcp_numbers(at, above, (from, to))?;
        if header > length {
            put!(self, " [bad hdr length {header} - too long, > {length}]");
            return Ok(());
        }
        if self.verbose() > 0
            && !self.options.unchecked
            && !above.fragmented
            && self.has(at, length)
        {
            self.tcp_checksum(at, length, above)?;
        }
        let numbers = Numbers { segment_end: at + length, ..numbers };
        self.tcp_rest(at, header, length - header, numbers, (from, to))
    }

    /// The protocol that the IP header itself names.
    pub fn above_protocol(&self, above: Above) -> Read<u8> {
        self.u8(above.at + if above.version == 6 { 6 } else { 9 })
    }

    fn tcp_flags(&mut self, at: usize) -> Read {
        let flags = self.u8(at + 13)?;
        self.text("Flags [");
        if flags == 0 {
            self.text("none");
        }
        let (mut letters, mut count) = ([b']'; 9], 0);
        for (bit, letter) in FLAGS.into_iter().enumerate() {
            if flags & 1 << bit != 0
                && let Some(place) = letters.get_mut(count)
            {
                *place = letter;
                count += 1;
            }
        }
        self.out.extend_from_slice(letters.get(..=count).unwrap_or_default());
        Ok(())
    }

    /// The sequence numbers, made small if the connection is known.
    fn tcp_numbers(&mut self, at: usize, above: Above, ports: (u16, u16)) -> Read<Numbers> {
        let flags = self.u8(at + 13)?;
        let (seq, ack) = (self.u32(at + 4)?, self.u32(at + 8)?);
        let mut numbers = Numbers { seq, ack, sack_begin: 0, flags, segment_end: usize::MAX };
        if self.options.absolute || flags & ACK == 0 {
            return Ok(numbers);
        }
        let (source, destination) = self.ends(above)?;
        let reverse = ports.0 > ports.1 || (ports.0 == ports.1 && source > destination);
        let (from, to) = ports;
        let key = if reverse {
            FlowKey {
                ends: [destination, source],
                ports: u32::from(to) << 16 | u32::from(from),
                version: above.version,
            }
        } else {
            FlowKey {
                ends: [source, destination],
                ports: u32::from(from) << 16 | u32::from(to),
                version: above.version,
            }
        };
        let known = self.flows.get(&key).filter(|_| flags & SYN == 0);
        let begin = known.unwrap_or(if reverse {
            Begin { ack: seq, seq: ack.wrapping_sub(1) }
        } else {
            Begin { seq, ack: ack.wrapping_sub(1) }
        });
        let (own, other) = if reverse { (begin.ack, begin.seq) } else { (begin.seq, begin.ack) };
        if known.is_some() {
            numbers.seq = seq.wrapping_sub(own);
            numbers.ack = ack.wrapping_sub(other);
        } else {
            self.flows.insert(key, begin);
        }
        numbers.sack_begin = other;
        Ok(numbers)
    }

    fn ends(&self, above: Above) -> Read<([u8; 16], [u8; 16])> {
        if above.version == 6 {
            return Ok((self.array(above.at + 8)?, self.array(above.at + 24)?));
        }
        let wide = |address: [u8; 4]| {
            let mut wide = [0; 16];
            wide[..4].copy_from_slice(&address);
            wide
        };
        Ok((wide(self.array(above.at + 12)?), wide(self.array(above.at + 16)?)))
    }

    fn tcp_checksum(&mut self, at: usize, length: usize, above: Above) -> Read {
        let sum = self.segment_sum(at, length, above, TCP)?;
        let is = self.u16(at + 16)?;
        put!(self, ", cksum 0x{is:04x}");
        match sum {
            0 => self.text(" (correct)"),
            sum => put!(self, " (incorrect -> 0x{:04x})", checksum::should_be(is, sum)),
        }
        Ok(())
    }

    fn tcp_rest(
        &mut self,
        at: usize,
        header: usize,
        length: usize,
        numbers: Numbers,
        ports: (u16, u16),
    ) -> Read {
        let Numbers { seq, ack, flags, .. } = numbers;
        if self.verbose() > 1 || length > 0 || flags & (SYN | FIN | RST) != 0 {
            self.text(", seq ");
            self.dec(seq);
            if length > 0 {
                self.text(":");
                self.dec(seq.wrapping_add(length as u32));
            }
        }
        if flags & ACK != 0 {
            self.text(", ack ");
            self.dec(ack);
        }
        self.text(", win ");
        let window = self.u16(at + 14)?;
        self.dec(window);
        if flags & URG != 0 {
            put!(self, ", urg {}", self.u16(at + 18)?);
        }
        if header > HEADER && !self.tcp_options(at + HEADER, header - HEADER, numbers)? {
            return Ok(());
        }
        self.text(", length ");
        self.dec(length as u64);
        if length == 0 {
            return Ok(());
        }
        if !self.has(at, header) {
            let left = self.left(at);
            put!(self, " [remaining caplen({left}) < header length({header})]");
            return Err(Cut);
        }
        if flags & RST != 0 && self.verbose() > 0 {
            return self.tcp_reason(at + header, length);
        }
        self.tcp_payload(at + header, length, ports)
    }

    /// The text that some send with a reset.
    fn tcp_reason(&mut self, at: usize, length: usize) -> Read {
        self.text(if self.has(at, length) { " [RST" } else { " [!RST" });
        if length > LONGEST_REASON {
            self.text("+");
        }
        self.text(" ");
        self.shown_bytes(at, length.min(LONGEST_REASON))?;
        self.text("]");
        Ok(())
    }
}
