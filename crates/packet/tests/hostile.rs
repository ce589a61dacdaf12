//! Bytes from anywhere: no panic, no endless line, no control character of a terminal.

use fdscope_packet::bpf::{Instruction, Program, listing};
use fdscope_packet::ends::Ends;
use fdscope_packet::file::{Format, Reader, Statistics, Writer};
use fdscope_packet::link::LinkType;
use fdscope_packet::print::{Options, Printer};
use fdscope_packet::{Packet, Time};
use proptest::prelude::*;

const LINKS: [LinkType; 6] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType(147),
];

/// Heads that lead into every dissector, which bytes from nowhere seldom find.
const HEADS: [&[u8]; 9] = [
    &[],
    &[
        0x45, 0, 4, 0, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 1, 0, 0, 0, 1, 0,
        0, 0, 1, 0xf0, 0x1f,
    ],
    &[
        0x45, 0, 4, 0, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 53, 1, 1, 0, 0, 0, 1, 0,
        0, 0, 1, 0x50, 0x1f,
    ],
    &[
        0x45, 0, 4, 0, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 53, 1, 1, 2, 0, 0, 0,
        1, 2, 0x81, 0x80, 0, 1, 0, 3, 0, 2, 0, 2,
    ],
    &[0x45, 0, 4, 0, 0, 0, 0, 0, 64, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 0],
    &[0x4f, 0, 4, 0, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
    &[
        0x60, 0, 0, 0, 2, 0, 0, 64, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5,
        6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
    ],
    &[
        0x60, 0, 0, 0, 2, 0, 58, 64, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5,
        6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 134, 0,
    ],
    &[
        0x60, 0, 0, 0, 2, 0, 43, 64, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5,
        6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 6, 2, 0, 1,
    ],
];

fn lines(link: LinkType, bytes: &[u8], length: u32, options: Options) -> Vec<u8> {
    let mut printer = Printer::new(options, |_| 0);
    let packet = Packet { time: Time { seconds: 1, nanos: 2 }, length, bytes, link };
    let _ends = Ends::of(&packet);
    let mut out = Vec::new();
    printer.print(&packet, 1, b" ; note", &mut out);
    out
}

/// A file of every head with something behind it.
fn capture(format: Format, link: LinkType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        Writer::new(&mut bytes, format, link, 262_144, (b"eth0", b"tcp")).expect("memory");
    for (second, head) in HEADS.into_iter().enumerate() {
        let framed: &[u8] = match link {
            LinkType::ETHERNET => &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0],
            LinkType::LINUX_SLL => &[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0],
            LinkType::LINUX_SLL2 => &[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
            LinkType::NULL => &[2, 0, 0, 0],
            _ => &[],
        };
        let packet = [framed, head, &[3, b'a', b'b', b'c', 0, 0, 1, 0, 1, 0xc0, 12], &[0x55; 60]];
        let packet = packet.concat();
        let time = Time { seconds: second as i64, nanos: 7 };
        let length = packet.len() as u32;
        writer.packet(&Packet { time, length, bytes: &packet, link }, b"whose").expect("memory");
    }
    writer.statistics(Statistics { at_ns: 1, received: 2, dropped: 3 }).expect("memory");
    bytes
}

proptest! {
    #[test]
    fn any_bytes_are_told_in_lines_of_plain_text(
        which in 0..LINKS.len(),
        head in 0..HEADS.len(),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
        longer in 0..2000_u32,
        verbose in 0..4_u8,
        quiet in 0..3_u8,
        link_header in any::<bool>(),
    ) {
        let bytes = [HEADS[head], &rest].concat();
        let link = if head == 0 { LINKS[which] } else { LinkType::RAW };
        let options = Options { verbose, quiet, link_header, ..Options::default() };
        let out = lines(link, &bytes, bytes.len() as u32 + longer, options);
        prop_assert!(out.ends_with(b"\n"));
        prop_assert!(out.len() < 200_000);
        prop_assert!(out.iter().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')));
    }

    #[test]
    fn any_file_is_read_to_an_end(
        magic in 0..5_usize,
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let magics: [&[u8]; 5] = [
            &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0],
            &[0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4],
            &[10, 13, 13, 10, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0,
              1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 6, 0, 0, 0, 64, 0, 0, 0],
            &[10, 13, 13, 10],
            &[],
        ];
        let bytes = [magics[magic], &rest].concat();
        let Ok(mut reader) = Reader::new(&bytes[..]) else { return Ok(()) };
        let mut records = 0;
        while let Ok(Some(_)) = reader.record() {
            records += 1;
            prop_assert!(records <= bytes.len());
        }
    }

    #[test]
    fn captures_with_wrong_bytes_are_read_to_an_end_and_told_in_plain_text(
        format in 0..3_usize,
        link in 0..LINKS.len(),
        wrong in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        kept in any::<prop::sample::Index>(),
        verbose in 0..4_u8,
    ) {
        let mut bytes = capture([Format::Pcap, Format::PcapNanos, Format::Pcapng][format], LINKS[link]);
        for (place, byte) in wrong {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(kept.index(bytes.len()) + 1);
        let Ok(mut reader) = Reader::new(&bytes[..]) else { return Ok(()) };
        let options = Options { verbose, link_header: true, ..Options::default() };
        let mut printer = Printer::new(options, |_| 0);
        let mut records = 0;
        while let Ok(Some(record)) = reader.record() {
            let _ends = Ends::with_flags(&record.packet);
            let mut out = Vec::new();
            printer.print(&record.packet, 1, b"", &mut out);
            prop_assert!(out.iter().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')));
            records += 1;
            prop_assert!(records <= bytes.len());
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        format in 0..3_usize,
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..90), 0..9),
        comment in "[ -~]{0,30}",
    ) {
        let format = [Format::Pcap, Format::PcapNanos, Format::Pcapng][format];
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, format, LinkType::ETHERNET, 256, (b"eth0", b"tcp")).expect("memory");
        let times: Vec<Time> = (0..packets.len()).map(|i| Time { seconds: 1_700_000_000, nanos: i as u64 * 1000 }).collect();
        for (packet, time) in packets.iter().zip(&times) {
            let packet = Packet { time: *time, length: 99, bytes: packet, link: LinkType::ETHERNET };
            writer.packet(&packet, comment.as_bytes()).expect("memory");
        }
        writer.statistics(Statistics { at_ns: 1, received: 2, dropped: 3 }).expect("memory");
        let written = writer.written();
        prop_assert_eq!(written, bytes.len() as u64);
        let mut reader = Reader::new(&bytes[..]).expect("a file");
        prop_assert_eq!(reader.head().snap_length, 256);
        for (packet, time) in packets.iter().zip(&times) {
            let record = reader.record().expect("good").expect("one more");
            prop_assert_eq!(record.packet.bytes, &packet[..]);
            prop_assert_eq!(record.packet.time, *time);
            prop_assert_eq!(record.comment, if format == Format::Pcapng { comment.as_bytes() } else { b"" });
        }
        prop_assert!(reader.record().expect("good").is_none());
    }

    #[test]
    fn any_program_ends(
        words in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..40),
        packet in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let instructions = words.into_iter().map(|(code, jump_true, jump_false, operand)| {
            Instruction { code, jump_true, jump_false, operand }
        });
        let program = Program(instructions.collect());
        let _kept = program.run(&packet, 60);
        for form in 1..4 {
            let _text = listing::list(&program, form);
        }
    }
}
