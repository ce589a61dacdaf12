//! Network interfaces of one network namespace: addresses, MTU, state, counters, and who owns the tun devices.

use std::net::IpAddr;

use crate::id::{FdNumber, Pid};
use crate::name::Name;
use crate::sight::Blind;

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// Its number in the namespace.
    pub index: u32,
    /// Its name.
    pub name: Name,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The least MTU that the driver takes.
    pub min_mtu: Option<u32>,
    /// The greatest MTU that the driver takes; `None` if it sets no bound.
    pub max_mtu: Option<u32>,
    /// `IFF_*` (netdevice(7)).
    pub flags: u32,
    /// Operational state by its number in RFC 2863 (`IF_OPER_*`): 6 is up, 2 down, 0 unknown.
    pub state: u8,
    /// The hardware address; empty for none.
    pub hardware: Vec<u8>,
    /// Addresses.
    pub addresses: Vec<LinkAddress>,
    /// `veth`, `bridge`, `tun`, `vlan` …: the kind that ip-link(8) would create; `None` for hardware and loopback.
    pub kind: Option<Name>,
    /// The driver of hardware.
    pub driver: Option<Name>,
    /// The number of the bridge, bond or VRF that it is a port of.
    pub master: Option<u32>,
    /// The interface beneath (VLAN, macvlan, tunnels) or at the other end (veth).
    pub lower: Option<Lower>,
    /// What went through.
    pub counters: Counters,
    /// Who holds the tun or tap descriptor.
    pub owners: Vec<TunOwner>,
    /// What the driver does in place of the kernel's protocols; `None` where it does not tell.
    pub offloads: Option<Offloads>,
}

/// Work on packets that the driver or the device does, or that is done for many packets at once (ethtool(8) `-k`). It
/// explains why what is counted and captured on the machine differs from what is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Offloads {
    /// TCP segments are cut by the device: TSO.
    pub tso: bool,
    /// Packets are cut just before the driver: GSO.
    pub gso: bool,
    /// Received packets are joined by the kernel: GRO.
    pub gro: bool,
    /// Received packets are joined by the device: LRO.
    pub lro: bool,
    /// The device checks the checksums of what is received.
    pub rx_checksum: bool,
    /// The device fills in the checksums of what is sent.
    pub tx_checksum: bool,
}

/// The interface that another one sits on or leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lower {
    /// Its number, in its own namespace.
    pub index: u32,
    /// True if it is in another network namespace.
    pub elsewhere: bool,
}

/// An address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix_length: u8,
    /// `RT_SCOPE_*`: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// The other end of a point-to-point interface.
    pub peer: Option<IpAddr>,
}

/// Traffic since the interface was made (`struct rtnl_link_stats64`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bad packets received.
    pub rx_errors: u64,
    /// Problems with sending.
    pub tx_errors: u64,
    /// Received packets that were dropped.
    pub rx_dropped: u64,
    /// Packets that were to be sent and were dropped.
    pub tx_dropped: u64,
}

/// A process that holds the descriptor of a tun or tap device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TunOwner {
    /// The process.
    pub pid: Pid,
    /// Its name.
    pub comm: Name,
    /// The descriptor.
    pub fd: FdNumber,
    /// True if the process is in another network namespace, so that it may be another interface of the same name.
    pub elsewhere: bool,
}

/// A bound on packets to some destination, below what its interface takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtu {
    /// The destination.
    pub destination: IpAddr,
    /// Bits of the network part.
    pub prefix_length: u8,
    /// The next router.
    pub gateway: Option<IpAddr>,
    /// The number of the interface.
    pub interface: u32,
    /// The largest packet that passes, in bytes.
    pub mtu: u32,
    /// True if a router or the peer said so (ICMP); false for a route that was set up so.
    pub learnt: bool,
}

/// Bits of [`Link::flags`].
pub mod flags {
    /// Switched on by the administrator.
    pub const UP: u32 = 1;
    /// Loopback.
    pub const LOOPBACK: u32 = 8;
    /// Point to point.
    pub const POINTOPOINT: u32 = 16;
    /// The driver has resources, and the carrier is there.
    pub const RUNNING: u32 = 64;
    /// With carrier.
    pub const LOWER_UP: u32 = 1 << 16;
}

impl Link {
    /// True if it is switched on.
    pub fn is_up(&self) -> bool {
        self.flags & flags::UP != 0
    }

    /// Its state in a word, as ip-link(8) has it.
    pub fn state_word(&self) -> &'static str {
        const WORDS: [&str; 7] =
            ["unknown", "not-present", "down", "lower-layer-down", "testing", "dormant", "up"];
        WORDS.get(usize::from(self.state)).copied().unwrap_or("unknown")
    }
}

/// The interfaces of a namespace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkReport {
    /// In order of number.
    pub links: Vec<Link>,
    /// MTUs that do not fit together, and the like, in sentences.
    pub notes: Vec<String>,
    /// What could not be seen.
    pub blind: Vec<Blind>,
}
