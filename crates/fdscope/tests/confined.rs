//! Kernels and containers that permit less: each fallback is said aloud, and what can still be seen is right.

mod common;

use std::process::{Command, Output};

use common::{is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

/// What Docker's and Podman's default profiles refuse to a container without capabilities, of what fdscope uses.
const CONTAINER: &str = "refuse=1:bpf,perf_event_open,kcmp,process_vm_readv,pidfd_getfd";

/// Runs `fdscope ARGUMENTS` under the fixture that confines it.
fn confined(limits: &[&str], arguments: &[&str]) -> Output {
    let mut command = Command::new(c("confine"));
    command.args(limits).arg(env!("CARGO_BIN_EXE_fdscope")).args(arguments);
    command.output().expect("the fixture runs")
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"))
}

/// A watch of a fixture under these limits ends well, by this source, and says why it is no better one.
fn check(limits: &[&str], expected: &str, reason: &str) {
    let fixture = Fixture::start(&c("leaky"), &[]);
    let pid = fixture.pid().to_string();
    let arguments = ["leak", &pid, "--json", "--duration", "1s"];
    let output = confined(limits, &arguments);
    assert_eq!(output.status.code(), Some(0), "{limits:?}: {output:?}");
    let report = json(&output);
    assert_eq!(report["source"]["name"], expected, "{limits:?}");
    let blind = report["source"]["cannot_see"].to_string();
    assert!(blind.contains(reason), "{limits:?}: {blind}");
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    assert_eq!(report["processes"][0]["open_now"].as_u64(), Some(open as u64), "{limits:?}");
}

#[test]
fn a_container_without_bpf_is_served_by_ptrace() {
    check(&[CONTAINER], "ptrace", "eBPF cannot be used");
}

#[test]
fn a_container_without_bpf_and_ptrace_is_served_by_proc() {
    check(&[CONTAINER, "refuse=1:ptrace"], "poll", "eBPF cannot be used");
    check(&[CONTAINER, "refuse=1:ptrace"], "poll", "ptrace");
}

#[test]
fn a_kernel_without_bpf_is_served_by_ptrace() {
    check(&["refuse=38:bpf"], "ptrace", "eBPF cannot be used");
}

#[test]
fn a_kernel_without_btf_is_served_by_ptrace() {
    if !is_root("root, to hide /sys/kernel/btf") {
        return;
    }
    check(&["hide=/sys/kernel/btf"], "ptrace", "BTF");
}

#[test]
fn what_is_asked_for_and_refused_is_one_sentence_with_its_cure() {
    let fixture = Fixture::start(&c("leaky"), &[]);
    let pid = fixture.pid().to_string();
    for (source, word) in [("bpf", "eBPF"), ("ptrace", "ptrace")] {
        let limits = [CONTAINER, "refuse=1:ptrace"];
        let output = confined(&limits, &["leak", &pid, "--source", source]);
        assert_eq!(output.status.code(), Some(77), "{source}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(word) && said.lines().count() <= 6, "{source}: {said}");
    }
}

#[test]
fn sockets_without_netlink_are_those_of_the_text_tables() {
    use std::os::fd::AsFd;
    use std::os::linux::net::SocketAddrExt;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
    let client = std::net::TcpStream::connect(listener.local_addr().expect("address"));
    let client = client.expect("connect");
    let (accepted, _) = listener.accept().expect("accept");
    std::io::Write::write_all(&mut &client, b"not read").expect("write");
    let name = format!("fdscope-text-{}", std::process::id());
    let name = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("a name");
    let unix = std::os::unix::net::UnixListener::bind_addr(&name).expect("listen");
    let inode = |fd: std::os::fd::BorrowedFd<'_>| rustix::fs::fstat(fd).expect("stat").st_ino;
    let inodes = [listener.as_fd(), client.as_fd(), accepted.as_fd(), unix.as_fd()].map(inode);
    let list = inodes.map(|inode| inode.to_string()).join(", ");
    let filter = format!("inode in ({list})");
    // Everything that the text has, and who holds it.
    let columns = "protocol,state,recv-q,local,peer,port,family,type,inode,uid,netns,keepalive";
    let arguments = ["sockets", "--json", "-o", columns, "--sort", "inode", &filter];
    let rows = |output: &Output| {
        let rows = json(output)["sockets"].as_array().expect("a list").clone();
        let mut rows: Vec<Value> = rows;
        rows.sort_by_key(|row| row["inode"].as_u64());
        rows
    };
    // The acknowledgement of what was sent may come a little later, and stops a timer.
    let deadline = std::time::Instant::now() + common::DEADLINE;
    let asked = loop {
        let asked = rows(&run(&arguments));
        let refused = confined(&["refuse=1:socket"], &arguments);
        assert_eq!(refused.status.code(), Some(0), "{refused:?}");
        let mut expected = asked.clone();
        for row in expected.iter_mut().filter(|row| row["family"] == "unix") {
            // The text of UNIX sockets has neither.
            (row["uid"], row["receive_queue"]) = (Value::Null, Value::Null);
        }
        let found = rows(&refused);
        if found == expected {
            break asked;
        }
        assert!(std::time::Instant::now() < deadline, "{found:?}\n{expected:?}");
    };
    assert_eq!(asked.len(), 4, "{asked:?}");
    let unread = asked.iter().find(|row| row["inode"] == inodes[2]).expect("what was accepted");
    assert_eq!(unread["receive_queue"], 8, "{unread}");
    // Its owner is found by its descriptor, as ever.
    let filter = format!("inode = {}", inodes[1]);
    let owned = confined(&["refuse=1:socket"], &["sockets", "--json", &filter]);
    assert_eq!(json(&owned)["sockets"][0]["pids"][0], std::process::id(), "{owned:?}");
}

#[test]
fn doctor_says_what_a_container_lacks() {
    let output = confined(&[CONTAINER], &["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no   eBPF events with stacks"), "{said}");
    assert!(said.contains("cure: "), "{said}");
    assert_eq!(run(&["doctor"]).status.code(), Some(0));
}
