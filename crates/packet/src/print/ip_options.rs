//! Options of IPv4.

use super::line::{Cut, Line, Read, put};

const OPTIONS: &[(u32, &str)] = &[
    (0, "EOL"),
    (1, "NOP"),
    (68, "timestamp"),
    (130, "security"),
    (7, "RR"),
    (137, "SSRR"),
    (131, "LSRR"),
    (148, "RA"),
    (82, "traceroute"),
];

const END: u8 = 0;
const NOTHING: u8 = 1;
const TIMESTAMP: u8 = 68;
const STRICT: u8 = 137;
const LOOSE: u8 = 131;
const RECORD: u8 = 7;
const ALERT: u8 = 148;

impl Line<'_> {
    /// The options; false if they are cut.
    pub fn ip_options(&mut self, at: usize, length: usize) -> Read<bool> {
        let (mut at, mut left) = (at, length);
        let mut separator = "";
        while left > 0 {
            self.text(separator);
            separator = ",";
            let code = self.u8(at)?;
            self.token(OPTIONS, code.into(), ("unknown ", ""));
            let mut own = 1;
            if code != NOTHING && code != END {
                own = usize::from(self.u8(at + 1)?);
                if own < 2 {
                    put!(self, " [bad length {own}]");
                    return Ok(true);
                }
            }
            if own > left {
                put!(self, " [bad length {own}]");
                return Ok(true);
            }
            if !self.has(at, own) {
                return Ok(false);
            }
            match code {
                END => return Ok(true),
                TIMESTAMP if !self.ip_timestamps(at, own)? => return Ok(false),
                RECORD | STRICT | LOOSE if !self.ip_route(at, own)? => return Ok(false),
                ALERT if own < 4 => put!(self, " [bad length {own}]"),
                ALERT => {
                    let value = self.u16(at + 2)?;
                    if value != 0 {
                        put!(self, " value {value}");
                    }
                }
                _ => {}
            }
            at += own;
            left -= own;
        }
        Ok(true)
    }

    /// False if an address is cut.
    fn ip_route(&mut self, at: usize, length: usize) -> Read<bool> {
        if length < 3 {
            put!(self, " [bad length {length}]");
            return Ok(true);
        }
        if (length + 1) & 3 != 0 {
            put!(self, " [bad length {length}]");
        }
        let told = self.u8(at + 2)?;
        let pointer = usize::from(told).wrapping_sub(1);
        if pointer < 3 || pointer.wrapping_add(1) & 3 != 0 || pointer > length + 1 {
            put!(self, " [bad ptr {told}]");
        }
        for place in (3..length).step_by(4) {
            if !self.has(at + place, 4) {
                return Ok(false);
            }
            self.text(" ");
            self.ip4(at + place)?;
            if pointer > place {
                self.text(",");
            }
        }
        Ok(true)
    }

    /// False if one is cut.
    fn ip_timestamps(&mut self, at: usize, length: usize) -> Read<bool> {
        if length < 4 {
            put!(self, "[bad length {length}]");
            return Ok(true);
        }
        self.text(" TS{");
        let flags = self.u8(at + 3)?;
        let hop = if flags & 15 != 0 { 8 } else { 4 };
        if (length - 4) & (hop - 1) != 0 {
            put!(self, "[bad length {length}]");
        }
        let told = self.u8(at + 2)?;
        let pointer = usize::from(told).wrapping_sub(1);
        let aligned = pointer.wrapping_sub(4) & (hop - 1) == 0;
        if pointer < 4 || !aligned || pointer > length + 1 {
            put!(self, "[bad ptr {told}]");
        }
        let mut place = 0;
        match flags & 15 {
            0 => self.text("TSONLY"),
            1 => self.text("TS+ADDR"),
            3 => self.text("PRESPEC"),
            other => put!(self, "[bad ts type {other}]"),
        }
        if matches!(flags & 15, 0 | 1 | 3) {
            place = 4;
            while place < length {
                if !self.has(at + place, hop) {
                    return Ok(false);
                }
                self.ip_timestamp(at + place, hop, pointer == place)?;
                place += hop;
            }
        }
        if pointer == place {
            self.text(" ^ ");
        }
        match flags >> 4 {
            0 => self.text("}"),
            hops => put!(self, " [{hops} hops not recorded]}} "),
        }
        Ok(true)
    }

    fn ip_timestamp(&mut self, at: usize, hop: usize, here: bool) -> Read {
        self.text(if here { " ^ " } else { " " });
        put!(self, "{}@", self.u32(at + hop - 4)?);
        if hop == 8 {
            self.ip4(at)?;
        }
        Ok(())
    }

    /// Where an IPv4 packet goes in the end: the last hop of a source route, if there is one.
    pub fn ip4_destination(&self, at: usize) -> Read<[u8; 4]> {
        let header = usize::from(self.u8(at)? & 15) * 4;
        if header <= 20 {
            return self.array(at + 16);
        }
        match self.routed_destination(at + 20, header - 20) {
            Ok(Some(address)) => Ok(address),
            Ok(None) => self.array(at + 16),
            Err(cut) => Err(cut),
        }
    }

    fn routed_destination(&self, at: usize, length: usize) -> Read<Option<[u8; 4]>> {
        let (mut at, mut left) = (at, length);
        while left > 0 {
            let code = self.u8(at)?;
            let own = match code {
                END => break,
                NOTHING => 1,
                _ => usize::from(self.u8(at + 1)?),
            };
            if own == 0 || (own < 2 && code != NOTHING) || own > left || !self.has(at, own) {
                break;
            }
            if matches!(code, STRICT | LOOSE) && own >= 7 {
                return self.array(at + own - 4).map(Some).map_err(|_| Cut);
            }
            at += own;
            left -= own;
        }
        Ok(None)
    }
}
