//! The page of `fdscope report` in a real browser: it asks nobody for anything, what hostile names say stays text, and
//! all of it works by mouse and by key, with 100 handles and with 100,000.
//!
//! `FDSCOPE_SCREENSHOTS=FOLDER` keeps what was seen (in Base64).

mod browser;
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use browser::Browser;
use common::run;
use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, FdNumber, Frame, HandleKey, HandleKind, Limit, LimitName,
    Monotonic, Name, Pid, Process, ProcessId, Sight, SourceName, StackId, Symbol, Symbolized,
    TableId, Tid, Trace,
};
use fdscope_record::{Bounds, Closing, Opening, Record, Writer};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const BEGUN: u64 = 5_000 * SECOND;
/// 2026-11-24 14:00:00 UTC.
const WALL: u64 = 1_795_528_800 * SECOND;
/// How long the recording is.
const SECONDS: u64 = 600;
const APP: Pid = Pid(812);

/// Names that would do harm where they were taken for more than text.
const HOSTILE: &[&str] = &[
    "/tmp/<script>window.hacked=1</script>",
    "/tmp/\"><img src=x onerror=window.hacked=1>",
    "/tmp/</script><script>window.hacked=1</script>",
    "/tmp/\u{202e}gpj.exe",
    "/tmp/\u{1b}]0;hacked\u{7}",
    "javascript:window.hacked=1",
    "/tmp/'; window.hacked=1; '",
    "/tmp/&lt;b&gt;@REPORT@@SCRIPT@",
];

/// A recording in which so many handles are opened and none is closed.
fn record(path: &Path, handles: u64) {
    let mut writer = Writer::create(path, Bounds::default()).expect("a fresh file");
    let mut push = |record: Record<'static>| writer.push(&record).expect("room");
    opening().into_iter().for_each(&mut push);
    let mut next = 0;
    for second in 0..=SECONDS {
        let at = BEGUN + second * SECOND;
        while next * SECONDS <= second * handles && next < handles {
            push(birth(at + 1 + next % 1_000, next));
            next += 1;
        }
        if second % 5 == 0 {
            push(sample(at + SECOND / 2, next, 4 + second / 100));
        }
    }
    let judged = Monotonic(BEGUN + (SECONDS + 1) * SECOND);
    push(Record::Closing(Closing { judged, taken_at_ns: WALL + (SECONDS + 1) * SECOND }));
    writer.flush().expect("room");
}

fn opening() -> Vec<Record<'static>> {
    let frame = |function: &str, file: &str, plumbing| Frame {
        symbol: Symbol {
            function: Some(function.to_owned()),
            file: Some(file.to_owned()),
            line: Some(42),
            inlined: false,
        },
        module: "/usr/bin/app".into(),
        build_id: None,
        offset: 0x1a2b,
        plumbing,
    };
    let stack = |names: &[&str]| {
        let mut frames = vec![frame("open64", "libc.so", true)];
        frames.extend(names.iter().map(|name| frame(name, "src/send.c", false)));
        Symbolized { frames, at: Some(1) }
    };
    vec![
        Record::Opening(Opening {
            fdscope: "0.1.0".to_owned(),
            machine: "Linux 6.18.5 x86_64".to_owned(),
            command: "fdscope record 812 -o a.fdr".to_owned(),
            boot: "11111111-2222-3333-4444-555555555555".to_owned(),
            taken_at_ns: WALL,
            begun: Monotonic(BEGUN),
        }),
        Record::Sight(Sight {
            source: SourceName::Bpf,
            how: "tracepoints of calls".to_owned(),
            blind: Vec::new(),
        }),
        Record::Process(Process {
            id: ProcessId { pid: APP, start_ticks: 5 },
            parent: Pid(1),
            comm: "app<b>".into(),
            cmdline: Name::from("/usr/bin/app\0--serve\0"),
            uid: 1000,
            exe: "/usr/bin/app".into(),
        }),
        sample(BEGUN, 0, 4),
        Record::Stack(StackId(0), stack(&["send_file", "serve", "main"])),
        Record::Stack(StackId(1), stack(&["connect_upstream", "serve", "main"])),
        Record::Stack(StackId(2), stack(&["<img src=x onerror=window.hacked=1>", "main"])),
    ]
}

fn birth(at: u64, number: u64) -> Record<'static> {
    let fd = FdNumber(number as u32 + 3);
    let hostile = HOSTILE.get(number as usize).map(|name| Name::from(*name));
    let socket = number % 4 == 3 && hostile.is_none();
    let name = hostile.unwrap_or_else(|| {
        let port = 1024 + number % 60_000;
        let ends = format!("tcp 10.0.0.1:80->10.0.0.2:{port} CLOSE_WAIT");
        let path = format!("/var/log/app-{number}.log");
        Name::from(if socket { &*ends } else { &*path })
    });
    let body = Body::Acquire(Acquire {
        key: HandleKey::Descriptor(TableId(7), fd),
        kind: if socket { HandleKind::Socket } else { HandleKind::File },
        file: None,
        inode: None,
        cloexec: None,
        cause: AcquireCause::Call(if socket { "socket" } else { "openat" }),
        name: Some(name),
        trace: Trace::Known(StackId(if socket { 1 } else { 2 * u32::from(number % 16 == 2) })),
    });
    Record::Event(Event { at: Monotonic(at), pid: APP, tid: Tid(812), body })
}

fn sample(at: u64, descriptors: u64, threads: u64) -> Record<'static> {
    let group =
        |kind, group: &str, count| GroupCount { kind, group: group.into(), count, fresh: None };
    Record::Sample(Sample {
        at: Monotonic(at),
        pid: APP,
        groups: vec![
            group(HandleKind::Thread, "work-*", threads),
            group(HandleKind::Mapping, "other mappings", 40),
        ],
        limits: vec![Limit { name: LimitName::Nofile, value: 1 << 20, used: descriptors }],
        descriptors,
        threads,
    })
}

/// The page of such a recording, in a folder that stays as long as it is needed.
fn page(handles: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("room for a folder");
    let [recording, page] = ["a.fdr", "a.html"].map(|name| folder.path().join(name));
    record(&recording, handles);
    let paths = [&recording, &page].map(|path| path.to_str().expect("ASCII"));
    let output = run(&["report", paths[0], "-o", paths[1]]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, page)
}

/// The page in a browser; nothing was wrong with it and nothing but itself was asked for.
fn open(browser: &Browser, page: &Path) {
    let url = format!("file://{}", page.display());
    browser.go(&url);
    assert_eq!(browser.run("return document.documentElement.dataset.ready"), "true");
    stays_quiet(browser, &[&url]);
}

/// Nothing was asked of anybody since, and nothing went wrong.
fn stays_quiet(browser: &Browser, asked: &[&str]) {
    assert_eq!(browser.requests(), asked, "only the page itself is asked for");
    assert_eq!(browser.run("return performance.getEntriesByType('resource').length"), 0);
    assert_eq!(browser.log("browser"), [""; 0], "no error, nothing that its policy refused");
    assert_eq!(browser.run("return String(window.hacked)"), "undefined");
}

/// Types into the search of a table, and tells what its head says.
fn search(browser: &Browser, table: &str, words: &str) -> String {
    let field = format!("#{table} input[type=search]");
    browser.click(&field);
    browser.run(&format!("document.querySelector({field:?}).select(); return null"));
    let keys: Vec<String> = words.chars().map(String::from).collect();
    browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let told =
        browser.run(&format!("return document.querySelector('#{table} .tools span').textContent"));
    told.as_str().expect("text").trim().to_owned()
}

/// The text of a cell of the first row that is shown.
fn first_cell(browser: &Browser, table: &str, column: usize) -> String {
    let row = format!("document.querySelector('#{table} tbody tr')");
    let text = browser.run(&format!("return {row}.children[{column}].textContent"));
    text.as_str().expect("text").to_owned()
}

const ESCAPE: &str = "\u{e00c}";
const END: &str = "\u{e010}";
const ENTER: &str = "\u{e007}";
const DOWN: &str = "\u{e015}";

#[test]
fn a_hundred_handles_by_mouse_and_by_key() {
    let Some(browser) = Browser::start() else { return };
    let (folder, path) = page(100);
    open(&browser, &path);
    assert!(browser.run("return document.title").as_str().is_some_and(|t| t.contains("leak")));
    browser.shoot("findings-light");
    hostile_names_are_text(&browser);
    the_timeline_zooms(&browser);
    the_flame_graph_zooms(&browser);
    tables_are_searched_and_sorted(&browser);
    keys_and_themes_work(&browser);
    assert!(browser.print().starts_with("JVBERi0"), "%PDF-");
    stays_quiet(&browser, &[]);
    data_come_back(folder.path(), &path, 100);
}

fn hostile_names_are_text(browser: &Browser) {
    assert_eq!(browser.run("return document.querySelectorAll('script').length"), 4);
    assert_eq!(browser.run("return document.querySelectorAll('img,b>b,iframe,object').length"), 0);
    let text = browser.run("return document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(text.contains("<script>window.hacked=1</script>"), "shown as it is");
    assert!(text.contains("\\xe2\\x80\\xaegpj.exe"), "nothing turns the line round");
    assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{7}']));
    assert!(text.contains("app<b>"));
}

fn the_timeline_zooms(browser: &Browser) {
    let told = || browser.run("return document.getElementById('where').textContent");
    let titles =
        "return [...document.querySelectorAll('.plot h3')].map(e => e.textContent.split(' ')[0])";
    assert_eq!(browser.run(titles), json!(["Descriptors", "Sockets", "Threads", "Mappings,"]));
    let whole = told();
    let (x, y, width, height) = browser.place(".plot svg");
    let at = |share: f64| (x + width * share, y + height / 2.0);
    browser.drag(at(0.3), at(0.6));
    let part = told();
    assert_ne!(part, whole);
    browser.shoot("timeline-zoomed");
    browser.press(&["+"]);
    let nearer = told();
    assert_ne!(nearer, part, "a drag leaves the focus there");
    browser.press(&[ESCAPE]);
    assert_eq!(told(), whole);
    // A line can be hidden, and the span bounds the table.
    browser.drag(at(0.3), at(0.6));
    browser.click("#only-born");
    let shown = browser.run("return document.querySelector('#handles .tools span').textContent");
    assert!(shown.as_str().is_some_and(|text| text.contains("of 100 shown")), "{shown}");
    browser.click("#only-born");
    browser.click("#all-time");
    browser.click(".legend");
    assert_eq!(browser.run("return document.querySelectorAll('.plot polyline').length"), 4);
    browser.click(".legend");
    assert_eq!(told(), whole);
}

fn the_flame_graph_zooms(browser: &Browser) {
    let rows = || browser.run("return document.querySelectorAll('.flame button').length");
    let all = rows();
    browser.click(".flame button[title^=connect_upstream]");
    assert!(rows().as_u64() < all.as_u64());
    browser.shoot("flame-zoomed");
    browser.press(&[ESCAPE]);
    assert_eq!(rows(), all);
    // By keys: down from the root, and into it.
    browser.run("document.querySelector('.flame button').focus(); return null");
    browser.press(&[DOWN, DOWN, ENTER]);
    assert_ne!(rows(), all);
    browser.press(&[ESCAPE]);
    assert_eq!(rows(), all);
}

fn tables_are_searched_and_sorted(browser: &Browser) {
    assert_eq!(search(browser, "handles", "close_wait"), "23 of 100 shown.");
    assert_eq!(search(browser, "handles", "log !app-9"), "61 of 100 shown.");
    assert_eq!(search(browser, "handles", "kind:socket"), "23 of 100 shown.");
    assert_eq!(search(browser, "handles", "nowhere"), "0 of 100 shown.");
    browser.press(&[ESCAPE]);
    browser.click("#handles th:nth-child(3) button");
    assert_eq!(first_cell(browser, "handles", 2), "102");
    browser.click("#handles th:nth-child(3) button");
    assert_eq!(first_cell(browser, "handles", 2), "3");
    browser.click("#sites th:nth-child(1) button");
    assert_eq!(first_cell(browser, "sites", 0), "leak");
    browser.click("#handles tbody tr");
    let whole = browser.run("return document.querySelector('#handles .whole').innerText");
    assert!(whole.as_str().is_some_and(|text| text.contains("window.hacked")), "{whole}");
}

fn keys_and_themes_work(browser: &Browser) {
    let theme = || browser.run("return getComputedStyle(document.body).backgroundColor");
    browser.run("document.activeElement.blur(); scrollTo(0, 0); return null");
    let before = theme();
    browser.press(&["t"]);
    assert_ne!(theme(), before);
    browser.shoot("findings-dark");
    browser.press(&["t"]);
    assert_eq!(theme(), before);
    browser.press(&["?"]);
    assert_eq!(browser.run("return document.getElementById('help').open"), true);
    browser.shoot("keys");
    browser.press(&[ESCAPE]);
    assert_eq!(browser.run("return document.getElementById('help').open"), false);
    browser.press(&["n", "n"]);
    assert_eq!(browser.run("return document.activeElement.parentElement.id"), "timeline");
    browser.press(&["p"]);
    assert_eq!(browser.run("return document.activeElement.parentElement.id"), "findings");
    browser.press(&["/"]);
    assert_eq!(browser.run("return document.activeElement.type"), "search");
}

/// What the page holds is what the recording tells.
fn data_come_back(folder: &Path, page: &Path, handles: usize) {
    let read = |path: &Path, format: &str| -> Value {
        let path = path.to_str().expect("ASCII");
        let output = run(&["report", path, "-o", "-", "--format", format]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let recording = folder.join("a.fdr");
    for format in ["json", "data"] {
        let [mut of_page, mut of_recording] = [page, &recording].map(|path| read(path, format));
        // The command lines differ, for they are two runs.
        for value in [&mut of_page, &mut of_recording] {
            let report = if format == "data" { &mut value["report"] } else { value };
            report["command"] = Value::Null;
        }
        assert_eq!(of_page, of_recording, "{format}");
    }
    let data = read(page, "data");
    assert_eq!(data["handles"].as_array().map(Vec::len), Some(handles));
    let times = data["course"]["at_ns"].as_array().map(Vec::len).expect("a timeline");
    assert!((50..=301).contains(&times), "{times}");
}

#[test]
fn a_hundred_thousand_handles_stay_in_hand() {
    let Some(browser) = Browser::start() else { return };
    let (_folder, path) = page(100_000);
    let size = std::fs::metadata(&path).expect("it was made").len();
    let output = run(&["report", path.to_str().expect("ASCII"), "-o", "-", "--format", "data"]);
    let data = output.stdout.len() as u64;
    assert!(size < data + 1_000_000, "{size} bytes for {data} of data");
    open(&browser, &path);
    let rows = || browser.run("return document.querySelectorAll('#handles tbody tr').length");
    // Only the rows in sight are in the page, wherever that is.
    assert!(rows().as_u64().is_some_and(|rows| rows < 100));
    let walked = browser.run_until_done(
        "const box = document.querySelector('#handles .scroll'); let turn = 0, wrong = 0; \
         box.scrollIntoView(); \
         function step() { \
           const rows = document.querySelectorAll('#handles tbody tr'); \
           const first = Math.floor(box.scrollTop / 24); \
           if (Number(rows[0].dataset.n) !== first || rows.length > 100) wrong += 1; \
           if (++turn > 60) { done([turn, wrong]); return; } \
           box.scrollTop = turn % 7 ? box.scrollTop + 31001 : turn * 20000; \
           requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(step))); \
         } step()",
    );
    assert_eq!(walked, json!([61, 0]), "every place showed its own rows");
    browser.run("document.querySelector('#handles .scroll').focus(); return null");
    browser.press(&[END]);
    let last =
        browser.run("return [...document.querySelectorAll('#handles tbody tr')].at(-1).dataset.n");
    assert_eq!(last, "99999");
    browser.shoot("hundred-thousand");
    assert_eq!(search(&browser, "handles", "app-9999"), "7 of 100,000 shown.");
    assert_eq!(search(&browser, "handles", "kind:socket"), "24,998 of 100,000 shown.");
    browser.press(&[ESCAPE]);
    browser.click("#handles th:nth-child(5) button");
    browser.click("#handles th:nth-child(3) button");
    assert_eq!(first_cell(&browser, "handles", 2), "100002");
    stays_quiet(&browser, &[]);
}

/// The code of the page is right even where no browser is: Node, where it is, reads it.
#[test]
fn the_script_of_a_page_is_a_script() {
    if !fdscope_fixtures::in_path("node") {
        println!("skipped: needs node");
        return;
    }
    let (folder, path) = page(20);
    let html = std::fs::read_to_string(&path).expect("it was made");
    let (_, code) = html.rsplit_once("<script>").expect("it has one");
    let (code, _) = code.split_once("</script>").expect("that ends");
    let script = folder.path().join("page.js");
    std::fs::write(&script, code).expect("room");
    let checked = Command::new("node").arg("--check").arg(&script).output().expect("node runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
