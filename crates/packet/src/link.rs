//! Link types: how a packet's bytes begin. Numbers are those of files (LINKTYPE_…), names are libpcap's.

/// A link type, by its number in files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the writer's byte order.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet.
    pub const ETHERNET: LinkType = LinkType(1);
    /// IPv4 or IPv6 without a link header.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux cooked, version 1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// IPv4 only.
    pub const IPV4: LinkType = LinkType(228);
    /// IPv6 only.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux cooked, version 2: with the interface.
    pub const LINUX_SLL2: LinkType = LinkType(276);

    /// The type of a file's number. `DLT_RAW` is 12 on Linux, and some writers write that.
    pub fn of_file(number: u32) -> Self {
        match number & 0xffff {
            12 | 14 => LinkType::RAW,
            number => LinkType(number),
        }
    }

    /// libpcap's number for it, which differs from the file's for raw packets.
    pub fn dlt(self) -> u32 {
        if self == LinkType::RAW { 12 } else { self.0 }
    }

    /// libpcap's name and description; none for what is not dissected.
    pub fn name(self) -> Option<(&'static str, &'static str)> {
        TABLE.iter().find(|row| row.0 == self).map(|row| (row.1, row.2))
    }

    /// The type of libpcap's name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| row.0)
    }
}

const TABLE: &[(LinkType, &str, &str)] = &[
    (LinkType::NULL, "NULL", "BSD loopback"),
    (LinkType::ETHERNET, "EN10MB", "Ethernet"),
    (LinkType::RAW, "RAW", "Raw IP"),
    (LinkType::LOOP, "LOOP", "OpenBSD loopback"),
    (LinkType::LINUX_SLL, "LINUX_SLL", "Linux cooked v1"),
    (LinkType::IPV4, "IPV4", "Raw IPv4"),
    (LinkType::IPV6, "IPV6", "Raw IPv6"),
    (LinkType::LINUX_SLL2, "LINUX_SLL2", "Linux cooked v2"),
];
