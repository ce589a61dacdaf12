//! A made-up recording that tells a story, committed for every command to be shown with: an application that leaks a log
//! file every ten seconds and a connection in CLOSE_WAIT every minute, for twenty minutes, and starts threads meanwhile.

use std::fs;
use std::path::Path;

use fdscope_model::event::Slot;
use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{
    Acquire, AcquireCause, Association, Body, Event, FdNumber, FileId, Frame, Handle, HandleKey,
    HandleKind, InodeId, Limit, LimitName, Monotonic, Name, Pid, Process, ProcessId, Release,
    ReleaseCause, Sight, Snapshot, SourceName, StackId, Symbol, Symbolized, TableId, Tid, Trace,
};
use fdscope_record::{Bounds, Closing, Ending, Opening, Reader, Record, Writer};

const SECOND: u64 = 1_000_000_000;
const BEGUN: u64 = 5_000 * SECOND;
/// 2026-11-24 14:00:00 UTC.
const WALL: u64 = 1_795_528_800 * SECOND;
const APP: Pid = Pid(812);
const HELPER: Pid = Pid(900);
const SEND_FILE: StackId = StackId(0);
const CONNECT: StackId = StackId(1);

fn process(pid: Pid, parent: Pid, comm: &str, start_ticks: u64) -> Record<'static> {
    Record::Process(Process {
        id: ProcessId { pid, start_ticks },
        parent,
        comm: comm.into(),
        cmdline: format!("/usr/bin/{comm}\0--serve\0").as_str().into(),
        uid: 1000,
        exe: format!("/usr/bin/{comm}").as_str().into(),
    })
}

fn table(pid: Pid) -> TableId {
    TableId(0xffff_8881_0000_0000 + u64::from(pid.0))
}

fn event(at: u64, pid: Pid, body: Body<'static>) -> Record<'static> {
    Record::Event(Event { at: Monotonic(at), pid, tid: Tid(pid.0), body })
}

/// A birth by `call` with a stack; without, a handle that was there.
fn birth(
    at: u64,
    pid: Pid,
    fd: u32,
    kind: HandleKind,
    how: Option<(&'static str, StackId)>,
    name: Option<&str>,
) -> Record<'static> {
    let cause = how.map_or(AcquireCause::Existing, |how| AcquireCause::Call(how.0));
    let acquire = Acquire {
        key: HandleKey::Descriptor(table(pid), FdNumber(fd)),
        kind,
        file: Some(FileId(at ^ u64::from(fd))),
        inode: Some(InodeId { inode: 7_000 + u64::from(fd), ..InodeId::default() }),
        cloexec: Some(true),
        cause,
        name: name.map(Name::from),
        trace: how.map_or(Trace::None, |how| Trace::Known(how.1)),
    };
    event(at, pid, Body::Acquire(acquire))
}

fn death(at: u64, pid: Pid, fd: u32) -> Record<'static> {
    let release = Release {
        key: HandleKey::Descriptor(table(pid), FdNumber(fd)),
        cause: ReleaseCause::Call("close"),
        slot: Slot::Empty,
        trace: Trace::None,
    };
    event(at, pid, Body::Release(release))
}

fn called(at: u64, fd: u32, name: &str) -> Record<'static> {
    Record::Descriptor(APP, FdNumber(fd), Monotonic(at), name.into())
}

fn stack(id: StackId, function: &str, line: u32) -> Record<'static> {
    let frame = |function: &str, file: Option<&str>, line, module: &str, plumbing| Frame {
        symbol: Symbol {
            function: Some(function.to_owned()),
            file: file.map(str::to_owned),
            line,
            inlined: false,
        },
        module: Name::from(module),
        build_id: Some("5b9a3c0e".to_owned()),
        offset: 0x1a2b,
        plumbing,
    };
    let frames = vec![
        frame("open64", None, None, "/lib/x86_64-linux-gnu/libc.so.6", true),
        frame(function, Some("src/send.c"), Some(line), "/usr/bin/app", false),
        frame("main", Some("src/main.c"), Some(12), "/usr/bin/app", false),
    ];
    Record::Stack(id, Symbolized { frames, at: Some(1) })
}

fn sample(at: u64, descriptors: u64, threads: u64) -> Record<'static> {
    let group =
        |kind, group: &str, count| GroupCount { kind, group: group.into(), count, fresh: None };
    Record::Sample(Sample {
        at: Monotonic(at),
        pid: APP,
        groups: vec![
            group(HandleKind::Thread, "app", 1),
            group(HandleKind::Thread, "work-*", threads - 1),
            group(HandleKind::Mapping, "other mappings", 40 + 2 * threads),
        ],
        limits: vec![
            Limit { name: LimitName::Nofile, value: 1024, used: descriptors },
            Limit { name: LimitName::Nproc, value: 4096, used: 200 + threads },
        ],
        descriptors,
        threads,
    })
}

fn compared(at: u64, open: &[(u32, HandleKind)]) -> [Record<'static>; 2] {
    let owner = ProcessId { pid: APP, start_ticks: 4_711 };
    let handle = |&(fd, kind): &(u32, HandleKind)| Handle {
        kind,
        ..Handle::blank(owner, Association::Fd(FdNumber(fd)))
    };
    let snapshot = Snapshot {
        pid: APP,
        table: Some(table(APP)),
        begun: Monotonic(at),
        ended: Monotonic(at + 1_000_000),
        handles: open.iter().map(handle).collect(),
        faults: Vec::new(),
    };
    [Record::Comparing(APP, Monotonic(at)), Record::Compared(snapshot)]
}

fn opening() -> Vec<Record<'static>> {
    let opening = Opening {
        fdscope: "0.1.0".to_owned(),
        machine: "Linux 6.18.5 x86_64".to_owned(),
        command: "fdscope record 812 -o story.fdr".to_owned(),
        boot: "11111111-2222-3333-4444-555555555555".to_owned(),
        taken_at_ns: WALL,
        begun: Monotonic(BEGUN),
    };
    let sight = Sight {
        source: SourceName::Bpf,
        how: "tracepoints of calls; stacks copied and unwound with DWARF".to_owned(),
        blind: Vec::new(),
    };
    let at = BEGUN + 1_000_000;
    vec![
        Record::Opening(opening),
        Record::Sight(sight),
        process(APP, Pid(1), "app", 4_711),
        birth(at, APP, 0, HandleKind::CharDevice, None, Some("/dev/null")),
        birth(at, APP, 1, HandleKind::File, None, Some("/var/log/app.out")),
        birth(at, APP, 2, HandleKind::File, None, Some("/var/log/app.out")),
        birth(at, APP, 3, HandleKind::Socket, None, Some("tcp 0.0.0.0:8080 LISTEN")),
    ]
}

/// The story.
fn story() -> Vec<Record<'static>> {
    let mut records = opening();
    let mut open = vec![
        (0, HandleKind::CharDevice),
        (1, HandleKind::File),
        (2, HandleKind::File),
        (3, HandleKind::Socket),
    ];
    let mut fd = 4;
    for tick in 1..=120_u64 {
        let at = BEGUN + tick * 10 * SECOND;
        records.push(birth(at, APP, fd, HandleKind::File, Some(("openat", SEND_FILE)), None));
        if tick == 1 {
            records.push(stack(SEND_FILE, "send_file", 42));
        }
        records.push(called(at, fd, &format!("/var/log/app-{tick}.log")));
        open.push((fd, HandleKind::File));
        fd += 1;
        // One that is closed again.
        records.push(birth(
            at + SECOND,
            APP,
            fd,
            HandleKind::File,
            Some(("openat", SEND_FILE)),
            None,
        ));
        records.push(death(at + 2 * SECOND, APP, fd));
        if tick % 6 == 0 {
            let born = at + 3 * SECOND;
            records.push(birth(born, APP, fd, HandleKind::Socket, Some(("socket", CONNECT)), None));
            if tick == 6 {
                records.push(stack(CONNECT, "connect_upstream", 7));
            }
            records.push(called(born, fd, &format!("socket:[{}]", 7_000 + fd)));
            let port = 40_000 + tick;
            let ends = format!("tcp 10.0.0.1:{port}->10.0.0.7:443 CLOSE_WAIT");
            records.push(called(born, fd, &ends));
            open.push((fd, HandleKind::Socket));
            fd += 1;
        }
        match tick {
            30 => records.extend(helper(at + 4 * SECOND)),
            40 => records.push(event(at + 4 * SECOND, HELPER, Body::Exit { table: table(HELPER) })),
            _ => {}
        }
        if tick % 3 == 0 {
            records.push(sample(at + 5 * SECOND, open.len() as u64, 4 + tick / 3));
            records.extend(compared(at + 6 * SECOND, &open));
        }
    }
    let judged = Monotonic(BEGUN + 1_210 * SECOND);
    records.push(Record::Closing(Closing { judged, taken_at_ns: WALL + 1_210 * SECOND }));
    records
}

/// A child that comes; it ends later.
fn helper(at: u64) -> Vec<Record<'static>> {
    let fork = Body::Fork {
        child: HELPER,
        child_table: table(HELPER),
        parent_table: table(APP),
        trace: Trace::None,
    };
    vec![
        event(at, APP, fork),
        process(HELPER, APP, "helper", 5_000),
        event(at + 500_000_000, HELPER, Body::Exec { table: table(HELPER), comm: "helper".into() }),
    ]
}

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/story-1.fdr")
}

/// `BLESS_STORY=1 cargo test` writes it, as a recording of the version of the day; never again once it is committed.
#[test]
fn the_story_is_committed() {
    if std::env::var_os("BLESS_STORY").is_some() {
        let mut writer = Writer::create(&committed(), Bounds::default()).expect("a fresh file");
        story().iter().for_each(|record| writer.push(record).expect("room"));
        writer.flush().expect("room");
    }
    let (records, ending) = read(&fs::read(committed()).expect("committed"));
    assert_eq!(records, story());
    assert_eq!(ending, Ending::Whole);
}

fn read(bytes: &[u8]) -> (Vec<Record<'static>>, Ending) {
    let mut reader = Reader::new(bytes, Path::new("x")).expect("a recording");
    let mut records = Vec::new();
    let mut take = |record| {
        records.push(record);
        true
    };
    reader.read_all(&mut take).expect("memory can be read");
    (records, reader.ending())
}

/// Bytes of the committed recording changed, cut, doubled and moved: read to the last whole frame, never a panic, never
/// a record that was not there.
#[test]
fn mutations_of_the_story_are_read_to_their_last_whole_frame() {
    let good = fs::read(committed()).expect("committed");
    let (all, _) = read(&good);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).expect("below a length")
    };
    for _ in 0..100 {
        let mut bytes = good.clone();
        for _ in 0..=random(3) {
            let at = 14 + random(bytes.len() - 14);
            match random(5) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes.truncate(at.max(15)),
                2 => bytes[at] = u8::try_from(random(256)).expect("a byte"),
                3 => {
                    let piece: Vec<u8> = bytes[at..(at + random(64)).min(bytes.len())].to_vec();
                    let to = 14 + random(bytes.len() - 14);
                    bytes.splice(to..to, piece);
                }
                _ => drop(bytes.drain(at..(at + random(64)).min(bytes.len()))),
            }
            if bytes.len() < 20 {
                break;
            }
        }
        let (records, _) = read(&bytes);
        assert_eq!(
            records[..],
            all[..records.len().min(all.len())],
            "what was read is what was written"
        );
    }
}
