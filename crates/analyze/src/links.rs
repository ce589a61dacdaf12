//! Interfaces whose MTUs do not fit together, and whose packets are not what is on the wire, in sentences: a rule each, over
//! the links of one namespace.

use fdscope_model::link::{Link, Offloads, PathMtu, flags};

/// Destinations that are named.
const NAMED: usize = 8;

/// What is worth knowing, in order of links.
pub fn link_notes(links: &[Link]) -> Vec<String> {
    let notes = links.iter().flat_map(|link| {
        [below(link, links), port(link, links), tunnel(link, links), orphan(link), joined(link)]
    });
    notes.flatten().collect()
}

/// Paths that take less than the interface they begin at, in order of interface.
pub fn path_notes(links: &[Link], paths: &[PathMtu]) -> Vec<String> {
    let is_less = |path: &&PathMtu| find(links, path.interface).is_some_and(|l| path.mtu < l.mtu);
    let mut less: Vec<&PathMtu> = paths.iter().filter(is_less).collect();
    less.sort_by_key(|path| (path.interface, path.learnt, path.destination, path.prefix_length));
    let told = less.iter().take(NAMED).filter_map(|path| {
        let PathMtu { destination, prefix_length, mtu, .. } = **path;
        let Link { name, mtu: own, .. } = find(links, path.interface)?;
        let via = path.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
        Some(match path.learnt {
            true => format!(
                "{name} takes {own} bytes, but towards {destination}{via} only {mtu} pass: a router or the peer said so \
                 (ICMP). Senders that may not fragment have to keep to it"
            ),
            false => format!(
                "{name} takes {own} bytes, but the route to {destination}/{prefix_length}{via} allows {mtu}"
            ),
        })
    });
    let mut notes: Vec<String> = told.collect();
    if let Some(more @ 1..) = less.len().checked_sub(NAMED) {
        notes.push(format!("{more} more destinations have such a bound: ip route show cache"));
    }
    notes
}

fn find(links: &[Link], index: u32) -> Option<&Link> {
    links.iter().find(|link| link.index == index)
}

fn is_kind(link: &Link, kind: &[u8]) -> bool {
    link.kind.as_ref().is_some_and(|own| own.bytes() == kind)
}

/// The longest header of the link layer, with two VLAN tags.
const HEADER: u64 = 22;

/// Counts packets that no wire carries so: they are cut after, or joined before.
fn joined(link: &Link) -> Option<String> {
    let Offloads { tso, gso, gro, lro, .. } = link.offloads?;
    let most = u64::from(link.mtu) + HEADER;
    let larger = |bytes: u64, packets: u64| bytes.checked_div(packets).filter(|&size| size > most);
    let counters = link.counters;
    let sent = larger(counters.tx_bytes, counters.tx_packets).filter(|_| tso || gso);
    let received = larger(counters.rx_bytes, counters.rx_packets);
    let mut told = Vec::new();
    if let Some(size) = sent {
        let how = if tso { "the device cuts them (TSO)" } else { "they are cut on the way (GSO)" };
        told.push(format!("those it sent have {size} bytes on average: {how}"));
    }
    if let Some(size) = received {
        let how = match (lro, gro) {
            (true, _) => "the device joins them (LRO)",
            (_, true) => "they come joined, or are joined by the kernel (GRO)",
            _ => "they come joined from the other end",
        };
        told.push(format!("those it received have {size} bytes on average: {how}"));
    }
    (!told.is_empty()).then(|| {
        let (name, mtu, told) = (&link.name, link.mtu, told.join("; "));
        format!(
            "{name} (MTU {mtu}) counts and captures packets larger than any on the wire: {told}"
        )
    })
}

/// What the offloads of an interface mean for who reads its counters or captures on it.
pub fn offload_notes(offloads: Offloads) -> Vec<&'static str> {
    let Offloads { tso, gso, gro, lro, rx_checksum, tx_checksum } = offloads;
    let rows = [
        (
            tso,
            "TSO is on: TCP hands over up to 64 KiB at once and the device cuts it, so that captures show sent packets \
             larger than the MTU",
        ),
        (
            gso && !tso,
            "GSO is on: packets are cut just before the driver, and captures may show them whole",
        ),
        (
            gro,
            "GRO is on: received packets of one connection are joined, so that captures show them larger than the MTU",
        ),
        (lro, "LRO is on: the device joins received packets; a router or bridge must not have it"),
        (
            tx_checksum,
            "checksums of sent packets are filled in by the device: captures here show them as wrong, and they are not",
        ),
        (rx_checksum, "checksums of received packets are checked by the device"),
    ];
    rows.into_iter().filter(|(is_on, _)| *is_on).map(|(_, note)| note).collect()
}

/// Sits on an interface that takes less, or leads to one.
fn below(link: &Link, links: &[Link]) -> Option<String> {
    let lower = link.lower.filter(|lower| !lower.elsewhere)?;
    let lower = find(links, lower.index).filter(|lower| lower.mtu < link.mtu)?;
    let (name, mtu, other, less) = (&link.name, link.mtu, &lower.name, lower.mtu);
    Some(match is_kind(link, b"veth") {
        true => format!(
            "{name} sends packets of up to {mtu} bytes to {other}, which drops those above {less}"
        ),
        false => format!(
            "{name} (MTU {mtu}) sits on {other} (MTU {less}): larger packets are fragmented or lost"
        ),
    })
}

/// Is a port of a bridge that takes more.
fn port(link: &Link, links: &[Link]) -> Option<String> {
    let master = find(links, link.master?).filter(|master| is_kind(master, b"bridge"))?;
    (master.mtu > link.mtu).then(|| {
        format!(
            "bridge {} (MTU {}) silently drops packets above {} towards its port {}",
            master.name, master.mtu, link.mtu, link.name
        )
    })
}

/// A tunnel of a program that takes less than the network beneath: right, but it needs path MTU discovery.
fn tunnel(link: &Link, links: &[Link]) -> Option<String> {
    if !is_kind(link, b"tun") || !link.is_up() {
        return None;
    }
    let real =
        |other: &&Link| other.kind.is_none() && other.is_up() && other.flags & flags::LOOPBACK == 0;
    let device = links.iter().filter(real).max_by_key(|other| other.mtu)?;
    let (name, mtu, other, theirs) = (&link.name, link.mtu, &device.name, device.mtu);
    match mtu.cmp(&theirs) {
        std::cmp::Ordering::Less => Some(format!(
            "{name} (MTU {mtu}) takes less than {other} (MTU {theirs}): what is routed into it relies on path MTU \
             discovery; if ICMP is filtered, large transfers hang"
        )),
        std::cmp::Ordering::Greater => Some(format!(
            "{name} (MTU {mtu}) takes more than {other} (MTU {theirs}): tunnelled packets are fragmented"
        )),
        std::cmp::Ordering::Equal => Some(format!(
            "{name} has the MTU of {other} ({mtu}): with the tunnel's own header, full packets are fragmented"
        )),
    }
}

/// A tun device without carrier: nobody holds its descriptor.
fn orphan(link: &Link) -> Option<String> {
    let orphan =
        is_kind(link, b"tun") && link.flags & flags::LOWER_UP == 0 && link.owners.is_empty();
    orphan.then(|| {
        format!(
            "{} is persistent: no process holds its descriptor, or none that may be seen",
            link.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::link::{Counters, Lower};

    fn link(index: u32, name: &str, kind: &str, mtu: u32) -> Link {
        let kind = (!kind.is_empty()).then(|| kind.into());
        let flags = flags::UP | flags::LOWER_UP;
        Link { index, name: name.into(), kind, mtu, flags, ..Link::default() }
    }

    fn check(links: &[Link], expected: &[&str]) {
        let notes = link_notes(links);
        assert_eq!(notes.len(), expected.len(), "{notes:?}");
        for (note, part) in notes.iter().zip(expected) {
            assert!(note.contains(part), "{note}");
        }
    }

    #[test]
    fn paths_that_take_less_are_told() {
        let path = |mtu, learnt| PathMtu {
            destination: [10, 2, 0, 2].into(),
            prefix_length: 32,
            gateway: Some([10, 1, 0, 2].into()),
            interface: 1,
            mtu,
            learnt,
        };
        let links = [link(1, "eth0", "", 1500)];
        let notes = path_notes(&links, &[path(1400, true), path(1500, true), path(1300, false)]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("the route to 10.2.0.2/32 via 10.1.0.2 allows 1300"));
        assert!(notes[1].contains("towards 10.2.0.2 via 10.1.0.2 only 1400 pass"));
        let many = path_notes(&links, &[path(9, true); 20]);
        assert_eq!(many.len(), 9);
        assert!(many[8].starts_with("12 more destinations"));
    }

    #[test]
    fn mismatches_are_told() {
        let lower = |index, elsewhere| Some(Lower { index, elsewhere });
        let pair = [
            Link { lower: lower(2, false), ..link(1, "a", "veth", 1500) },
            Link { lower: lower(1, false), ..link(2, "b", "veth", 1400) },
        ];
        check(&pair, &["a sends packets of up to 1500 bytes to b, which drops those above 1400"]);
        check(
            &[
                Link { lower: lower(2, true), ..link(1, "a", "veth", 1500) },
                link(2, "b", "veth", 9),
            ],
            &[],
        );
        let port = Link { master: Some(1), ..link(2, "p", "veth", 1400) };
        check(&[link(1, "br0", "bridge", 1500), port], &["above 1400 towards its port p"]);
        check(&[link(1, "eth0", "", 1500), link(2, "tun0", "tun", 1400)], &["path MTU discovery"]);
        check(&[link(1, "eth0", "", 1500), link(2, "eth1", "", 9000)], &[]);
        let idle = Link { flags: 0, ..link(2, "tap0", "tun", 1500) };
        check(&[idle], &["persistent"]);
    }

    #[test]
    fn packets_larger_than_the_wire_takes_are_explained() {
        let check = |offloads, counters, expected: &[&str]| {
            let link = Link { offloads, counters, ..link(1, "a", "veth", 1500) };
            let notes = link_notes(&[link]);
            assert_eq!(notes.len(), usize::from(!expected.is_empty()), "{notes:?}");
            expected.iter().for_each(|part| assert!(notes[0].contains(part), "{notes:?}"));
        };
        let all = Offloads { tso: true, gso: true, gro: true, ..Offloads::default() };
        let counters =
            |bytes: u64| Counters { tx_packets: 10, tx_bytes: bytes, ..Counters::default() };
        check(Some(all), counters(15_100), &[]);
        check(Some(all), counters(80_000), &["a (MTU 1500)", "8000 bytes on average", "TSO"]);
        check(None, counters(80_000), &[]);
        check(Some(Offloads::default()), counters(80_000), &[]);
        let received = Counters { rx_packets: 2, rx_bytes: 9000, ..Counters::default() };
        check(Some(all), received, &["received have 4500 bytes", "GRO"]);
        assert_eq!(offload_notes(all).len(), 2);
        assert_eq!(offload_notes(Offloads::default()), [""; 0]);
    }
}
