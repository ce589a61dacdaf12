//! Packets and capture files from anywhere: every dissector, every link type, both readers.
#![no_main]

use fdscope_packet::ends::Ends;
use fdscope_packet::file::Reader;
use fdscope_packet::link::LinkType;
use fdscope_packet::print::{Options, Printer};
use fdscope_packet::{Packet, Time};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = Reader::new(bytes) {
        while let Ok(Some(_)) = reader.record() {}
    }
    let Some((first, rest)) = bytes.split_first() else { return };
    let options = Options { verbose: first & 3, link_header: first & 4 != 0, ..Options::default() };
    let mut printer = Printer::new(options, |_| 0);
    let mut out = Vec::new();
    for link in [0, 1, 101, 108, 113, 276] {
        let link = LinkType(link);
        let packet = Packet { time: Time::default(), length: rest.len() as u32, bytes: rest, link };
        let _ends = Ends::of(&packet);
        printer.print(&packet, 1, b"", &mut out);
    }
    assert!(out.iter().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')));
});
