//! Capture beside the leak watch, and the life of connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use fdscope_fixtures::{Fixture, c};
use rustix::process::Signal;

use super::live::{Capture, again};

/// Serves clients as they come, for as long as the test runs: reads what they say, and closes.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let _gone = client.expect("a client").read(&mut [0; 64]);
        }
    });
    port
}

#[test]
fn packets_of_sockets_that_leak_are_shown_with_the_place_that_opened_them() {
    let port = serve();
    let mut program = Fixture::start(&c("connections"), &[&format!("port={port}")]);
    program.ask("go 100");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leaked.pcapng");
    let path = file.to_str().expect("text");
    let (pid, filter) = (program.pid().to_string(), format!("tcp port {port}"));
    let arguments =
        ["-i", "lo", "-nn", "--print", "-w", path, "-c", "40", "--leaked-by", &pid, &filter];
    let Some(capture) = Capture::start(&arguments) else { return };
    let (lines, talk, code) = capture.end();
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains(": leak: ") || talk.contains(": suspect: "), "{talk}");
    assert_eq!(lines.lines().count(), 40, "{lines}");
    let owner = format!("; connections[{pid}] fd ");
    for line in lines.lines() {
        assert!(line.contains(&owner), "{line}");
        assert!(line.contains(", opened at forget_connection (connections.c:"), "{line}");
    }
    // They were kept from the beginning of the connection on, not from the moment of the verdict.
    assert!(lines.contains("Flags [S],"), "{lines}");
    assert!(lines.contains("length 9"), "{lines}");
    assert_eq!(again(path), lines, "what is read back");
}

#[test]
fn a_connection_that_only_its_peer_has_closed_is_told_of() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let pair = || {
        let near = TcpStream::connect(address).expect("connected");
        (near, listener.accept().expect("accepted").0)
    };
    let (early, left_before) = pair();
    early.shutdown(Shutdown::Write).expect("ended");
    let (pid, filter) = (std::process::id().to_string(), format!("tcp port {}", address.port()));
    let arguments = ["-i", "lo", "-nn", "-l", "--lifecycle", "--watch", &pid, &filter];
    let Some(mut capture) = Capture::start(&arguments) else { return };
    capture.wait_for("watching process");
    let (mut near, mut far) = pair();
    near.write_all(b"question").expect("sent");
    far.read_exact(&mut [0; 8]).expect("received");
    near.shutdown(Shutdown::Write).expect("ended");
    let mut shown = BufReader::new(capture.lines());
    let (mut lines, mut from) = (String::new(), 0);
    while !lines.get(from..).expect("text").contains("Flags [F.]") {
        from = lines.len();
        assert!(shown.read_line(&mut lines).expect("text") > 0, "it ended with {lines}");
    }
    capture.signal(Signal::INT);
    shown.read_to_string(&mut lines).expect("text");
    let flags: Vec<&str> = lines.lines().filter(|line| line.contains("Flags [")).collect();
    assert_eq!(flags.len(), 3, "a beginning of two and an end: {lines}");
    if fdscope_bpf::SocketStates::open(fdscope_bpf::states::Told::Every).is_ok() {
        let (far_end, near_end) =
            (far.local_addr().expect("here"), far.peer_addr().expect("there"));
        let change = |own, peer, words: &str| {
            let told = format!(" {own} > {peer}: {words} ; ");
            assert!(lines.contains(&told), "{told} is not in {lines}");
        };
        change(near_end, far_end, "syn-sent -> established");
        change(near_end, far_end, "established -> fin-wait-1");
        change(far_end, near_end, "established -> close-wait");
    }
    let told = |stream: &TcpStream| {
        let (own, peer) = (stream.local_addr().expect("here"), stream.peer_addr().expect("there"));
        let head = format!("{own} > {peer}: peer sent FIN ");
        let line = lines.lines().find(|line| line.contains(&head));
        let line = line.unwrap_or_else(|| panic!("nothing of {head} in {lines}")).to_owned();
        assert!(line.contains("this side never closed ("), "{line}");
        assert!(line.contains(&format!("[{pid}] fd {}", stream.as_raw_fd())), "{line}");
        line
    };
    assert!(told(&far).contains(" ago, "), "{lines}");
    assert!(told(&far).contains("opened at "), "{lines}");
    let before = told(&left_before);
    assert!(before.contains("peer sent FIN before the capture"), "{before}");
    assert!(before.contains("opened before the watch"), "{before}");
    assert!(!lines.contains(&format!("{address} > {address}")));
    drop((near, early));
}

#[test]
fn whom_to_watch_must_be_there() {
    let told = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fdscope"))
            .arg("capture")
            .args(arguments)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let check = |arguments: &[&str], expected: &str| {
        let told = told(arguments);
        assert!(told == format!("fdscope capture: {expected}\n"), "{arguments:?}: {told}");
    };
    check(
        &["-r", "x", "--leaked-by", "1"],
        "--leaked-by watches living processes: it cannot be had of a file",
    );
    check(
        &["--watch", "1", "-Z", "nobody"],
        "--watch goes on looking into processes: leave out -Z",
    );
    check(&["--leaked-by", ""], "no process's number or name");
    check(&["--watch=1", "--no-owners"], "--watch needs owners: leave out --no-owners");
}
