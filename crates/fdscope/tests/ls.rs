//! `fdscope ls`, every option of it, against programs that hold known handles.

mod common;

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use common::{fdscope, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `fdscope ls` and returns what it printed.
fn ls(arguments: &[&str]) -> String {
    let output = fdscope().arg("ls").args(arguments).output().expect("fdscope is built");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

fn json(arguments: &[&str]) -> Value {
    let text = ls(&[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// The numbers in the first column of a table without heading.
fn numbers(text: &str) -> Vec<u64> {
    let digits = |line: &str| -> String {
        line.trim_start().chars().take_while(char::is_ascii_digit).collect()
    };
    text.lines().filter_map(|line| digits(line).parse().ok()).collect()
}

fn fds_of(pid: u32) -> Vec<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives");
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().parse().ok();
    let mut fds: Vec<u64> = entries.flatten().filter_map(name).collect();
    fds.sort_unstable();
    fds
}

#[test]
fn rows_are_the_descriptors_and_counts_are_theirs() {
    let fixture = Fixture::start(&c("many"), &["descriptors=100"]);
    let pid = fixture.pid().to_string();
    let fds = fds_of(fixture.pid());
    assert_eq!(numbers(&ls(&[&pid, "-H", "-o", "fd"])), fds);
    assert_eq!(ls(&[&pid, "--count"]).trim(), fds.len().to_string());
    let groups = ls(&[&pid, "-H", "--group-by", "pid"]);
    assert_eq!(groups.split_whitespace().collect::<Vec<_>>(), [&fds.len().to_string(), &pid]);
    let object = json(&[&pid]);
    assert_eq!(object["count"], fds.len());
    assert_eq!(object["handles"].as_array().map(Vec::len), Some(fds.len()));
    assert_eq!(json(&[&pid, "--count"])["handles"], Value::Null);
    let lines = ls(&[&pid, "--jsonl", "-o", "fd"]);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    assert_eq!(lines.len(), fds.len() + 2);
    assert_eq!(lines[1]["line"], "handle");
    assert_eq!(lines[fds.len() + 1]["count"], fds.len());
}

#[test]
fn every_way_to_narrow_down_does() {
    let fixture = Fixture::start(&c("told"), &[]);
    let pid = fixture.pid().to_string();
    let facts: Vec<fdscope_fixtures::Line> =
        fixture.said().iter().map(|line| fdscope_fixtures::Line::parse(line)).collect();
    let fd_of = |fact: &str| {
        let line = facts.iter().find(|line| line.pairs.get("fact").is_some_and(|f| f == fact));
        line.map(|line| line.number("fd")).unwrap_or_else(|| panic!("no {fact}"))
    };
    let check = |arguments: &[&str], fact: &str| {
        let found = numbers(&ls(&[&[pid.as_str(), "-H", "-o", "fd"], arguments].concat()));
        assert!(found.contains(&fd_of(fact)), "{arguments:?} lacks {fact}: {found:?}");
        assert!(found.len() < fds_of(fixture.pid()).len(), "{arguments:?}");
    };
    check(&["--kind", "eventfd"], "eventfd");
    check(&["-k", "timerfd,signalfd"], "signalfd");
    check(&["--deleted"], "deleted");
    check(&["-f", "facts ~ \"count 90\""], "eventfd");
    check(&["-f", "kind = file and offset = 7 and cloexec"], "file");
    check(&["-f", "size >= 12K and kind memfd"], "memfd");
    check(&["-f", "locks", "-f", "file"], "lock");
    let none = fdscope().args(["ls", &pid, "--user", "no-such-user"]).output().expect("runs");
    assert_eq!((none.status.code(), stdout(&none)), (Some(0), String::new()));
    let holds_nothing = format!("process {pid} holds nothing that matches");
    assert!(stderr(&none).contains(&holds_nothing), "{}", stderr(&none));
    let own = rustix_uid();
    assert_eq!(ls(&[&pid, "--user", &own, "-c"]), ls(&[&pid, "-c"]));
}

fn rustix_uid() -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").expect("own process").uid().to_string()
}

#[test]
fn a_file_is_found_by_name_by_inode_and_by_the_tree_above() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a file");
    let other = folder.path().join("other name");
    let file = std::fs::File::create(&path).expect("created");
    std::fs::hard_link(&path, &other).expect("linked");
    let own = std::process::id().to_string();
    let expected = format!("{own} {}", file.as_raw_fd());
    let rows = |arguments: &[&str]| {
        let text = ls(&[&["-H", "-o", "pid,fd"], arguments].concat());
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .map(|line| line.trim_end_matches(['r', 'w', 'u']).to_owned())
            .collect::<Vec<_>>()
    };
    for target in [&path, &other] {
        let target = target.to_string_lossy();
        assert!(rows(&[&target]).contains(&expected), "{target}");
        assert!(rows(&[&own, &target]).contains(&expected), "{target}");
    }
    let folder = folder.path().to_string_lossy();
    assert!(rows(&["-R", &folder]).contains(&expected));
    assert!(!rows(&["-R", "/proc"]).contains(&expected));
}

#[test]
fn sockets_are_found_by_port_address_and_state() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let client = TcpStream::connect(address).expect("connected");
    let (served, _) = listener.accept().expect("accepted");
    let own = std::process::id().to_string();
    let port = format!(":{}", address.port());
    let found = numbers(&ls(&[&own, &port, "-H", "-o", "fd"]));
    let fd = |socket: &dyn AsRawFd| socket.as_raw_fd() as u64;
    for socket in [&listener as &dyn AsRawFd, &client, &served] {
        assert!(found.contains(&fd(socket)), "{found:?}");
    }
    let found = numbers(&ls(&[&own, &address.to_string(), "--state", "listen", "-H", "-o", "fd"]));
    assert_eq!(found, [fd(&listener)]);
    let filter = format!("socket and port {} and peer ~ ^127", address.port());
    assert_eq!(numbers(&ls(&[&own, "-f", &filter, "-H", "-o", "fd"])).len(), 2);
    let row = &json(&[&own, "-f", &format!("fd = {}", fd(&client))])["handles"][0];
    assert_eq!(row["peer"], address.to_string());
    assert_eq!(row["peer_port"], address.port());
    assert_eq!(row["state"], "established");
    let ends = json(&[&own, "-o", "ends", "-f", &format!("fd = {}", fd(&client))]);
    assert_eq!(ends["handles"][0]["ends"][0]["fd"], fd(&served));
}

#[test]
fn a_file_system_is_found_by_any_path_on_it() {
    let own = std::process::id().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("held");
    let _held = std::fs::File::create(&path).expect("a file");
    let path = path.to_str().expect("UTF-8");
    for on_it in [path, folder.path().to_str().expect("UTF-8")] {
        assert!(ls(&[&own, "-m", on_it, "-o", "name", "-H"]).contains(path), "{on_it}");
    }
    let _proc = std::fs::File::open("/proc/self/status").expect("procfs");
    let text = ls(&[&own, "--mount", "/proc/self", "-o", "name", "-H"]);
    assert!(text.contains("/status") && !text.contains(path), "{text}");
    assert!(!ls(&[&own, "-m", "/proc", "-o", "name", "-H"]).contains(path));
}

#[test]
fn all_shows_what_is_held_without_a_descriptor() {
    let own = std::process::id().to_string();
    let text = ls(&[&own, "--all", "-g", "via", "-H"]);
    for via in ["fd", "cwd", "root", "exe", "mapped", "ns"] {
        assert!(text.split_whitespace().any(|word| word == via), "{via}: {text}");
    }
    assert_eq!(ls(&[&own, "-g", "via", "-H"]).lines().count(), 1);
}

#[test]
fn rows_are_sorted_both_ways_and_drawn_as_a_tree() {
    let fixture = Fixture::start(&c("told"), &[]);
    let pid = fixture.pid().to_string();
    let mut fds = fds_of(fixture.pid());
    assert_eq!(numbers(&ls(&[&pid, "-H", "-o", "fd", "--sort", "fd"])), fds);
    let sizes = ls(&[&pid, "-H", "-o", "size", "--sort", "-size", "-f", "size"]);
    assert!(numbers(&sizes).is_sorted_by(|a, b| a >= b), "{sizes}");
    let sorted = json(&[&pid, "--sort=-fd"]);
    let sorted = sorted["handles"].as_array().expect("rows").iter();
    fds.reverse();
    assert_eq!(sorted.filter_map(|row| row["fd"].as_u64()).collect::<Vec<_>>(), fds);
    let tree = ls(&[&pid, "--tree"]);
    assert!(tree.starts_with(&format!("told ({pid})")), "{tree}");
    assert!(tree.contains("eventfd: "), "{tree}");
}

#[test]
fn columns_are_listed_and_each_can_be_chosen() {
    let own = std::process::id().to_string();
    let listed = ls(&["--list-columns"]);
    let names: Vec<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 40);
    let heading = ls(&[&own, "-o", &names.join(",")]);
    assert_eq!(heading, heading.replace('\u{1b}', ""));
    let all = ls(&[&own, "-o", "all"]);
    // Widths are those of rows, which change while other tests run in this process.
    let words = |text: &str| -> Vec<String> {
        let first = text.lines().next().unwrap_or_default();
        first.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(&all), words(&heading));
    let more = ls(&[&own, "-o", "+size"]);
    assert!(more.lines().next().is_some_and(|line| line.ends_with("SIZE")), "{more}");
}

#[test]
fn mistakes_are_shown_with_a_caret_and_end_with_2() {
    for (arguments, expected) in [
        (&["-f", "kind = sokcet"][..], "  kind = sokcet\n         ^^^^^^\n  did you mean socket?"),
        (&["-o", "pid,fdd"], "  pid,fdd\n      ^^^\n  did you mean fd?"),
        (&["--sort", "-sise"], "  -sise\n   ^^^^\n  did you mean size?"),
        (&["-g", "stat"], "did you mean state?"),
        (&["--kind", "fil"], "did you mean file?"),
        (&["--state", "estab-lished"], "did you mean established?"),
        (&["-f", "age > 10m"], "fdscope leak PID sees births"),
        (&["--tree", "--json"], "cannot be used with"),
    ] {
        let output = fdscope().arg("ls").args(arguments).output().expect("fdscope is built");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn nobody_of_that_number_or_name() {
    for target in ["4194300", "no-such-name-anywhere"] {
        let output = run(&["ls", target]);
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(stderr(&output).starts_with("fdscope: there is no process"), "{}", stderr(&output));
    }
}

#[test]
fn hostile_names_reach_neither_terminal_nor_json() {
    let mut fixture = Fixture::start(&c("hostile"), &[]);
    fixture.ask("step 1");
    let pid = fixture.pid().to_string();
    let fds = fds_of(fixture.pid()).len();
    for arguments in [&["-a"][..], &["-o", "all"], &["--tree"], &["-g", "name,comm"], &["--json"]] {
        let text = ls(&[&[pid.as_str()], arguments].concat());
        let raw: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty(), "{arguments:?}: {raw:?} in {text}");
    }
    assert_eq!(ls(&[&pid, "-H"]).lines().count(), fds, "a name with a line end forges no row");
    let rows = json(&[&pid, "-f", r#"name ~ "\xff\xfe""#]);
    assert_eq!(rows["count"], 1, "{rows}");
}

#[test]
fn an_ordinary_user_sees_their_own_and_is_told_of_the_rest() {
    if !is_root("root, to become somebody else") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("our own folder");
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("ls").args(arguments).env_clear().uid(65_534).gid(65_534);
        command.output().expect("runs as nobody")
    };
    let own = std::process::id().to_string();
    let refused = nobody(&[&own]);
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("run: sudo "), "{}", stderr(&refused));
    let all = nobody(&["--count"]);
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    assert!(stderr(&all).contains("could not be read: permission denied; run with sudo"));
    let object: Value = serde_json::from_slice(&nobody(&["--json"]).stdout).expect("JSON");
    assert!(object["faults"].as_array().is_some_and(|faults| !faults.is_empty()));
}

#[test]
fn a_closed_pipe_and_a_full_disk() {
    let program = env!("CARGO_BIN_EXE_fdscope");
    let own = std::process::id();
    let check = |script: String, code, said: &str| {
        let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
        assert_eq!(output.status.code(), Some(code), "{script}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    };
    check(format!("{program} ls {own} -o all | head -c 1 >/dev/null"), 0, "");
    check(format!("{program} ls {own} >/dev/full"), 1, "No space left on device");
    check(format!("{program} ls {own} --jsonl >/dev/full"), 1, "No space left on device");
}

#[test]
fn both_sources_give_the_same_rows() {
    if !is_root("CAP_BPF") {
        return;
    }
    let fixture = Fixture::start(&c("told"), &[]);
    let pid = fixture.pid().to_string();
    let columns =
        "fd,kind,access,flags,cloexec,size,links,inode,device,name,deleted,state,local,peer";
    let rows = |source| ls(&[&pid, "--source", source, "-o", columns]);
    assert_eq!(rows("bpf"), rows("proc"));
    assert!(rows("bpf").lines().count() > 20);
}
