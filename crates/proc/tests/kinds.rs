//! One of each descriptor that the kernel makes: the walk's kinds are those that the program says it made.

use std::collections::BTreeMap;

use fdscope_fixtures::{Fixture, c};
use fdscope_model::{Association, Handle, HandleKind, Pid};
use fdscope_proc::{Detail, ProcRoot};

fn handles(pid: Pid, detail: Detail) -> Vec<Handle> {
    let root = ProcRoot::open().expect("/proc");
    let snapshot = root.descriptors(pid, detail).expect("snapshot");
    assert_eq!(snapshot.faults, [], "nothing is unreadable in a child of ours");
    snapshot.handles
}

fn by_kind(handles: &[Handle]) -> BTreeMap<&'static str, i64> {
    let mut kinds = BTreeMap::new();
    handles.iter().for_each(|handle| *kinds.entry(handle.kind.word()).or_default() += 1);
    kinds
}

fn check_every_kind(detail: Detail) {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let pid = Pid(fixture.pid());
    let mut expected = by_kind(&handles(pid, detail));
    let lines = fixture.ask("go");
    for site in lines.iter().filter(|line| line.word == "site").map(|line| line.site()) {
        let word = HandleKind::from_word(&site.kind).expect("a kind of the model").word();
        *expected.entry(word).or_default() += site.live as i64;
    }
    expected.retain(|_, count| *count != 0);
    let found = handles(pid, detail);
    assert_eq!(by_kind(&found), expected, "{detail:?}\n{found:#?}");
}

#[test]
fn every_kind_is_known_at_the_detail_that_promises_it() {
    check_every_kind(Detail::Kind);
    check_every_kind(Detail::Full);
}

#[test]
fn names_are_the_links_and_full_detail_gives_what_stat_gives() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = fixture.pid();
    for handle in handles(Pid(pid), Detail::Full) {
        let Association::Fd(fd) = handle.via else { panic!("a descriptor: {handle:?}") };
        let link = format!("/proc/{pid}/fd/{fd}");
        let text = std::fs::read_link(&link).expect("link");
        assert_eq!(handle.name.bytes(), text.as_os_str().as_encoded_bytes());
        let stat = rustix::fs::stat(&*link).expect("stat");
        let Some(inode) = handle.inode else {
            // Nobody may be asked about a mount that no mountinfo lists.
            assert_eq!(handle.kind, HandleKind::Mount, "{handle:?}");
            continue;
        };
        assert_eq!(inode.inode, stat.st_ino, "{handle:?}");
        let device = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        assert_eq!(inode.device, fdscope_model::DeviceId::new(device.0, device.1), "{handle:?}");
        assert!(handle.flags.is_some() && handle.offset.is_some(), "{handle:?}");
        let root = ProcRoot::open().expect("/proc");
        assert_eq!(root.fdinfo(Pid(pid), fd).expect("fdinfo").flags, handle.flags);
        assert!(handle.mode.is_none_or(|mode| mode == stat.st_mode), "{handle:?}");
    }
}

#[test]
fn numbers_and_links_cost_no_more_than_they_promise() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let pid = Pid(fixture.pid());
    let numbers = handles(pid, Detail::Number);
    assert!(numbers.iter().all(|handle| handle.name.is_empty() && handle.inode.is_none()));
    let links = handles(pid, Detail::Link);
    assert_eq!(numbers.len(), links.len());
    assert!(links.iter().all(|handle| !handle.name.is_empty() && handle.flags.is_none()));
    let root = ProcRoot::open().expect("/proc");
    assert_eq!(root.count_descriptors(pid).expect("count"), links.len() as u64);
}
