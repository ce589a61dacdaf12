//! UDP.

use super::checksum;
use super::ip::Above;
use super::line::{Line, Read, put};
use super::protocols::UDP;

const HEADER: usize = 8;
const DOMAIN: u16 = 53;
const MULTICAST_DOMAIN: u16 = 5353;

impl Line<'_> {
    /// A port of UDP, by name if that is wanted.
    pub fn udp_port(&mut self, port: u16) {
        let options = self.options;
        match options.names.as_ref().and_then(|names| names.udp(port)) {
            Some(name) => self.out.extend_from_slice(name),
            None => self.dec(port),
        }
    }

    pub fn udp(&mut self, at: usize, length: usize, above: Above) -> Read {
        self.protocol = "udp";
        if !self.has(at + 2, 2) {
            if self.above_protocol(above)? == UDP {
                self.above_end(above, false)?;
                self.text(" > ");
                self.above_end(above, true)?;
                self.text(": ");
            }
            self.cut();
            return Ok(());
        }
        let (from, to) = (self.u16(at)?, self.u16(at + 2)?);
        self.udp_ends(above, from, to)?;
        if length < HEADER {
            put!(self, "truncated-udp {length}");
            return Ok(());
        }
        if !self.has(at + 4, 2) {
            self.cut();
            return Ok(());
        }
        let mut told = usize::from(self.u16(at + 4)?);
        if told == 0 && length > 65535 {
            told = length;
        }
        if told < HEADER {
            put!(self, "truncated-udplength {told}");
            return Ok(());
        }
        let told = told - HEADER;
        let length = (length - HEADER).min(told);
        let payload = at + HEADER;
        if payload > self.end {
            self.cut();
            return Ok(());
        }
        if self.verbose() > 0 && !self.options.unchecked && !above.fragmented {
            self.udp_checksum(at, length, above)?;
        }
        if self.options.quiet == 0 {
            if from == DOMAIN || to == DOMAIN {
                return self.dns(payload, length, false, false);
            }
            if from == MULTICAST_DOMAIN || to == MULTICAST_DOMAIN {
                return self.dns(payload, length, false, true);
            }
        }
        if told > length && !above.fragmented {
            put!(self, "UDP, bad length {told} > {length}");
        } else {
            self.text("UDP, length ");
            self.dec(told as u64);
        }
        Ok(())
    }

    fn udp_ends(&mut self, above: Above, from: u16, to: u16) -> Read {
        let direct = self.above_protocol(above)? == UDP;
        if direct {
            self.above_end(above, false)?;
            self.text(".");
        }
        self.udp_port(from);
        self.text(" > ");
        if direct {
            self.above_end(above, true)?;
            self.text(".");
        }
        self.udp_port(to);
        self.text(": ");
        Ok(())
    }

    fn udp_checksum(&mut self, at: usize, length: usize, above: Above) -> Read {
        if above.version == 4 {
            if self.verbose() <= 1 {
                return Ok(());
            }
            if self.u16(at + 6)? == 0 {
                self.text("[no cksum] ");
                return Ok(());
            }
        }
        if !self.has(at + HEADER, length) {
            return Ok(());
        }
        let sum = self.segment_sum(at, length + HEADER, above, UDP)?;
        let is = self.u16(at + 6)?;
        match sum {
            0 => self.text("[udp sum ok] "),
            sum => {
                put!(self, "[bad udp cksum 0x{is:04x} -> 0x{:04x}!] ", checksum::should_be(is, sum))
            }
        }
        Ok(())
    }
}
