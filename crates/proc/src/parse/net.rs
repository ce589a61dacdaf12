//! /proc/PID/net: from a socket's inode to what is at its two ends.
//!
//! One row a socket and one row of [`Table`] a file. These files do not show sockets that were never bound or
//! connected; sock_diag(7) and the descriptor itself know more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fdscope_model::Name;

use super::net_lines::{parse_inet_line, parse_netlink_line, parse_packet_line, parse_unix_line};
use super::number::hex;

/// A file of /proc/PID/net that lists sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// TCP over IPv4.
    Tcp,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4.
    Udp,
    /// UDP over IPv6.
    Udp6,
    /// UDP-Lite over IPv4.
    UdpLite,
    /// UDP-Lite over IPv6.
    UdpLite6,
    /// Raw IPv4.
    Raw,
    /// Raw IPv6.
    Raw6,
    /// Ping over IPv4.
    Icmp,
    /// Ping over IPv6.
    Icmp6,
    /// UNIX domain.
    Unix,
    /// Netlink.
    Netlink,
    /// Packet.
    Packet,
}

impl Table {
    /// Every table, the commonest first.
    pub const ALL: [Table; 13] = [
        Table::Tcp,
        Table::Tcp6,
        Table::Unix,
        Table::Udp,
        Table::Udp6,
        Table::Netlink,
        Table::Raw,
        Table::Raw6,
        Table::Icmp,
        Table::Icmp6,
        Table::Packet,
        Table::UdpLite,
        Table::UdpLite6,
    ];

    /// The file's name below /proc/PID/net.
    pub fn file(self) -> &'static str {
        match self {
            Table::Tcp => "tcp",
            Table::Tcp6 => "tcp6",
            Table::Udp => "udp",
            Table::Udp6 => "udp6",
            Table::UdpLite => "udplite",
            Table::UdpLite6 => "udplite6",
            Table::Raw => "raw",
            Table::Raw6 => "raw6",
            Table::Icmp => "icmp",
            Table::Icmp6 => "icmp6",
            Table::Unix => "unix",
            Table::Netlink => "netlink",
            Table::Packet => "packet",
        }
    }
}

/// A TCP state (include/net/tcp_states.h); UDP uses two of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpState(
    /// The kernel's number, from 1.
    pub u8,
);

const TCP_STATES: [&str; 13] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
    "BOUND_INACTIVE",
];

impl TcpState {
    /// The word that ss(8) and netstat(8) know.
    pub fn word(self) -> &'static str {
        usize::from(self.0).checked_sub(1).and_then(|at| TCP_STATES.get(at)).unwrap_or(&"UNKNOWN")
    }
}

/// A socket as its table shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Its inode on sockfs: the number in `socket:[…]`.
    pub inode: u64,
    /// The table it was found in.
    pub table: Table,
    /// What is at its ends.
    pub ends: Ends,
}

/// The ends of a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ends {
    /// Internet: both addresses and the state.
    Inet {
        /// This end.
        local: SocketAddr,
        /// The peer; all zero for none.
        remote: SocketAddr,
        /// The state.
        state: TcpState,
    },
    /// UNIX domain.
    Unix {
        /// `stream`, `dgram` or `seqpacket`.
        kind: &'static str,
        /// True if it accepts connections.
        listening: bool,
        /// Its path, or `@NAME` for an abstract one; empty for none.
        path: Name,
    },
    /// Netlink, by protocol number.
    Netlink(u32),
    /// Packet, by ethernet protocol.
    Packet(u32),
}

impl Endpoint {
    /// One line for people: `tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT`, `unix stream /run/x.sock LISTEN`.
    pub fn text(&self) -> Name {
        let word = self.table.file();
        match &self.ends {
            Ends::Inet { local, remote, state } => {
                inet_text(word, *local, *remote, *state).as_str().into()
            }
            Ends::Unix { kind, listening, path } => {
                let mut text = format!("unix {kind}").into_bytes();
                if !path.is_empty() {
                    text.push(b' ');
                    text.extend_from_slice(path.bytes());
                }
                if *listening {
                    text.extend_from_slice(b" LISTEN");
                }
                text.into()
            }
            Ends::Netlink(protocol) => {
                format!("netlink {}", netlink_word(*protocol)).as_str().into()
            }
            Ends::Packet(protocol) => format!("packet {protocol:#06x}").as_str().into(),
        }
    }
}

impl Endpoint {
    /// The text without states that a socket passes through: the same from its connection to its end.
    pub fn name(&self) -> Name {
        match &self.ends {
            Ends::Inet { local, remote, state } if state.word() != "LISTEN" => {
                inet_name(self.table.file(), *local, *remote).as_str().into()
            }
            _ => self.text(),
        }
    }
}

fn inet_name(word: &str, local: SocketAddr, remote: SocketAddr) -> String {
    if remote.port() == 0 && remote.ip().is_unspecified() {
        return format!("{word} {local}");
    }
    format!("{word} {local}->{remote}")
}

fn inet_text(word: &str, local: SocketAddr, remote: SocketAddr, state: TcpState) -> String {
    let mut text = inet_name(word, local, remote);
    if word.starts_with("tcp") {
        text.push(' ');
        text.push_str(state.word());
    }
    text
}

/// The commonest netlink protocols (include/uapi/linux/netlink.h).
fn netlink_word(protocol: u32) -> String {
    let word = match protocol {
        0 => "route",
        4 => "sock_diag",
        6 => "xfrm",
        7 => "selinux",
        9 => "audit",
        12 => "netfilter",
        15 => "kobject_uevent",
        16 => "generic",
        other => return other.to_string(),
    };
    word.to_owned()
}

/// Parses one line of `table`; `None` for its heading and for lines that are not understood.
pub fn parse_endpoint(table: Table, line: &[u8]) -> Option<Endpoint> {
    let (inode, ends) = match table {
        Table::Unix => {
            let line = parse_unix_line(line)?;
            let kind = match line.class {
                1 => "stream",
                2 => "dgram",
                5 => "seqpacket",
                _ => "socket",
            };
            let (listening, path) = (line.is_listening(), line.path.into());
            (line.inode, Ends::Unix { kind, listening, path })
        }
        Table::Netlink => {
            let line = parse_netlink_line(line)?;
            (line.inode, Ends::Netlink(line.protocol))
        }
        Table::Packet => {
            let line = parse_packet_line(line)?;
            (line.inode, Ends::Packet(u32::from(line.ethertype)))
        }
        _ => {
            let line = parse_inet_line(line, false)?;
            let state = TcpState(line.state);
            (line.inode, Ends::Inet { local: line.local, remote: line.remote, state })
        }
    };
    Some(Endpoint { inode, table, ends })
}

/// An address as the kernel prints it: words of 32 bits in the machine's byte order, a colon, the port.
pub(super) fn parse_address(field: &[u8]) -> Option<SocketAddr> {
    let colon = field.iter().position(|&b| b == b':')?;
    let port = u16::try_from(hex(&field[colon + 1..])?).ok()?;
    let mut bytes = [0u8; 16];
    let digits = &field[..colon];
    for (group, chunk) in digits.chunks(8).zip(bytes.chunks_mut(4)) {
        let word = u32::try_from(hex(group)?).ok()?;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    let ip = match digits.len() {
        8 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        32 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: Table, line: &str, inode: u64, text: &str) {
        let endpoint = parse_endpoint(table, line.as_bytes()).expect(line);
        assert_eq!((endpoint.inode, endpoint.text()), (inode, Name::from(text)));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn each_table_has_its_text() {
        let tail = "00000000:00000000 00:00000000 00000000     0        0 552 1 00 100 0 0 10 0";
        let line = format!("   0: 0100000A:0050 0200000A:1092 08 {tail}");
        check(Table::Tcp, &line, 552, "tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT");
        let line = format!("   0: 00000000:07E8 00000000:0000 0A {tail}");
        check(Table::Tcp, &line, 552, "tcp 0.0.0.0:2024 LISTEN");
        let zero = "00000000000000000000000000000000";
        let loopback = "00000000000000000000000001000000";
        let line = format!("   0: {loopback}:0035 {zero}:0000 07 {tail}");
        check(Table::Udp6, &line, 552, "udp6 [::1]:53");
        let line = "ffff: 00000002 00000000 00010000 0001 01 4242  /run/x y";
        check(Table::Unix, line, 4242, "unix stream  /run/x y LISTEN");
        check(Table::Unix, "ffff: 00000003 0 00000000 0002 03 7", 7, "unix dgram");
        check(Table::Netlink, "ff 15 0 00000000 0 0 0 2 0 6", 6, "netlink kobject_uevent");
        check(Table::Packet, "ff 3 3 0003 2 1 0 0 99", 99, "packet 0x0003");
    }

    #[test]
    fn headings_are_no_sockets() {
        assert!(
            parse_endpoint(Table::Tcp, b"  sl  local_address rem_address   st tx_queue").is_none()
        );
        assert!(
            parse_endpoint(Table::Unix, b"Num  RefCount Protocol Flags Type St Inode Path")
                .is_none()
        );
        assert!(
            parse_endpoint(Table::Netlink, b"sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode")
                .is_none()
        );
    }
}
