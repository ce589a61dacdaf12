//! Between whom a packet goes: protocol, addresses and ports, from whatever link type.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Packet;
use crate::link::LinkType;

/// TCP's flags.
pub const FIN: u8 = 1;
/// It begins a connection.
pub const SYN: u8 = 2;
/// It breaks a connection.
pub const RST: u8 = 4;

/// A protocol with ports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Sender and receiver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ends {
    /// The protocol.
    pub transport: Transport,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
}

impl Ends {
    /// The ends of a packet of TCP or UDP; none of later fragments, which have no ports.
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        Self::with_flags(packet).map(|(ends, _)| ends)
    }

    /// The same with TCP's flags; 0 for UDP, and where they were not kept.
    pub fn with_flags(packet: &Packet<'_>) -> Option<(Self, u8)> {
        let bytes = packet.bytes;
        match packet.link {
            LinkType::ETHERNET => behind_type(bytes, 12, 14),
            LinkType::LINUX_SLL => behind_type(bytes, 14, 16),
            LinkType::LINUX_SLL2 => behind_type(bytes, 0, 20),
            LinkType::NULL | LinkType::LOOP => of_ip(bytes.get(4..)?),
            _ => of_ip(bytes),
        }
    }

    /// The same the other way round.
    pub fn reversed(self) -> Self {
        Ends { source: self.destination, destination: self.source, ..self }
    }
}

fn behind_type(bytes: &[u8], kind_at: usize, at: usize) -> Option<(Ends, u8)> {
    let (mut kind, mut at) = (u16_at(bytes, kind_at)?, at);
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100 | 0x9200) {
        kind = u16_at(bytes, at + 2)?;
        at += 4;
    }
    if matches!(kind, 0x0800 | 0x86dd) { of_ip(bytes.get(at..)?) } else { None }
}

fn of_ip(bytes: &[u8]) -> Option<(Ends, u8)> {
    match bytes.first()? >> 4 {
        4 => {
            let header = usize::from(bytes.first()? & 15) * 4;
            if u16_at(bytes, 6)? & 0x1fff != 0 || header < 20 {
                return None;
            }
            let address = |at: usize| -> Option<IpAddr> {
                bytes.get(at..)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into())
            };
            of_segment(*bytes.get(9)?, bytes.get(header..)?, address(12)?, address(16)?)
        }
        6 => {
            let address = |at: usize| -> Option<IpAddr> {
                bytes.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into())
            };
            let (mut next, mut at) = (*bytes.get(6)?, 40);
            // Hop-by-hop, routing, destination options; a first fragment.
            loop {
                let header = bytes.get(at..)?;
                match next {
                    0 | 43 | 60 => at += (usize::from(*header.get(1)?) + 1) * 8,
                    44 if u16_at(header, 2)? & 0xfff8 == 0 => at += 8,
                    44 => return None,
                    _ => break,
                }
                next = *header.first()?;
            }
            of_segment(next, bytes.get(at..)?, address(8)?, address(24)?)
        }
        _ => None,
    }
}

fn of_segment(
    protocol: u8,
    bytes: &[u8],
    source: IpAddr,
    destination: IpAddr,
) -> Option<(Ends, u8)> {
    let transport = match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return None,
    };
    let source = SocketAddr::new(source, u16_at(bytes, 0)?);
    let destination = SocketAddr::new(destination, u16_at(bytes, 2)?);
    let flags = if transport == Transport::Tcp { bytes.get(13).copied() } else { None };
    Some((Ends { transport, source, destination }, flags.unwrap_or(0)))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}
