//! Options of IPv6's hop-by-hop and destination headers.

use super::line::{Line, Read, put};

const PAD1: u8 = 0;
const PADN: u8 = 1;
const ROUTER_ALERT: u8 = 5;
const JUMBO: u8 = 0xc2;
const HOME_ADDRESS: u8 = 0xc9;

impl Line<'_> {
    /// The options; false if they are cut. With `jumbo`, the payload's length and whether an option told it.
    pub fn ip6_options(
        &mut self,
        at: usize,
        length: usize,
        jumbo: &mut Option<(u32, bool)>,
    ) -> Read<bool> {
        let mut index = 0;
        let mut seen_jumbo = false;
        while index < length {
            let kind = self.u8(at + index)?;
            let mut own = 1;
            if kind != PAD1 {
                if index + 1 >= length {
                    return Ok(false);
                }
                own = usize::from(self.u8(at + index + 1)?) + 2;
            }
            if index + own > length {
                return Ok(false);
            }
            if !self.ip6_option(kind, at + index, length - index, own, (jumbo, &mut seen_jumbo))? {
                return Ok(false);
            }
            index += own;
        }
        if self.verbose() > 0 {
            self.text(" ");
        }
        Ok(true)
    }

    fn ip6_option(
        &mut self,
        kind: u8,
        at: usize,
        left: usize,
        own: usize,
        (jumbo, seen): (&mut Option<(u32, bool)>, &mut bool),
    ) -> Read<bool> {
        let verbose = self.verbose() > 0;
        let (least, word) = match kind {
            ROUTER_ALERT => (4, "rtalert"),
            JUMBO => (6, "jumbo"),
            HOME_ADDRESS => (18, "homeaddr"),
            _ => (1, ""),
        };
        if left < least {
            put!(self, "({word}: trunc)");
            return Ok(false);
        }
        let wrong = if kind == HOME_ADDRESS { own < least } else { own != least };
        if least > 1 && wrong {
            put!(self, "({word}: invalid len {})", own - 2);
            return Ok(false);
        }
        match kind {
            JUMBO => self.ip6_jumbo(at, jumbo, seen)?,
            _ if !verbose => {}
            PAD1 => self.text("(pad1)"),
            PADN => self.text("(padn)"),
            ROUTER_ALERT => put!(self, "(rtalert: 0x{:04x}) ", self.u16(at + 2)?),
            HOME_ADDRESS => {
                self.text("(homeaddr: ");
                self.ip6(at + 2)?;
                if own > 18 && !self.ip6_suboptions(at + 18, own - 18)? {
                    return Ok(false);
                }
                self.text(")");
            }
            _ => put!(self, "(opt_type 0x{kind:02x}: len={})", own - 2),
        }
        Ok(true)
    }

    fn ip6_jumbo(&mut self, at: usize, jumbo: &mut Option<(u32, bool)>, seen: &mut bool) -> Read {
        let length = self.u32(at + 2)?;
        let mut why = "";
        if std::mem::replace(seen, true) {
            why = " - already seen";
        } else {
            match jumbo {
                None => why = " - not a hop-by-hop option",
                Some((payload, _)) if *payload != 0 => why = " - payload len != 0",
                Some(_) if length < 65536 => why = " - < 65536",
                Some(told) => *told = (length, true),
            }
        }
        if self.verbose() > 0 {
            put!(self, "(jumbo: {length}{why}) ");
        }
        Ok(())
    }

    fn ip6_suboptions(&mut self, at: usize, length: usize) -> Read<bool> {
        let mut index = 0;
        while index < length {
            let kind = self.u8(at + index)?;
            let mut own = 1;
            if kind != PAD1 {
                if index + 1 >= length {
                    return Ok(false);
                }
                own = usize::from(self.u8(at + index + 1)?) + 2;
            }
            if index + own > length {
                return Ok(false);
            }
            match kind {
                PAD1 => self.text(", pad1"),
                PADN => self.text(", padn"),
                _ => put!(self, ", sopt_type 0x{kind:02x}: len={}", own - 2),
            }
            index += own;
        }
        Ok(true)
    }
}
