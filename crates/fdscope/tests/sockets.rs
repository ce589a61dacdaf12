//! `fdscope sockets` on sockets made for it.

mod common;

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use common::run;
use fdscope_fixtures::{Fixture, c};
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
    // The number may have been another's a minute ago.
    let rows = sockets(&format!("port = {port} and state != time-wait"));
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

/// The value of `key=` in a line.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn sockets_that_live_without_a_descriptor_are_explained() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let fixture = Fixture::start(&c("kept"), &[]);
    let pid = fixture.pid();
    for line in fixture.said() {
        let Some(how) = value(line, "how") else { continue };
        if line.starts_with("skip") {
            println!("skipped: needs {how}: {line}");
            continue;
        }
        let filter = match value(line, "port") {
            Some(port) => format!("port = {port} and unheld = orphan"),
            None => format!("inode = {}", value(line, "inode").expect("an inode")),
        };
        let rows = sockets(&filter);
        assert_eq!(rows.len(), 1, "{line}: {rows:?}");
        let row = &rows[0];
        assert_eq!(row["unheld"], how, "{row}");
        if how != "orphan" {
            let keepers = row["keepers"].as_array().expect("a list");
            assert!(keepers.iter().any(|keeper| keeper["pid"] == pid), "{row}");
        }
    }
    fixture.finish();
}

#[test]
fn a_namespace_without_a_process_is_read_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().join("ns");
    std::fs::write(&place, "").expect("a file");
    // The mount is seen by this shell and its children alone, and gone with them.
    let script = "unshare --net=\"$1\" true || exit 99; inode=$(stat -c %i \"$1\"); \
                  exec \"$0\" sockets --json \"netns = $inode\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_fdscope")]).arg(&place);
    let Ok(output) = command.output() else { return println!("skipped: needs unshare") };
    if !output.status.success() {
        println!("skipped: needs CAP_SYS_ADMIN");
        return;
    }
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = object["sockets"].as_array().expect("a list");
    // Each namespace has the kernel's own netlink sockets.
    assert!(rows.iter().any(|row| row["unheld"] == "kernel"), "{rows:?}");
}

#[test]
fn connections_that_are_not_closed_are_found() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let port = address.port();
    let accepted: Vec<TcpStream> = (0..12)
        .map(|_| {
            let client = TcpStream::connect(address).expect("connect");
            let (mut accepted, _) = listener.accept().expect("accept");
            drop(client);
            // The peer's end has come.
            assert_eq!(std::io::Read::read(&mut accepted, &mut [0]).expect("the end"), 0);
            accepted
        })
        .collect();
    let own = std::process::id();
    let filter = format!("port = {port}");
    let output = run(&["sockets", "--findings", "--json", &filter]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = &object["findings"][0];
    assert_eq!((&finding["rule"], &finding["count"]), (&"close-wait".into(), &12.into()));
    assert_eq!(finding["pid"], own);
    let output = run(&["sockets", "--findings", &filter]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("cure: close(2)") && text.contains("descriptors "), "{text}");
    drop(accepted);
}

#[test]
fn what_nobody_asks_for_is_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("address").port().to_string();
    let filter = format!("state = listen and port = {port}");
    let output = run(&["sockets", "-H", "-o", "state,port", &filter]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.split_whitespace().next(), Some("listen"), "{text}");
}

#[test]
fn a_watch_tells_what_came_and_went() {
    let own = std::process::id();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let filter = format!("port = {}", address.port());
    let mut command = common::fdscope();
    command.args(["sockets", "--json", "-o", "state,pid", "--watch", "10ms", &filter]);
    let child = command.stdout(std::process::Stdio::piped()).spawn();
    let mut child = child.expect("fdscope is built for its tests");
    let lines = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut looks = std::io::BufRead::lines(lines)
        .map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    let first = looks.next().expect("the first look");
    assert_eq!(
        (&first["count"], &first["new"], &first["interval_ns"]),
        (&1.into(), &Value::Null, &Value::Null)
    );
    // Both ends: the client's, and what waits to be accepted.
    let client = TcpStream::connect(address).expect("connect");
    let mut until =
        |is: &dyn Fn(&Value) -> bool| looks.by_ref().find(|look| is(look)).expect("it is told");
    // Each is told once, in one look or in two.
    let mut new = 0;
    let look = until(&|look| look["count"] == 3);
    new += look["new"].as_u64().expect("a number");
    assert!((1..=2).contains(&new), "{look}");
    let held = look["groups"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|group| group["state"] == "established" && group["pids"][0] == own);
    assert_eq!(held.expect("the client's")["grown"], 1, "{look}");
    assert_eq!(look["added"].as_array().map(Vec::len), Some(new as usize), "{look}");
    let (accepted, _) = listener.accept().expect("accept");
    until(&|look| {
        look["groups"].as_array().is_some_and(|groups| {
            groups.iter().any(|group| group["state"] == "established" && group["grown"] == 2)
        })
    });
    drop((client, accepted, listener));
    let look = until(&|look| look["gone"].as_u64() > Some(0));
    assert!(look["removed"].as_array().is_some_and(|list| !list.is_empty()), "{look}");
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
}

#[test]
fn a_watch_ends_by_itself_and_says_what_was_learnt() {
    let port = TcpListener::bind("127.0.0.1:0").expect("listen");
    let filter = format!("port = {}", port.local_addr().expect("address").port());
    let way = ["sockets", "--watch", "5ms", "--duration", "300ms", &filter];
    let output = run(&way);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("  1 socket") && text.contains("Since the watch began"), "{text}");
    let output = run(&["sockets", "--summary", "--watch", "5ms", "--duration", "300ms"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Changes since the watch began"), "{text}");
    // A word that is no time is the first of the filter.
    let output = run(&["sockets", "--duration", "1ms", "--watch", "stat", "=", "listen"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean state?"), "{said}");
}

#[test]
fn a_recording_knows_how_old_sockets_are_and_who_made_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.fdr");
    let path = path.to_str().expect("ASCII");
    let source = if common::is_root("CAP_BPF for the bpf source") { "bpf" } else { "ptrace" };
    let mut fixture = Fixture::start(&c("leaky"), &["kind=socket"]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let watching = common::Watching::start(&[
        &pid,
        "--source",
        source,
        "--json",
        "--duration",
        "10m",
        "-o",
        path,
    ]);
    fixture.ask("step 3");
    watching.report();
    drop(fixture);
    let rows = |filter: &str| {
        let output = run(&["sockets", path, "--json", filter]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        object["sockets"].as_array().expect("a list").clone()
    };
    let born = rows("age-by = birth and age < 1h");
    assert_eq!(born.len(), 3, "{born:?}");
    for row in &born {
        assert!(row["site"].as_str().is_some_and(|site| site.starts_with("leak_socket ")), "{row}");
        let frames = row["stack"].as_array().expect("a list");
        assert!(frames.iter().any(|frame| frame["function"] == "leak_socket"), "{row}");
        assert!(frames.iter().any(|frame| frame["function"] == "main"), "{row}");
    }
    // One was there before: it is at least as old as the recording.
    let found = rows("age-by = watch");
    assert_eq!(found.len(), 1, "{found:?}");
    let oldest = born.iter().filter_map(|row| row["age_ns"].as_u64()).max();
    assert!(found[0]["age_ns"].as_u64() > oldest, "{found:?}");
    assert!(found[0]["site"].is_null() && found[0]["stack"] == serde_json::json!([]));
    assert_eq!(rows("age > 1h").len(), 0);
    let table = run(&["sockets", path, "-H", "-o", "fd,age,age-by,site,stack", "--sort", "age"]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("leak_socket") && text.contains(" < "), "{text}");
    assert!(text.lines().any(|line| line.contains("≥ ") || line.contains(">= ")), "{text}");
}

#[test]
fn an_age_is_at_least_what_traffic_and_watches_prove() {
    let own = std::process::id();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let client = TcpStream::connect(address).expect("connect");
    let (mut accepted, _) = listener.accept().expect("accept");
    drop(client);
    assert_eq!(std::io::Read::read(&mut accepted, &mut [0]).expect("the end"), 0);
    let filter =
        format!("state close-wait and age > 30ms and pid {own} and port {}", address.port());
    let deadline = std::time::Instant::now() + common::DEADLINE;
    let row = loop {
        if let Some(row) = sockets(&filter).pop() {
            break row;
        }
        assert!(std::time::Instant::now() < deadline, "it grows older");
    };
    assert_eq!(row["age_by"], "traffic", "{row}");
    assert!(row["site"].is_null(), "{row}");
    // Nothing proves how old a listener is, but a watch.
    let filter = format!("state listen and port {}", address.port());
    assert!(sockets(&filter)[0]["age_ns"].is_null());
    let mut command = common::fdscope();
    command.args(["sockets", "--json", "-o", "state,age,age-by", "--watch", "5ms", &filter]);
    let child = command.stdout(std::process::Stdio::piped()).spawn();
    let mut child = child.expect("fdscope is built for its tests");
    let lines = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut looks = std::io::BufRead::lines(lines)
        .map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    let _three = (looks.next(), looks.next(), looks.next());
    drop(listener);
    let gone = looks.find_map(|look| look["removed"].as_array()?.first().cloned());
    let gone = gone.expect("it is told");
    assert!(gone["age_by"] == "watch" && gone["age_ns"].as_u64() > Some(0), "{gone}");
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
}

#[test]
fn a_connection_that_is_over_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let mut client = TcpStream::connect(address).expect("connect");
    let local = client.local_addr().expect("address").port();
    let (accepted, _) = listener.accept().expect("accept");
    // Who closes first waits.
    drop(accepted);
    assert_eq!(std::io::Read::read(&mut client, &mut [0]).expect("the end"), 0);
    drop(client);
    let filter = format!("unheld = time-wait and port = {local} and port = {}", address.port());
    let deadline = std::time::Instant::now() + common::DEADLINE;
    let row = loop {
        if let Some(row) = sockets(&filter).pop() {
            break row;
        }
        assert!(std::time::Instant::now() < deadline, "it is over");
    };
    assert_eq!((&row["inode"], &row["state"]), (&0.into(), &"time-wait".into()));
    assert_eq!((&row["owners"], &row["age_by"]), (&serde_json::json!([]), &"traffic".into()));
}

#[test]
fn a_tree_has_the_listener_its_queue_and_its_connections() {
    let own = std::process::id();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    let port = address.port();
    let served = TcpStream::connect(address).expect("connect");
    let (accepted, from) = listener.accept().expect("accept");
    let waiting = TcpStream::connect(address).expect("connect");
    // The last step of the handshake may be taken a little later.
    let queued = format!("port = {port} and unheld = accept-queue and state = established");
    let deadline = std::time::Instant::now() + common::DEADLINE;
    while sockets(&queued).is_empty() {
        assert!(std::time::Instant::now() < deadline, "it is never established");
    }
    let fd = std::os::fd::AsRawFd::as_raw_fd(&accepted);
    let parts = [
        format!("TCP {address} listen, 1 of "),
        format!("listening: {own}/"),
        "waiting to be accepted: 1 (1 established)".to_owned(),
        format!("{}  established", waiting.local_addr().expect("address")),
        format!("{fd}  {from}  established"),
        format!("({own}): 2 connections of its own (2 established)"),
        // Two branches of the listener, of which the last is what it accepted.
        format!("({own}): 1 (1 established)"),
    ];
    // Another test's fdscope may have a copy of a socket for a moment, and is an owner then.
    loop {
        let output = run(&["sockets", "--tree", &format!("port = {port}")]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(missing) = parts.iter().find(|part| !text.contains(part.as_str())) else { break };
        assert!(std::time::Instant::now() < deadline, "{missing:?} in {text}");
    }
    let output = run(&["sockets", "--tree", "--json", &format!("port = {port}")]);
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let tree = &object["trees"][0];
    assert_eq!((&tree["local"], &tree["waiting"]), (&address.to_string().into(), &1.into()));
    assert_eq!(tree["queue"].as_array().map(Vec::len), Some(1), "{tree}");
    assert_eq!(tree["queue"][0]["peer"], waiting.local_addr().expect("address").to_string());
    let of_own = |list: &Value| {
        let branches = list.as_array().expect("a list").clone();
        branches.into_iter().find(|branch| branch["pid"] == own).expect("a branch")
    };
    let branch = of_own(&tree["connections"]);
    assert_eq!(branch["states"]["established"], 1, "{branch}");
    assert_eq!(branch["sockets"][0]["owners"][0]["fd"], fd, "{branch}");
    assert_eq!(of_own(&object["outgoing"])["count"], 2, "{object}");
    // A listener that matches is shown whole.
    let output = run(&["sockets", "--tree", &format!("port = {port} and state = listen")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("waiting to be accepted: 1 (1 established)"), "{text}");
    assert!(text.contains(&format!("({own}): 1 (1 established)")), "{text}");
    drop((served, waiting));
}

/// The schema as a closed world: no key may be written that it does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(close);
            if map.contains_key("properties") && map.get("type") == Some(&"object".into()) {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn the_json_is_as_promised() {
    let text = include_str!("../../../docs/schema/sockets-1.schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    close(&mut schema);
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("mem:///sockets", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///sockets", &mut schemas).expect("the schema compiles");
    let _pair = UnixStream::pair().expect("pair");
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let _client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let ways: [&[&str]; 9] = [
        &["sockets", "--json"],
        &["sockets", "--json", "-o", "state,pid"],
        &["sockets", "--json", "--count"],
        &["sockets", "--json", "--group-by", "state"],
        &["sockets", "--json", "--findings"],
        &["sockets", "--json", "--summary"],
        &["sockets", "--json", "--tree"],
        &["sockets", "--json", "--watch", "1ms", "--duration", "1ms", "-o", "state,fd"],
        &["sockets", "--json", "--summary", "--watch=1ms", "--duration", "1ms"],
    ];
    for way in ways {
        let output = run(way);
        let line = output.stdout.split_inclusive(|&byte| byte == b'\n').next_back();
        let mut object: Value = serde_json::from_slice(line.expect("a line")).expect("JSON");
        if let Err(error) = schemas.validate(&object, index) {
            panic!("{way:?}: {error}");
        }
        object["taken_at_ns"] = "now".into();
        assert!(schemas.validate(&object, index).is_err());
    }
}
