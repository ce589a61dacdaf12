//! tcpdump's text of one packet. [`Printer`] is the whole of it; a protocol is a file.
//!
//! The authority is tcpdump 4.99 with `-n`. Every read of packet bytes is checked; what ends too early is told as
//! `[|protocol]`.

mod address;
mod arp;
mod checksum;
mod dns;
mod dns_records;
mod dns_tables;
mod ether;
mod flows;
mod hex;
mod icmp;
mod icmp6;
mod icmp6_nodes;
mod icmp6_options;
mod ip;
mod ip6;
mod ip6_options;
mod ip_options;
mod line;
mod loopback;
mod mptcp;
mod names;
mod payload;
mod protocols;
mod sll;
mod tcp;
mod tcp_options;
mod time;
mod tokens;
mod udp;

pub use names::Names;
pub use time::{Clock, TimeForm, Zone};

use crate::link::LinkType;
use crate::{Packet, Time};
use line::{Line, Read, put};

/// The most bytes that a packet may have, kept or not.
pub const MOST_BYTES: u32 = 262_144;

/// What is printed of the bytes themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dump {
    /// Nothing.
    #[default]
    Nothing,
    /// `-x`.
    Hex,
    /// `-X`.
    HexAndText,
    /// `-A`.
    Text,
}

/// How packets are shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-v`, so many times.
    pub verbose: u8,
    /// `-q`, so many times.
    pub quiet: u8,
    /// `-e`: the link header too.
    pub link_header: bool,
    /// `-S`: sequence numbers as they are.
    pub absolute: bool,
    /// `-K`: no checksums.
    pub unchecked: bool,
    /// The bytes.
    pub dump: Dump,
    /// The link header is dumped too.
    pub dump_link: bool,
    /// `-t`, so many times.
    pub time: TimeForm,
    /// Nanoseconds rather than microseconds.
    pub nanos: bool,
    /// `--number`.
    pub numbered: bool,
    /// No hex of what is not known: `-q`, `-x` and `-X` ask for that.
    pub no_default_dump: bool,
    /// Names of services and protocols; none with `-n`.
    pub names: Option<Names>,
    /// Names of interfaces by index, for packets that tell theirs.
    pub interfaces: Vec<(u32, Vec<u8>)>,
}

/// Turns packets into lines. It remembers connections and the time of the last packet.
pub struct Printer {
    options: Options,
    flows: flows::Flows,
    clock: Clock,
}

impl Printer {
    /// A printer; `zone` tells the local time's offset from UTC.
    pub fn new(options: Options, zone: Zone) -> Self {
        let clock = Clock::new(options.time, options.nanos, zone);
        Printer { options, flows: flows::Flows::default(), clock }
    }

    /// Makes names of interfaces known.
    pub fn learn_interfaces(&mut self, interfaces: Vec<(u32, Vec<u8>)>) {
        self.options.interfaces = interfaces;
    }

    /// Appends a packet's line or lines, with `note` behind the first and the line's end.
    pub fn print(&mut self, packet: &Packet<'_>, number: u64, note: &[u8], out: &mut Vec<u8>) {
        if self.options.numbered {
            let line = LineOut { out };
            put!(line, "{number:5}  ");
        }
        if invalid_header(packet, out) {
            return;
        }
        self.clock.write(packet.time, out);
        let mut line = Line {
            out,
            options: &self.options,
            flows: &mut self.flows,
            data: packet.bytes,
            end: packet.bytes.len(),
            protocol: "",
            link_header: 0,
            depth: 0,
        };
        if line.link(packet.link, packet.length as usize).is_err() {
            line.cut();
            line.link_header = 0;
        }
        line.end = packet.bytes.len();
        if !note.is_empty() {
            line.out.extend_from_slice(note);
        }
        if line.options.dump != Dump::Nothing {
            line.dump();
        }
        line.out.push(b'\n');
    }

    /// Appends a time as lines begin with it.
    pub fn time(&mut self, time: Time, out: &mut Vec<u8>) {
        self.clock.write(time, out);
    }
}

struct LineOut<'a> {
    out: &'a mut Vec<u8>,
}

/// Says what is wrong with a packet's lengths; false if nothing is.
#[inline]
fn invalid_header(packet: &Packet<'_>, out: &mut Vec<u8>) -> bool {
    let (kept, length) = (packet.bytes.len(), packet.length as usize);
    let most = MOST_BYTES as usize;
    if kept != 0 && length != 0 && kept <= length && kept <= most && length <= most {
        return false;
    }
    tell_invalid(kept, length, most, out);
    true
}

#[cold]
fn tell_invalid(kept: usize, length: usize, most: usize, out: &mut Vec<u8>) {
    let complaints = [
        (kept == 0, format!("caplen=={kept}")),
        (length == 0, "len==0".to_owned()),
        (length != 0 && length < kept, format!("len({length}) < caplen({kept})")),
        (kept > most, format!("caplen({kept}) > {most}")),
        (length > most, format!("len({length}) > {most}")),
    ];
    let told: Vec<String> =
        complaints.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
    let line = LineOut { out };
    put!(line, "[Invalid header: {}]\n", told.join(", "));
}

impl Line<'_> {
    /// A packet from its first byte on.
    fn link(&mut self, link: LinkType, length: usize) -> Read {
        match link {
            LinkType::ETHERNET => self.ether_packet(length),
            LinkType::LINUX_SLL => self.sll_packet(length),
            LinkType::LINUX_SLL2 => self.sll2_packet(length),
            LinkType::NULL | LinkType::LOOP => self.loopback_packet(length),
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => {
                self.protocol = "raw";
                if self.options.link_header {
                    self.text("ip: ");
                }
                self.ip_any(0, length)
            }
            LinkType(number) => {
                put!(self, "[link type {number} is not dissected], length {length}");
                self.default_dump(0, self.end)
            }
        }
    }

    /// IPv4 or IPv6, as the first byte says.
    fn ip_any(&mut self, at: usize, length: usize) -> Read {
        self.protocol = "ipn";
        if length < 1 {
            put!(self, "truncated-ip {length}");
            return Ok(());
        }
        match self.u8(at)? >> 4 {
            4 => self.ip(at, length),
            6 => self.ip6_packet(at, length),
            version => {
                put!(self, "unknown ip {version}");
                Ok(())
            }
        }
    }

    /// The hex of what is not known, unless it was asked for anyway.
    fn default_dump(&mut self, at: usize, length: usize) -> Read {
        if self.options.no_default_dump {
            return Ok(());
        }
        self.hex_and_text("\n\t", at, length)
    }
}
