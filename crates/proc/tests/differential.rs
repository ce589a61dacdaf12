//! The walk against the programs that people trust: ls(1) and, where it is installed, lsof(8).

use std::collections::BTreeMap;
use std::process::Command;

use fdscope_fixtures::{Fixture, c, in_path};
use fdscope_model::{Access, Association, Entry, HandleKind, Pid};
use fdscope_proc::{Detail, InventorySource, ProcRoot, Wanted};

/// Number and name of each descriptor, by the walk.
fn walked(pid: u32) -> BTreeMap<u32, String> {
    let root = ProcRoot::open().expect("/proc");
    let snapshot = root.descriptors(Pid(pid), Detail::Kind).expect("snapshot");
    let row = |handle: &fdscope_model::Handle| match handle.via {
        Association::Fd(fd) => (fd.0, String::from_utf8_lossy(handle.name.bytes()).into_owned()),
        _ => panic!("not a descriptor: {handle:?}"),
    };
    snapshot.handles.iter().map(row).collect()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn ls_lists_the_same_numbers() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    let listed = output("ls", &[&format!("/proc/{pid}/fd")]);
    let mut listed: Vec<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    listed.sort_unstable();
    assert!(listed.len() > 100);
    assert_eq!(walked(pid).into_keys().collect::<Vec<_>>(), listed);
}

#[test]
fn lsof_shows_the_same_numbers_and_paths() {
    if !in_path("lsof") {
        return;
    }
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    let walked = walked(pid);
    let mut shown = BTreeMap::new();
    let mut number = None;
    for line in output("lsof", &["-nP", "-p", &pid.to_string(), "-F", "fn"]).lines() {
        match line.split_at_checked(1) {
            Some(("f", text)) => number = text.parse::<u32>().ok(),
            Some(("n", text)) => drop(number.map(|number| shown.insert(number, text.to_owned()))),
            _ => {}
        }
    }
    assert_eq!(walked.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
    // lsof has words of its own for what is no file, and marks deleted files in another field.
    let is_file = |name: &&String| name.starts_with('/') && !name.ends_with("(deleted)");
    for (fd, name) in walked.iter().filter(|(_, name)| is_file(name)) {
        assert_eq!(Some(name), shown.get(fd), "fd {fd}");
    }
}

/// lsof's fields of one row: `a`, `t`, `i`, `s` …, by letter.
type Fields = BTreeMap<char, String>;

/// The rows of `lsof -F`, by what stands in field `f`: a number, `cwd`, `rtd`, `txt`.
fn lsof_fields(pid: u32) -> BTreeMap<String, Fields> {
    let mut rows: BTreeMap<String, Fields> = BTreeMap::new();
    let mut row = String::new();
    for line in output("lsof", &["-nP", "-p", &pid.to_string(), "-F", "fatiskDrn"]).lines() {
        let mut letters = line.chars();
        match letters.next() {
            Some('f') => row = letters.as_str().to_owned(),
            Some(letter) if !row.is_empty() => {
                let fields = rows.entry(row.clone()).or_default();
                fields.entry(letter).or_insert_with(|| letters.as_str().to_owned());
            }
            _ => {}
        }
    }
    rows
}

/// The same fields by the inventory, of rows of which lsof tells the truth.
fn fields_of(entry: &Entry) -> Option<(String, Fields)> {
    let row = match entry.handle.via {
        // lsof has room for four digits.
        Association::Fd(fd) if fd.0 > 9999 => format!("*{:03}", fd.0 % 1000),
        Association::Fd(fd) => fd.to_string(),
        Association::Cwd => "cwd".to_owned(),
        Association::Root => "rtd".to_owned(),
        Association::Exe => "txt".to_owned(),
        _ => return None,
    };
    let (word, is_file) = match entry.handle.kind {
        HandleKind::File => ("REG", true),
        HandleKind::Directory => ("DIR", true),
        HandleKind::CharDevice => ("CHR", false),
        HandleKind::Fifo | HandleKind::Pipe => ("FIFO", false),
        _ => return None,
    };
    let mut fields = Fields::from([('t', word.to_owned())]);
    let access = match entry.access {
        Some(Access::Read) => "r",
        Some(Access::Write) => "w",
        Some(Access::Both) => "u",
        _ => " ",
    };
    if entry.access.is_some() {
        fields.insert('a', access.to_owned());
    }
    fields.insert('i', entry.handle.inode?.inode.to_string());
    if let Some(status) = entry.status.filter(|_| is_file) {
        // Others make and remove folders in /tmp between the two looks.
        if entry.handle.kind == HandleKind::File {
            fields.insert('s', status.size.to_string());
            fields.insert('k', status.links.to_string());
        }
        let device = status.inode.device.0;
        // lsof prints the device as stat(2) encodes it (makedev(3)).
        let (major, minor) = (device >> 20, device & 0xf_ffff);
        fields.insert('D', format!("{:#x}", rustix::fs::makedev(major, minor)));
    }
    Some((row, fields))
}

#[test]
fn lsof_tells_the_same_fields() {
    if !in_path("lsof") {
        return;
    }
    for name in ["every_birth", "told"] {
        let mut fixture = Fixture::start(&c(name), &[]);
        if name == "every_birth" {
            fixture.ask("go");
        }
        let shown = lsof_fields(fixture.pid());
        let root = ProcRoot::open().expect("/proc");
        let wanted = Wanted { access: true, status: true, places: true, ..Wanted::default() };
        let read = InventorySource::new(root, wanted).read(Pid(fixture.pid())).expect("inventory");
        let mut compared = 0;
        for (row, fields) in read.entries.iter().filter_map(fields_of) {
            let theirs = shown.get(&row).unwrap_or_else(|| panic!("{row}: {shown:#?}"));
            for (letter, value) in &fields {
                assert_eq!(
                    theirs.get(letter),
                    Some(value),
                    "{name}: {letter} of {row}: {theirs:?}"
                );
                compared += 1;
            }
        }
        assert!(compared > 60, "{compared} fields");
        fixture.finish();
    }
}
