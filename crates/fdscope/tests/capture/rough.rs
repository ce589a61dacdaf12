//! Bad days: an interface that vanishes, a disk that is full, an end in the middle of it all, a pipe that is closed.

use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fdscope_fixtures::in_path;
use rustix::process::Signal;

use super::live::{Capture, again};
use super::packets;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Runs ip(8); false if it refuses.
fn ip(words: &str) -> bool {
    let done = Command::new("ip").args(words.split(' ')).output();
    done.is_ok_and(|done| done.status.success())
}

/// Makes an interface of a name of this process's own; `None` where that cannot be had.
fn new_veth(prefix: &str) -> Option<String> {
    let name = format!("{prefix}{}", std::process::id() as u16);
    if is_root() && in_path("ip") && ip(&format!("link add {name} type veth")) {
        return Some(name);
    }
    println!("skipped: needs root, ip and veth");
    None
}

#[test]
fn an_interface_that_vanishes_ends_it_with_a_file_that_can_be_read() {
    let Some(name) = new_veth("fv") else { return };
    let up = ip(&format!("link set {name} up"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.pcapng");
    let path = file.to_str().expect("text");
    let capture = Capture::start(&["-i", &name, "-nn", "-w", path]);
    assert!(ip(&format!("link del {name}")) && up);
    let Some(capture) = capture else { return };
    let (_, talk, code) = capture.end();
    assert_eq!(code, Some(1), "{talk}");
    assert!(talk.contains("The interface disappeared or went down\n"), "{talk}");
    let captured = captured(&talk);
    assert_eq!(again(path).lines().count(), captured, "{talk}");
}

/// The number in front of `packets captured`.
fn captured(talk: &str) -> usize {
    let line = talk.lines().find(|line| line.contains(" captured")).expect("statistics");
    line.split(' ').next().and_then(|count| count.parse().ok()).expect("a number")
}

#[test]
fn an_end_in_the_middle_of_writing_leaves_as_many_packets_as_are_told() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = receiver.local_addr().expect("bound");
    let filter = format!("udp port {}", address.port());
    for name in ["out.pcap", "out.pcapng"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        let path = file.to_str().expect("text");
        let Some(capture) = Capture::start(&["-i", "lo", "-nn", "-w", path, &filter]) else {
            return;
        };
        let over = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&over);
        let sender = std::thread::spawn(move || {
            let sender = UdpSocket::bind("127.0.0.1:0").expect("bound");
            while !heard.load(Ordering::Relaxed) {
                // A full receiver is no failure of the sender.
                let _sent = sender.send_to(&[7; 99], address);
            }
        });
        // It is in the middle of it once there is more than a header.
        while file.metadata().map_or(0, |meta| meta.size()) < 100_000 {
            std::thread::yield_now();
        }
        capture.signal(Signal::USR1);
        capture.signal(Signal::TERM);
        let (_, talk, code) = capture.end();
        over.store(true, Ordering::Relaxed);
        sender.join().expect("it ends");
        assert_eq!(code, Some(0), "{talk}");
        let shown = again(path);
        let last = talk.lines().rev().find(|line| line.ends_with(" captured")).expect("told");
        assert_eq!(captured(last), shown.lines().count(), "{talk}");
    }
}

#[test]
fn a_full_disk_is_told_and_what_is_there_can_be_read() {
    if !is_root() || !in_path("unshare") {
        println!("skipped: needs root and unshare");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let many: Vec<(Vec<u8>, usize)> =
        (0..900).map(|_| (packets::ether(0x9999, &[7; 1000]), usize::MAX)).collect();
    let (from, small) = (folder.path().join("many.pcap"), folder.path().join("small"));
    std::fs::write(&from, packets::file(1, false, &many)).expect("written");
    std::fs::create_dir(&small).expect("made");
    for name in ["out.pcap", "out.pcapng"] {
        // In a mount namespace of its own, nothing is left behind.
        let script = format!(
            "mount -t tmpfs -o size=256k none {small} && {{ {program} tcpdump -r {from} -w {small}/{name}; \
             code=$?; cp {small}/{name} {folder}/{name}; exit $code; }}",
            small = small.display(),
            program = env!("CARGO_BIN_EXE_fdscope"),
            from = from.display(),
            folder = folder.path().display(),
        );
        let output =
            Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr);
        let copy = folder.path().join(name);
        if !copy.exists() {
            println!("skipped: needs to mount tmpfs");
            return;
        }
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("No space left on device"), "{told}");
        let mut read = Command::new(env!("CARGO_BIN_EXE_fdscope"));
        let read = read.args(["tcpdump", "--count", "-r"]).arg(&copy).output().expect("read");
        let (count, why) =
            (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
        assert!(!why.contains("truncated"), "{why}");
        let count: usize = count.split(' ').next().and_then(|n| n.parse().ok()).expect("a count");
        assert!((200..260).contains(&count), "{count} packets of 1 kB in 256 KiB");
    }
}

#[test]
fn lists_of_files_are_read_as_tcpdump_reads_them() {
    if !super::tcpdump() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut list = String::new();
    for (index, packet) in packets::all().into_iter().take(6).enumerate() {
        let file = folder.path().join(format!("{index}.pcap"));
        let packets = [(packet.clone(), usize::MAX), (packet, usize::MAX)];
        std::fs::write(&file, packets::file(1, index % 2 == 0, &packets)).expect("written");
        list += &format!("{}\n", file.display());
    }
    let listed = folder.path().join("list");
    std::fs::write(&listed, list).expect("written");
    for form in [&["-nn"][..], &["-nn", "-c", "1"], &["-nn", "--count"], &["-nn", "udp"]] {
        let run = |program: &str, leading: &[&str]| {
            let mut command = Command::new(program);
            command.args(leading).args(form).arg("-V").arg(&listed).env("TZ", "UTC0");
            let output = command.output().expect("runs");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&output.stdout), text(&output.stderr), output.status.code())
        };
        assert_eq!(
            run(env!("CARGO_BIN_EXE_fdscope"), &["tcpdump"]),
            run("tcpdump", &[]),
            "{form:?}"
        );
    }
}

#[test]
fn a_file_is_its_callers_alone() {
    if !is_root() {
        println!("skipped: needs root");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from.pcap"), folder.path().join("to.pcap"));
    let packet = packets::ether(0x9999, &[7; 100]);
    std::fs::write(&from, packets::file(1, false, &[(packet, usize::MAX)])).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fdscope"));
    command.args(["capture", "-r"]).arg(&from).arg("-w").arg(&to);
    let output = command.env("SUDO_UID", "12345").env("SUDO_GID", "12346").output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let meta = to.metadata().expect("there");
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (12345, 12346, 0o600));
}

#[test]
fn every_thread_gives_its_privileges_up() {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let nobody = passwd.lines().find_map(|line| line.strip_prefix("nobody:")?.split(':').nth(1));
    let Some(uid) = nobody.filter(|_| is_root()) else {
        println!("skipped: needs root and a user called nobody");
        return;
    };
    let arguments = ["-i", "lo", "-nn", "-Z", "nobody", "udp port 9"];
    let Some(capture) = Capture::start(&arguments) else { return };
    let others = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", capture.pid())).expect("it lives");
        let statuses =
            tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("status")));
        let is_other = |status: &String| {
            let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
            uids.is_some_and(|uids| uids.split_whitespace().any(|told| told != uid))
        };
        statuses.filter(is_other).count()
    };
    // A thread that is about to end when the others give up theirs keeps them until it has ended.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while others() > 0 {
        assert!(std::time::Instant::now() < deadline, "{} threads kept them", others());
        std::thread::yield_now();
    }
    capture.signal(Signal::TERM);
    let (_, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
}

#[test]
fn an_interface_is_promiscuous_only_when_that_is_asked_for() {
    let Some(name) = new_veth("fp") else { return };
    let up = ip(&format!("link set {name} up"));
    // IFF_PROMISC.
    let is_promiscuous = || {
        let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).ok()?;
        let flags = u32::from_str_radix(flags.trim().strip_prefix("0x")?, 16).ok()?;
        Some(flags & 0x100 != 0)
    };
    let mut told = Vec::new();
    for more in [&[][..], &["--promiscuous"]] {
        let arguments = [&["-i", &name, "-nn", "--no-owners"], more].concat();
        let Some(capture) = Capture::start(&arguments) else { break };
        told.push(is_promiscuous());
        capture.signal(Signal::TERM);
        let (_, talk, code) = capture.end();
        assert_eq!(code, Some(0), "{talk}");
    }
    let after = is_promiscuous();
    assert!(ip(&format!("link del {name}")) && up);
    match told[..] {
        [Some(plain), Some(asked)] => assert_eq!((plain, asked, after), (false, true, Some(false))),
        _ => println!("skipped: needs /sys/class/net"),
    }
}
