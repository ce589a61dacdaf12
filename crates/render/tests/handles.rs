//! Rows of handles as `fdscope ls` prints them: goldens, the JSON Schema, and names that harm nothing.
//!
//! `FDSCOPE_BLESS=1` rewrites the files in `tests/golden`: read each by eye before committing it.

use std::path::Path;
use std::rc::Rc;

use boon::{Compiler, Schemas};
use fdscope_model::inventory::{End, EpollTarget, FanotifyMark, FileStatus, InotifyWatch, Lock};
use fdscope_model::socket::{Address, SocketTimer};
use fdscope_model::{
    Access, Association, DeviceId, Entry, Facts, Family, Fault, FdNumber, Handle, HandleKind,
    InodeId, Name, NamespaceClass, Pid, Process, ProcessId, Socket, SocketClass, SocketState,
};
use fdscope_render::column::{Order, choose, write_object};
use fdscope_render::groups::Groups;
use fdscope_render::handles::object::{Head, Tail};
use fdscope_render::handles::{HANDLES, HandleRow, Holder, in_json, initial, tree};
use fdscope_render::sheet::{KeepColumns, Sheet};
use fdscope_render::{Charset, Form};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;

fn holder(comm: &str) -> Rc<Holder> {
    let process = Process {
        id: ProcessId { pid: Pid(812), start_ticks: 99 },
        parent: Pid(1),
        comm: comm.into(),
        cmdline: "app\0--serve\0".into(),
        uid: 1_000,
        exe: "/usr/local/bin/app".into(),
    };
    Rc::new(Holder { process, group: Pid(800), user: Some("ann".into()) })
}

fn row(via: Association, kind: HandleKind, name: &str, facts: Facts) -> HandleRow {
    let handle = Handle {
        owner: ProcessId { pid: Pid(812), start_ticks: 99 },
        via,
        kind,
        file: None,
        inode: Some(InodeId { device: DeviceId::new(8, 1), inode: 4_711 }),
        mode: None,
        flags: Some(0o2_100_002),
        offset: Some(0),
        name: name.into(),
        fault: None,
    };
    let access = matches!(via, Association::Fd(_)).then_some(Access::Both);
    let entry = Entry { handle, access, status: None, mount: Some(24), facts, locks: Vec::new() };
    HandleRow { holder: holder("app"), entry, pattern: None, birth: None }
}

fn end(pid: u32, fd: u32, access: Access) -> End {
    End { pid: Pid(pid), comm: "peer".into(), fd: FdNumber(fd), access: Some(access) }
}

fn inet(text: &str) -> Option<Address> {
    Some(Address::Inet(text.parse().expect("an address")))
}

fn tcp(state: SocketState, local: &str, peer: Option<&str>, queues: [u64; 2]) -> Facts {
    Facts::Socket(Box::new(Socket {
        family: Family::Inet,
        class: SocketClass::Stream,
        protocol: "TCP".into(),
        state: Some(state),
        local: inet(local),
        peer: peer.and_then(inet),
        receive_queue: Some(queues[0]),
        send_queue: Some(queues[1]),
        namespace: Some(4_026_531_840),
        timer: Some(SocketTimer { class: 2, remaining_ns: 7 * SECOND, retries: 1 }),
        last_sent_ns: Some(600 * SECOND),
        last_received_ns: Some(90 * SECOND),
        ..Socket::unknown(552)
    }))
}

fn unix() -> Facts {
    Facts::Socket(Box::new(Socket {
        family: Family::Unix,
        class: SocketClass::Stream,
        protocol: "UNIX-STREAM".into(),
        state: Some(SocketState::Established),
        local: Some(Address::Unix(Name::from(&b"\0x\x1b"[..]))),
        ends: vec![end(813, 9, Access::Both)],
        ..Socket::unknown(553)
    }))
}

fn file(fd: u32, name: &str, size: u64, links: u64) -> HandleRow {
    let mut row = row(Association::Fd(FdNumber(fd)), HandleKind::File, name, Facts::Nothing);
    let inode = InodeId { device: DeviceId::new(8, 1), inode: 4_711 };
    let mode = 0o100_644;
    let allocated = size.next_multiple_of(4_096);
    row.entry.status =
        Some(FileStatus { inode, mode, links, size, allocated, device: None, uid: 1_000 });
    row
}

/// Facts of each kind that has any.
fn facts() -> Vec<(HandleKind, &'static str, Facts)> {
    use HandleKind as Kind;
    let inode = InodeId { device: DeviceId::new(8, 1), inode: 77 };
    let target = |fd, name: Option<&str>| EpollTarget {
        fd: FdNumber(fd),
        events: 0x8000_0001,
        inode: Some(9),
        name: name.map(Name::from),
    };
    let watch = InotifyWatch { wd: 1, inode, mask: 0x102, path: Some("/etc".into()) };
    let marks = vec![
        FanotifyMark::Inode { inode, mask: 0x20 },
        FanotifyMark::Mount { mount: 24, mask: 0x8 },
        FanotifyMark::FileSystem { device: inode.device, mask: 0x2 },
    ];
    let listener = tcp(SocketState::Listen, "0.0.0.0:80", None, [3, 511]);
    let busy = tcp(SocketState::CloseWait, "10.0.0.1:80", Some("10.0.0.7:51234"), [12, 4_096]);
    let timer =
        Facts::TimerFd { clock: 1, ticks: 2, remaining_ns: SECOND, interval_ns: 2 * SECOND };
    vec![
        (Kind::Socket, "socket:[552]", listener),
        (Kind::Socket, "socket:[552]", busy),
        (Kind::Socket, "socket:[553]", unix()),
        (Kind::Socket, "socket:[554]", Facts::Socket(Box::new(Socket::unknown(554)))),
        (Kind::Pipe, "pipe:[99]", Facts::Pipe { ends: vec![end(813, 1, Access::Write)] }),
        (Kind::Terminal, "/dev/ptmx", Facts::Terminal { index: Some(3), ends: Vec::new() }),
        (
            Kind::EventFd,
            "anon_inode:[eventfd]",
            Facts::EventFd { count: 5, id: Some(1), semaphore: Some(true), ends: Vec::new() },
        ),
        (Kind::TimerFd, "anon_inode:[timerfd]", timer),
        (Kind::SignalFd, "anon_inode:[signalfd]", Facts::SignalFd { mask: 0x4002 }),
        (
            Kind::Epoll,
            "anon_inode:[eventpoll]",
            Facts::Epoll { targets: vec![target(5, Some("socket:[552]")), target(6, None)] },
        ),
        (Kind::Inotify, "anon_inode:inotify", Facts::Inotify { watches: vec![watch] }),
        (Kind::Fanotify, "anon_inode:[fanotify]", Facts::Fanotify { marks }),
        (
            Kind::PidFd,
            "anon_inode:[pidfd]",
            Facts::PidFd { pid: Some(Pid(9)), comm: "child".into() },
        ),
        (Kind::PidFd, "anon_inode:[pidfd]", Facts::PidFd { pid: None, comm: Name::default() }),
        (Kind::Memfd, "/memfd:cache (deleted)", Facts::Memfd { seals: Some(0xf) }),
        (
            Kind::DmaBuf,
            "/dmabuf:",
            Facts::DmaBuf { size: 4_096, count: 2, exporter: "udmabuf".into(), name: "x".into() },
        ),
        (
            Kind::IoUring,
            "anon_inode:[io_uring]",
            Facts::IoUring { files: vec![(0, "/srv/a".into())], buffers: 2 },
        ),
        (
            Kind::Bpf,
            "anon_inode:bpf-map",
            Facts::Bpf { object: "map", id: Some(7), class: "hash".into(), name: "seen".into() },
        ),
        (
            Kind::Namespace,
            "net:[4026531840]",
            Facts::Namespace { class: "net".into(), inode: 4_026_531_840 },
        ),
        (Kind::CharDevice, "/dev/net/tun", Facts::Tun { interface: "tap0".into() }),
        (
            Kind::OtherDescriptor,
            "anon_inode:[new]",
            Facts::Other(vec![("colour".into(), "blue".into())]),
        ),
    ]
}

/// A process that holds one of everything, in every way.
fn everything() -> Vec<HandleRow> {
    let plain = |via, kind, name| row(via, kind, name, Facts::Nothing);
    let mut rows = vec![
        plain(Association::Cwd, HandleKind::Directory, "/srv"),
        plain(Association::Root, HandleKind::Directory, "/"),
        plain(Association::Exe, HandleKind::File, "/usr/local/bin/app"),
        plain(Association::Mapping(0x7f00_0000_0000), HandleKind::File, "/usr/lib/libc.so.6"),
        plain(
            Association::Namespace(NamespaceClass::Net),
            HandleKind::Namespace,
            "net:[4026531840]",
        ),
        file(3, "/var/log/app.log", 1_234_567, 1),
        file(4, "/tmp/\u{1b}[2J\nx (deleted)", 20, 0),
    ];
    rows[5].entry.locks = vec![Lock {
        class: "POSIX".into(),
        mode: "ADVISORY".into(),
        access: Access::Write,
        start: 0,
        end: Some(1_023),
    }];
    for (index, (kind, name, facts)) in facts().into_iter().enumerate() {
        let fd = FdNumber(9_995 + u32::try_from(index).expect("few"));
        rows.push(row(Association::Fd(fd), kind, name, facts));
    }
    rows.push(plain(Association::RingSlot(FdNumber(7), 3), HandleKind::File, "/srv/a"));
    rows.push(plain(Association::InFlight(FdNumber(8)), HandleKind::File, "/srv/b"));
    let mut refused = plain(Association::Fd(FdNumber(20_000)), HandleKind::UnknownDescriptor, "");
    refused.entry.access = None;
    refused.entry.handle.fault = Some(Box::new(Fault {
        pid: Some(Pid(812)),
        fd: Some(FdNumber(20_000)),
        operation: "read link",
        cause: "permission denied".to_owned(),
    }));
    rows.push(refused);
    rows
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
}

fn table(list: Option<&str>, form: Form, sort: Option<&str>) -> String {
    let columns = match list {
        Some(list) => choose(HANDLES, &initial(), list).expect("columns"),
        None => initial(),
    };
    let sort = sort.map(|name| (HANDLES.get(name).expect("a column"), Order::Descending));
    let mut sheet = Sheet::new(columns, form.charset, sort);
    everything().iter().for_each(|row| sheet.push(row));
    let mut out = Vec::new();
    sheet.write(form, KeepColumns::Fitting, true, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("text")
}

#[test]
fn one_of_everything_in_the_usual_columns() {
    golden("ls-100.txt", &table(None, Form { width: 100, ..Form::default() }, None));
    let ascii = Form { width: 80, charset: Charset::Ascii, ..Form::default() };
    golden("ls-ascii.txt", &table(None, ascii, None));
}

#[test]
fn one_of_everything_in_every_column() {
    golden("ls-all.txt", &table(Some("all"), Form { width: 4_000, ..Form::default() }, None));
}

#[test]
fn sorted_rows_with_chosen_columns() {
    let list = Some("fd,kind,size,locks,state,recv-q,idle,timer,name");
    golden("ls-sorted.txt", &table(list, Form { width: 200, ..Form::default() }, Some("size")));
}

#[test]
fn a_tree_and_groups() {
    let mut out = Vec::new();
    tree::write(&everything(), Form::default(), &mut out).expect("a vector takes all");
    golden("ls-tree.txt", &String::from_utf8(out).expect("text"));
    let columns = choose(HANDLES, &[], "kind,state,size").expect("columns");
    let mut groups = Groups::new(columns, Charset::Utf8);
    everything().iter().for_each(|row| groups.push(row));
    let mut out = Vec::new();
    groups.write(Form::default(), true, &mut out).expect("a vector takes all");
    golden("ls-groups.txt", &String::from_utf8(out).expect("text"));
}

/// The object of these rows, with every column.
fn object(rows: &[HandleRow], list: &str) -> String {
    let columns = match list {
        "" => in_json(),
        list => choose(HANDLES, &in_json(), list).expect("columns"),
    };
    let head = Head {
        command: "fdscope ls 812 --json".to_owned(),
        machine: "Linux 6.18.5 x86_64".to_owned(),
        source: "proc",
        how: "/proc and sock_diag".to_owned(),
        taken_at_ns: 1_795_416_000 * SECOND,
    };
    let mut out = Vec::new();
    head.open(&mut out);
    out.push(b'[');
    for (index, row) in rows.iter().enumerate() {
        out.extend(if index == 0 { &b""[..] } else { b"," });
        write_object(&columns, row, &mut out);
    }
    out.extend(b"],\"groups\":");
    let mut groups =
        Groups::new(choose(HANDLES, &[], "kind,ends").expect("columns"), Charset::Utf8);
    rows.iter().for_each(|row| groups.push(row));
    groups.write_json(&mut out);
    let faults = rows.iter().filter_map(|row| row.entry.handle.fault.as_deref().cloned()).collect();
    Tail { count: rows.len() as u64, processes: 1, faults }.close(&mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

const SCHEMA: &str = include_str!("../../../docs/schema/ls-1.schema.json");

/// The schema as a closed world: no key may be written that it does not name. Groups have the keys of their columns.
fn strict() -> Value {
    fn close(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.values_mut().for_each(close);
                let is_open = map.get("description").is_some_and(|text| {
                    text.as_str().is_some_and(|text| text.starts_with("Also a key"))
                });
                let is_object = map.get("type") == Some(&json!("object"));
                if map.contains_key("properties") && is_object && !is_open {
                    map.insert("additionalProperties".to_owned(), json!(false));
                }
            }
            Value::Array(values) => values.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    close(&mut schema);
    schema
}

#[test]
fn every_row_fits_the_schema_and_has_no_key_unnamed() {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///ls", strict()).expect("the schema is a resource");
    let index = compiler.compile("mem:///ls", &mut schemas).expect("the schema compiles");
    for list in ["", "all", "pid,fd"] {
        let text = object(&everything(), list);
        assert_eq!(text.matches('\n').count(), 1, "one object, one line");
        let value = serde_json::from_str(&text).expect("the writer writes JSON");
        if let Err(error) = schemas.validate(&value, index) {
            panic!("{list:?}: {error}");
        }
    }
}

#[test]
fn every_column_has_its_key_in_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let named = schema["$defs"]["handle"]["properties"].as_object().expect("an object");
    let mut named: Vec<&str> = named.keys().map(String::as_str).collect();
    let mut keys: Vec<&str> = HANDLES.all.iter().map(|column| column.key).collect();
    named.sort_unstable();
    keys.sort_unstable();
    assert_eq!(named, keys);
}

#[test]
fn json_of_one_of_everything() {
    let value: Value = serde_json::from_str(&object(&everything(), "all")).expect("JSON");
    golden("ls.json", &(serde_json::to_string_pretty(&value).expect("JSON") + "\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever a target calls itself and its files, a row is a line, and the terminal is safe.
    #[test]
    fn names_harm_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let name = Name::from(bytes);
        for mut row in everything() {
            let mut holder = (*row.holder).clone();
            (holder.process.comm, holder.process.exe) = (name.clone(), name.clone());
            (holder.process.cmdline, holder.user) = (name.clone(), Some(name.clone()));
            row.holder = Rc::new(holder);
            row.entry.handle.name = name.clone();
            row.pattern = Some(name.clone());
            if let Facts::PidFd { comm, .. } = &mut row.entry.facts {
                *comm = name.clone();
            }
            if let Facts::Socket(socket) = &mut row.entry.facts {
                socket.local = Some(Address::Unix(name.clone()));
                socket.protocol = name.clone();
            }
            let columns = HANDLES.all.iter().collect();
            let mut sheet = Sheet::new(columns, Charset::Utf8, None);
            sheet.push(&row);
            let mut out = Vec::new();
            sheet.write(Form::default(), KeepColumns::All, true, &mut out).expect("written");
            let text = String::from_utf8(out).expect("text");
            prop_assert_eq!(text.lines().count(), 2);
            prop_assert_eq!(text.chars().find(|c| c.is_control() && *c != '\n'), None, "{}", text);
            let value: Value = serde_json::from_str(&object(&[row], "all")).expect("JSON");
            let comm = value["handles"][0]["comm"].as_str().unwrap_or_default();
            prop_assert_eq!(comm.chars().find(|c| c.is_control()), None);
        }
    }
}
