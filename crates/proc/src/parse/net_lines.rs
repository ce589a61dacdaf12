//! The lines of /proc/PID/net's socket tables with every field (net/ipv4/tcp_ipv4.c, udp.c, raw.c; net/unix/af_unix.c;
//! net/netlink/af_netlink.c; net/packet/af_packet.c). `net` makes names of a few of them.

use std::net::SocketAddr;

use super::net::parse_address;
use super::number::{decimal, decimal32, hex};
use super::words;

/// A line of tcp, udp, udplite, raw or icmp, and of their twins for IPv6.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InetLine {
    /// This end. For raw sockets the port is the protocol.
    pub local: SocketAddr,
    /// The peer; all zero for none.
    pub remote: SocketAddr,
    /// The state's number.
    pub state: u8,
    /// Bytes not acknowledged.
    pub send_queue: u32,
    /// Bytes not read; of a listener, connections not accepted.
    pub receive_queue: u32,
    /// The running timer: 0 none, 1 retransmission, 2 keepalive or another, 3 TIME_WAIT, 4 zero window probe.
    pub timer: u8,
    /// Until it fires, in clock ticks of 10 ms.
    pub timer_ticks: u64,
    /// Retransmissions without an answer.
    pub retransmits: u32,
    /// Owner.
    pub uid: u32,
    /// Zero window or keepalive probes without an answer.
    pub probes: u32,
    /// Inode in sockfs; 0 for none.
    pub inode: u64,
    /// References to the socket.
    pub references: u32,
    /// What TCP adds; `None` for others, and for TIME_WAIT and half-open connections.
    pub tcp: Option<TcpFields>,
    /// Datagrams dropped; not of TCP.
    pub drops: Option<u64>,
}

/// What only lines of TCP have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpFields {
    /// Retransmission timeout, clock ticks.
    pub rto_ticks: u64,
    /// Delayed acknowledgement, clock ticks.
    pub ato_ticks: u64,
    /// Quick acknowledgements left, times two, plus one in interactive mode.
    pub quick: u64,
    /// Congestion window, segments.
    pub window: u64,
    /// Slow start threshold in segments; of a listener, the fast open queue's length. `None` if still unlimited.
    pub threshold: Option<u64>,
}

/// Parses a line of an Internet table; `None` for its heading.
pub fn parse_inet_line(line: &[u8], is_tcp: bool) -> Option<InetLine> {
    let mut fields = words(line).skip(1);
    let local = parse_address(fields.next()?)?;
    let remote = parse_address(fields.next()?)?;
    let state = u8::try_from(hex(fields.next()?)?).ok()?;
    let (send_queue, receive_queue) = pair(fields.next()?)?;
    let (timer, timer_ticks) = pair(fields.next()?)?;
    let retransmits = u32::try_from(hex(fields.next()?)?).ok()?;
    let uid = decimal32(fields.next()?)?;
    let probes = decimal32(fields.next()?)?;
    let inode = decimal(fields.next()?)?;
    let references = fields.next().and_then(decimal32).unwrap_or(0);
    let mut rest = fields.skip(1);
    let tcp = if is_tcp { tcp_fields(&mut rest) } else { None };
    let drops = if is_tcp { None } else { rest.next().and_then(decimal) };
    Some(InetLine {
        local,
        remote,
        state,
        send_queue: u32::try_from(send_queue).ok()?,
        receive_queue: u32::try_from(receive_queue).ok()?,
        timer: u8::try_from(timer).ok()?,
        timer_ticks,
        retransmits,
        uid,
        probes,
        inode,
        references,
        tcp,
        drops,
    })
}

fn tcp_fields(fields: &mut dyn Iterator<Item = &[u8]>) -> Option<TcpFields> {
    let mut number = || fields.next().and_then(decimal);
    Some(TcpFields {
        rto_ticks: number()?,
        ato_ticks: number()?,
        quick: number()?,
        window: number()?,
        // -1 is no number here.
        threshold: number(),
    })
}

/// `0000001F:00000000`.
fn pair(field: &[u8]) -> Option<(u64, u64)> {
    let colon = field.iter().position(|&b| b == b':')?;
    Some((hex(&field[..colon])?, hex(&field[colon + 1..])?))
}

/// A line of unix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnixLine<'a> {
    /// References to the socket.
    pub references: u64,
    /// The protocol, always 0.
    pub protocol: u64,
    /// `__SO_ACCEPTCON` for a listener.
    pub flags: u64,
    /// `SOCK_*`.
    pub class: u8,
    /// `SS_*` (include/uapi/linux/net.h): 1 unconnected, 2 connecting, 3 connected.
    pub state: u8,
    /// Inode in sockfs.
    pub inode: u64,
    /// Its path, or `@NAME` for an abstract one, with `@` for each NUL; empty for none.
    pub path: &'a [u8],
}

/// `__SO_ACCEPTCON` (include/uapi/linux/net.h).
const ACCEPTS: u64 = 1 << 16;

impl UnixLine<'_> {
    /// True if it accepts connections.
    pub fn is_listening(&self) -> bool {
        self.flags & ACCEPTS != 0
    }
}

/// `Num RefCount Protocol Flags Type St Inode Path`; a path may begin with blanks, so words end before it.
pub fn parse_unix_line(line: &[u8]) -> Option<UnixLine<'_>> {
    let (fields, path) = split_after(line, 7);
    let mut fields = words(fields).skip(1);
    let mut number = || fields.next().and_then(hex);
    let (references, protocol, flags) = (number()?, number()?, number()?);
    let (class, state) = (u8::try_from(number()?).ok()?, u8::try_from(number()?).ok()?);
    let inode = decimal(fields.next()?)?;
    Some(UnixLine { references, protocol, flags, class, state, inode, path })
}

/// Parts a line after its first `count` words and the one blank behind them.
fn split_after(line: &[u8], count: usize) -> (&[u8], &[u8]) {
    let mut seen = 0;
    let mut inside = false;
    for (at, &byte) in line.iter().enumerate() {
        let blank = byte == b' ';
        seen += usize::from(inside && blank);
        if seen == count {
            return (&line[..at], &line[at + 1..]);
        }
        inside = !blank;
    }
    (line, b"")
}

/// A line of netlink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetlinkLine {
    /// `NETLINK_*`.
    pub protocol: u32,
    /// Port id.
    pub port: u32,
    /// The first 32 multicast groups.
    pub groups: u32,
    /// Bytes received and not read.
    pub receive_queue: u32,
    /// Bytes sent and not taken.
    pub send_queue: u32,
    /// True while a dump runs.
    pub dumping: bool,
    /// References to the socket.
    pub references: u32,
    /// Messages dropped.
    pub drops: u32,
    /// Inode in sockfs; 0 for the kernel's own.
    pub inode: u64,
}

/// `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
pub fn parse_netlink_line(line: &[u8]) -> Option<NetlinkLine> {
    let mut fields = words(line).skip(1);
    Some(NetlinkLine {
        protocol: decimal32(fields.next()?)?,
        port: decimal32(fields.next()?)?,
        groups: u32::try_from(hex(fields.next()?)?).ok()?,
        // A signed count.
        receive_queue: fields.next().map(|field| decimal32(field).unwrap_or(0))?,
        send_queue: fields.next().map(|field| decimal32(field).unwrap_or(0))?,
        dumping: fields.next()? != b"0",
        references: decimal32(fields.next()?)?,
        drops: decimal32(fields.next()?)?,
        inode: decimal(fields.next()?)?,
    })
}

/// A line of packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketLine {
    /// References to the socket.
    pub references: u32,
    /// `SOCK_*`.
    pub class: u8,
    /// EtherType.
    pub ethertype: u16,
    /// Interface, by index; 0 for all.
    pub interface: u32,
    /// True once it receives.
    pub running: bool,
    /// Bytes received and not read.
    pub receive_queue: u32,
    /// Owner.
    pub uid: u32,
    /// Inode in sockfs.
    pub inode: u64,
}

/// `sk RefCnt Type Proto Iface R Rmem User Inode`.
pub fn parse_packet_line(line: &[u8]) -> Option<PacketLine> {
    let mut fields = words(line).skip(1);
    Some(PacketLine {
        references: decimal32(fields.next()?)?,
        class: u8::try_from(decimal(fields.next()?)?).ok()?,
        ethertype: u16::try_from(hex(fields.next()?)?).ok()?,
        interface: decimal32(fields.next()?)?,
        running: fields.next()? != b"0",
        receive_queue: decimal32(fields.next()?)?,
        uid: decimal32(fields.next()?)?,
        inode: decimal(fields.next()?)?,
    })
}
