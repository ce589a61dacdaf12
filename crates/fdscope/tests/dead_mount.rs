//! A process that holds a file on a mount whose server stopped answering: every listing answers at once, with what the
//! kernel remembers of the file.

mod common;

use std::io::Read;
use std::process::Stdio;
use std::sync::mpsc::channel;

use common::{DEADLINE, fdscope};
use fdscope_fixtures::DeadMount;
use serde_json::Value;

/// What fdscope prints, if it ends in time; a process that waits for the server could not even be killed.
fn answer(mount: &mut DeadMount, arguments: &[&str]) -> String {
    let mut command = fdscope();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("fdscope is built for its tests");
    let mut output = child.stdout.take().expect("piped");
    let (sender, answered) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ended = output.read_to_end(&mut text);
        sender.send(text)
    });
    let text = answered.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        mount.end();
        panic!("{arguments:?} waits for the server")
    });
    assert_eq!(child.wait().expect("a child of ours").code(), Some(0), "{arguments:?}");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn no_listing_waits_for_a_dead_server() {
    let Some(mut mount) = DeadMount::new() else { return };
    let (pid, path) = (std::process::id().to_string(), mount.path().display().to_string());
    let stuck = std::thread::spawn({
        let link = format!("/proc/self/fd/{}", mount.fd());
        move || std::fs::metadata(link).is_ok()
    });
    for source in ["proc", "bpf"] {
        if source == "bpf" && !common::is_root("CAP_BPF for the bpf source") {
            continue;
        }
        let listed = answer(&mut mount, &["ls", "--source", source, &pid, "--json"]);
        let listed: Value = serde_json::from_str(&listed).expect("an object");
        let handles = listed["handles"].as_array().expect("rows");
        let row = handles.iter().find(|row| row["name"] == path.as_str()).expect("its row");
        assert_eq!(row["kind"], "file");
        // Its size as the kernel remembers it, or nothing: never a wait.
        assert!(row["size"].is_null() || row["size"] == 5, "{row}");
    }
    assert!(answer(&mut mount, &["ls", &path]).contains(&path));
    let folder = mount.folder().display().to_string();
    assert!(answer(&mut mount, &["ls", &format!("{folder}/")]).contains(&path));
    assert!(answer(&mut mount, &["lsof", "-nP", "-p", &pid]).contains(&path));
    assert!(answer(&mut mount, &["lsof", "-nP", "-F", "-p", &pid]).contains(&path));
    assert!(answer(&mut mount, &[&pid]).contains("file"));
    assert!(answer(&mut mount, &["ps", "--json"]).contains(&format!("\"pid\":{pid},")));
    assert!(!answer(&mut mount, &["proc", &pid, "fd"]).is_empty());
    assert!(!stuck.is_finished(), "nobody answers a plain stat");
    mount.end();
    assert!(!stuck.join().expect("released by the end of the server"));
}
