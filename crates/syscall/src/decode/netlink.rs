//! Messages of netlink sockets: rtnetlink and sock_diag, `[{nlmsg_len=20, nlmsg_type=RTM_GETADDR, ...}, {...}]`.
//!
//! A message is a header and a payload, which ends in attributes; of families that are not decoded the payload is bytes.

use super::pen::Pen;
use super::quote;
use super::sockaddr::HARDWARE;
use super::style::Quote;
use super::tables::netlink::*;
use super::tables::network::{FAMILY, IPPROTO, NETLINK, SOCK_TYPE};
use super::xlat::Table;
use crate::memory::{u32_in, word_in};

const FAMILY_ROUTE: u32 = 0;
const FAMILY_DIAG: u32 = 4;
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// More of a message is not looked at.
const MOST: u64 = 1 << 16;
/// Attributes within attributes.
const MOST_DEPTH: u8 = 4;

/// A message's head.
#[derive(Clone, Copy)]
struct Header {
    length: usize,
    kind: u16,
    flags: u16,
}

/// What attributes stand in.
#[derive(Clone, Copy)]
struct Within {
    family: u8,
    depth: u8,
}

fn u8_in(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at).copied().unwrap_or(0).into()
}

fn u16_in(bytes: &[u8], at: usize) -> u64 {
    u8_in(bytes, at) | u8_in(bytes, at + 1) << 8
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u32_in(bytes, at).unwrap_or(0).into()
}

fn port(bytes: &[u8], at: usize) -> u64 {
    u8_in(bytes, at) << 8 | u8_in(bytes, at + 1)
}

fn part(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

impl Pen<'_> {
    /// Data of a socket: messages if it is a netlink one.
    pub fn socket_data(&mut self, fd: i32, address: u64, length: u64) {
        match self.names.netlink(fd) {
            Some(family) if self.style.dereference && address != 0 && length > 0 => {
                self.netlink(family, address, length);
            }
            _ => self.data(address, length),
        }
    }

    fn netlink(&mut self, family: u32, address: u64, length: u64) {
        let wanted = length.min(MOST) as usize;
        let mut bytes = vec![0; wanted];
        let read = self.memory.read(address, &mut bytes);
        if read < wanted.min(HEADER) {
            return self.address(address);
        }
        bytes.truncate(read);
        self.netlink_messages(family, &bytes);
    }

    fn netlink_most(&self) -> usize {
        if self.style.abbreviate { self.style.strings } else { usize::MAX }
    }

    /// Messages, one behind the other; several stand in brackets.
    fn netlink_messages(&mut self, family: u32, bytes: &[u8]) {
        let length = |rest: &[u8]| Header::read(rest).map(|header| header.length);
        self.netlink_chain(bytes, HEADER, length, |pen, rest| {
            if let Some(header) = Header::read(rest) {
                pen.netlink_message(family, header, rest);
            }
        });
    }

    /// Pieces that begin with their own length, one behind the other; several stand in brackets. `length_of` tells it, or
    /// `None` of what is too short for the `head` of a piece.
    fn netlink_chain(
        &mut self,
        bytes: &[u8],
        head: usize,
        length_of: impl Fn(&[u8]) -> Option<usize>,
        write: impl Fn(&mut Self, &[u8]),
    ) {
        let (mut rest, mut is_array) = (bytes, false);
        for element in 1.. {
            let Some(length) = length_of(rest) else {
                self.netlink_bytes(rest);
                break;
            };
            let aligned = length.next_multiple_of(4);
            let next = rest.get(aligned..).filter(|next| length >= head && !next.is_empty());
            if next.is_some() && !std::mem::replace(&mut is_array, true) {
                self.text("[");
            }
            write(self, rest);
            let Some(next) = next else { break };
            self.text(", ");
            if element == self.netlink_most() {
                self.text("...");
                break;
            }
            rest = next;
        }
        if is_array {
            self.text("]");
        }
    }

    fn netlink_message(&mut self, family: u32, header: Header, bytes: &[u8]) {
        let payload = bytes.get(HEADER..header.length.min(bytes.len())).unwrap_or_default();
        if payload.is_empty() {
            return self.netlink_header(family, header, bytes);
        }
        self.text("[");
        self.netlink_header(family, header, bytes);
        self.text(", ");
        match (header.kind, family) {
            (2, _) => self.netlink_error(family, header, payload),
            (0..16, _) if payload.len() == 4 => self.signed((number(payload, 0) as i32).into()),
            (16.., FAMILY_ROUTE) => self.route(header.kind, payload),
            (16.., FAMILY_DIAG) => self.sock_diag(header.flags & 1 != 0, payload),
            _ => self.netlink_bytes(payload),
        }
        self.text("]");
    }

    fn netlink_header(&mut self, family: u32, header: Header, bytes: &[u8]) {
        self.text("{");
        self.field_u("nlmsg_len", header.length as u64);
        let (types, flags) = match (header.kind, family) {
            (2, _) => (&CONTROL, &ACK_FLAGS),
            (0..16, _) => (&CONTROL, &PLAIN_FLAGS),
            (kind, FAMILY_ROUTE) => (&ROUTE, route_flags(kind)),
            (_, FAMILY_DIAG) => (&DIAG, &GET_FLAGS),
            _ => (&NONE, &PLAIN_FLAGS),
        };
        self.field_c("nlmsg_type", types, header.kind.into());
        self.field_f("nlmsg_flags", flags, header.flags.into());
        self.field_u("nlmsg_seq", number(bytes, 8));
        self.field_d("nlmsg_pid", (number(bytes, 12) as i32).into());
        self.text("}");
    }

    fn netlink_error(&mut self, family: u32, header: Header, payload: &[u8]) {
        const CAPPED: u16 = 0x100;
        self.text("{");
        let error = number(payload, 0) as i32;
        self.field("error");
        let number = u16::try_from(error.unsigned_abs()).unwrap_or(0);
        match crate::errno::errno(number) {
            Some((name, _)) if error < 0 => {
                self.text("-");
                self.text(name);
            }
            _ => self.signed(error.into()),
        }
        let rest = payload.get(4..).unwrap_or_default();
        if let Some(inner) = Header::read(rest) {
            self.field("msg");
            let length = if header.flags & CAPPED != 0 { HEADER } else { inner.length };
            let rest = part(rest, 0, length);
            // Of what failed its own errors are none.
            match inner.kind {
                2 => self.netlink_header(family, inner, rest),
                _ => self.netlink_message(family, inner, rest),
            }
        }
        self.text("}");
    }

    /// Bytes in hexadecimal, as many as the style shows of a string.
    fn netlink_bytes(&mut self, bytes: &[u8]) {
        let shown = part(bytes, 0, self.style.strings);
        quote(self.out, shown, Quote::HexAll);
        if shown.len() < bytes.len() {
            self.text("...");
        }
    }

    /// A structure that begins with a family: whole, if it is, and attributes behind it.
    fn netlink_structure(
        &mut self,
        family: &str,
        payload: &[u8],
        (size, attributes): (usize, &'static Attributes),
        fields: impl FnOnce(&mut Pen),
    ) {
        self.text("{");
        self.field_c(family, &FAMILY, u8_in(payload, 0));
        if payload.len() < size {
            return self.text(", ...}");
        }
        fields(self);
        self.text("}");
        let rest = payload.get(size.next_multiple_of(4)..).unwrap_or_default();
        if !rest.is_empty() {
            self.text(", ");
            let within = Within { family: u8_in(payload, 0) as u8, depth: 0 };
            self.attributes(rest, attributes, within);
        }
    }

    fn route(&mut self, kind: u16, p: &[u8]) {
        match kind {
            16..=19 => self.netlink_structure("ifi_family", p, (16, &LINK), |pen| {
                pen.field_c("ifi_type", &HARDWARE, u16_in(p, 2));
                pen.field("ifi_index");
                pen.interface(number(p, 4));
                pen.field_f("ifi_flags", &super::ioctl::INTERFACE_FLAGS, number(p, 8));
                pen.field_f("ifi_change", &super::ioctl::INTERFACE_FLAGS, number(p, 12));
            }),
            20..=23 => self.netlink_structure("ifa_family", p, (8, &ADDRESS), |pen| {
                pen.field_u("ifa_prefixlen", u8_in(p, 1));
                pen.field_f("ifa_flags", &ADDRESS_FLAGS, u8_in(p, 2));
                pen.field_c("ifa_scope", &SCOPE, u8_in(p, 3));
                pen.field("ifa_index");
                pen.interface(number(p, 4));
            }),
            24..=27 => self.netlink_structure("rtm_family", p, (12, &ROUTES), |pen| {
                pen.field_u("rtm_dst_len", u8_in(p, 1));
                pen.field_u("rtm_src_len", u8_in(p, 2));
                pen.field_u("rtm_tos", u8_in(p, 3));
                pen.field_c("rtm_table", &TABLE_ID, u8_in(p, 4));
                pen.field_c("rtm_protocol", &ROUTE_PROTOCOL, u8_in(p, 5));
                pen.field_c("rtm_scope", &SCOPE, u8_in(p, 6));
                pen.field_c("rtm_type", &ROUTE_TYPE, u8_in(p, 7));
                pen.field_f("rtm_flags", &ROUTE_FLAGS, number(p, 8));
            }),
            28..=31 => self.netlink_structure("ndm_family", p, (12, &NEIGHBOURS), |pen| {
                pen.field("ndm_ifindex");
                pen.interface(number(p, 4));
                pen.field_f("ndm_state", &NEIGHBOUR_STATE, u16_in(p, 8));
                pen.field_f("ndm_flags", &NEIGHBOUR_FLAGS, u8_in(p, 10));
                pen.field_c("ndm_type", &ROUTE_TYPE, u8_in(p, 11));
            }),
            _ => self.family_and_bytes(p),
        }
    }

    fn sock_diag(&mut self, is_request: bool, p: &[u8]) {
        match (u8_in(p, 0), is_request) {
            (2 | 10, true) => self.inet_request(p),
            (2 | 10, false) => self.inet_socket(p),
            (1, true) => self.netlink_structure("sdiag_family", p, (24, &UNIX), |pen| {
                pen.field_u("sdiag_protocol", u8_in(p, 1));
                pen.field("udiag_states");
                pen.states(number(p, 4));
                pen.field_u("udiag_ino", number(p, 8));
                pen.field_f("udiag_show", &UNIX_SHOW, number(p, 12));
                pen.cookie("udiag_cookie", p, 16);
            }),
            (1, false) => self.netlink_structure("udiag_family", p, (16, &UNIX), |pen| {
                pen.field_c("udiag_type", &SOCK_TYPE, u8_in(p, 1));
                pen.field_c("udiag_state", &STATE, u8_in(p, 2));
                pen.field_u("udiag_ino", number(p, 4));
                pen.cookie("udiag_cookie", p, 8);
            }),
            (16, true) => {
                self.netlink_structure("sdiag_family", p, (20, &NETLINK_SOCKETS), |pen| {
                    pen.field("sdiag_protocol");
                    match u8_in(p, 1) {
                        255 => pen.text("NDIAG_PROTO_ALL"),
                        protocol => pen.choice(&NETLINK, protocol),
                    }
                    pen.field_u("ndiag_ino", number(p, 4));
                    pen.field_f("ndiag_show", &NETLINK_SHOW, number(p, 8));
                    pen.cookie("ndiag_cookie", p, 12);
                })
            }
            _ => self.family_and_bytes(p),
        }
    }

    /// A payload of which only the family is known.
    fn family_and_bytes(&mut self, p: &[u8]) {
        self.text("{");
        self.field_c("family", &FAMILY, u8_in(p, 0));
        if let Some(rest) = p.get(1..).filter(|rest| !rest.is_empty()) {
            self.field("data");
            self.netlink_bytes(rest);
        }
        self.text("}");
    }

    fn inet_request(&mut self, p: &[u8]) {
        self.netlink_structure("sdiag_family", p, (56, &INET), |pen| {
            pen.field_c("sdiag_protocol", &IPPROTO, u8_in(p, 1));
            pen.field("idiag_ext");
            pen.extensions(u8_in(p, 2));
            pen.field("idiag_states");
            pen.states(number(p, 4));
            pen.inet_id(p, 8);
        });
    }

    fn inet_socket(&mut self, p: &[u8]) {
        self.netlink_structure("idiag_family", p, (72, &INET), |pen| {
            pen.field_c("idiag_state", &STATE, u8_in(p, 1));
            pen.field_u("idiag_timer", u8_in(p, 2));
            pen.field_u("idiag_retrans", u8_in(p, 3));
            pen.inet_id(p, 4);
            let fields =
                ["idiag_expires", "idiag_rqueue", "idiag_wqueue", "idiag_uid", "idiag_inode"];
            for (n, name) in fields.into_iter().enumerate() {
                pen.field_u(name, number(p, 52 + 4 * n));
            }
        });
    }

    /// `struct inet_diag_sockid`.
    fn inet_id(&mut self, p: &[u8], at: usize) {
        let is_ip4 = u8_in(p, 0) == 2;
        self.field("id");
        self.text("{");
        self.port("idiag_sport", port(p, at));
        self.port("idiag_dport", port(p, at + 2));
        for (name, from) in [("idiag_src", at + 4), ("idiag_dst", at + 20)] {
            if is_ip4 {
                self.field(name);
                self.inet_addr(part(p, from, 4));
            } else {
                self.text(", inet_pton(AF_INET6, ");
                self.inet6_text(part(p, from, 16));
                self.text(", &");
                self.text(name);
                self.text(")");
            }
        }
        self.field("idiag_if");
        self.interface(number(p, at + 36));
        self.cookie("idiag_cookie", p, at + 40);
        self.text("}");
    }

    fn cookie(&mut self, name: &str, p: &[u8], at: usize) {
        self.field(name);
        self.text("[");
        self.unsigned(number(p, at));
        self.text(", ");
        self.unsigned(number(p, at + 4));
        self.text("]");
    }

    /// A set of states, by their numbers as bits.
    fn states(&mut self, set: u64) {
        self.bits(set, STATE.rows.iter().map(|row| (row.0, format!("1<<{}", row.1))), "1<<TCP_???");
    }

    /// A set of attributes that are asked for.
    fn extensions(&mut self, set: u64) {
        let rows = INET.rows.iter().filter(|row| row.0 <= 8);
        let rows = rows.map(|row| (u64::from(row.0) - 1, format!("1<<({}-1)", row.1)));
        self.bits(set, rows, INET_EXTENSIONS.unknown);
    }

    fn bits(&mut self, set: u64, rows: impl Iterator<Item = (u64, String)>, unknown: &str) {
        let mut left = set;
        for (bit, name) in rows {
            if left >> bit & 1 != 0 {
                self.text(if left == set { "" } else { "|" });
                self.text(&name);
                left &= !(1 << bit);
            }
        }
        if left != 0 || set == 0 {
            self.text(if left == set { "" } else { "|" });
            self.hex(left);
        }
        if left == set && set != 0 {
            self.remark_in_place(unknown);
        }
    }

    /// Attributes, one behind the other; several stand in brackets.
    fn attributes(&mut self, bytes: &[u8], table: &'static Attributes, within: Within) {
        let length = |rest: &[u8]| (rest.len() >= ATTRIBUTE).then(|| u16_in(rest, 0) as usize);
        self.netlink_chain(bytes, ATTRIBUTE, length, |pen, rest| {
            let length = u16_in(rest, 0) as usize;
            pen.attribute(part(rest, 0, length.max(ATTRIBUTE)), length, table, within);
        });
    }

    fn attribute(
        &mut self,
        bytes: &[u8],
        length: usize,
        table: &'static Attributes,
        within: Within,
    ) {
        let kind = u16_in(bytes, 2) as u16;
        let row = table.rows.iter().find(|row| row.0 == kind & 0x3fff);
        let content = bytes.get(ATTRIBUTE..).unwrap_or_default();
        if !content.is_empty() {
            self.text("[");
        }
        self.text("{");
        self.field_u("nla_len", length as u64);
        self.field("nla_type");
        for (flag, name) in [(0x8000, "NLA_F_NESTED|"), (0x4000, "NLA_F_NET_BYTEORDER|")] {
            self.text(if kind & flag != 0 { name } else { "" });
        }
        match row {
            Some(row) => self.text(row.1),
            None => {
                self.hex((kind & 0x3fff).into());
                self.remark_in_place(table.unknown);
            }
        }
        self.text("}");
        if !content.is_empty() {
            self.text(", ");
            self.attribute_content(row.map_or(Holds::Bytes, |row| row.2), content, within);
            self.text("]");
        }
    }

    fn attribute_content(&mut self, holds: Holds, bytes: &[u8], within: Within) {
        let enough = |size: usize| bytes.len() >= size;
        match holds {
            Holds::U8 if enough(1) => self.unsigned(u8_in(bytes, 0)),
            Holds::U16 if enough(2) => self.unsigned(u16_in(bytes, 0)),
            Holds::U32 if enough(4) => self.unsigned(number(bytes, 0)),
            Holds::U64 if enough(8) => self.unsigned(word_in(bytes, 0, 8).unwrap_or(0)),
            Holds::Interface if enough(4) => self.interface(number(bytes, 0)),
            Holds::Flags(table) if enough(4) => self.flags(table, number(bytes, 0)),
            Holds::Choice(table) if enough(4) => self.choice(table, number(bytes, 0)),
            Holds::Choice(table) if enough(1) => self.choice(table, u8_in(bytes, 0)),
            Holds::Text => self.attribute_text(bytes),
            Holds::Hardware if bytes.len() == 6 => self.hardware(bytes),
            Holds::Inet if within.family == 2 && enough(4) => self.inet_addr(part(bytes, 0, 4)),
            Holds::Inet if within.family == 10 && enough(16) => {
                self.text("inet_pton(AF_INET6, ");
                self.inet6_text(part(bytes, 0, 16));
                self.text(")");
            }
            Holds::AddressCache if enough(16) => {
                self.numbers(bytes, 4, &["ifa_prefered", "ifa_valid", "cstamp", "tstamp"]);
            }
            Holds::NeighbourCache if enough(16) => {
                self.numbers(bytes, 4, &["ndm_confirmed", "ndm_used", "ndm_updated", "ndm_refcnt"]);
            }
            Holds::InetMemory if enough(16) => {
                self.numbers(bytes, 4, &["idiag_rmem", "idiag_wmem", "idiag_fmem", "idiag_tmem"]);
            }
            Holds::UnixQueues if enough(8) => {
                self.numbers(bytes, 4, &["udiag_rqueue", "udiag_wqueue"]);
            }
            Holds::Counters(size) if enough(23 * size) => self.numbers(bytes, size, COUNTERS),
            Holds::Map if enough(28) => self.map(bytes),
            Holds::Nested(table) if within.depth < MOST_DEPTH => {
                let within = Within { depth: within.depth + 1, ..within };
                self.attributes(bytes, table, within);
            }
            Holds::Named(table) if enough(4) => self.named_numbers(table, bytes),
            _ => self.netlink_bytes(bytes),
        }
    }

    fn attribute_text(&mut self, bytes: &[u8]) {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = part(bytes, 0, end);
        let shown = part(text, 0, self.style.strings);
        self.quoted(shown);
        if shown.len() < text.len() || end == bytes.len() {
            self.text("...");
        }
    }

    fn hardware(&mut self, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            self.text(if n > 0 { ":" } else { "" });
            super::numbers::padded_hex(self.out, (*byte).into(), 2);
        }
    }

    /// A structure of numbers, as many as there are.
    fn numbers(&mut self, bytes: &[u8], size: usize, names: &[&str]) {
        self.text("{");
        for (n, name) in names.iter().enumerate() {
            if let Some(value) = word_in(bytes, n * size, size) {
                self.field_u(name, value);
            }
        }
        self.text("}");
    }

    /// An array of numbers, each with the name of its place.
    fn named_numbers(&mut self, table: &Table, bytes: &[u8]) {
        self.text("[");
        for (n, value) in bytes.chunks_exact(4).enumerate() {
            self.next();
            self.text("[");
            self.choice(table, n as u64);
            self.text("]=");
            self.unsigned(number(value, 0));
        }
        self.text("]");
    }

    fn map(&mut self, bytes: &[u8]) {
        self.text("{");
        for (n, name) in ["mem_start", "mem_end", "base_addr"].into_iter().enumerate() {
            self.field_x(name, word_in(bytes, 8 * n, 8).unwrap_or(0));
        }
        self.field_u("irq", u16_in(bytes, 24));
        self.field_u("dma", u8_in(bytes, 26));
        self.field_u("port", u8_in(bytes, 27));
        self.text("}");
    }
}

/// Members of `struct rtnl_link_stats`; the last two are there since 4.6 and 5.19.
const COUNTERS: &[&str] = &[
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
    "multicast",
    "collisions",
    "rx_length_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_frame_errors",
    "rx_fifo_errors",
    "rx_missed_errors",
    "tx_aborted_errors",
    "tx_carrier_errors",
    "tx_fifo_errors",
    "tx_heartbeat_errors",
    "tx_window_errors",
    "rx_compressed",
    "tx_compressed",
    "rx_nohandler",
    "rx_otherhost_dropped",
];

impl Header {
    fn read(bytes: &[u8]) -> Option<Header> {
        let header = bytes.get(..HEADER)?;
        let length = number(header, 0) as usize;
        Some(Header { length, kind: u16_in(header, 4) as u16, flags: u16_in(header, 6) as u16 })
    }
}

/// What the upper flags mean of a message of rtnetlink: its type says whether it makes, deletes, gets or sets.
fn route_flags(kind: u16) -> &'static Table {
    match kind & 3 {
        0 => &NEW_FLAGS,
        1 => &DELETE_FLAGS,
        2 => &GET_FLAGS,
        _ => &PLAIN_FLAGS,
    }
}
