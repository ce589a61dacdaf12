//! `fdscope tcpdump` beside tcpdump: the same packets, the same options, the same bytes.

mod filters;
mod generated;
mod leaks;
mod live;
mod options;
mod packets;
mod rough;
mod whose;

use std::path::Path;
use std::process::{Command, Output};

/// Options that change what is printed.
const FORMS: &[&[&str]] = &[
    &["-nn"],
    &["-nnv"],
    &["-nnvv"],
    &["-nnvvv"],
    &["-nne"],
    &["-nnev"],
    &["-nnq"],
    &["-nnqe"],
    &["-nnqq"],
    &["-nnS"],
    &["-nnx"],
    &["-nnxx"],
    &["-nnX"],
    &["-nnXX"],
    &["-nnA"],
    &["-nnAA"],
    &["-nnt"],
    &["-nntt"],
    &["-nnttt"],
    &["-nntttt"],
    &["-nnttttt"],
    &["-nnK", "-v"],
    &["-nn", "--number", "-c", "9"],
    &["-nn", "--nano"],
    &["-nn", "--count"],
];

/// The version whose words about mistakes and broken packets are compared: others have others.
fn tcpdump_of_the_words() -> bool {
    is_there("tcpdump version 4.99.3")
}

fn tcpdump() -> bool {
    is_there("tcpdump version 4.99")
}

fn is_there(words: &str) -> bool {
    let version = Command::new("tcpdump").arg("--version").output();
    let there = version.is_ok_and(|output| {
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).contains(words)
    });
    if !there {
        println!("skipped: needs {words}");
    }
    there
}

fn run(program: &str, leading: &[&str], form: &[&str], file: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(leading).args(form).arg("-r").arg(file).env("TZ", "UTC0");
    command.output().expect("the program runs")
}

/// Compares every byte, and shows the first line that differs.
fn check(form: &[&str], file: &Path) {
    let theirs = run("tcpdump", &[], form, file);
    let ours = run(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"], form, file);
    for (ours, theirs) in [(&ours.stdout, &theirs.stdout), (&ours.stderr, &theirs.stderr)] {
        let (ours, theirs) = (String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs));
        let differ = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
        let shown: Vec<String> = differ
            .take(9)
            .map(|(ours, theirs)| format!("  ours {ours}\ntheirs {theirs}"))
            .collect();
        assert!(shown.is_empty(), "with {form:?}:\n{}", shown.join("\n"));
        assert_eq!(ours.lines().count(), theirs.lines().count(), "lines with {form:?}");
    }
    assert_eq!(ours.status.code(), theirs.status.code(), "exit code with {form:?}");
}

#[test]
fn every_form_of_every_packet_is_as_tcpdump_prints_it() {
    if !tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let whole: Vec<(Vec<u8>, usize)> =
        packets::all().into_iter().map(|packet| (packet, usize::MAX)).collect();
    let file = folder.path().join("whole.pcap");
    std::fs::write(&file, packets::file(1, false, &whole)).expect("written");
    for form in FORMS {
        check(form, &file);
    }
}

#[test]
fn packets_cut_anywhere_are_told_to_be_cut_where_tcpdump_tells_it() {
    if !tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut cut = Vec::new();
    for (index, packet) in packets::all().into_iter().enumerate() {
        // Of the 256 packets of flags a few are enough.
        if index < 250 && index % 50 != 0 {
            continue;
        }
        cut.extend((0..packet.len()).map(|kept| (packet.clone(), kept)));
    }
    let file = folder.path().join("cut.pcap");
    std::fs::write(&file, packets::file(1, false, &cut)).expect("written");
    for form in [&["-nn"][..], &["-nnv"], &["-nnvve"], &["-nnq"], &["-nnvvvX"]] {
        check(form, &file);
    }
}

#[test]
fn every_link_type_is_as_tcpdump_prints_it() {
    if !tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for link in [0, 101, 108, 113, 276] {
        let relinked: Vec<(Vec<u8>, usize)> = packets::all()
            .iter()
            .filter(|frame| {
                matches!(frame[12..14], [8, 0] | [0x86, 0xdd]) || matches!(link, 113 | 276)
            })
            .map(|frame| (packets::relinked(link, frame), usize::MAX))
            .collect();
        let file = folder.path().join("linked.pcap");
        std::fs::write(&file, packets::file(link, true, &relinked)).expect("written");
        for form in [&["-nn"][..], &["-nne"], &["-nnqe"], &["-nnvX"]] {
            check(form, &file);
        }
    }
}

#[test]
fn expressions_choose_the_packets_that_tcpdump_chooses() {
    if !tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let whole: Vec<(Vec<u8>, usize)> =
        packets::all().into_iter().map(|packet| (packet, usize::MAX)).collect();
    let file = folder.path().join("whole.pcap");
    std::fs::write(&file, packets::file(1, false, &whole)).expect("written");
    let expressions = [
        "tcp",
        "udp port 53 or icmp",
        "not ip and not arp",
        "vlan 5",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "host 10.0.0.1 and greater 80",
        "ip6 proto 58",
        "portrange 40-60",
        "ether src 2:0:0:0:0:1",
        "ip[6:2] & 0x1fff != 0",
        "tcp and and",
        "port nosuchport",
        "len / 7 * 3 - 2 > 60",
    ];
    for expression in expressions {
        check(&["-nn", expression], &file);
    }
}

#[test]
fn files_are_turned_over_as_tcpdump_turns_them() {
    if !tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let many: Vec<(Vec<u8>, usize)> =
        (0..2200).map(|_| (packets::ether(0x9999, &[7; 1400]), usize::MAX)).collect();
    let file = folder.path().join("many.pcap");
    std::fs::write(&file, packets::file(1, false, &many)).expect("written");
    for form in [&["-C", "1"][..], &["-C", "1", "-W", "2"], &["-C", "1", "-W", "12"]] {
        let written = |program: &str, leading: &[&str], name: &str| {
            let into = folder.path().join(name);
            std::fs::create_dir(&into).expect("made");
            let mut command = Command::new(program);
            command.args(leading).args(form).arg("-r").arg(&file).arg("-w").arg(into.join("out"));
            // tcpdump gives root's privileges away before it opens files.
            command.args(if leading.is_empty() { &["-Z", "root"][..] } else { &[] });
            assert!(command.output().expect("runs").status.success());
            let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&into)
                .expect("listed")
                .map(|entry| entry.expect("listed"))
                .map(|entry| {
                    (
                        entry.file_name().to_string_lossy().into_owned(),
                        std::fs::read(entry.path()).expect("read"),
                    )
                })
                .collect();
            files.sort();
            std::fs::remove_dir_all(&into).expect("removed");
            files
        };
        let theirs = written("tcpdump", &[], "theirs");
        let ours = written(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"], "ours");
        let names = |files: &[(String, Vec<u8>)]| {
            files.iter().map(|file| file.0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&ours), names(&theirs), "{form:?}");
        assert!(ours == theirs, "bytes with {form:?}");
    }
}
