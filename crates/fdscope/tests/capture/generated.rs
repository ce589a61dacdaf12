//! Packets made by chance from good ones, from seeds that do not change: what tcpdump prints of them, byte by byte.

use std::path::Path;

use super::packets;

/// Packets of a file.
const COUNT: usize = 1500;
/// What tcpdump dissects and fdscope does not: such packets are not compared.
const OTHERS: &[&str] = &[
    "igmp",
    "EGP",
    "egp",
    " nd ",
    "PGM",
    "igrp",
    "ipx",
    "timed",
    "VRRP",
    "vrrp",
    "PIM",
    "pim",
    "OSPF",
    "ospf",
    "RSVP",
    "SCTP",
    "sctp",
    "GRE",
    "gre",
    "L2TP",
    "EIGRP",
    "SAP ",
    " Null ",
    "IS-IS",
    "SNAP",
    "MPLS",
    "PPP",
    "ESP",
    "IPComp",
    "DCCP",
    "dccp",
    "mobility",
    "chaos",
    "CARP",
    "swIPe",
    "DHCP",
    "BOOTP",
    "NTP",
    "snmp",
    "SNMP",
    "tftp",
    "TFTP",
    "RIP",
    "RADIUS",
    "SYSLOG",
    "isakmp",
    "NetB",
    "NBT",
    "Loopback",
    "STP",
    "CFM",
    "LLDP",
    "MACsec",
    "Slow",
    "(invalid)",
    "Ethernet",
    "RPL",
    "lwres",
    "zephyr",
    "BGP",
    "HTTP",
    "telnet",
    "kerb",
    "ptp",
    "PTP",
    "OLSR",
    "AODV",
    "Geneve",
];

/// What fdscope says of payloads that it does not dissect: tcpdump may say more.
const OURS: &[&str] = &["ip-proto-", "UDP, ", "LLC, ", "802.3"];

/// Marsaglia's xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// Changes a packet behind its link header, now and then in it, and makes most lengths right again.
fn changed(chance: &mut Chance, base: &[Vec<u8>], header: usize) -> (Vec<u8>, usize) {
    let mut packet = base[chance.below(base.len())].clone();
    for _ in 0..[0, 1, 1, 1, 2, 2, 3, 5][chance.below(8)] {
        let low = if chance.below(16) == 0 { 0 } else { header.min(packet.len()) };
        let at = low + chance.below(packet.len() - low);
        if at >= packet.len() {
            continue;
        }
        match chance.below(10) {
            0 | 1 => packet[at] = chance.byte(),
            2 | 3 => packet[at] ^= 1 << chance.below(8),
            4 => packet[at] = [0, 1, 2, 3, 4, 5, 8, 0x7f, 0x80, 0xff, 0xc0][chance.below(11)],
            5 => packet[at] = packet[at].wrapping_add(1),
            6 => {
                let new: Vec<u8> = (0..1 << chance.below(4)).map(|_| chance.byte()).collect();
                packet.splice(at..at, new);
            }
            7 => {
                let end = (at + (1 << chance.below(4))).min(packet.len());
                packet.drain(at..end);
            }
            8 => {
                let other = &base[chance.below(base.len())];
                let rest = other.get(at..).unwrap_or_default().to_vec();
                packet.truncate(at);
                packet.extend(rest);
            }
            _ => {
                packet.extend((0..1 + chance.below(40)).map(|_| chance.byte()).collect::<Vec<_>>())
            }
        }
    }
    let inner = packet.len().saturating_sub(header);
    if chance.below(3) > 0 && inner > 40 {
        match packet[header] >> 4 {
            4 => packet[header + 2..header + 4].copy_from_slice(&(inner as u16).to_be_bytes()),
            6 => packet[header + 4..header + 6].copy_from_slice(&(inner as u16 - 40).to_be_bytes()),
            _ => {}
        }
    }
    let kept = if chance.below(8) == 0 { chance.below(packet.len()) } else { packet.len() };
    (packet, kept.max(1))
}

/// What is printed, a packet each.
fn records(program: &str, leading: &[&str], form: &[&str], file: &Path) -> Vec<String> {
    let output = super::run(program, leading, form, file);
    let mut records: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let begins = line.as_bytes().first().is_some_and(u8::is_ascii_digit);
        match records.last_mut().filter(|_| !begins) {
            Some(record) => *record += &format!("\n{line}"),
            None => records.push(line.to_owned()),
        }
    }
    records
}

#[test]
fn packets_made_by_chance_are_as_tcpdump_prints_them() {
    if !super::tcpdump_of_the_words() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let all = packets::all();
    // Of the 256 packets of flags a few are enough.
    let base: Vec<Vec<u8>> = all.iter().step_by(32).take(8).chain(&all[256..]).cloned().collect();
    for (link, header) in [(1, 14), (113, 16), (276, 20), (101, 0), (0, 4), (108, 4)] {
        let base: Vec<Vec<u8>> = base
            .iter()
            .filter(|frame| {
                matches!(link, 1 | 113 | 276) || matches!(frame[12..14], [8, 0] | [0x86, 0xdd])
            })
            .map(|frame| if link == 1 { frame.clone() } else { packets::relinked(link, frame) })
            .collect();
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15 + u64::from(link));
        let made: Vec<_> = (0..COUNT).map(|_| changed(&mut chance, &base, header)).collect();
        let file = folder.path().join("made.pcap");
        std::fs::write(&file, packets::file(link, false, &made)).expect("written");
        let forms: &[&[&str]] = &[&["-nnvve"], &["-nn"], &["-nnvvvS"], &["-nnqe"], &["-nnX"]];
        for form in forms.iter().take(if link == 1 { 5 } else { 2 }) {
            let theirs = records("tcpdump", &[], form, &file);
            let ours = records(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"], form, &file);
            assert_eq!(ours.len(), theirs.len(), "link type {link}, {form:?}");
            let mut compared = 0;
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let is_told = OURS.iter().all(|word| !ours.contains(word));
                if ours != theirs && (!is_told || OTHERS.iter().any(|word| theirs.contains(word))) {
                    continue;
                }
                compared += 1;
                assert_eq!(ours, theirs, "link type {link}, {form:?}");
            }
            assert!(compared > COUNT * 9 / 10, "{compared} compared");
        }
    }
}
