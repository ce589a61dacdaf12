//! Expressions: mistakes with a caret, what runs where, files of them, words about live processes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::live::{Capture, talk};

fn run(arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fdscope"));
    let output = command.arg("capture").args(arguments).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// True where expressions can be compiled.
fn has_libpcap() -> bool {
    let (_, told) = run(&["-d", "-y", "EN10MB", "tcp"]);
    let missing = told.contains("libpcap");
    if missing {
        println!("skipped: needs libpcap");
    }
    !missing
}

#[test]
fn mistakes_in_the_packets_language_are_pointed_at() {
    if !has_libpcap() {
        return;
    }
    let check = |expression: &str, at: usize| {
        let (_, told) = run(&["-d", "-y", "EN10MB", expression]);
        let pointed = format!("\n  {expression}\n  {}^\n", " ".repeat(at));
        assert!(told.ends_with(&pointed), "{expression}:{pointed}is not in\n{told}");
    };
    check("tcp and and", 8);
    check("host 1.2.3.4 foo", 13);
    check("tcp port nosuchport", 9);
    check("tcp port", 8);
    check("udp and (tcp prot 80)", 13);
    check("pid 7 and (tcp prot 80)", 15);
    check("name x or tcp port nosuchport", 19);
    check("tcp and pid x", 12);
}

#[test]
fn it_is_explained_which_part_runs_where() {
    if !has_libpcap() {
        return;
    }
    let (told, why) = run(&["-i", "lo", "--explain", "tcp and (name nginx or port 80)"]);
    let lines: Vec<&str> = told.lines().collect();
    let [kernel, whole, tcp, name, port, kept] = lines[..] else { panic!("{told}{why}") };
    assert!(kernel.starts_with("in the kernel   (tcp) ("), "{kernel}");
    assert_eq!(whole, "in fdscope      tcp and (name nginx or port 80)");
    assert!(tcp.starts_with("  of the packet tcp ("), "{tcp}");
    assert_eq!(name, "  of the owner  name nginx");
    assert!(port.starts_with("  of the packet port 80 ("), "{port}");
    assert_eq!(kept, "bytes kept      256");
    let (told, _) = run(&["-i", "lo", "--explain", "--lifecycle", "-s", "0"]);
    assert!(told.ends_with("in fdscope      nothing\nbytes kept      all\n"), "{told}");
    let (told, said) = run(&["-i", "lo", "-d", "udp and (pid 7 or port 80)"]);
    assert!(said.contains("is then asked: udp and (pid 7 or port 80)"), "{said}");
    let parts: Vec<&str> = told.lines().filter(|line| line.starts_with(';')).collect();
    assert_eq!(parts, ["; udp", "; port 80"], "{told}");
}

#[test]
fn words_about_live_processes_choose_their_packets() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    let comm = std::fs::read_to_string("/proc/self/comm").expect("told");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("expression");
    let near_and_far = "state established and not state listen and age < 1h";
    let text = format!(
        "tcp port {port} # of this test\nand name {} and {near_and_far} and not fd 1000000\n",
        comm.trim_end()
    );
    std::fs::write(&file, text).expect("written");
    let path = file.to_str().expect("text");
    let Some(capture) = Capture::start(&["-i", "lo", "-nn", "-c", "3", "-F", path]) else { return };
    let (mut near, mut far) = talk(&listener);
    // It goes on until enough was seen: a survey may meet the connection while it is made.
    let own = [near.as_raw_fd(), far.as_raw_fd()];
    let over = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&over);
    let talker = std::thread::spawn(move || {
        while !heard.load(Ordering::Relaxed) {
            near.write_all(b"more").expect("sent");
            far.read_exact(&mut [0; 4]).expect("received");
            std::thread::yield_now();
        }
    });
    let (lines, talk, code) = capture.end();
    over.store(true, Ordering::Relaxed);
    talker.join().expect("it ends");
    assert_eq!((code, lines.lines().count()), (Some(0), 3), "{talk}");
    let own = own.map(|fd| format!("[{}] fd {fd}", std::process::id()));
    assert!(lines.lines().all(|line| own.iter().any(|own| line.contains(own))), "{lines}");
}
