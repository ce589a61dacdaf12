//! Inventories by the iterator equal those by the walk through /proc, row by row, kind by kind.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use fdscope_bpf::{BpfInventories, Support};
use fdscope_fixtures::{Fixture, c};
use fdscope_model::{
    Address, Association, Entry, Facts, FileStatus, HandleKind, Inventories, Inventory, Pid,
    Socket, SocketState,
};
use fdscope_proc::net::SocketBook;
use fdscope_proc::{InventorySource, ProcRoot, Wanted};

fn root() -> ProcRoot {
    ProcRoot::open().expect("/proc")
}

/// The source, or `None` with the reason printed where BPF is not permitted.
fn iterator(wanted: Wanted) -> Option<BpfInventories> {
    if let Support::Missing(why) = Support::probe() {
        println!("skipped: needs BPF ({why})");
        return None;
    }
    Some(BpfInventories::open(root(), wanted).expect("BPF is permitted"))
}

/// All that the walk tells, the iterator tells the same.
fn compare(walked: &Inventory, iterated: &Inventory) {
    assert_eq!(walked.process, iterated.process);
    assert_eq!((walked.group, &walked.faults), (iterated.group, &iterated.faults));
    let associations = |inventory: &Inventory| -> Vec<Association> {
        inventory.entries.iter().map(|entry| entry.handle.via).collect()
    };
    assert_eq!(associations(walked), associations(iterated));
    walked.entries.iter().zip(&iterated.entries).for_each(|(walked, found)| {
        compare_rows(walked, found);
    });
}

/// A status without what others change meanwhile: in a directory as busy as /tmp there are ever new ones.
fn lasting(status: FileStatus) -> FileStatus {
    let (of_type, directory) = (0o170_000, 0o040_000);
    match status.mode & of_type == directory {
        true => FileStatus { links: 0, size: 0, allocated: 0, ..status },
        false => status,
    }
}

fn compare_rows(expected: &Entry, found: &Entry) {
    let pair = format!("{expected:#?}\n{found:#?}");
    let (want, have) = (&expected.handle, &found.handle);
    assert_eq!((want.owner, want.kind), (have.owner, have.kind), "{pair}");
    assert_eq!((&want.name, &want.fault), (&have.name, &have.fault), "{pair}");
    assert!(want.inode.is_none() || want.inode == have.inode, "{pair}");
    assert!(want.mode.is_none() || want.mode == have.mode, "{pair}");
    assert!(want.flags.is_none() || want.flags == have.flags, "{pair}");
    assert!(want.offset.is_none() || want.offset == have.offset, "{pair}");
    assert!(expected.access.is_none() || expected.access == found.access, "{pair}");
    assert!(expected.mount.is_none() || expected.mount == found.mount, "{pair}");
    assert_eq!(expected.status.map(lasting), found.status.map(lasting), "{pair}");
    assert_eq!(expected.locks, found.locks, "{pair}");
    match (&expected.facts, &found.facts) {
        (Facts::Socket(expected), Facts::Socket(found)) => {
            assert_eq!(expected.inode, found.inode, "{pair}");
        }
        // Their clocks run.
        (Facts::TimerFd { clock, .. }, Facts::TimerFd { clock: found, .. }) => {
            assert_eq!(clock, found);
        }
        (expected, found) => assert_eq!(expected, found, "{pair}"),
    }
}

/// Both inventories of a process that holds still.
fn check(pid: u32, wanted: Wanted) -> Option<Inventory> {
    let mut iterator = iterator(wanted)?;
    // Blocks are allocated late: what was written must not take its place between the two readings.
    rustix::fs::sync();
    let iterated = iterator.read(Pid(pid)).expect("inventory");
    let walked = InventorySource::new(root(), wanted).read(Pid(pid)).expect("inventory");
    compare(&walked, &iterated);
    Some(iterated)
}

#[test]
fn every_kind_has_the_rows_of_the_walk() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    fixture.ask("go");
    let all = Wanted { ends: false, ..Wanted::everything() };
    let Some(found) = check(fixture.pid(), all) else { return };
    let kinds: BTreeMap<HandleKind, usize> =
        found.entries.iter().fold(BTreeMap::new(), |mut kinds, entry| {
            *kinds.entry(entry.handle.kind).or_default() += 1;
            kinds
        });
    assert!(kinds.len() > 15, "{kinds:?}");
    let files =
        Wanted { kinds: true, access: true, status: true, fdinfo: true, ..Wanted::default() };
    check(fixture.pid(), files);
}

#[test]
fn every_fact_is_the_one_of_the_walk() {
    let fixture = Fixture::start(&c("told"), &[]);
    check(fixture.pid(), Wanted { ends: false, ..Wanted::everything() });
}

/// A folder that is gone when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fdscope-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder of our own");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn hostile_names_come_as_they_are() {
    let folder = Folder::new("names");
    let mut kept = Vec::new();
    for name in
        [&b"new\nline"[..], b"esc\x1b[2J", b"\xff\xfe broken", b"x (deleted)", b"socket:[1]"]
    {
        let path = folder.0.join(std::ffi::OsStr::from_bytes(name));
        let mut file = std::fs::File::create(path).expect("ours");
        file.write_all(b"four").expect("ours");
        kept.push(file);
    }
    std::fs::remove_file(folder.0.join("x (deleted)")).expect("ours");
    let wanted = Wanted { kinds: true, access: true, fdinfo: true, ..Wanted::default() };
    // This process's other tests open and close meanwhile: only what is named after the folder counts.
    let Some(mut iterator) = iterator(wanted) else { return };
    let pid = Pid(std::process::id());
    let ours = |inventory: &Inventory| -> Vec<Entry> {
        let prefix = folder.0.as_os_str().as_bytes();
        let of = |entry: &&Entry| entry.handle.name.bytes().starts_with(prefix);
        inventory.entries.iter().filter(of).cloned().collect()
    };
    let found = ours(&iterator.read(pid).expect("this process"));
    let expected = ours(&InventorySource::new(root(), wanted).read(pid).expect("this process"));
    assert_eq!((found.len(), expected.len()), (5, 5));
    expected.iter().zip(&found).for_each(|(expected, found)| compare_rows(expected, found));
    drop(kept);
}

/// The sockets that a process holds, by both sources.
fn check_sockets(pid: u32) {
    let Some(mut iterator) = iterator(Wanted { sockets: true, ..Wanted::default() }) else {
        return;
    };
    let mut inventory = iterator.read(Pid(pid)).expect("inventory");
    // The acknowledgement of an end may be as late as a delayed one: 40 ms.
    while inventory.entries.iter().any(is_on_its_way) {
        inventory = iterator.read(Pid(pid)).expect("inventory");
    }
    let mut book = SocketBook::new(root());
    assert_eq!(book.learn(Pid(pid)), []);
    let mut count = 0;
    for entry in &inventory.entries {
        let (Facts::Socket(found), Association::Fd(fd)) = (&entry.facts, entry.handle.via) else {
            continue;
        };
        count += 1;
        let is_listed = book.listed(found.inode).is_some();
        let mut expected = book.socket(Pid(pid), fd, found.inode);
        if !is_listed {
            // Asked of the socket itself, which tells less.
            (expected.state, expected.receive_queue) = (None, None);
            expected.local = expected.local.or_else(|| found.local.clone());
        }
        compare_sockets(&expected, found);
    }
    assert!(count > 0, "there are sockets");
}

fn is_on_its_way(entry: &Entry) -> bool {
    matches!(&entry.facts, Facts::Socket(socket) if socket.state == Some(SocketState::FinWait1))
}

fn compare_sockets(expected: &Socket, found: &Socket) {
    let pair = format!("{expected:#?}\n{found:#?}");
    assert_eq!(expected.family, found.family, "{pair}");
    assert_eq!(expected.class, found.class, "{pair}");
    assert_eq!(expected.protocol, found.protocol, "{pair}");
    assert!(expected.state.is_none() || expected.state == found.state, "{pair}");
    assert_eq!(expected.local, found.local, "{pair}");
    assert!(expected.peer.is_none() || expected.peer == found.peer, "{pair}");
    assert!(expected.peer_inode.is_none() || expected.peer_inode == found.peer_inode, "{pair}");
    assert!(expected.namespace.is_none() || expected.namespace == found.namespace, "{pair}");
    assert!(expected.uid.is_none() || expected.uid == found.uid, "{pair}");
    assert!(expected.cookie.is_none() || expected.cookie == found.cookie, "{pair}");
    assert!(
        expected.receive_queue.is_none() || expected.receive_queue == found.receive_queue,
        "{pair}"
    );
    assert!(expected.send_queue.is_none() || expected.send_queue == found.send_queue, "{pair}");
}

#[test]
fn sockets_tell_what_sock_diag_tells() {
    let fixture = Fixture::start(&c("sockets"), &[]);
    check_sockets(fixture.pid());
}

#[test]
fn a_process_that_is_gone_is_an_error() {
    let Some(mut iterator) = iterator(Wanted::default()) else { return };
    let mut child = std::process::Command::new("true").spawn().expect("true runs");
    let pid = Pid(child.id());
    child.wait().expect("a child of ours");
    assert!(iterator.read(pid).expect_err("it was waited for").is_gone());
}

#[test]
fn one_pass_over_many_processes_gives_each_its_rows_in_order() {
    let wanted = Wanted { kinds: true, access: true, status: true, ..Wanted::default() };
    let Some(mut iterator) = iterator(wanted) else { return };
    let fixture = Fixture::start(&c("many"), &["processes=60", "descriptors=20"]);
    let said = fixture.said().iter().filter_map(|line| line.strip_prefix("child pid="));
    let children = said.filter_map(|rest| rest.split(' ').next()?.parse().ok()).map(Pid);
    let mut pids: Vec<Pid> = children.chain([Pid(fixture.pid())]).collect();
    // A number that names no process, and one that holds nothing.
    let mut ended = std::process::Command::new("true").spawn().expect("true runs");
    let zombie = Pid(ended.id());
    pids.extend([Pid(4_194_300), zombie]);
    pids.sort_unstable();
    let mut walk = InventorySource::new(root(), wanted);
    let mut seen = Vec::new();
    iterator.read_each(&pids, &mut |pid, read| {
        seen.push(pid);
        if pid == zombie {
            return;
        }
        match (walk.read(pid), read) {
            (Ok(walked), Ok(iterated)) => compare(&walked, &iterated),
            (walked, iterated) => assert!(walked.is_err() && iterated.is_err(), "{pid}"),
        }
    });
    ended.wait().expect("a child of ours");
    assert_eq!(seen, pids);
}

#[test]
fn who_holds_a_port_is_found_without_reading_the_others() {
    let folder = Folder::new("port");
    let path = folder.0.to_str().expect("UTF-8");
    let fixture = Fixture::start(&c("held"), &[path]);
    let said = fixture.said().iter().find_map(|line| line.strip_prefix("port tcp="));
    let port = said.and_then(|rest| rest.split(' ').next()?.parse::<u16>().ok()).expect("a port");
    let holder = Pid(fixture.pid());
    let wanted = Wanted { sockets: true, ..Wanted::default() };
    let mut is_end = |socket: &Socket| {
        let ends = [&socket.local, &socket.peer].into_iter().flatten();
        ends.filter_map(|end| match end {
            Address::Inet(address) => Some(address.port()),
            _ => None,
        })
        .any(|end| end == port)
    };
    let Some(mut iterator) = iterator(wanted) else { return };
    let other = Fixture::start(&c("sockets"), &[]);
    let mut pids = vec![Pid(std::process::id()), holder, Pid(other.pid())];
    iterator.narrow(&mut pids, &mut is_end);
    assert_eq!(pids, [holder]);
}
