//! `fdscope sockets` on network namespaces of its own: against ss(8), with tens of thousands of connections, with
//! namespaces that vanish, and with one that lives by a descriptor alone.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{is_root, run};
use serde_json::Value;

/// ss(8) looks at every descriptor of the machine for each socket: it is not asked while there are tens of thousands.
static CROWD: Mutex<()> = Mutex::new(());

/// A script in a network namespace of its own, which obeys lines on its standard input.
struct Guest {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Guest {
    /// Starts it and waits until it says `ready`; `None` where that cannot be.
    fn start(script: &str, arguments: &[&str]) -> Option<Guest> {
        if !is_root("root, for a network namespace") {
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-ec", script]).args(arguments);
        command.env("F", env!("CARGO_BIN_EXE_fdscope"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says something, or ends");
        if line.trim_end() != "ready" {
            child.wait().expect("it is ours");
            println!("skipped: needs unshare --net, and what the script does: {line:?}");
            return None;
        }
        Some(Guest { child, said })
    }

    fn inode(&self) -> u64 {
        let place = format!("/proc/{}/ns/net", self.child.id());
        std::fs::metadata(place).expect("it lives").ino()
    }

    /// Ends its input, and waits for its end.
    fn finish(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it is ours");
        drop(self.said);
    }
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// So many sockets in so many processes as are 28,000 connections where a process may have 20,000 descriptors, as few as
/// the limit here makes necessary.
fn many() -> (u64, u64) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(14_100) - 99;
    let pairs = (most - 1) / 2;
    (28_000_u64.div_ceil(pairs), most)
}

const MANY: &str = "$F link set lo up; exec \"$0\" processes=\"$1\" sockets=\"$2\"";

#[test]
fn every_one_of_28_000_connections_has_its_owner() {
    let _alone = CROWD.lock();
    let program = fdscope_fixtures::c("many_sockets");
    let (processes, sockets) = many();
    let (count, each) = (processes.to_string(), sockets.to_string());
    let program = program.to_string_lossy().into_owned();
    let Some(guest) = Guest::start(MANY, &[&program, &count, &each]) else { return };
    let filter = format!("netns = {} and state = established", guest.inode());
    let look = json(&["sockets", "--json", "--group-by", "pid,unheld", &filter]);
    let groups = look["groups"].as_array().expect("a list");
    let pairs = (sockets - 1) / 2;
    // Another fdscope, which looked while they were made, may have a copy of one for a moment.
    let mut held: BTreeMap<u64, u64> = BTreeMap::new();
    let mut all = 0;
    for group in groups {
        assert_eq!(group["unheld"], Value::Null, "{look}");
        let count = group["count"].as_u64().expect("a number");
        all += count;
        for pid in group["pids"].as_array().expect("a list") {
            *held.entry(pid.as_u64().expect("a pid")).or_default() += count;
        }
    }
    assert_eq!(all, processes * pairs * 2, "{look}");
    let whole = held.values().filter(|count| **count == pairs * 2).count();
    assert_eq!(whole as u64, processes, "{look}");
    assert!(processes * pairs >= 28_000);
    let listening = format!("netns = {} and state = listen", guest.inode());
    assert_eq!(json(&["sockets", "--json", "--count", &listening])["count"], processes);
    // They die while they are looked at: fewer may be seen, nothing may fail.
    let filter = format!("netns = {}", guest.inode());
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            for _ in 0..2 {
                assert!(json(&["sockets", "--json", "--count", &filter])["count"].is_u64());
            }
        });
        guest.finish();
        looks.join().expect("each look succeeds");
    });
}

/// What ss(8) and fdscope both say of a socket.
type Said = (String, u64, u64, u64, u64, u64, Vec<(u64, u64)>);

/// Lines of `ss -O -Htanpe` by cookie.
fn of_ss(text: &str) -> BTreeMap<u64, Said> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let port = |address: &str| {
            address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
        };
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let cookie = value("sk:").map(|sk| u64::from_str_radix(sk.trim_end_matches(','), 16));
        let Some(Ok(cookie)) = cookie else { panic!("no cookie: {line}") };
        let mut users = Vec::new();
        for user in value("users:").into_iter().flat_map(|list| list.split("(\"").skip(1)) {
            let of = |key: &str| {
                let text = user.split(key).nth(1)?;
                text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            };
            users.extend(of("pid=").zip(of("fd=")));
        }
        users.sort_unstable();
        let said = (
            words[0].to_owned(),
            number(Some(words[1])),
            number(Some(words[2])),
            port(words[3]),
            port(words[4]),
            number(value("ino:")),
            users,
        );
        found.insert(cookie, said);
    }
    found
}

/// The same of fdscope's rows.
fn of_fdscope(rows: &Value) -> BTreeMap<u64, Said> {
    let mut found = BTreeMap::new();
    for row in rows["sockets"].as_array().expect("a list") {
        let number = |key: &str| row[key].as_u64().unwrap_or(0);
        let port = |key: &str| {
            let text = row[key].as_str().unwrap_or_default();
            text.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
        };
        let state = match row["state"].as_str().expect("a word") {
            "established" => "ESTAB".to_owned(),
            "closed" | "bound-inactive" => "UNCONN".to_owned(),
            word => word.to_uppercase(),
        };
        let owners = row["owners"].as_array().expect("a list").iter();
        let mut users: Vec<(u64, u64)> = owners
            .map(|owner| {
                (owner["pid"].as_u64().expect("a pid"), owner["fd"].as_u64().expect("a fd"))
            })
            .collect();
        users.sort_unstable();
        let queues = (number("receive_queue"), number("send_queue"));
        let said = (state, queues.0, queues.1, port("local"), port("peer"), number("inode"), users);
        found.insert(number("cookie"), said);
    }
    found
}

#[test]
fn rows_are_those_of_ss() {
    if Command::new("ss").arg("-V").output().is_err() {
        println!("skipped: needs ss");
        return;
    }
    let _alone = CROWD.lock();
    let program = fdscope_fixtures::c("many_sockets").to_string_lossy().into_owned();
    let Some(guest) = Guest::start(MANY, &[&program, "3", "41"]) else { return };
    let space = format!("--net=/proc/{}/ns/net", guest.child.id());
    let filter = format!("netns = {} and type = stream and family in (inet, inet6)", guest.inode());
    // Another fdscope, which looked while they were made, may have a copy of one for a moment.
    let deadline = std::time::Instant::now() + common::DEADLINE;
    loop {
        let theirs = Command::new("nsenter").args([&space, "ss", "-O", "-Htanpe"]).output();
        let Ok(theirs) = theirs else { return println!("skipped: needs nsenter") };
        let theirs = of_ss(&String::from_utf8_lossy(&theirs.stdout));
        assert_eq!(theirs.len(), 3 * 41);
        let ours = of_fdscope(&json(&["sockets", "--json", &filter]));
        if ours == theirs {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{ours:?}\n{theirs:?}");
    }
    guest.finish();
}

#[test]
fn a_namespace_that_a_descriptor_alone_keeps_is_read() {
    let Some(guest) = Guest::start("echo ready; read line || true", &[]) else { return };
    let inode = guest.inode();
    let held = File::open(format!("/proc/{}/ns/net", guest.child.id())).expect("it lives");
    guest.finish();
    let filter = format!("netns = {inode}");
    let rows = json(&["sockets", "--json", &filter]);
    // Each namespace has the kernel's own netlink sockets.
    let rows = rows["sockets"].as_array().expect("a list");
    assert!(rows.iter().any(|row| row["unheld"] == "kernel"), "{rows:?}");
    drop(held);
    // Children of other tests, and other looks, may have a copy of it for a moment.
    let deadline = std::time::Instant::now() + common::DEADLINE;
    while json(&["sockets", "--json", "--count", &filter])["count"] != 0 {
        assert!(std::time::Instant::now() < deadline, "it is gone with its last descriptor");
    }
}

#[test]
fn namespaces_that_vanish_meanwhile_are_no_failure() {
    if !is_root("root, for network namespaces") {
        return;
    }
    let quiet = json(&["sockets", "--json", "-o", "protocol,netns,owner"]);
    if quiet["faults"].as_array().is_none_or(|faults| !faults.is_empty()) {
        return println!("skipped: needs CAP_SYS_ADMIN over every namespace");
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Where it cannot be, nothing vanishes, and the looks succeed too.
                let mut command = Command::new("unshare");
                let child = command.args(["--net", "cat"]).stdin(Stdio::piped()).spawn();
                let Ok(mut child) = child else { return };
                if let Some(stdin) = &mut child.stdin {
                    let _gone = stdin.write_all(b"");
                }
                drop(child.stdin.take());
                child.wait().expect("it is ours");
            }
        });
        for _ in 0..5 {
            let look = json(&["sockets", "--json", "-o", "protocol,netns,owner"]);
            let faults = look["faults"].as_array().expect("a list");
            assert!(faults.is_empty(), "{faults:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn names_are_asked_for_in_bounded_time() {
    let Some(guest) = Guest::start(
        "$F link set lo up; exec \"$0\" processes=1 sockets=5",
        &[&fdscope_fixtures::c("many_sockets").to_string_lossy()],
    ) else {
        return;
    };
    let filter = format!("netns = {} and state = established", guest.inode());
    let look = json(&["sockets", "--json", "--resolve", "-o", "local-name,peer", &filter]);
    let rows = look["sockets"].as_array().expect("a list");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["local_name"].is_string() && row["peer"].is_string()));
    guest.finish();
}
