//! What can be typed, a line each: the same bytes, the same words on the standard error, the same exit code, the same files.

use std::path::Path;
use std::process::Command;

use super::packets;

/// `F` is a file of packets; `exp`, `list`, `empty`, `short` and `garbage` stand beside it.
const LINES: &[&str] = &[
    "-r F -c 0",
    "-r F -c x",
    "-r F -c 5x",
    "-r F -c -1",
    "-r F -c 3",
    "-nn -r F -c 3 -q -e",
    "-nnt -r F -c 3",
    "-nntttttt -r F -c 3",
    "-r F -s -1",
    "-r F -s x",
    "-r F -s 262145",
    "-r F -s 0 -c 1",
    "-C x -w o -r F",
    "-C 0 -w o -r F",
    "-C 99999999999999999999 -w o -r F",
    "-C 1k -w o -r F",
    "-G x -w o -r F",
    "-G -1 -w o -r F",
    "-W 0 -w o -r F",
    "-W x -w o -r F",
    "-B 0 -r F",
    "-B x -r F",
    "-Q foo -r F",
    "-y FOO -r F",
    "-y EN10MB -d tcp",
    "-y RAW -d tcp",
    "-y LINUX_SLL2 -d port 80",
    "-y LINUX_SLL -d port 80",
    "-d -r F tcp",
    "-dd -r F tcp",
    "-ddd -r F tcp",
    "-d -r F",
    "-O -d -r F tcp port 80",
    "--count -r F",
    "--count -r F udp",
    "--count -r F -c 1",
    "-F /nonexistent -r F",
    "-F exp -r F -nn",
    "-V list -nn",
    "-V /nonexistent",
    "-V list -r F",
    "-V empty",
    "-r /nonexistent",
    "-r empty",
    "-r short",
    "-r garbage",
    "-r .",
    "-l -nn -r F -c 2",
    "-S -nn -r F tcp -c 20",
    "-A -nn -r F tcp -c 3",
    "-X -nn -r F -c 3",
    "-x -nn -r F -c 3",
    "-xx -nn -r F -c 3",
    "-XX -nn -r F -c 3",
    "-AA -nn -r F -c 3",
    "-Z root -nn -r F -c 1",
    "-j foo -r F",
    "-E foo -r F -nn -c 1",
    "-M foo -r F -nn -c 1",
    "-T foo -r F",
    "-a -r F -nn -c 1",
    "-b -f -H -K -N -u -nn -r F -c 3",
    "-f -nn -r F -c 3",
    "-u -nn -r F -c 3",
    "-r F tcp and and",
    "-r F tcp port 99999",
    "-r F port nosuchport",
    "-r F -c 1 -nn --number",
    "-r F -c 1 -nn -#",
    "-r F -c 1 -nn --nano",
    "-r F -c 1 -nn --micro",
    "-r F -c 1 -nn --time-stamp-precision=nano",
    "-r F -c 1 -nn --time-stamp-precision=foo",
    "-r F -c 1 -nn --time-stamp-precision nano -tt",
    "--immediate-mode -r F -nn -c 1",
    "--snapshot-length=40 -r F -nn -c 1",
    "--dont-verify-checksums -nn -v -r F -c 4",
    "--absolute-tcp-sequence-numbers -nn -r F tcp",
    "-p -nn -r F -c 1",
    "-nnr F -c1",
    "-nn -rF -c1",
    "-nnevvvXr F -c 30",
    "-Q in -r F -nn",
    "-nn -U -Z root -w o -r F -c 2",
    "-nn -Z root --print -w o -r F -c 2",
    "-nn -Z root -w - -r F -c 2",
    "-nn -c 2 -r F ip6 protochain 17",
];

/// Expressions, most of them of pcap-filter(7).
const EXPRESSIONS: &[&str] = &[
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst host 192.168.7.200",
    "net 10.0.0.0/8",
    "net 10.0.0.0 mask 255.0.0.0",
    "src net 192.168",
    "port 80",
    "tcp port 80",
    "udp dst port 53",
    "portrange 6000-6008",
    "src portrange 1-1023",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "igmp",
    "ip proto 17",
    "ip6 proto 6",
    "ip protochain 6",
    "ip6 protochain 6",
    "proto 17",
    "ether proto 0x88cc",
    "ether broadcast",
    "ether multicast",
    "ip multicast",
    "ip6 multicast",
    "ether host 02:00:00:00:00:01",
    "ether src 02:00:00:00:00:01",
    "less 100",
    "greater 100",
    "len > 5",
    "vlan",
    "vlan 5",
    "vlan and ip",
    "vlan 5 and vlan 6 and ip",
    "mpls",
    "mpls 100000 and mpls 1024",
    "pppoes",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[13] = 2",
    "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "ip[0] & 0xf != 5",
    "ip[6:2] & 0x1fff = 0",
    "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
    "icmp6[icmp6type] == icmp6-echo",
    "ether[0] & 1 = 0 and ip[16] >= 224",
    "gateway snup and ip",
    "not port 22",
    "not host 10.0.0.1 and tcp",
    "host 10.0.0.1 and (port 80 or 443)",
    "ip host 10.0.0.1 and not 192.168.7.200",
    "ip and not net 10.0.0.0/24",
    "tcp or udp or icmp",
    "host 2001:db8::1",
    "net 2001:db8::/32",
    "src host fe80::1 and icmp6",
    "sctp",
    "esp or ah",
    "iso proto \\clnp",
    "decnet src 10.1",
    "udp[4:2] > 40",
    "tcp[0:4] != tcp[4:4]",
    "ether dst 01:80:c2:00:00:00",
    "stp",
    "geneve",
    "ip broadcast",
    "ip[8] < 5",
    "len - 14 > 100",
    "1 = 1",
];

/// Standard output and error, exit code, and the file that was written, if one was.
type Done = (String, String, Option<i32>, Option<Vec<u8>>);

fn run(program: &str, leading: &[&str], words: &[&str], folder: &Path) -> Done {
    let mut command = Command::new(program);
    command.args(leading).args(words).env("TZ", "UTC0").current_dir(folder);
    let output = command.stdin(std::process::Stdio::null()).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let written = folder.join("o");
    let file = std::fs::read(&written).ok();
    let _none = std::fs::remove_file(&written);
    (text(&output.stdout), text(&output.stderr), output.status.code(), file)
}

#[test]
fn what_is_typed_does_what_it_does_with_tcpdump() {
    if !super::tcpdump_of_the_words() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    };
    let whole: Vec<(Vec<u8>, usize)> =
        packets::all().into_iter().map(|packet| (packet, usize::MAX)).collect();
    let file = packets::file(1, false, &whole);
    put("F", &file);
    put("exp", b"tcp and # comment\n port 80\n");
    put("list", b"F\nF\n");
    put("empty", b"");
    put("short", &file[..10]);
    put("garbage", &[b'x'; 100]);
    for line in LINES {
        let words: Vec<&str> = line.split(' ').collect();
        let theirs = run("tcpdump", &[], &words, folder.path());
        let ours = run(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"], &words, folder.path());
        assert!(ours == theirs, "{line}:\n{ours:?}\n{theirs:?}");
    }
}

#[test]
fn expressions_become_the_programs_that_tcpdump_lists() {
    if !super::tcpdump_of_the_words() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for link in ["EN10MB", "RAW", "LINUX_SLL2"] {
        for expression in EXPRESSIONS {
            let words = ["-y", link, "-d", expression];
            let theirs = run("tcpdump", &[], &words, folder.path());
            let ours = run(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"], &words, folder.path());
            assert!(ours == theirs, "{link}, {expression}:\n{ours:?}\n{theirs:?}");
        }
    }
}
