//! A program that takes only what begins and ends connections of TCP: SYN, FIN and RST. Written by hand, so that it
//! needs no libpcap.

use super::{Instruction, Program};
use crate::link::LinkType;

/// FIN, SYN, RST.
const FLAGS: u32 = 7;
const TCP: u32 = 6;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
/// The length of an IPv4 header into X.
const LOAD_HEADER: u16 = 0xb1;
/// A byte at X and the operand.
const LOAD_BYTE_X: u16 = 0x50;
const AND: u16 = 0x54;
const EQUAL: u16 = 0x15;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// The program for a link type; none for one that it does not know. It ends by running off its end for what it takes,
/// and drops the rest: another stands behind it.
///
/// Extension headers of IPv6 are not stepped over: the next header must be TCP.
fn beginning(link: LinkType) -> Option<Vec<Instruction>> {
    // Where the network header stands, and what says of which version it is: where, how, and both answers.
    let (at, version) = match link {
        LinkType::ETHERNET => (14, (12, 0x0800, 0x86dd)),
        LinkType::LINUX_SLL => (16, (14, 0x0800, 0x86dd)),
        LinkType::LINUX_SLL2 => (20, (0, 0x0800, 0x86dd)),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => (0, (0, 0x40, 0x60)),
        _ => return None,
    };
    let (place, four, six) = version;
    let plain = |code, operand| Instruction { code, jump_true: 0, jump_false: 0, operand };
    let jump =
        |code, operand, jump_true, jump_false| Instruction { code, jump_true, jump_false, operand };
    let (load, mask) = if four == 0x40 { (LOAD_BYTE, 0xf0) } else { (LOAD_HALF, 0xffff) };
    Some(vec![
        plain(load, place),
        plain(AND, mask),
        // 2: IPv4, or on to 10.
        jump(EQUAL, four, 0, 7),
        plain(LOAD_BYTE, at + 9),
        jump(EQUAL, TCP, 0, 10),
        plain(LOAD_HALF, at + 6),
        jump(ANY_BIT, 0x1fff, 8, 0),
        plain(LOAD_HEADER, at),
        plain(LOAD_BYTE_X, at + 13),
        jump(ANY_BIT, FLAGS, 6, 5),
        // 10: IPv6.
        jump(EQUAL, six, 0, 4),
        plain(LOAD_BYTE, at + 6),
        jump(EQUAL, TCP, 0, 2),
        plain(LOAD_BYTE, at + 53),
        jump(ANY_BIT, FLAGS, 1, 0),
        plain(RETURN, 0),
    ])
}

impl Program {
    /// This program, asked only of packets that begin or end connections of TCP; none for a link type whose packets
    /// it cannot tell apart.
    pub fn of_lifecycles(&self, link: LinkType) -> Option<Program> {
        let mut program = beginning(link)?;
        program.extend_from_slice(&self.0);
        Some(Program(program))
    }
}

#[cfg(test)]
mod tests {
    use super::Program;
    use crate::link::LinkType;

    fn segment(flags: u8) -> Vec<u8> {
        let mut segment = vec![0; 20];
        segment[13] = flags;
        segment
    }

    fn ip4(protocol: u8, fragment: u8, flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 24];
        (packet[0], packet[7], packet[9]) = (0x46, fragment, protocol);
        packet.extend(segment(flags));
        packet
    }

    fn ip6(protocol: u8, flags: u8) -> Vec<u8> {
        let mut packet = vec![0; 40];
        (packet[0], packet[6]) = (0x60, protocol);
        packet.extend(segment(flags));
        packet
    }

    #[test]
    fn beginnings_and_ends_are_taken_and_nothing_else() {
        type Head = fn(u16) -> Vec<u8>;
        let links: [(LinkType, Head); 4] = [
            (LinkType::RAW, |_| Vec::new()),
            (LinkType::ETHERNET, |kind| [&[0; 12][..], &kind.to_be_bytes()].concat()),
            (LinkType::LINUX_SLL, |kind| [&[0; 14][..], &kind.to_be_bytes()].concat()),
            (LinkType::LINUX_SLL2, |kind| [&kind.to_be_bytes()[..], &[0; 18]].concat()),
        ];
        for (link, head) in links {
            let program = Program::all(99).of_lifecycles(link).expect("known");
            let check = |kind: u16, packet: Vec<u8>, taken: bool| {
                let packet = [head(kind), packet].concat();
                let kept = program.run(&packet, packet.len() as u32);
                assert_eq!(kept, if taken { 99 } else { 0 }, "{link:?} {packet:?}");
            };
            for (flags, taken) in [(2, true), (0x12, true), (0x11, true), (4, true), (0x18, false)]
            {
                check(0x0800, ip4(6, 0, flags), taken);
                check(0x86dd, ip6(6, flags), taken);
            }
            check(0x0800, ip4(17, 0, 2), false);
            check(0x0800, ip4(6, 9, 2), false);
            check(0x86dd, ip6(17, 2), false);
            check(0x0806, vec![0; 60], false);
            check(0x0800, ip4(6, 0, 2)[..30].to_vec(), false);
        }
        assert_eq!(Program::all(99).of_lifecycles(LinkType(147)), None);
    }

    #[test]
    fn what_stands_behind_decides_the_rest() {
        let none = Program::all(0).of_lifecycles(LinkType::RAW).expect("known");
        assert_eq!(none.run(&ip4(6, 0, 2), 44), 0);
    }
}
