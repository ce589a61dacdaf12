//! Listings of what listings stumble over: processes that come and go, zombies, hidden ones, names and paths that break
//! tables. Every row is there, or what is missing is said.

mod common;

use std::process::{Command, Output, Stdio};

use common::{fdscope, is_root, run};
use fdscope_fixtures::{Fixture, c};
use serde_json::Value;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("what is printed is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {}", stderr(output)))
}

fn list<'a>(object: &'a Value, key: &str) -> &'a Vec<Value> {
    object[key].as_array().unwrap_or_else(|| panic!("{key} is a list: {object:.300}"))
}

fn open(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count()
}

/// How many sources of rows can be had.
fn sources() -> &'static [&'static str] {
    if is_root("CAP_BPF for the rows of the kernel's iterator") {
        &["proc", "bpf"]
    } else {
        &["proc"]
    }
}

#[test]
fn no_row_of_a_steady_process_is_lost_while_others_fork_as_fast_as_they_can() {
    let storm = Fixture::start(&c("odd"), &["forks"]);
    let steady = Fixture::start(&c("many"), &["descriptors=700"]);
    let (pid, forking) = (steady.pid(), storm.pid());
    let expected = open(pid);
    for source in sources() {
        // Every process is read, and one shown.
        let own = format!("pid = {pid}");
        let output = run(&["ls", "--source", source, "--json", "-f", &own, "-o", "pid,fd,name"]);
        assert_eq!(output.status.code(), Some(0), "{source}: {}", stderr(&output));
        assert_eq!(list(&json(&output), "handles").len(), expected, "{source}");
    }
    let radar = json(&run(&["ps", "--json"]));
    let row = list(&radar, "processes").iter().find(|row| row["pid"] == pid).expect("its row");
    assert_eq!(row["open"], expected);
    let counted = stdout(&run(&["ls", &pid.to_string(), "--count"]));
    assert_eq!(counted.trim(), expected.to_string());
    let listed = stdout(&run(&["lsof", "-t"]));
    assert!(listed.lines().any(|line| line == pid.to_string()), "{listed}");
    // Several processes have that name, and most of them are gone before they are looked at.
    let output = run(&["odd", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = stdout(&output).lines().next().map(str::to_owned).expect("a card");
    let card: Value = serde_json::from_str(&first).expect("an object");
    assert_eq!(card["comm"], "odd");
    let output = run(&["proc", &forking.to_string(), "stat"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    storm.finish();
}

/// Runs fdscope while its target is killed, after so many turns of other threads.
fn run_at_the_end(arguments: &[&str], turns: usize) -> (Output, usize) {
    let fixture = Fixture::start(&c("many"), &["descriptors=2000"]);
    let (pid, all) = (fixture.pid().to_string(), open(fixture.pid()));
    let mut command = fdscope();
    command.args(arguments.iter().map(|word| word.replace("PID", &pid)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("fdscope is built for its tests");
    (0..turns).for_each(|_| std::thread::yield_now());
    drop(fixture);
    (child.wait_with_output().expect("a child of ours"), all)
}

#[test]
fn a_target_that_dies_while_it_is_listed_is_whole_or_said_to_be_gone() {
    let mut sorts = vec![
        &["ls", "PID", "--json", "--source", "proc"][..],
        &["PID", "--json"],
        &["proc", "PID", "fd", "--json"],
        &["threads", "PID", "--json"],
    ];
    if sources().len() > 1 {
        sorts.push(&["ls", "PID", "--json", "--source", "bpf"]);
    }
    for arguments in sorts {
        for turns in [0, 2_000, 8_000, 24_000] {
            let (output, all) = run_at_the_end(arguments, turns);
            let said = stderr(&output);
            match output.status.code() {
                Some(0) => {}
                Some(4) => {
                    assert!(said.contains("process"), "{arguments:?}: {said}");
                    continue;
                }
                code => panic!("{arguments:?} ends with {code:?}: {said}"),
            }
            let object = json(&output);
            if arguments[0] == "ls" {
                let rows = list(&object, "handles").len();
                let told = !list(&object, "faults").is_empty()
                    || said.contains("has ended")
                    || said.contains("is gone");
                assert!(rows == all || told, "{rows} of {all} rows: {said}");
            }
        }
    }
}

#[test]
fn a_zombie_is_called_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut fixture = odd_names(&folder);
    let zombie = fixture.wait_for("zombie").text("pid").to_owned();
    fixture.wait_for("ready");
    let output = run(&[&zombie]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("a zombie") && text.contains("It has ended and holds nothing"), "{text}");
    assert!(text.contains(&format!("fdscope {}", fixture.pid())), "its parent is next: {text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let output = run(&["ls", &zombie]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    assert!(stderr(&output).contains("has ended and holds nothing"), "{}", stderr(&output));
    for section in ["fd", "maps", "threads", "stat", "environ"] {
        let output = run(&["proc", &zombie, section]);
        assert_eq!(output.status.code(), Some(0), "{section}: {}", stderr(&output));
    }
    let threads = stdout(&run(&["threads", &zombie]));
    assert!(!threads.contains("failed to"), "{threads}");
    let radar = json(&run(&["ps", "--json"]));
    let parents = list(&radar, "zombies");
    assert!(parents.iter().any(|row| row["parent"] == fixture.pid()), "{parents:?}");
}

fn odd_names(folder: &tempfile::TempDir) -> Fixture {
    let mut command = Command::new(c("odd"));
    command.arg("names").arg(folder.path());
    Fixture::spawn(command)
}

#[test]
fn numbers_above_9999_odd_names_and_paths_without_text_are_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut fixture = odd_names(&folder);
    let files = fixture.wait_for("files");
    let (exact, beyond) = (files.number("exact"), files.number("beyond"));
    fixture.wait_for("ready");
    let (pid, all) = (fixture.pid(), open(fixture.pid()));
    for source in sources() {
        let arguments = ["ls", &pid.to_string(), "--source", source, "--json"];
        let output = run(&arguments);
        let object = json(&output);
        let rows = list(&object, "handles");
        assert_eq!(rows.len(), all, "{source}");
        assert!(rows.iter().all(|row| row["comm"] == "x) Z 1 (\\xff"), "{source}: {}", rows[0]);
        let row = |fd: u64| rows.iter().find(|row| row["fd"] == fd).expect("a row");
        let name = row(exact)["name"].as_str().expect("a name of 4,095 bytes");
        assert_eq!((name.len(), &row(exact)["kind"]), (4095, &"file".into()), "{source}");
        // The name cannot be had; what the file is, can.
        let told = row(beyond);
        assert_eq!(
            (&told["kind"], &told["size_bytes"]),
            (&"file".into(), &12_345.into()),
            "{told}"
        );
        assert!(told["fault"].to_string().contains("File name too long"), "{told}");
        let many = list(&object, "faults").iter().any(|fault| fault["fd"] == beyond);
        assert!(many && stderr(&output).contains("1 handle could not be read"), "{source}");
        if rows.iter().any(|row| row["fd"] == 9999) {
            assert_eq!(row(10_000)["kind"], "char-device");
            assert_eq!(row(12_345)["name"], "/dev/null");
        }
    }
    let card = json(&run(&[&pid.to_string(), "--json"]));
    assert_eq!((&card["comm"], &card["open"]), (&"x) Z 1 (\\xff".into(), &all.into()));
    let places = stdout(&run(&["proc", &pid.to_string(), "cwd"]));
    assert!(places.contains("File name too long") && places.contains("root"), "{places}");
    let everywhere = json(&run(&["ls", &pid.to_string(), "-a", "--json"]));
    let cwd = list(&everywhere, "handles").iter().find(|row| row["via"] == "cwd");
    assert!(cwd.is_some(), "{:.600}", everywhere.to_string());
    for arguments in [&["ps"][..], &["ls"], &[&pid.to_string()], &["lsof", "-p", &pid.to_string()]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        let raw = output.stdout.iter().find(|&&byte| byte < 32 && byte != b'\n');
        assert_eq!(raw, None, "{arguments:?}");
    }
}

/// Runs fdscope as nobody where /proc hides others; `None` where that cannot be had.
fn behind_hidepid(arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("our own folder");
    let program = folder.path().join("fdscope");
    fdscope_fixtures::copy_program(env!("CARGO_BIN_EXE_fdscope"), &program);
    let script = "mount -t proc -o hidepid=2 proc /proc || exit 99
                  exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&program).args(arguments);
    let output = command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().ok()?;
    let lacks = [Some(99), Some(127)].contains(&output.status.code())
        || stderr(&output).contains("unshare: ");
    if lacks {
        println!("skipped: needs unshare, setpriv and CAP_SYS_ADMIN");
    }
    (!lacks).then_some(output)
}

#[test]
fn processes_that_proc_hides_are_said_to_be_hidden() {
    if !is_root("root, to mount /proc with hidepid") {
        return;
    }
    let Some(output) = behind_hidepid(&["ls", "--json"]) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("are hidden (hidepid); run with sudo"), "{}", stderr(&output));
    let object = json(&output);
    let faults =
        list(&object, "faults").iter().any(|fault| fault["cause"].to_string().contains("hidepid"));
    assert!(faults, "{}", object["faults"]);
    let own = std::process::id().to_string();
    for arguments in [&["ls", &own][..], &[&own], &["proc", &own, "stat"], &["threads", &own]] {
        let Some(output) = behind_hidepid(arguments) else { return };
        assert_eq!(output.status.code(), Some(77), "{arguments:?}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("hidepid") && said.contains("run: sudo "), "{arguments:?}: {said}");
    }
    let Some(output) = behind_hidepid(&["ps"]) else { return };
    assert!(stdout(&output).contains("hidden (hidepid)"), "{}", stdout(&output));
    let Some(output) = behind_hidepid(&["ls", ":1"]) else { return };
    assert!(stderr(&output).contains("nothing matches"), "{}", stderr(&output));
}

#[test]
fn a_process_with_namespaces_of_its_own_is_seen_from_outside_and_from_inside() {
    if !is_root("root, for namespaces") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let inside = "ip link set lo up && mount -t tmpfs none \"$1\" && exec \"$0\" \"$1\"";
    let mut command = Command::new("unshare");
    command.args([
        "--pid",
        "--mount",
        "--net",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
    ]);
    command.arg(inside).arg(c("held")).arg(folder.path());
    let probe = Command::new("unshare")
        .args([
            "--pid",
            "--mount",
            "--net",
            "--fork",
            "--mount-proc",
            "ip",
            "link",
            "set",
            "lo",
            "up",
        ])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs unshare, ip and CAP_SYS_ADMIN");
        return;
    }
    let mut fixture = Fixture::spawn(command);
    let port = fixture.wait_for("port").number("tcp");
    fixture.wait_for("ready");
    let outer = fixture.pid();
    let children = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    let Some(pid) = children.ok().and_then(|text| text.trim().parse::<u32>().ok()) else {
        println!("skipped: needs CONFIG_PROC_CHILDREN");
        return;
    };
    let path = folder.path().to_str().expect("UTF-8");
    let all = open(pid);
    for source in sources() {
        let object = json(&run(&["ls", &pid.to_string(), "--source", source, "--json"]));
        let rows = list(&object, "handles");
        assert_eq!(rows.len(), all, "{source}");
        let listening =
            |row: &&Value| row["state"] == "listen" && row["local_port"].as_u64() == Some(port);
        assert_eq!(rows.iter().filter(listening).count(), 1, "{source}: port {port}");
        let own = |row: &&Value| row["name"].as_str().is_some_and(|name| name.starts_with(path));
        assert!(rows.iter().any(|row| own(&row) && row["kind"] == "file"), "{source}");
    }
    let found = stdout(&run(&["ls", &format!(":{port}"), "-H", "-o", "pid"]));
    assert!(found.lines().any(|line| line.trim() == pid.to_string()), "{found}");
    let card = json(&run(&[&pid.to_string(), "--json"]));
    assert_eq!(card["namespaces_apart"], serde_json::json!(["mnt", "net", "pid"]));
    let mut enter = Command::new("nsenter");
    let target = pid.to_string();
    enter.args(["--target", &target, "--pid", "--mount", "--net", env!("CARGO_BIN_EXE_fdscope")]);
    let output = enter.args(["ls", "1", "--json"]).output().expect("util-linux has both");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(list(&json(&output), "handles").len(), all, "from inside");
}
