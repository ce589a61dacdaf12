//! setsockopt and getsockopt: the option's name by its level, its value by its kind.

use super::pen::{Block, Pen};
use super::row::{Argument, ended, plain};
use super::tables::network::SOL;
use super::tables::sockopt::*;
use super::xlat::{Table, xlat};
use crate::capture::{Length, What, When};

xlat! {
    ATTACH "SO_???" { SO_ATTACH_FILTER 26 }
}

const VALUE: What = What::Bytes(Length::Argument(4));

/// Level, option, value and length; all known before the call.
pub(crate) const SETSOCKOPT: Argument = plain(|pen, r| {
    level_and_name(pen, r);
    set_value(pen, r);
    pen.text(", ");
    pen.signed(pen.arg_i32(r + 3).into());
})
.taking(4)
.also(2, When::Enter, VALUE);

/// The value and its length, after the call.
pub(crate) const GETSOCKOPT: Argument = ended(|pen, r| {
    let length_at = pen.arg(r + 1);
    let [room, known] = pen.state.saved;
    let room = i64::from(room as i32);
    match pen.memory.u32_at(length_at).map(|n| n as i32) {
        Some(length) if !pen.failed() => {
            get_value(pen, r - 2, length);
            pen.text(", [");
            pen.signed(room);
            if room != i64::from(length) {
                pen.text(" => ");
                pen.signed(length.into());
            }
            pen.text("]");
        }
        _ => {
            pen.address(pen.arg(r));
            pen.text(", ");
            if known == 0 {
                return pen.address(length_at);
            }
            pen.text("[");
            pen.signed(room);
            pen.text("]");
        }
    }
})
.taking(2)
.also(1, When::Enter, What::Bytes(Length::Const(4)))
.also(1, When::Exit, What::Bytes(Length::Const(4)))
.also(0, When::Exit, What::Bytes(Length::Pointed(4)));

/// Level and option of getsockopt, with a note of the room for the value.
pub(crate) const GETSOCKOPT_HEAD: Argument = plain(|pen, r| {
    level_and_name(pen, r);
    pen.out.truncate(pen.out.len() - 2);
    super::sockaddr::remember_room(pen, r + 3);
})
.taking(2);

/// The options of a level.
fn names(level: u64) -> Option<&'static Table> {
    Some(match level {
        0 => &SO_IP,
        1 => &SO,
        6 => &SO_TCP,
        17 | 136 => &SO_UDP,
        40 => &SO_VSOCK,
        41 => &SO_IPV6,
        132 => &SO_SCTP,
        255 => &SO_RAW,
        263 => &SO_PACKET,
        268 => &SO_LLC,
        269 => &SO_DCCP,
        270 => &SO_NETLINK,
        271 => &SO_TIPC,
        272 => &SO_RXRPC,
        273 => &SO_PPPOL2TP,
        274 => &SO_BLUETOOTH,
        275 => &SO_PNPIPE,
        278 => &SO_CAIF,
        279 => &SO_ALG,
        280 => &SO_NFC,
        281 => &SO_KCM,
        282 => &SO_TLS,
        283 => &SO_XDP,
        _ => return None,
    })
}

fn level_and_name(pen: &mut Pen, r: u8) {
    let (level, name) = (pen.arg_u32(r).into(), u64::from(pen.arg_u32(r + 1)));
    pen.choice(&SOL, level);
    pen.text(", ");
    match names(level) {
        Some(_) if (level, name) == (1, 26) && pen.name == "setsockopt" => {
            pen.choice(&ATTACH, name);
        }
        Some(table) => pen.choice(table, name),
        None => pen.unsigned(name),
    }
    pen.text(", ");
}

fn set_value(pen: &mut Pen, r: u8) {
    let (address, length) = (pen.arg(r + 2), pen.arg_i32(r + 3));
    if length < 0 {
        return pen.address(address);
    }
    value(pen, r, address, length, false);
}

fn get_value(pen: &mut Pen, r: u8, length: i32) {
    value(pen, r, pen.arg(r + 2), length.max(0), true);
}

/// How an option's value is written.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Other,
    Linger,
    Credentials,
    Error,
    Text,
    Member4,
    Member6,
    Filter,
    Wide,
}

fn kind(level: u64, name: u64, get: bool) -> Kind {
    match (level, name) {
        (1, 13) => Kind::Linger,
        (1, 17) => Kind::Credentials,
        (1, 4) if get => Kind::Error,
        (1, 25) | (6, 13 | 31) => Kind::Text,
        (1, 26 | 51) if !get => Kind::Filter,
        (1, 57) => Kind::Wide,
        (0, 35 | 36) => Kind::Member4,
        (41, 20 | 21) => Kind::Member6,
        _ => Kind::Other,
    }
}

fn value(pen: &mut Pen, r: u8, address: u64, length: i32, get: bool) {
    let kind = kind(pen.arg_u32(r).into(), pen.arg_u32(r + 1).into(), get);
    let length = length as u64;
    let word = pen.pointer() as u64;
    let enough = match kind {
        Kind::Linger | Kind::Member4 | Kind::Wide => 8,
        Kind::Credentials => 12,
        Kind::Member6 => 20,
        Kind::Filter => 2 * word,
        Kind::Text => 0,
        _ => 4,
    };
    if kind == Kind::Text {
        return text(pen, address, length);
    }
    if length < enough {
        return match length {
            _ if kind != Kind::Other || !get => pen.address(address),
            0 => pen.data(address, 0),
            _ => pen.data(address, length),
        };
    }
    if kind == Kind::Other {
        return match length {
            4 => pen.pointed_int(address),
            _ => pen.data(address, length),
        };
    }
    if let Some(block) = pen.fetch_or_address(address, enough as usize) {
        known_value(pen, kind, &block);
    }
}

/// The name of an interface or of an algorithm.
fn text(pen: &mut Pen, address: u64, length: u64) {
    pen.data(address, length);
}

fn known_value(pen: &mut Pen, kind: Kind, block: &Block) {
    match kind {
        Kind::Linger => {
            pen.text("{l_onoff=");
            pen.signed(block.i32(0));
            pen.field_d("l_linger", block.i32(4));
            pen.text("}");
        }
        Kind::Credentials => {
            pen.text("{pid=");
            pen.pid(block.i32(0) as i32);
            pen.field("uid");
            pen.uid(block.u32(4));
            pen.field("gid");
            pen.uid(block.u32(8));
            pen.text("}");
        }
        Kind::Member4 => {
            pen.text("{imr_multiaddr=");
            pen.inet_addr(block.slice(0, 4));
            pen.field("imr_interface");
            pen.inet_addr(block.slice(4, 4));
            pen.text("}");
        }
        Kind::Member6 => {
            pen.text("{inet_pton(AF_INET6, ");
            pen.inet6_text(block.slice(0, 16));
            pen.text(", &ipv6mr_multiaddr), ipv6mr_interface=");
            pen.interface(block.u32(16));
            pen.text("}");
        }
        Kind::Filter => {
            pen.text("{len=");
            pen.unsigned(block.u16(0));
            pen.field_p("filter", block.word(1));
            pen.text("}");
        }
        _ => {
            pen.text("[");
            bracketed(pen, kind, block);
            pen.text("]");
        }
    }
}

fn bracketed(pen: &mut Pen, kind: Kind, block: &Block) {
    match kind {
        Kind::Error => match u16::try_from(block.i32(0)).ok().and_then(crate::errno::errno) {
            Some((name, _)) => pen.text(name),
            None => pen.signed(block.i32(0)),
        },
        Kind::Wide => pen.unsigned(block.u64(0)),
        _ => pen.signed(block.i32(0)),
    }
}
