//! ARP and reverse ARP.

use super::line::{Line, Read, put};
use super::protocols::{ETHERTYPE_IP, ETHERTYPE_TRAIL, ETHERTYPES};
use super::tokens::token;

const HARDWARE: &[(u32, &str)] = &[
    (1, "Ethernet"),
    (6, "TokenRing"),
    (7, "ArcNet"),
    (15, "FrameRelay"),
    (23, "Strip"),
    (24, "IEEE 1394"),
    (19, "ATM"),
    (32, "InfiniBand"),
];

const OPERATIONS: &[(u32, &str)] = &[
    (1, "Request"),
    (2, "Reply"),
    (3, "Reverse Request"),
    (4, "Reverse Reply"),
    (8, "Inverse Request"),
    (9, "Inverse Reply"),
    (10, "NACK Reply"),
];

/// Where the addresses stand.
#[derive(Clone, Copy)]
struct Places {
    protocol: u16,
    hardware_length: usize,
    protocol_length: usize,
    sender_hardware: usize,
    sender: usize,
    target_hardware: usize,
    target: usize,
}

impl Line<'_> {
    pub fn arp(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "arp";
        self.check(at, 8)?;
        let (hardware, protocol) = (self.u16(at)?, self.u16(at + 2)?);
        let (hardware_length, protocol_length) = (self.u8(at + 4)?.into(), self.u8(at + 5)?.into());
        let operation = self.u16(at + 6)?;
        let sender = at + 8 + hardware_length;
        let target_hardware = sender + protocol_length;
        let places = Places {
            protocol,
            hardware_length,
            protocol_length,
            sender_hardware: at + 8,
            sender,
            target_hardware,
            target: target_hardware + hardware_length,
        };
        self.check(places.target, protocol_length)?;
        if !self.options.link_header {
            self.text("ARP, ");
        }
        let verbose = self.verbose() > 0;
        let is_ip = protocol == ETHERTYPE_IP || protocol == ETHERTYPE_TRAIL;
        if !is_ip || protocol_length != 4 || hardware_length == 0 || verbose {
            self.token(HARDWARE, hardware.into(), ("Unknown Hardware (", ")"));
            put!(self, " (len {hardware_length}), ");
            match token(ETHERTYPES, protocol.into()) {
                Some(word) => self.text(word),
                None => put!(self, "Unknown Protocol (0x{protocol:04x})"),
            }
            put!(self, " (len {protocol_length})");
            if !verbose {
                put!(self, ", length {length}");
                return Ok(());
            }
            self.text(", ");
        }
        self.token(OPERATIONS, operation.into(), ("Unknown (", ")"));
        self.text(" ");
        if !self.arp_operation(operation, places)? {
            let length = self.left(at);
            return self.hex_and_text("\n\t", at, length);
        }
        put!(self, ", length {length}");
        Ok(())
    }

    /// What is asked or told; false if that is not known.
    fn arp_operation(&mut self, operation: u16, places: Places) -> Read<bool> {
        match operation {
            1 => {
                self.text("who-has ");
                self.arp_ip(places, places.target)?;
                if self
                    .bytes(places.target_hardware, places.hardware_length)?
                    .iter()
                    .any(|b| *b != 0)
                {
                    self.text(" (");
                    self.arp_hardware(places, places.target_hardware)?;
                    self.text(")");
                }
                self.text(" tell ");
                self.arp_ip(places, places.sender)?;
            }
            2 => {
                self.arp_ip(places, places.sender)?;
                self.text(" is-at ");
                self.arp_hardware(places, places.sender_hardware)?;
            }
            3 | 8 => {
                self.text("who-is ");
                self.arp_hardware(places, places.target_hardware)?;
                self.text(" tell ");
                self.arp_hardware(places, places.sender_hardware)?;
            }
            4 => {
                self.arp_hardware(places, places.target_hardware)?;
                self.text(" at ");
                self.arp_ip(places, places.target)?;
            }
            9 => {
                self.arp_hardware(places, places.sender_hardware)?;
                self.text(" at ");
                self.arp_ip(places, places.sender)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn arp_ip(&mut self, places: Places, at: usize) -> Read {
        if places.protocol != ETHERTYPE_IP && places.protocol != ETHERTYPE_TRAIL {
            self.text("<wrong proto type>");
        } else if places.protocol_length != 4 {
            self.text("<wrong len>");
        } else {
            self.ip4(at)?;
        }
        Ok(())
    }

    fn arp_hardware(&mut self, places: Places, at: usize) -> Read {
        if places.hardware_length == 0 {
            self.text("<empty>");
            return Ok(());
        }
        self.hex_bytes(at, places.hardware_length, ":")
    }
}
