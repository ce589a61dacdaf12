//! The radar's table and JSON for surveys made by hand, byte for byte. `FDSCOPE_BLESS=1` rewrites the files in
//! `tests/golden`: read each by eye before committing it.

use std::collections::HashMap;
use std::path::Path;

use boon::{Compiler, Schemas};
use fdscope_model::survey::{Bound, Counted, Growth, Survey, Vitals, Whose};
use fdscope_model::{Fault, Limit, LimitName, Monotonic, Name, Pid, ProcessId};
use fdscope_render::json::radar as json;
use fdscope_render::radar::{Order, Radar, page};
use fdscope_render::{Charset, Form};
use serde_json::{Value, json};

fn vitals(pid: u32, comm: &str, open: u64, limit: u64, threads: u64) -> Vitals {
    Vitals {
        id: ProcessId { pid: Pid(pid), start_ticks: u64::from(pid) * 10 },
        parent: Pid(1),
        uid: 33,
        comm: comm.into(),
        cmdline: None,
        state: b'S',
        descriptors: Some(open),
        threads,
        nofile: Some(limit),
        tasks: None,
        growth: None,
    }
}

fn growth(descriptors: i64, threads: i64) -> Option<Growth> {
    Some(Growth { over_ns: 30_000_000_000, descriptors, threads })
}

fn survey() -> Survey {
    let tasks = Limit { name: LimitName::CgroupPids, value: 512, used: 480 };
    let processes = vec![
        Vitals { growth: growth(0, 0), uid: 0, ..vitals(1, "systemd", 212, 1_073_741_816, 1) },
        Vitals { growth: growth(90, 0), ..vitals(812, "app", 1_001, 1_024, 12) },
        Vitals {
            growth: growth(-3, 2),
            tasks: Some(tasks),
            ..vitals(4_194_304, "java", 340, 65_536, 460)
        },
        Vitals { growth: growth(1, 0), uid: 70_001, ..vitals(90, "a) b\u{1b}[2J", 3, u64::MAX, 1) },
        Vitals { growth: None, descriptors: None, ..vitals(91, "old", 0, 1_024, 1) },
        Vitals { growth: growth(5, 0), ..vitals(92, "full", 20, 20, 1) },
        Vitals { growth: growth(0, 0), ..vitals(93, "sandbox", 7, 0, 1) },
    ];
    Survey {
        at: Monotonic(5),
        processes,
        kernel_threads: 59,
        zombies: vec![(Pid(812), 7), (Pid(9), 1)],
        vanished: 1,
        refused: 2,
        others_hidden: true,
        faults: vec![Fault {
            pid: Some(Pid(8)),
            fd: None,
            operation: "read the process",
            cause: "stat has no readable comm".into(),
        }],
    }
}

fn bounds() -> Vec<Bound> {
    let bound = |name, value, used, whose, counted| Bound { name, value, used, whose, counted };
    vec![
        bound(LimitName::FileMax, i64::MAX as u64, Some(3_104), Whose::Machine, Counted::Whole),
        bound(LimitName::PidMax, 32_768, Some(31_000), Whose::Machine, Counted::Whole),
        bound(
            LimitName::MaxMapCount,
            65_530,
            Some(51_200),
            Whose::Process(Pid(4_194_304), "java".into()),
            Counted::AtLeast,
        ),
        bound(LimitName::InotifyInstances, 128, Some(90), Whose::User(33), Counted::Whole),
        bound(LimitName::EpollWatches, 5_491_533, None, Whose::Machine, Counted::Whole),
    ]
}

fn users() -> HashMap<u32, Name> {
    HashMap::from([(0, "root".into()), (33, "www-data".into())])
}

fn check(name: &str, radar: &Radar<'_>, form: Form) {
    let found = page(radar, form);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
    let long = found.lines().find(|line| line.chars().count() > form.width);
    assert_eq!(long, None, "{name}");
}

#[test]
fn tables() {
    let (mut survey, bounds, users) = (survey(), bounds(), users());
    Order::Danger.sort(&mut survey.processes, &users);
    let radar = Radar {
        survey: &survey,
        bounds: &bounds,
        users: &users,
        top: None,
        left_out: 0,
        head: Some("fdscope  7 processes by danger, every 2 s; q quits".into()),
        next: Some(("fdscope leak 812".into(), "names the code that does not close them".into())),
    };
    let form = Form::default();
    check("radar-80.txt", &radar, form);
    check("radar-40.txt", &radar, Form { width: 40, ..form });
    check("radar-ascii.txt", &radar, Form { charset: Charset::Ascii, width: 100, ..form });
    let mut once = survey.clone();
    for vitals in &mut once.processes {
        vitals.growth = None;
        vitals.cmdline = Some(format!("/opt/{}\0--serve\0a b\0", vitals.comm).as_str().into());
    }
    let radar =
        Radar { survey: &once, top: Some(4), left_out: 31, head: None, next: None, ..radar };
    check("radar-once-120.txt", &radar, Form { width: 120, ..form });
}

#[test]
fn every_order_puts_its_first_first() {
    let first = |order: Order| {
        let mut processes = survey().processes;
        order.sort(&mut processes, &users());
        processes[0].id.pid.0
    };
    let expected = [92, 1, 90, 1, 812, 90, 92, 4_194_304, 812, 92];
    for (word, pid) in Order::words().zip(expected) {
        let order = Order::from_word(word).expect("its own word");
        assert_eq!(first(order), pid, "{word}");
    }
}

fn output(survey: &Survey, top: Option<usize>) -> Value {
    let bounds = bounds();
    let frame = json::Frame { machine: "Linux", taken_at_ns: 7, bounds: &bounds, top, left_out: 3 };
    let text = json::radar(survey, frame);
    assert_eq!(text.matches('\n').count(), 1, "one object, one line");
    serde_json::from_str(&text).expect("the writer writes JSON")
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

#[test]
fn the_json_fits_its_schema_and_has_no_key_unnamed() {
    let text = include_str!("../../../docs/schema/ps-1.schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], json::SCHEMA);
    strict(&mut schema);
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("mem:///ps", schema).expect("the schema is a resource");
    let index = compiler.compile("mem:///ps", &mut schemas).expect("the schema compiles");
    let full = output(&survey(), None);
    for value in [&full, &output(&survey(), Some(2)), &output(&Survey::default(), None)] {
        if let Err(error) = schemas.validate(value, index) {
            panic!("{error}");
        }
    }
    assert_eq!(full["processes"][3]["comm"], "a) b\\x1b[2J");
    assert_eq!(full["processes"][1]["limit_reached_in_s"], 7);
    let mut bad = full;
    bad["processes"][0]["open"] = json!("many");
    assert!(schemas.validate(&bad, index).is_err());
}
