//! `fdscope sockets` on sockets made for it.

mod common;

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use common::run;
use serde_json::Value;

fn sockets(filter: &str) -> Vec<Value> {
    let output = run(&["sockets", "--json", filter]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(object["schema"], "fdscope/sockets/1");
    object["sockets"].as_array().expect("a list").clone()
}

#[test]
fn every_socket_has_an_owner_or_a_reason() {
    let own = std::process::id();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("address").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let lonely = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .expect("socket");
    let rows = sockets(&format!("port = {port}"));
    assert_eq!(rows.len(), 3, "listener, client, and what waits: {rows:?}");
    let waiting = rows.iter().find(|row| row["unheld"] == "accept-queue").expect("it waits");
    assert_eq!((&waiting["inode"], &waiting["state"]), (&0.into(), &"established".into()));
    let held = rows.iter().filter(|row| row["pids"][0] == own).count();
    assert_eq!(held, 2);

    // The client leaves before it is accepted: CLOSE_WAIT, and nobody to close it.
    drop(client);
    let rows = sockets(&format!("unheld = accept-queue and port = {port}"));
    assert_eq!(rows.len(), 1);
    let table = run(&["sockets", &format!("unheld = accept-queue and port = {port}")]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains(&format!("(not accepted yet by {own}/")), "{text}");

    let (accepted, _) = listener.accept().expect("accept");
    let rows = sockets(&format!("state = close-wait and pid = {own} and port = {port}"));
    assert_eq!(rows.len(), 1);
    drop(accepted);

    let rows = sockets(&format!("pid = {own} and state = closed and protocol = TCP"));
    assert_eq!(rows.len(), 1, "never connected: {rows:?}");
    drop(lonely);
}

#[test]
fn a_pair_knows_who_holds_the_other_end() {
    let own = std::process::id();
    let (left, right) = UnixStream::pair().expect("pair");
    let inode = rustix::fs::fstat(&left).expect("stat").st_ino;
    let rows = sockets(&format!("inode = {inode}"));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["peer_owners"][0]["pid"], own);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&right);
    assert_eq!(rows[0]["peer_owners"][0]["fd"], fd);
}

#[test]
fn the_summary_is_the_kernel_s_own() {
    let output = run(&["sockets", "--summary", "--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(object["counts"]["used_sockets"].as_u64() > Some(0));
    assert!(object["counters"]["ListenDrops"].is_u64());
    let output = run(&["sockets", "--summary"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("tcp_max_orphans") && text.contains("accept queue was full"), "{text}");
}

#[test]
fn a_wrong_word_is_shown_with_the_nearest() {
    let output = run(&["sockets", "stat = listen"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean state?"), "{said}");
}
