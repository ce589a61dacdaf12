//! Inventories of programs that make a handle of every kind: each row, and what it tells, is the kernel's truth.

use std::collections::BTreeMap;

use fdscope_fixtures::{Fixture, c};
use fdscope_model::{Access, Association, Entry, FdNumber, HandleKind, Inventory, Pid};
use fdscope_proc::{InventorySource, ProcRoot, Wanted};

fn read(pid: u32, wanted: Wanted) -> Inventory {
    let root = ProcRoot::open().expect("/proc");
    InventorySource::new(root, wanted).read(Pid(pid)).expect("inventory")
}

fn descriptors(inventory: &Inventory) -> impl Iterator<Item = (FdNumber, &Entry)> {
    inventory.entries.iter().filter_map(|entry| match entry.handle.via {
        Association::Fd(fd) => Some((fd, entry)),
        _ => None,
    })
}

fn by_kind(inventory: &Inventory) -> BTreeMap<&'static str, i64> {
    let mut kinds = BTreeMap::new();
    for (_, entry) in descriptors(inventory) {
        *kinds.entry(entry.handle.kind.word()).or_default() += 1;
    }
    kinds
}

fn check_every_kind(wanted: Wanted) {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let mut expected = by_kind(&read(fixture.pid(), wanted));
    let lines = fixture.ask("go");
    for site in lines.iter().filter(|line| line.word == "site").map(|line| line.site()) {
        let word = HandleKind::from_word(&site.kind).expect("a kind of the model").word();
        *expected.entry(word).or_default() += site.live as i64;
    }
    expected.retain(|_, count| *count != 0);
    let found = read(fixture.pid(), wanted);
    assert_eq!(by_kind(&found), expected, "{wanted:?}\n{found:#?}");
    assert_eq!(found.faults, []);
}

#[test]
fn every_kind_is_known_where_kinds_are_wanted() {
    check_every_kind(Wanted { kinds: true, ..Wanted::default() });
    check_every_kind(Wanted { status: true, ..Wanted::default() });
    check_every_kind(Wanted::everything());
}

#[test]
fn a_row_tells_what_stat_and_the_link_tell() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    let wanted = Wanted { status: true, access: true, ..Wanted::default() };
    let inventory = read(pid, wanted);
    for (fd, entry) in descriptors(&inventory) {
        let link = format!("/proc/{pid}/fd/{fd}");
        let text = std::fs::read_link(&link).expect("link");
        assert_eq!(entry.handle.name.bytes(), text.as_os_str().as_encoded_bytes());
        let mode = rustix::fs::lstat(&*link).expect("lstat").st_mode;
        let (reads, writes) = (mode & 0o400 != 0, mode & 0o200 != 0);
        let access = match (reads, writes) {
            (true, true) => Access::Both,
            (true, false) => Access::Read,
            (false, true) => Access::Write,
            (false, false) => Access::Neither,
        };
        assert_eq!(entry.access, Some(access), "{entry:?}");
        let stat = rustix::fs::stat(&*link).expect("stat");
        let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        let device = fdscope_model::DeviceId::new(device.0, device.1);
        if let Some(inode) = entry.handle.inode {
            assert_eq!((inode.inode, inode.device), (stat.st_ino, device), "{entry:?}");
        }
        let Some(status) = entry.status else {
            let name = entry.handle.name.bytes();
            assert!(!name.starts_with(b"/"), "every file has a status: {entry:?}");
            continue;
        };
        assert_eq!((status.mode, status.uid), (stat.st_mode, stat.st_uid), "{entry:?}");
        assert_eq!((status.links, status.size), (stat.st_nlink, stat.st_size as u64), "{entry:?}");
        assert_eq!(status.allocated, stat.st_blocks as u64 * 512, "{entry:?}");
    }
}

#[test]
fn places_are_rows_and_cost_nothing_unasked() {
    let fixture = Fixture::start(&c("leaky"), &[]);
    let inventory = read(fixture.pid(), Wanted { places: true, ..Wanted::nothing() });
    let vias: Vec<_> = inventory.entries.iter().map(|entry| entry.handle.via).collect();
    assert_eq!(vias, [Association::Cwd, Association::Root, Association::Exe]);
    for (entry, link) in inventory.entries.iter().zip(["cwd", "root", "exe"]) {
        let text = std::fs::read_link(format!("/proc/{}/{link}", fixture.pid())).expect("link");
        assert_eq!(entry.handle.name.bytes(), text.as_os_str().as_encoded_bytes());
        assert!(entry.status.is_none() && entry.access.is_none());
    }
    assert!(read(fixture.pid(), Wanted::nothing()).entries.is_empty());
    let links = read(fixture.pid(), Wanted::default());
    assert!(links.entries.len() >= 3);
    assert!(links.entries.iter().all(|entry| entry.access.is_none() && entry.mount.is_none()));
}
