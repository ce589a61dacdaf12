//! The pages and the JSON of `fdscope threads` for a report made by hand. `FDSCOPE_BLESS=1` rewrites the goldens.

use std::path::Path;

use boon::{Compiler, Schemas};
use fdscope_model::thread::*;
use fdscope_model::{
    Blind, FdNumber, Frame, Limit, LimitName, Name, Pid, Process, ProcessId, Symbol, Tid,
};
use fdscope_render::text::threads::{Rows, threads};
use fdscope_render::{Charset, ColorChoice, Form, json};
use serde_json::{Value, json as value};

const FORM: Form = Form { width: 100, color: ColorChoice::Never, charset: Charset::Utf8 };

fn frame(function: &str, line: u32, plumbing: bool) -> Frame {
    let symbol = Symbol {
        function: Some(function.to_owned()),
        file: Some("src/work.c".to_owned()),
        line: Some(line),
        inlined: false,
    };
    Frame { symbol, module: "/usr/bin/app".into(), build_id: None, offset: 4096, plumbing }
}

fn looper(at: u32) -> ThreadEntry {
    let (epoll, event) = (FdNumber(2 * at), FdNumber(2 * at + 1));
    let call = CurrentCall {
        number: 232,
        name: Some("epoll_wait"),
        args: [u64::from(epoll.0), 0, 1, u64::MAX, 0, 0],
        on: Some((epoll, "anon_inode:[eventpoll]".into())),
        ..CurrentCall::default()
    };
    let targets = vec![(event, "anon_inode:[eventfd]".into())];
    ThreadEntry {
        tid: Tid(900 + at),
        comm: format!("work-{at}").as_str().into(),
        pattern: "work-*".into(),
        state: b'S',
        start_ticks: 100,
        age_ns: Some(1_000_000_000 * u64::from(at)),
        cpu_ns: 1_500_000,
        cpu_cores: Some(0.1),
        doing: Doing::Call(call),
        wait_channel: Some("ep_poll".into()),
        kernel_stack: Some(["ep_poll+0x2f/0x3b", "do_syscall_64+0x1/0x2"].map(Name::from).to_vec()),
        stack: Some(ThreadStack {
            frames: vec![frame("epoll_wait", 1, true), frame("work", 42, false)],
            at: Some(1),
            truncated: false,
            taken: Taken::Read,
        }),
        waits_on: Some(WaitSet { epoll, targets, registered: 1 }),
        is_new: Some(at == 3),
        start: None,
    }
}

/// Two loopers, one new; a hostile name; stacks of threads that nobody joined; a limit in sight.
fn report() -> ThreadReport {
    let hostile = ThreadEntry {
        tid: Tid(812),
        comm: b"a\x1b[2J\xff\nb".as_slice().into(),
        pattern: b"a\x1b[*J\xff\nb".as_slice().into(),
        state: b'R',
        cpu_ns: 2_000_000_000,
        doing: Doing::Running,
        is_new: Some(false),
        cpu_cores: Some(1.004),
        ..ThreadEntry::default()
    };
    let threads = vec![hostile, looper(2), looper(3)];
    let limit = |name, value, used| Limit { name, value, used };
    let row = |limit, per_s, reached_in_s| ThreadLimit { limit, per_s, reached_in_s };
    let work = ThreadGroup {
        pattern: "work-*".into(),
        entry: Some("work".to_owned()),
        count: 2,
        change: Some(Change { started: 1, ended: 0 }),
        states: vec![(b'S', 2)],
        doing: vec![("epoll_wait".to_owned(), 2)],
        wait_channels: vec![("ep_poll".into(), 2)],
        cpu_ns: 3_000_000,
        cpu_cores: Some(0.2),
        oldest_ns: Some(3_000_000_000),
        youngest_ns: Some(2_000_000_000),
        loopers: 2,
        epolls: 2,
        eventfds: 2,
        others: 0,
        first: Tid(902),
        stacks: vec![(threads[1].stack.clone().expect("made above"), 2)],
    };
    let odd = ThreadGroup {
        pattern: threads[0].pattern.clone(),
        count: 1,
        change: Some(Change { started: 0, ended: 2 }),
        states: vec![(b'R', 1)],
        doing: vec![("(running)".to_owned(), 1)],
        cpu_ns: 2_000_000_000,
        cpu_cores: Some(1.004),
        first: Tid(812),
        ..ThreadGroup::default()
    };
    ThreadReport {
        process: Process {
            id: ProcessId { pid: Pid(812), start_ticks: 99 },
            comm: "app".into(),
            cmdline: "app\0-v\0".into(),
            ..Process::default()
        },
        interval_ns: Some(1_000_000_000),
        change: Some(Change { started: 1, ended: 2 }),
        threads,
        groups: vec![work, odd],
        unjoined: vec![
            Unjoined { stack_bytes: 8 << 20, count: 100, exact: true, grown: Some(7) },
            Unjoined { stack_bytes: 2 << 20, count: 1, exact: false, grown: None },
        ],
        unjoined_in: vec![(
            Frame {
                symbol: Symbol {
                    function: Some("work".to_owned()),
                    file: Some("src/app.c".to_owned()),
                    line: Some(88),
                    inlined: false,
                },
                module: "/usr/bin/app".into(),
                build_id: None,
                offset: 0x1234,
                plumbing: false,
            },
            101,
        )],
        limits: vec![
            row(limit(LimitName::MaxMapCount, 65_530, 60_000), Some(14.0), Some(395.0)),
            row(limit(LimitName::CgroupPids, u64::MAX, 3), Some(0.0), None),
        ],
        blind: vec![Blind {
            what: "kernel stacks of 1 thread".to_owned(),
            why: "not permitted".to_owned(),
            cure: Some("run it with sudo".to_owned()),
        }],
        faults: Vec::new(),
    }
}

fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
}

#[test]
fn pages_are_as_they_were_read() {
    let report = report();
    check("thread-groups-100.txt", &threads(&report, Rows::Groups, FORM));
    check("thread-rows-100.txt", &threads(&report, Rows::Threads, FORM));
    let narrow = Form { width: 60, charset: Charset::Ascii, ..FORM };
    check("thread-groups-60.txt", &threads(&report, Rows::Groups, narrow));
    let once = ThreadReport { interval_ns: None, change: None, ..report };
    check("thread-once-100.txt", &threads(&once, Rows::Groups, FORM));
}

fn object() -> Value {
    let bare = ThreadReport::default();
    let text = json::threads::threads(&[report(), bare], "fdscope threads 812", "Linux", 7);
    assert_eq!(text.matches('\n').count(), 1, "one object, one line");
    serde_json::from_str(&text).expect("the writer writes JSON")
}

/// The schema as a closed world: no key may be written that it does not name.
fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(close);
            if map.contains_key("properties") && map.get("type") == Some(&value!("object")) {
                map.insert("additionalProperties".to_owned(), value!(false));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn the_json_is_as_promised() {
    const SCHEMA: &str = include_str!("../../../docs/schema/threads-1.schema.json");
    let mut schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], json::threads::SCHEMA);
    close(&mut schema);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///threads", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///threads", &mut schemas).expect("the schema compiles");
    let mut object = object();
    if let Err(error) = schemas.validate(&object, index) {
        panic!("{error}");
    }
    assert_eq!(object["processes"][0]["threads"][0]["comm"], "a\\x1b[2J\\xff\\nb");
    object["processes"][0]["threads"][0]["tid"] = value!("many");
    assert!(schemas.validate(&object, index).is_err());
}
