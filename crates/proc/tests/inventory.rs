//! Inventories of programs that make a handle of every kind: each row, and what it tells, is the kernel's truth.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;

use fdscope_fixtures::{Fixture, Line, c};
use fdscope_model::inventory::FanotifyMark;
use fdscope_model::{Access, Association, Entry, Facts, FdNumber, HandleKind, Inventory, Pid};
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

/// A fixture's account of one of its handles, and the row of it.
struct Told {
    fixture: Fixture,
    facts: Vec<Line>,
    inventory: Inventory,
}

impl Told {
    fn read(wanted: Wanted) -> Told {
        let fixture = Fixture::start(&c("told"), &[]);
        let inventory = read(fixture.pid(), wanted);
        assert_eq!(inventory.faults, []);
        let lines = fixture.said().iter().map(|text| Line::parse(text));
        let (skips, facts): (Vec<Line>, Vec<Line>) = lines.partition(|line| line.word == "skip");
        skips.iter().for_each(|line| eprintln!("skipped: needs {}", line.text("call")));
        let facts = facts.into_iter().filter(|line| line.word == "fact").collect();
        Told { fixture, facts, inventory }
    }

    /// Calls `check` with each account of this sort and its row.
    fn each(&self, sort: &str, mut check: impl FnMut(&Line, &Entry)) {
        for line in self.facts.iter().filter(|line| line.text("fact") == sort) {
            let fd = FdNumber(line.number("fd") as u32);
            check(line, self.row(fd));
        }
    }

    fn row(&self, fd: FdNumber) -> &Entry {
        let mut rows = descriptors(&self.inventory);
        rows.find(|(number, _)| *number == fd).unwrap_or_else(|| panic!("no row of fd {fd}")).1
    }
}

#[test]
fn facts_of_each_kind_are_those_that_the_program_set() {
    let told = Told::read(Wanted::everything());
    told.each("eventfd", |line, row| {
        let Facts::EventFd { count, id, semaphore, .. } = row.facts else { panic!("{row:?}") };
        assert_eq!(count, line.number("count"));
        assert!(id.is_none_or(|id| id > 0) && semaphore.is_none_or(|on| on));
    });
    told.each("timerfd", |line, row| {
        let Facts::TimerFd { clock, ticks, remaining_ns, interval_ns } = row.facts else {
            panic!("{row:?}")
        };
        assert_eq!((u64::from(clock), ticks), (line.number("clock"), 0));
        assert_eq!(interval_ns, line.number("interval"));
        assert!(remaining_ns <= 3_600_000_000_000 && (remaining_ns > 0) == (interval_ns > 0));
    });
    told.each("signalfd", |line, row| {
        assert_eq!(row.facts, Facts::SignalFd { mask: line.number("mask") });
    });
    told.each("pidfd", |line, row| {
        let pid = Some(Pid(line.number("pid") as u32));
        assert_eq!(row.facts, Facts::PidFd { pid, comm: told.inventory.process.comm.clone() });
    });
    told.each("fanotify", |line, row| {
        let Facts::Fanotify { marks } = &row.facts else { panic!("{row:?}") };
        let inode = |mark: &FanotifyMark| {
            matches!(mark, FanotifyMark::Inode { inode, mask: 8 }
            if inode.inode == line.number("inode"))
        };
        let system = |mark: &FanotifyMark| {
            matches!(mark, FanotifyMark::FileSystem { device, mask: 2 }
            if u64::from(device.0) == line.number("device"))
        };
        let mount = |mark: &FanotifyMark| matches!(mark, FanotifyMark::Mount { mask: 0x20, .. });
        assert!(marks.iter().any(inode) && marks.iter().any(system), "{marks:?}");
        assert!(marks.iter().any(mount) && marks.len() == 3, "{marks:?}");
    });
    told.each("namespace", |line, row| {
        let expected = Facts::Namespace { class: "net".into(), inode: line.number("inode") };
        assert_eq!(row.facts, expected);
    });
    told.each("tun", |line, row| {
        let interface = line.text("interface").into();
        assert_eq!(row.facts, Facts::Tun { interface });
        assert_eq!(row.handle.kind, HandleKind::CharDevice);
    });
    told.fixture.finish();
}

#[test]
fn terminals_memfds_and_kernel_objects_have_their_facts() {
    let told = Told::read(Wanted::everything());
    told.each("master", |line, row| {
        let Facts::Terminal { index, .. } = row.facts else { panic!("{row:?}") };
        assert_eq!(index.map(u64::from), Some(line.number("index")));
    });
    told.each("memfd", |line, row| {
        assert_eq!(row.status.map(|status| status.size), Some(line.number("size")));
        assert_eq!(row.facts, Facts::Memfd { seals: Some(line.number("seals") as u32) });
    });
    told.each("bpf", |line, row| {
        let Facts::Bpf { object, id, class, name } = &row.facts else { panic!("{row:?}") };
        assert_eq!(
            (*object, class.to_string().as_str()),
            (line.text("object"), line.text("class"))
        );
        assert!(id.is_some());
        assert_eq!(name.to_string(), line.text("name"));
    });
    told.each("io_uring", |line, row| {
        let Facts::IoUring { files, buffers } = &row.facts else { panic!("{row:?}") };
        assert_eq!(*buffers, line.number("buffers"));
        assert_eq!(files.len() as u64, line.number("files"));
        assert!(files[0].1.bytes().ends_with(b"/in ring"), "{files:?}");
        let ring = FdNumber(line.number("fd") as u32);
        let entries = told.inventory.entries.iter();
        let slots = entries.filter_map(|entry| match entry.handle.via {
            Association::RingSlot(fd, slot) if fd == ring => Some((slot, &entry.handle.name)),
            _ => None,
        });
        let slots: Vec<_> = slots.collect();
        assert_eq!(slots.len(), 2);
        assert_eq!((slots[0].0, slots[1].0), (0, 2));
    });
    told.fixture.finish();
}

#[test]
fn registrations_have_names_only_while_their_numbers_are_theirs() {
    let told = Told::read(Wanted { facts: true, ..Wanted::default() });
    told.each("epoll", |line, row| {
        let Facts::Epoll { targets } = &row.facts else { panic!("{row:?}") };
        let name = |key: &str| {
            let fd = FdNumber(line.number(key) as u32);
            let target = targets.iter().find(|target| target.fd == fd);
            target.expect("registered").name.clone().map(|name| name.to_string())
        };
        assert_eq!(targets.len(), 4);
        assert!(name("read").is_some_and(|name| name.starts_with("pipe:[")));
        assert_eq!(name("read"), name("write"));
        assert_eq!((name("lost"), name("taken")), (None, None), "{targets:?}");
    });
    told.fixture.finish();
}

#[test]
fn watches_of_directories_that_are_open_have_their_paths() {
    let told = Told::read(Wanted { facts: true, status: true, places: true, ..Wanted::default() });
    told.each("inotify", |line, row| {
        let Facts::Inotify { watches } = &row.facts else { panic!("{row:?}") };
        assert_eq!(watches.len(), 2);
        let inode = line.number("inode");
        let watch = watches.iter().find(|watch| watch.inode.inode == inode).expect("watched");
        assert_eq!(u64::from(watch.mask), line.number("mask"));
        assert_eq!(watch.path, Some(line.text("path").into()));
    });
    told.fixture.finish();
}

#[test]
fn descriptors_in_flight_are_rows() {
    let told = Told::read(Wanted { in_flight: true, ..Wanted::default() });
    told.each("in-flight", |line, _| {
        let via = Association::InFlight(FdNumber(line.number("fd") as u32));
        let count = told.inventory.entries.iter().filter(|entry| entry.handle.via == via).count();
        assert_eq!(count as u64, line.number("count"));
    });
    told.fixture.finish();
}

#[test]
fn locks_are_of_the_descriptor_that_holds_them() {
    for wanted in [Wanted::everything(), Wanted { locks: true, ..Wanted::default() }] {
        let told = Told::read(wanted);
        told.each("lock", |line, row| {
            let [lock] = &row.locks[..] else { panic!("one lock: {row:?}") };
            assert_eq!(lock.class, line.text("class").into());
            let access = if line.text("access") == "read" { Access::Read } else { Access::Write };
            let end = line.pairs.contains_key("end").then(|| line.number("end"));
            assert_eq!((lock.access, lock.start, lock.end), (access, line.number("start"), end));
        });
        told.each("unlocked", |_, row| assert_eq!(row.locks, []));
        told.each("deleted", |_, row| assert!(row.is_deleted() && row.locks.is_empty()));
        told.fixture.finish();
    }
}

#[test]
fn flags_offsets_and_large_numbers_are_those_of_fdinfo() {
    let told = Told::read(Wanted { fdinfo: true, status: true, ..Wanted::default() });
    let mut rows = 0;
    told.each("file", |line, row| {
        const O_LARGEFILE: u32 = 0o100_000;
        let flags = row.handle.flags.expect("flags") & !O_LARGEFILE;
        assert_eq!(u64::from(flags), line.number("flags") & !u64::from(O_LARGEFILE));
        assert_eq!(row.handle.offset, Some(line.number("offset")));
        assert_eq!(row.status.map(|status| status.size), Some(line.number("size")));
        assert!(row.mount.is_some());
        rows += 1;
    });
    assert!(rows >= 1);
    told.each("path", |_, row| assert_eq!(row.handle.kind, HandleKind::Path));
    told.each("directory", |_, row| assert_eq!(row.handle.kind, HandleKind::Directory));
    told.fixture.finish();
}

#[test]
fn mapped_files_are_rows_once_each() {
    let told = Told::read(Wanted { mappings: true, status: true, ..Wanted::nothing() });
    let rows = &told.inventory.entries;
    let of = |sort: &str| {
        let line = told.facts.iter().find(|line| line.text("fact") == sort).expect("said");
        let inode = line.number("inode");
        let found = rows.iter().filter(|row| row.handle.inode.is_some_and(|id| id.inode == inode));
        let found: Vec<&Entry> = found.collect();
        let [row] = found[..] else { panic!("one row of {sort}: {found:?}") };
        (line, row)
    };
    let (line, row) = of("mapped");
    assert_eq!(row.handle.name, line.text("path").into());
    assert_eq!(row.status.map(|status| status.size), Some(8192));
    assert!(matches!(row.handle.via, Association::Mapping(start) if start > 0));
    let (_, row) = of("mapped-deleted");
    assert!(row.is_deleted() && row.status.is_none(), "{row:?}");
    assert!(row.handle.name.bytes().ends_with(b"/mapped and gone (deleted)"));
    let libc = rows.iter().find(|row| row.handle.name.to_string().contains("libc"));
    assert!(libc.is_none_or(|row| row.status.is_some()), "{libc:?}");
    told.fixture.finish();
}

#[test]
fn namespaces_are_rows_of_the_inodes_that_stat_gives() {
    let fixture = Fixture::start(&c("leaky"), &[]);
    let wanted = Wanted { namespaces: true, facts: true, ..Wanted::nothing() };
    let inventory = read(fixture.pid(), wanted);
    assert!(inventory.entries.len() >= 6);
    for entry in &inventory.entries {
        let Association::Namespace(class) = entry.handle.via else { panic!("{entry:?}") };
        let path = format!("/proc/{}/ns/{}", fixture.pid(), class.word());
        let stat = rustix::fs::stat(&*path).expect("stat");
        assert_eq!(entry.handle.inode.map(|id| id.inode), Some(stat.st_ino));
        let facts = Facts::Namespace { class: class.word().into(), inode: stat.st_ino };
        assert_eq!(entry.facts, facts);
    }
}

#[test]
fn the_other_ends_are_named_here_and_in_a_child() {
    let mut fixture = Fixture::start(&c("told"), &[]);
    fixture.say("step 1");
    let child = fixture.wait_for("child").number("pid") as u32;
    let lines: Vec<Line> = fixture.said().iter().map(|text| Line::parse(text)).collect();
    let inventory = read(fixture.pid(), Wanted::everything());
    let of = |sort: &str| {
        let line = lines.iter().find(|line| line.word == "fact" && line.text("fact") == sort)?;
        let fd = FdNumber(line.number("fd") as u32);
        let row = descriptors(&inventory).find(|row| row.0 == fd).expect("a row").1;
        let held: Vec<_> = row.ends().iter().map(|end| (end.pid.0, end.fd.0)).collect();
        Some((line, held, row))
    };
    let (line, held, row) = of("pipe-end").expect("said");
    let (fd, other) = (line.number("fd") as u32, line.number("other") as u32);
    assert!(held.contains(&(fixture.pid(), other)) && held.contains(&(child, other)));
    assert!(held.contains(&(child, fd)) && !held.contains(&(fixture.pid(), fd)));
    let writes = row.ends().iter().filter(|end| end.access == Some(Access::Write)).count();
    assert_eq!(writes, 2, "{:?}", row.ends());
    let (line, held, _) = of("eventfd").expect("said");
    assert!(held.contains(&(child, line.number("fd") as u32)), "{held:?}");
    let (master, slave) = (of("master").expect("said"), of("slave").expect("said"));
    assert!(master.1.contains(&(fixture.pid(), slave.0.number("fd") as u32)), "{master:?}");
    assert!(slave.1.contains(&(child, master.0.number("fd") as u32)), "{slave:?}");
    let (_, held, row) = of("in-flight").expect("said");
    assert!(matches!(&row.facts, Facts::Socket(socket) if socket.in_flight == Some(2)), "{row:?}");
    assert!(held.iter().any(|(pid, _)| *pid == child), "the pair's other end: {row:?}");
    fixture.wait_for("done");
    fixture.finish();
}

#[test]
fn many_processes_are_read_in_order_and_those_that_died_are_gone() {
    let fixtures: Vec<Fixture> = (0..6).map(|_| Fixture::start(&c("leaky"), &[])).collect();
    let mut pids: Vec<Pid> = fixtures.iter().map(|fixture| Pid(fixture.pid())).collect();
    pids.reverse();
    pids.insert(3, Pid(u32::MAX - 1));
    let root = ProcRoot::open().expect("/proc");
    let mut source = InventorySource::new(root, Wanted::everything());
    let mut seen = Vec::new();
    source.read_each(&pids, &mut |pid, read| {
        match read {
            Ok(inventory) => assert_eq!(inventory.process.id.pid, pid),
            Err(error) => assert!(error.is_gone() && pid == pids[3], "{error}"),
        }
        seen.push(pid);
    });
    assert_eq!(seen, pids);
}

#[test]
fn what_is_held_throughout_is_a_row_while_others_come_and_go_below() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let below: Vec<_> = (0..100).map(|_| File::open("/dev/null").expect("opened")).collect();
    let held = File::open("/dev/zero").expect("opened");
    let number = FdNumber(held.as_raw_fd() as u32);
    drop(below);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _come: Vec<_> = (0..50).map(|_| File::open("/dev/null")).collect();
            }
        });
        for _ in 0..200 {
            let inventory = read(std::process::id(), Wanted::default());
            let found = descriptors(&inventory).any(|(fd, _)| fd == number);
            done.store(!found, Ordering::Relaxed);
            assert!(found, "{number} is missing");
        }
        done.store(true, Ordering::Relaxed);
    });
}
