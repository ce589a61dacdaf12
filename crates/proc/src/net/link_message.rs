//! rtnetlink(7) messages about interfaces and their addresses: bytes in, values out, and the requests. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fdscope_model::Name;
use fdscope_model::link::{Counters, Link, LinkAddress, Lower, PathMtu};

use super::message::{attributes, u32_at, u64_at};

/// `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;

/// Parses the payload of RTM_NEWLINK; `None` without number or name.
pub fn parse_link(bytes: &[u8]) -> Option<Link> {
    let mut link = Link { index: u32_at(bytes, 4)?, flags: u32_at(bytes, 8)?, ..Link::default() };
    let (mut lower, mut elsewhere) = (None, false);
    for (class, value) in attributes(bytes.get(LINK_HEADER..)?) {
        match class & 0x3fff {
            // IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_OPERSTATE
            1 => link.hardware = value.iter().copied().take(32).collect(),
            3 => link.name = text(value),
            4 => link.mtu = u32_at(value, 0).unwrap_or(0),
            5 => lower = u32_at(value, 0),
            10 => link.master = u32_at(value, 0),
            16 => link.state = value.first().copied().unwrap_or(0),
            // IFLA_LINKINFO with IFLA_INFO_KIND, IFLA_STATS64, IFLA_LINK_NETNSID, IFLA_MIN_MTU, IFLA_MAX_MTU
            18 => {
                let kind = attributes(value).find(|(class, _)| class & 0x3fff == 1);
                link.kind = kind.map(|(_, value)| text(value));
            }
            23 => link.counters = parse_counters(value),
            37 => elsewhere = true,
            50 => link.min_mtu = u32_at(value, 0),
            51 => link.max_mtu = u32_at(value, 0).filter(|&bound| bound > 0),
            _ => {}
        }
    }
    // A device beneath itself (sit0, tunl0) or number 0 is none.
    let lower = lower.filter(|&index| index > 0 && (elsewhere || index != link.index));
    link.lower = lower.map(|index| Lower { index, elsewhere });
    (!link.name.is_empty()).then_some(link)
}

fn parse_counters(bytes: &[u8]) -> Counters {
    let word = |at: usize| u64_at(bytes, at * 8).unwrap_or(0);
    Counters {
        rx_packets: word(0),
        tx_packets: word(1),
        rx_bytes: word(2),
        tx_bytes: word(3),
        rx_errors: word(4),
        tx_errors: word(5),
        rx_dropped: word(6),
        tx_dropped: word(7),
    }
}

/// Parses the payload of RTM_NEWADDR: the interface's number and the address.
pub fn parse_address(bytes: &[u8]) -> Option<(u32, LinkAddress)> {
    let (prefix_length, scope) = (*bytes.get(1)?, *bytes.get(3)?);
    let index = u32_at(bytes, 4)?;
    let (mut address, mut local) = (None, None);
    for (class, value) in attributes(bytes.get(ADDRESS_HEADER..)?) {
        match class & 0x3fff {
            1 => address = ip(value),
            2 => local = ip(value),
            _ => {}
        }
    }
    let own = local.or(address)?;
    let peer = address.filter(|address| *address != own);
    Some((index, LinkAddress { address: own, prefix_length, scope, peer }))
}

/// `struct rtmsg`.
const ROUTE_HEADER: usize = 12;
/// `RTM_F_CLONED`: no route of a table, but what was learnt of one destination.
const CLONED: u32 = 0x200;

/// Parses the payload of RTM_NEWROUTE: a bound on packets; `None` if it has none.
pub fn parse_route(bytes: &[u8]) -> Option<PathMtu> {
    let (family, prefix_length) = (*bytes.first()?, *bytes.get(1)?);
    let flags = u32_at(bytes, 8)?;
    let (mut destination, mut gateway) = (None, None);
    let (mut interface, mut mtu) = (None, None);
    for (class, value) in attributes(bytes.get(ROUTE_HEADER..)?) {
        match class & 0x3fff {
            // RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_METRICS with RTAX_MTU
            1 => destination = ip(value),
            4 => interface = u32_at(value, 0),
            5 => gateway = ip(value),
            8 => {
                let found = attributes(value).find(|(class, _)| class & 0x3fff == 2);
                mtu = found.and_then(|(_, value)| u32_at(value, 0));
            }
            _ => {}
        }
    }
    // The default route has no destination.
    let any = match family {
        2 => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        10 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    Some(PathMtu {
        destination: destination.unwrap_or(any),
        prefix_length,
        gateway,
        interface: interface?,
        mtu: mtu.filter(|mtu| *mtu > 0)?,
        learnt: flags & CLONED != 0,
    })
}

/// The payload of RTM_GETROUTE for the routes of a family, or for what was learnt of destinations.
pub(crate) fn route_request(family: u8, learnt: bool) -> [u8; ROUTE_HEADER] {
    let mut bytes = [0; ROUTE_HEADER];
    bytes[0] = family;
    bytes[8..].copy_from_slice(&(if learnt { CLONED } else { 0 }).to_ne_bytes());
    bytes
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// Text up to its NUL.
fn text(bytes: &[u8]) -> Name {
    bytes.split(|&b| b == 0).next().unwrap_or_default().into()
}

/// What is to be changed of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkChange {
    /// The new MTU.
    pub mtu: Option<u32>,
    /// On or off.
    pub up: Option<bool>,
}

/// The payload of RTM_NEWLINK that makes a change.
pub(crate) fn change_request(index: u32, change: LinkChange) -> Vec<u8> {
    let up = u32::from(change.up == Some(true));
    let mask = u32::from(change.up.is_some());
    let mut bytes = vec![0; 4];
    for word in [index, up, mask] {
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    if let Some(mtu) = change.mtu {
        bytes.extend_from_slice(&8u16.to_ne_bytes());
        bytes.extend_from_slice(&4u16.to_ne_bytes());
        bytes.extend_from_slice(&mtu.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_route_has_a_bound_or_is_none() {
        let metrics = attribute(2, &1400u32.to_ne_bytes());
        let mut bytes = vec![2, 32, 0, 0, 254, 0, 0, 1];
        bytes.extend(CLONED.to_ne_bytes());
        let bare = bytes.clone();
        bytes.extend(attribute(1, &[10, 2, 0, 2]));
        bytes.extend(attribute(4, &3u32.to_ne_bytes()));
        bytes.extend(attribute(5, &[10, 1, 0, 2]));
        assert_eq!(parse_route(&bytes), None);
        bytes.extend(attribute(8, &metrics));
        let expected = PathMtu {
            destination: Ipv4Addr::new(10, 2, 0, 2).into(),
            prefix_length: 32,
            gateway: Some(Ipv4Addr::new(10, 1, 0, 2).into()),
            interface: 3,
            mtu: 1400,
            learnt: true,
        };
        assert_eq!(parse_route(&bytes), Some(expected));
        assert_eq!(parse_route(&bare), None);
        (0..bytes.len()).for_each(|length| assert_eq!(parse_route(&bytes[..length]), None));
    }

    fn attribute(class: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&class.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_bytes() -> Vec<u8> {
        let mut bytes = vec![0; 4];
        [7u32, 0x1_1043, 0].iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
        let counters: Vec<u8> = (1..=24u64).flat_map(u64::to_ne_bytes).collect();
        bytes.extend(attribute(3, b"veth0\0"));
        bytes.extend(attribute(4, &1400u32.to_ne_bytes()));
        bytes.extend(attribute(5, &9u32.to_ne_bytes()));
        bytes.extend(attribute(16, &[6]));
        bytes.extend(attribute(0x8000 | 18, &attribute(1, b"veth\0")));
        bytes.extend(attribute(23, &counters));
        bytes.extend(attribute(37, &0u32.to_ne_bytes()));
        bytes.extend(attribute(50, &68u32.to_ne_bytes()));
        bytes.extend(attribute(51, &65_535u32.to_ne_bytes()));
        bytes
    }

    #[test]
    fn a_link_is_read() {
        let link = parse_link(&link_bytes()).expect("whole");
        assert_eq!((link.index, &link.name, link.mtu), (7, &Name::from("veth0"), 1400));
        assert_eq!((link.min_mtu, link.max_mtu), (Some(68), Some(65_535)));
        assert_eq!(link.kind, Some("veth".into()));
        assert_eq!(link.lower, Some(Lower { index: 9, elsewhere: true }));
        assert_eq!((link.counters.rx_packets, link.counters.tx_dropped), (1, 8));
        assert_eq!((link.is_up(), link.state_word()), (true, "up"));
    }

    #[test]
    fn addresses_have_prefix_and_peer() {
        let mut bytes = vec![2, 24, 0, 0];
        bytes.extend(3u32.to_ne_bytes());
        let same =
            [bytes.clone(), attribute(1, &[10, 0, 0, 1]), attribute(2, &[10, 0, 0, 1])].concat();
        let (index, address) = parse_address(&same).expect("whole");
        assert_eq!((index, address.prefix_length, address.peer), (3, 24, None));
        assert_eq!(address.address, IpAddr::from([10, 0, 0, 1]));
        let other = [bytes, attribute(1, &[10, 0, 0, 2]), attribute(2, &[10, 0, 0, 1])].concat();
        assert_eq!(parse_address(&other).expect("whole").1.peer, Some([10, 0, 0, 2].into()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_link(&bytes);
            let _ = parse_address(&bytes);
            let _ = parse_route(&bytes);
        }

        #[test]
        fn near_misses_are_taken(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = link_bytes();
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()));
            let _ = parse_link(&bytes);
        }
    }
}
