//! The kernel's text files as values: bytes in, value out. Pure, total and bounded: no input makes a parser
//! panic, and none makes it keep more than it was given. Reading them is the walk's business.

use thiserror::Error;

mod cgroup;
mod cmdline;
mod fdinfo;
mod limits;
mod link;
mod locks;
mod maps;
mod mountinfo;
mod net;
mod net_lines;
mod number;
mod stat;
mod status;
mod system;
mod timers;

pub use cgroup::{CgroupEntry, parse_cgroup};
pub(crate) use cmdline::file_name;
pub use cmdline::{parse_cmdline, script_of};
pub use fdinfo::{FdInfo, FdInfoLine, parse_fdinfo, parse_fdinfo_line};
pub use limits::{RLimit, Resource, UNLIMITED, parse_limits};
pub use link::{Link, parse_link};
pub use locks::{HeldLock, parse_lock};
pub use maps::{Map, Protection, parse_map, parse_maps};
pub use mountinfo::{Mount, parse_mount, parse_mountinfo, unescape_octal};
pub use net::{Endpoint, Ends, Table, TcpState, parse_endpoint};
pub use net_lines::{
    InetLine, NetlinkLine, PacketLine, TcpFields, UnixLine, parse_inet_line, parse_netlink_line,
    parse_packet_line, parse_unix_line,
};
pub use number::{decimal, hex, octal};
pub use stat::{Stat, State, parse_stat};
pub use status::{Status, parse_status};
pub use system::{FileNr, parse_file_nr, parse_loadavg_tasks, parse_single};
pub use timers::{Notify, Timer, parse_timers};

/// A file that does not look as the kernel writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{file} has no readable {field}")]
pub struct ParseError {
    /// The file, as under /proc/PID or /proc.
    pub file: &'static str,
    /// What is missing or not understood.
    pub field: &'static str,
}

/// The words of a line, parted by blanks or tabs.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| b == b' ' || b == b'\t').filter(|word| !word.is_empty())
}

/// The lines of a file, without their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

/// What follows `key` in `line`, without blanks at either end; `None` if the line does not begin with it.
fn after<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(key).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines that reach deep into the parsers, to be mutated.
    const SEEDS: &[&str] = &[
        "1 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 99 1 2 3 4 5 6 7",
        "Uid:\t0\t1\t2\t3\nSigQ:\t1/96365\nThreads:\t4\nVmLck:\t 4 kB\n",
        "Max open files            1024                 4096                 files\n",
        "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t7\ntfd: 5 events: 19 data: 5 pos:0 ino:1 sdev:8\n",
        "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0\nUserFiles:\t2\n    0: /x\n",
        "7f0000000000-7f0000001000 r-xp 00001000 fe:01 77 /lib/x.so (deleted)\n",
        "ID: 60\nsignal: 0/00007fff\nnotify: signal/pid.2634\nClockID: 1\n",
        "9:name=systemd:/\n8:pids:/a\n0::/b\n",
        "24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n",
        " 0: 0100007F:1F90 0200007F:C350 08 00000000:00000000 00:00000000 00000000 0 0 77 1 0 20",
        "ffff: 00000002 00000000 00010000 0001 01 4242 /run/x.sock",
        "1: -> POSIX  ADVISORY  WRITE 1234 fe:01:5678 0 EOF",
        "fanotify ino:4f969 sdev:800013 mflags:0 mask:3b ignored_mask:0\nit_value: (1, 5)\n",
        "lock:\t1: OFDLCK ADVISORY  READ -1 fe:01:5678 10 19\ntfd: 5 events: 19 data: 5",
        "521\t0\t2466177\n",
        "0.1 0.2 0.3 1/456 789\n",
    ];

    fn parse_all(bytes: &[u8]) {
        let _ = parse_stat(bytes);
        let _ = parse_status(bytes);
        let _ = parse_limits(bytes);
        let _ = parse_fdinfo(bytes);
        let _ = parse_cgroup(bytes);
        let _ = parse_link(bytes);
        let _ = parse_lock(bytes);
        let _ = parse_timers(bytes);
        let _ = parse_file_nr(bytes);
        let _ = parse_loadavg_tasks(bytes);
        let _ = parse_single(bytes);
        let arguments = parse_cmdline(bytes);
        let _ = script_of(bytes, &arguments);
        parse_maps(bytes, |map| assert!(map.size() < u64::MAX));
        parse_mountinfo(bytes, drop);
        for line in lines(bytes) {
            for table in Table::ALL {
                if let Some(endpoint) = parse_endpoint(table, line) {
                    let _ = endpoint.text();
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            parse_all(&bytes);
        }

        #[test]
        fn near_misses_are_taken(
            seed in 0..SEEDS.len(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = SEEDS[seed].as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(1 + cut.index(bytes.len()));
            parse_all(&bytes);
        }
    }
}
