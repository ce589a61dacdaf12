//! The card and the sections for processes made by hand: bytes of the page, and the JSON against its schemas.
//! `FDSCOPE_BLESS=1` rewrites the files in `tests/golden`: read each by eye before committing it.

use std::path::Path;

use boon::{Compiler, Schemas};
use fdscope_model::card::{Card, CardGroup, CardHandle, Inherited};
use fdscope_model::process::GroupCount;
use fdscope_model::section::{Row, Section, Unit};
use fdscope_model::{
    Fault, FdNumber, HandleKind, Limit, LimitName, NamespaceClass, Pid, Process, ProcessId,
    SocketState,
};
use fdscope_render::card::{Beside, page};
use fdscope_render::{Charset, ColorChoice, Form, json};
use serde_json::{Value, json};

fn group(kind: HandleKind, pattern: &str, count: u64, lowest: u32) -> CardGroup {
    let (lowest, highest) = (FdNumber(lowest), FdNumber(lowest + count as u32 - 1));
    let pattern = pattern.into();
    CardGroup { kind, state: None, pattern, count, lowest, highest, deleted: false, held_bytes: 0 }
}

fn handle(kind: HandleKind, fd: u32, state: Option<SocketState>, name: &str) -> CardHandle {
    CardHandle { fd: FdNumber(fd), kind, state, name: name.into() }
}

fn card() -> Card {
    let counted =
        |kind, group: &str, count| GroupCount { kind, group: group.into(), count, fresh: None };
    let limit = |name, used, value| Limit { name, used, value };
    let fault = |fd| Fault {
        pid: Some(Pid(812)),
        fd: Some(FdNumber(fd)),
        operation: "read link",
        cause: "permission denied".into(),
    };
    let mut groups = vec![
        CardGroup {
            deleted: true,
            held_bytes: 9_400_000,
            ..group(HandleKind::File, "/srv/data-*.log (deleted)", 700, 3)
        },
        CardGroup {
            state: Some(SocketState::CloseWait),
            ..group(HandleKind::Socket, "tcp *->10.0.0.2:443", 260, 703)
        },
        group(HandleKind::Pipe, "pipe", 2, 963),
        group(HandleKind::File, "/tmp/\u{1b}[2J-*", 1, 965),
    ];
    groups.extend((0..12).map(|n| group(HandleKind::File, &format!("/etc/{n}"), 1, 970 + n)));
    Card {
        process: Process {
            id: ProcessId { pid: Pid(812), start_ticks: 77 },
            parent: Pid(1),
            comm: "app".into(),
            cmdline: "/opt/app/bin/app\0--serve\0--listen=0.0.0.0:8080\0--data\0/srv/data\0".into(),
            uid: 33,
            exe: "/opt/app/bin/app (deleted)".into(),
        },
        parent_comm: "systemd".into(),
        state: b'S',
        age_ns: Some(7_500_000_000_000),
        cgroup: "/system.slice/app.service".into(),
        unit: Some("app.service".into()),
        container: None,
        namespaces: vec![NamespaceClass::Mnt, NamespaceClass::Net],
        descriptors: Some(975),
        threads: 12,
        groups,
        oldest: vec![handle(HandleKind::File, 3, None, "/srv/data-1.log (deleted)")],
        newest: vec![
            handle(
                HandleKind::Socket,
                980,
                Some(SocketState::CloseWait),
                "tcp 10.0.0.1:5->10.0.0.2:443",
            ),
            handle(HandleKind::UnknownDescriptor, 981, None, ""),
        ],
        inherited: Some(Inherited { looked_at: 256, inherited: 250 }),
        others: vec![
            counted(HandleKind::Thread, "work-*", 12),
            counted(HandleKind::Zombie, "sh", 7),
            counted(HandleKind::Mapping, "x", 1_412),
        ],
        limits: vec![
            limit(LimitName::Nofile, 975, 1_024),
            limit(LimitName::FileMax, 3_104, i64::MAX as u64),
            limit(LimitName::MaxMapCount, 1_412, 65_530),
            limit(LimitName::Memlock, 1 << 20, 8 << 20),
        ],
        faults: vec![fault(7), fault(8)],
    }
}

fn beside() -> Beside {
    Beside {
        user: Some("www-data".into()),
        now_ns: 1_795_416_000_000_000_000,
        signs: vec!["260 sockets in close-wait.".into(), "7 zombies.".into()],
        next: Some(("fdscope leak 812".into(), "watches it and names the code that leaks".into())),
    }
}

fn check(name: &str, card: &Card, form: Form) {
    let found = page(card, &beside(), form);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
    assert!(!found.contains('\u{1b}') || form.color == ColorChoice::Always);
}

#[test]
fn one_screen() {
    let form = Form::default();
    check("card-80.txt", &card(), form);
    check("card-ascii-40.txt", &card(), Form { width: 40, charset: Charset::Ascii, ..form });
    check("card-empty-80.txt", &Card::default(), form);
}

/// The schema as a closed world: no key may be written that it does not name.
fn strict(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(strict);
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_string(), json!(false));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(strict),
        _ => {}
    }
}

fn fits(schema: &str, name: &str, texts: &[String]) {
    let mut schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], name);
    strict(&mut schema);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///one", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///one", &mut schemas).expect("the schema compiles");
    for text in texts {
        assert_eq!(text.matches('\n').count(), 1, "one object, one line");
        let value = serde_json::from_str(text).expect("the writer writes JSON");
        if let Err(error) = schemas.validate(&value, index) {
            panic!("{error}");
        }
    }
}

#[test]
fn the_json_fits_its_schemas_and_has_no_key_unnamed() {
    let texts = [card(), Card::default()].map(|card| json::card::card(&card, &beside(), "Linux"));
    fits(include_str!("../../../docs/schema/card-1.schema.json"), json::card::SCHEMA, &texts);
    let rows = vec![
        Row::new("rss", "2").with(Unit::Pages(4096), "resident memory"),
        Row::new("comm", "a\u{1b}"),
    ];
    let section = Section { name: "stat", rows, faults: card().faults };
    let texts = [json::section::sections(812, 7, &[section]), json::section::sections(1, 7, &[])];
    fits(include_str!("../../../docs/schema/proc-1.schema.json"), json::section::SCHEMA, &texts);
}
