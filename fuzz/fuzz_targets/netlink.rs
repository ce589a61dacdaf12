//! Netlink messages of sock_diag and rtnetlink: framing, rows, attributes whose lengths lie.
#![no_main]

use fdscope_proc::net::link_message::{parse_address, parse_link};
use fdscope_proc::net::parse_every_way;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for socket in parse_every_way(bytes) {
        // An inode takes four bytes: more of them than that would be made up.
        assert!(socket.detail.map_or(0, |detail| detail.waiting.len() * 4) <= bytes.len());
    }
    if let Some(link) = parse_link(bytes) {
        assert!(link.hardware.len() <= bytes.len());
    }
    let _ = parse_address(bytes);
});
