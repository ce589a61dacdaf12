//! Recordings come back as they were written; cut, flipped, too large or too new, they say so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fdscope_model::event::Slot;
use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{
    Acquire, AcquireCause, Association, Blind, Body, Event, Fail, Fault, FdNumber, FileId, Folded,
    Frame, Handle, HandleKey, HandleKind, InodeId, Limit, LimitName, Monotonic, Name, Pid, Process,
    ProcessId, Release, ReleaseCause, Sight, Snapshot, SourceName, StackId, Symbol, Symbolized,
    TableId, Tid, Trace,
};
use fdscope_record::{
    Bounds, Closing, Ending, Error, Net, Opening, Reader, Record, Writer, framed,
};
use proptest::prelude::*;

const PID: Pid = Pid(812);
const TABLE: TableId = TableId(0xffff_8881_0a2b_3c40);

fn event(at: u64, body: Body<'static>) -> Record<'static> {
    Record::Event(Event { at: Monotonic(at), pid: PID, tid: Tid(813), body })
}

fn birth(at: u64, fd: u32) -> Record<'static> {
    event(
        at,
        Body::Acquire(Acquire {
            key: HandleKey::Descriptor(TABLE, FdNumber(fd)),
            kind: HandleKind::Socket,
            file: Some(FileId(0xffff_8881_0000_0000_u64.wrapping_add(at))),
            inode: Some(InodeId::default()),
            cloexec: Some(true),
            cause: AcquireCause::Call("accept4"),
            name: None,
            trace: Trace::Known(StackId(7)),
        }),
    )
}

fn death(at: u64, fd: u32) -> Record<'static> {
    event(
        at,
        Body::Release(Release {
            key: HandleKey::Descriptor(TABLE, FdNumber(fd)),
            cause: ReleaseCause::Call("close"),
            slot: Slot::Empty,
            trace: Trace::Skipped,
        }),
    )
}

/// One of each kind of record of every version.
fn every() -> Vec<Record<'static>> {
    let mut records = every_of_1();
    let closing = records.pop();
    let folded = Folded {
        from: Monotonic(27),
        born: Monotonic(28),
        to: Monotonic(29),
        pid: PID,
        table: TABLE,
        kind: HandleKind::Socket,
        cause: AcquireCause::Call("accept4"),
        birth: Trace::Known(StackId(7)),
        release: ReleaseCause::Call("close"),
        death: Trace::Skipped,
        lived: vec![(0, 3), (41, u32::MAX)],
        longest_ns: 1_000_000,
    };
    let net = Net {
        at: Monotonic(29),
        sockstat: "sockets: used 300\nTCP: inuse 5 orphan 0 tw 1 alloc 9 mem 2\n".into(),
        sockstat6: Name::default(),
        losses: vec![("ListenDrops".into(), 4)],
        limits: vec![("ipv4/tcp_max_orphans".into(), 8_192)],
        page: 4_096,
    };
    records.extend([Record::Folded(folded), Record::Net(net)]);
    records.extend(closing);
    records
}

/// One of each kind of record of version 1, hostile names among them.
fn every_of_1() -> Vec<Record<'static>> {
    let hostile = Name::from(&b"\x1b[2J</script>\xff\n"[..]);
    let process = Process {
        id: ProcessId { pid: PID, start_ticks: 99 },
        parent: Pid(1),
        comm: hostile.clone(),
        cmdline: Name::from("a\0b"),
        uid: 1000,
        exe: Name::from("/usr/bin/a"),
    };
    let fault = Fault { pid: Some(PID), fd: None, operation: "read link", cause: "gone".into() };
    let handle = Handle {
        owner: process.id,
        via: Association::Fd(FdNumber(3)),
        kind: HandleKind::File,
        file: Some(FileId(1)),
        inode: None,
        mode: Some(0o100_644),
        flags: None,
        offset: Some(u64::MAX),
        name: hostile.clone(),
        fault: Some(Box::new(fault.clone())),
    };
    let symbol = Symbol { function: Some("f<T>".into()), file: None, line: Some(3), inlined: true };
    let frame = Frame {
        symbol,
        module: Name::from("/lib/x.so"),
        build_id: Some("ab".into()),
        offset: 0x1234,
        plumbing: false,
    };
    let fail =
        Fail { call: "close", errno: 9, fd: Some(FdNumber(8)), table: TABLE, trace: Trace::None };
    let limit = Limit { name: LimitName::Nofile, value: u64::MAX, used: 3 };
    let group =
        GroupCount { kind: HandleKind::Thread, group: "work-*".into(), count: 4, fresh: None };
    vec![
        Record::Opening(Opening {
            machine: "Linux".into(),
            begun: Monotonic(5),
            ..Opening::default()
        }),
        Record::Sight(Sight {
            source: SourceName::Bpf,
            how: "eBPF".into(),
            blind: vec![Blind { what: "a".into(), why: "b".into(), cure: None }],
        }),
        Record::Process(process),
        birth(10, 3),
        birth(12, 4),
        death(15, 3),
        event(16, Body::Fail(fail)),
        event(17, Body::CloseOnExec { key: HandleKey::Thread(Tid(4)), on: true }),
        event(
            18,
            Body::Fork {
                child: Pid(900),
                child_table: TableId(2),
                parent_table: TABLE,
                trace: Trace::None,
            },
        ),
        event(19, Body::Unshare { from: TABLE, to: TableId(3) }),
        event(20, Body::Exec { table: TABLE, comm: hostile.clone() }),
        event(21, Body::Lost { count: 4 }),
        event(22, Body::Reconcile { reason: "close_range" }),
        Record::Sample(Sample {
            at: Monotonic(23),
            pid: PID,
            groups: vec![group],
            limits: vec![limit],
            descriptors: 2,
            threads: 1,
        }),
        Record::Learnt(PID, HandleKey::Descriptor(TABLE, FdNumber(4)), HandleKind::Bpf),
        Record::Comparing(PID, Monotonic(24)),
        Record::Compared(Snapshot {
            pid: PID,
            table: Some(TABLE),
            begun: Monotonic(24),
            ended: Monotonic(25),
            handles: vec![handle],
            faults: vec![fault.clone()],
        }),
        Record::Stack(StackId(7), Symbolized { frames: vec![frame], at: Some(0) }),
        Record::Descriptor(PID, FdNumber(4), Monotonic(12), hostile.clone()),
        Record::Thread(PID, Tid(813), hostile),
        Record::Fault(fault),
        event(26, Body::Exit { table: TABLE }),
        Record::Full(Monotonic(27)),
        Record::Closing(Closing { judged: Monotonic(30), taken_at_ns: 31 }),
    ]
}

fn write(path: &Path, records: &[Record<'_>], bounds: Bounds) {
    let mut writer = Writer::create(path, bounds).expect("a fresh file");
    for record in records {
        writer.push(record).expect("room");
    }
    writer.flush().expect("room");
}

fn read(bytes: &[u8]) -> (Vec<Record<'static>>, Ending) {
    let mut reader = Reader::new(bytes, Path::new("x")).expect("a recording");
    let mut records = Vec::new();
    reader
        .read_all(&mut |record| {
            records.push(record);
            true
        })
        .expect("memory can be read");
    (records, reader.ending())
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.fdr");
    (folder, path)
}

#[test]
fn every_kind_of_record_comes_back() {
    let (_folder, path) = folder();
    write(&path, &every(), Bounds::default());
    let mode = fs::metadata(&path).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(read(&fs::read(&path).expect("written")), (every(), Ending::Whole));
}

#[test]
fn cut_at_any_byte_it_reads_up_to_the_last_whole_frame() {
    let (_folder, path) = folder();
    let mut writer = Writer::create(&path, Bounds::default()).expect("a fresh file");
    // A frame each: where each ends is known.
    let mut ends = vec![writer.size()];
    for record in every() {
        writer.push(&record).expect("room");
        writer.flush().expect("room");
        ends.push(writer.size());
    }
    let bytes = fs::read(&path).expect("written");
    for cut in 0..bytes.len() {
        let Some(whole) = ends.iter().rposition(|&end| end <= cut as u64) else {
            assert!(matches!(Reader::new(&bytes[..cut], &path), Err(Error::NotARecording(_))));
            continue;
        };
        let (records, ending) = read(&bytes[..cut]);
        assert_eq!(records, every()[..whole], "cut at {cut}");
        let expected = match ends[whole] {
            end if end == cut as u64 => Ending::Open,
            at => Ending::Cut { at },
        };
        assert_eq!(ending, expected, "cut at {cut}");
    }
}

/// What waited in the kernel while the recording began is older than what was read meanwhile.
#[test]
fn records_that_come_late_share_a_frame() {
    let (_folder, path) = folder();
    let second = 1_000_000_000;
    let mut records = vec![birth(100 * second, 3)];
    records.extend((0..2_000).map(|number| birth(80 * second + number, 4 + number as u32)));
    write(&path, &records, Bounds::default());
    let bytes = fs::read(&path).expect("written");
    assert!(bytes.len() < 30 * records.len(), "{} bytes", bytes.len());
    assert_eq!(read(&bytes).0, records);
}

#[test]
fn every_flipped_bit_is_found() {
    let (_folder, path) = folder();
    write(&path, &every(), Bounds::default());
    let good = fs::read(&path).expect("written");
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match Reader::new(&bytes[..], &path) {
            Err(_) => assert!(bit < 14 * 8, "bit {bit}"),
            Ok(_) => {
                let (records, ending) = read(&bytes);
                let noticed = matches!(ending, Ending::Damaged { .. } | Ending::Cut { .. });
                assert!(noticed && records.is_empty(), "bit {bit}: {ending:?}");
            }
        }
    }
}

#[test]
fn a_later_version_is_refused_with_both_numbers() {
    let mut bytes = b"\x89fdscope-r\r\n".to_vec();
    bytes.extend_from_slice(&3_u16.to_le_bytes());
    let error = Reader::new(&bytes[..], Path::new("x")).expect_err("too new");
    assert_eq!(error.to_string(), "x is a recording of version 3; this fdscope reads up to 2");
}

#[test]
fn a_file_that_is_no_recording_is_not_replaced() {
    let (_folder, path) = folder();
    fs::write(&path, "my thesis").expect("room");
    let error = Writer::create(&path, Bounds::default()).expect_err("not ours");
    assert!(error.to_string().starts_with("failed to create"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("there"), "my thesis");
    assert!(!Reader::is_recording(&path));
}

/// Bits that do not compress.
fn mixed(number: u64) -> u64 {
    let first = (number ^ number >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (first ^ first >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A leak of one in a hundred, the rest closed at once.
fn traffic(events: u64) -> Vec<Record<'static>> {
    let mut records = vec![Record::Opening(Opening::default())];
    let (mut at, mut leaked) = (0, 3);
    for number in 0..events / 2 {
        at += 1_000_000;
        // Which address a description gets cannot be foretold: it does not compress.
        let noise = mixed(number) >> 40;
        let Record::Event(mut born) = birth(at + noise % 1000, leaked) else {
            unreachable!("above")
        };
        if let Body::Acquire(acquire) = &mut born.body {
            acquire.file = Some(FileId(noise << 8));
        }
        records.push(Record::Event(born));
        if number % 100 == 0 {
            leaked += 1;
        } else {
            records.push(death(at + 500_000 + noise % 1000, leaked));
        }
    }
    records
}

#[test]
fn over_its_size_it_loses_what_passed_and_keeps_what_stayed() {
    let (_folder, path) = folder();
    let records = traffic(200_000);
    let bounds = Bounds { max_bytes: 300_000, max_age_ns: None, ..Bounds::default() };
    write(&path, &records, bounds);
    let bytes = fs::read(&path).expect("written");
    assert!(bytes.len() <= 310_000, "{} bytes", bytes.len());
    let (kept, _) = read(&bytes);
    let births = |records: &[Record<'_>]| {
        let born = |record: &&Record<'_>| {
            matches!(record, Record::Event(Event { body: Body::Acquire(_), .. }))
        };
        records.iter().filter(born).count() as u64
    };
    let pairs: u64 = kept
        .iter()
        .map(|record| if let Record::Thinned(thinned) = record { thinned.pairs } else { 0 })
        .sum();
    assert!(pairs > 50_000, "{pairs} pairs left out");
    assert_eq!(births(&kept) + pairs, births(&records), "nothing goes unsaid");
    assert!(matches!(kept.first(), Some(Record::Opening(_))));
    assert!(kept.iter().all(|record| !matches!(record, Record::Full(_))));
}

#[test]
fn what_cannot_be_thinned_ends_with_a_word() {
    let (_folder, path) = folder();
    let leaks: Vec<_> =
        (0..400_000).map(|n| birth(n * 1_000_000 + n * n % 977, n as u32)).collect();
    write(&path, &leaks, Bounds { max_bytes: 100_000, max_age_ns: None, ..Bounds::default() });
    let bytes = fs::read(&path).expect("written");
    assert!(bytes.len() < 400_000, "{} bytes", bytes.len());
    assert!(matches!(read(&bytes).0.last(), Some(Record::Full(_))));
}

/// The recordings of every version that was ever written keep opening.
#[test]
fn committed_recordings_read_as_their_goldens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("committed") {
        let path = entry.expect("committed").path();
        let is_golden = |extension| extension == "fdr" && !path.ends_with("story-1.fdr");
        // What the story holds is compared with what tells it, in tests/story.rs.
        if !path.extension().is_some_and(is_golden) {
            continue;
        }
        seen += 1;
        let (records, ending) = read(&fs::read(&path).expect("committed"));
        let mut text = String::new();
        for record in records {
            text.push_str(&format!("{record:?}\n"));
        }
        text.push_str(&format!("{ending:?}\n"));
        let golden = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &text).expect("the tree can be written");
        }
        assert_eq!(text, fs::read_to_string(&golden).expect("committed"), "{}", path.display());
    }
    assert!(seen > 0);
}

/// `BLESS_VERSION=2 cargo test` writes the recording of that version, which must be the one that is written; never again
/// once it is committed.
#[test]
fn every_record_is_committed() {
    for (version, expected) in [(1, every_of_1()), (2, every())] {
        let name = format!("tests/recordings/every-record-{version}.fdr");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("BLESS_VERSION").is_some_and(|asked| *asked == *version.to_string()) {
            assert_eq!(version, fdscope_record::VERSION);
            write(&path, &expected, Bounds::default());
        }
        let (records, ending) = read(&fs::read(&path).expect("committed"));
        assert_eq!(records, expected);
        assert_eq!(ending, Ending::Whole);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut all = b"\x89fdscope-r\r\n\x01\x00".to_vec();
        all.extend(bytes);
        let _ = read(&all);
    }

    #[test]
    fn any_records_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&framed(&bytes));
    }

    #[test]
    fn events_come_back(times in prop::collection::vec((0..1_u64 << 60, any::<u32>()), 0..200)) {
        let (_folder, path) = folder();
        let records: Vec<_> = times.into_iter().map(|(at, fd)| birth(at, fd)).collect();
        write(&path, &records, Bounds::default());
        prop_assert_eq!(read(&fs::read(&path).expect("written")).0, records);
    }
}
