//! Two moments compared: the page byte for byte, and the JSON against its schema.

use std::path::Path;
use std::rc::Rc;

use boon::{Compiler, Schemas};
use fdscope_model::diff::{Changed, Diff, Held, Origin, Side};
use fdscope_model::{
    FdNumber, Frame as CodeFrame, HandleKey, HandleKind, Monotonic, Name, Pid, ProcessId, Symbol,
    Symbolized, TableId, Tid,
};
use fdscope_render::diff::{By, Frame, SCHEMA as NAME, Shown, object, page};
use fdscope_render::{Charset, ColorChoice, Form};
use serde_json::Value;

const SECOND: u64 = 1_000_000_000;
const BY: [By; 3] = [By::Kind, By::Name, By::Site];

fn held(fd: u32, kind: HandleKind, name: &str, pattern: &str) -> Held {
    Held {
        process: ProcessId { pid: Pid(812), start_ticks: 99 },
        comm: "app".into(),
        key: HandleKey::Descriptor(TableId(1), FdNumber(fd)),
        kind,
        file: None,
        inode: None,
        born: Monotonic(40 * SECOND),
        birth_seen: false,
        name: name.into(),
        pattern: pattern.into(),
        peer: None,
        stack: None,
    }
}

fn made(held: Held, function: &str, line: u32) -> Held {
    let symbol = Symbol {
        function: Some(function.to_owned()),
        file: Some("src/send.c".to_owned()),
        line: Some(line),
        inlined: false,
    };
    let frame = CodeFrame {
        symbol,
        module: Name::from("/usr/bin/app"),
        build_id: None,
        offset: 7,
        plumbing: false,
    };
    let stack = Symbolized { frames: vec![frame], at: Some(0) };
    Held { birth_seen: true, stack: Some(Rc::new(stack)), ..held }
}

fn side(label: &str, origin: Origin, seconds: u64, held: u64) -> Side {
    Side {
        label: label.to_owned(),
        origin,
        at: Monotonic(seconds * SECOND),
        wall_ns: (1_795_526_000 + seconds) * SECOND,
        held,
        processes: 1,
        lost: 0,
    }
}

fn found() -> Diff {
    let file = |fd| held(fd, HandleKind::File, "/var/log/app-1.log", "/var/log/app-*.log");
    let socket = Held {
        peer: Some("10.0.0.7:443".into()),
        ..held(
            9,
            HandleKind::Socket,
            "tcp 10.0.0.1:40000->10.0.0.7:443 CLOSE_WAIT",
            "tcp *->10.0.0.7:443 CLOSE_WAIT",
        )
    };
    let hostile = held(5, HandleKind::File, "/tmp/\x1b[2J\n", "/tmp/\x1b[2J\n");
    let thread = Held {
        key: HandleKey::Thread(Tid(900)),
        ..held(0, HandleKind::Thread, "work-1", "work-*")
    };
    Diff {
        from: side("a.fdr", Origin::Recording, 30, 40),
        to: Side { lost: 3, ..side("812", Origin::Now, 1_110, 44) },
        new: vec![
            made(file(7), "send_file", 42),
            made(file(8), "send_file", 42),
            made(socket, "connect_upstream", 7),
            thread,
        ],
        gone: vec![hostile],
        kept: vec![file(3), held(0, HandleKind::CharDevice, "/dev/null", "/dev/null")],
        presumed: 1,
        changed: vec![Changed {
            kind: HandleKind::Thread,
            group: "work-*".into(),
            from: 4,
            to: 204,
        }],
        notes: vec!["now: threads are not compared".to_owned()],
    }
}

fn check(name: &str, form: Form, shown: Shown<'_>) {
    let text = page(&found(), shown, form);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs; found:\n{text}");
}

#[test]
fn the_page_fits_its_width() {
    let form = |width, charset| Form { width, color: ColorChoice::Never, charset };
    let plain = Shown { by: &BY, all: false, list: false, next: None };
    check("diff-80.txt", form(80, Charset::Utf8), plain);
    let next = ("fdscope leak a.fdr".to_owned(), "its verdicts".to_owned());
    let all = Shown { by: &[By::Comm, By::Peer], all: true, list: true, next: Some(&next) };
    check("diff-120-list.txt", form(120, Charset::Ascii), all);
}

#[test]
fn the_json_is_as_promised() {
    const SCHEMA: &str = include_str!("../../../docs/schema/diff-1.schema.json");
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], NAME);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///diff", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///diff", &mut schemas).expect("the schema compiles");
    let frame =
        Frame { command: "fdscope diff", machine: "Linux", taken_at_ns: 7, by: &BY, all: true };
    let text = object(&found(), frame);
    let mut object: Value = serde_json::from_str(&text).expect("the writer writes JSON");
    if let Err(error) = schemas.validate(&object, index) {
        panic!("{error}");
    }
    assert_eq!(object["groups"][0]["values"][2], "send_file src/send.c:42");
    assert_eq!(object["handles"][4]["name"], "/tmp/\\x1b[2J\\n");
    object["new"] = Value::Null;
    assert!(schemas.validate(&object, index).is_err());
}
