//! BSD loopback headers: an address family, in some byte order.

use super::line::{Line, Read, put};
use super::tokens::token;

const FAMILIES: &[(u32, &str)] = &[
    (2, "IPv4"),
    (6, "NS"),
    (7, "ISO"),
    (16, "Appletalk"),
    (23, "IPX"),
    (24, "IPv6"),
    (28, "IPv6"),
    (30, "IPv6"),
];

const HEADER: usize = 4;

impl Line<'_> {
    pub fn loopback_packet(&mut self, length: usize) -> Read {
        self.protocol = "null";
        self.check(0, HEADER)?;
        self.link_header = HEADER;
        // tcpdump reads it as a little-endian machine does, and turns it if that makes no sense.
        let mut family = self.u32(0)?.swap_bytes();
        if family & 0xffff_0000 != 0 {
            family = family.swap_bytes();
        }
        if self.options.link_header {
            self.loopback_header(family, length);
        }
        let inner = length.saturating_sub(HEADER);
        match family {
            2 => self.ip(HEADER, inner),
            24 | 28 | 30 => self.ip6_packet(HEADER, inner),
            _ => {
                if !self.options.link_header {
                    self.loopback_header(family, length);
                }
                self.default_dump(HEADER, self.left(HEADER))
            }
        }
    }

    fn loopback_header(&mut self, family: u32, length: usize) {
        match (self.options.quiet, token(FAMILIES, family)) {
            (0, word) => put!(self, "AF {} ({family})", word.unwrap_or("Unknown")),
            (_, Some(word)) => self.text(word),
            (_, None) => put!(self, "Unknown AF {family}"),
        }
        put!(self, ", length {length}: ");
    }
}
