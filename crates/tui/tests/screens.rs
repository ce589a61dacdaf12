//! The screens drawn on ratatui's test backend, and walked with keys. `FDSCOPE_BLESS=1` rewrites the files in
//! `tests/golden`: read each by eye before committing it.

#[path = "../../render/tests/made/mod.rs"]
mod made;

use std::collections::HashMap;
use std::path::Path;

use fdscope_model::survey::{Bound, Counted, Growth, Survey, Vitals, Whose};
use fdscope_model::thread::{Change, ThreadGroup};
use fdscope_model::verdict::Report;
use fdscope_model::{
    FdNumber, HandleKind, LimitName, Monotonic, Name, Pid, ProcessId, SocketState,
};
use fdscope_render::Charset;
use fdscope_tui::watch::{Happening, KindCount, Moment, SocketGroup, Standing};
use fdscope_tui::{Depth, Input, Jump, Key, Look, Outcome, Top, Watch};
use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;

const SECOND: u64 = 1_000_000_000;

fn look(depth: Depth, charset: Charset) -> Look {
    Look { depth, charset }
}

fn utf8() -> Look {
    look(Depth::Mono, Charset::Utf8)
}

fn draw(width: u16, height: u16, draw: impl FnOnce(&mut Buffer)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it cannot fail");
    terminal.draw(|frame| draw(frame.buffer_mut())).expect("it cannot fail");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let row = |cells: &[ratatui_core::buffer::Cell]| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    };
    buffer.content().chunks(width.max(1)).map(row).collect()
}

fn check(name: &str, buffer: &Buffer) {
    let found = text(buffer);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
}

fn moment(report: Report, standing: Standing) -> Moment {
    let begun = report.begun;
    let kind = |kind, past: &[u64], per_min| KindCount {
        kind,
        count: past.last().copied().unwrap_or(0),
        past: past.to_vec(),
        per_min: Some(per_min),
    };
    let socket = |state, pattern: &str, count, change| SocketGroup {
        state,
        pattern: pattern.into(),
        count,
        change,
    };
    let happening = |number: u64, came, fd, kind, name: &str, by: &str, lived_ns| Happening {
        number,
        at: Monotonic(begun.0 + number * SECOND),
        came,
        pid: Pid(812),
        kind,
        fd: Some(FdNumber(fd)),
        name: name.into(),
        by: by.to_owned(),
        lived_ns,
    };
    let group = |pattern: &str, count, change, doing: &str| ThreadGroup {
        pattern: pattern.into(),
        count,
        change: Some(Change { started: change, ended: 0 }),
        cpu_cores: Some(0.25),
        doing: vec![(doing.to_owned(), count)],
        ..ThreadGroup::default()
    };
    Moment {
        report,
        standing,
        kinds: vec![
            kind(HandleKind::File, &[12, 40, 80, 120, 152], 180.0),
            kind(HandleKind::Socket, &[30, 31, 30, 29, 30], 0.0),
            kind(HandleKind::Epoll, &[1], 0.0),
            kind(HandleKind::Timer, &[9, 4], -5.0),
        ],
        sockets: vec![
            socket(Some(SocketState::Established), "tcp 10.0.0.1:80->10.0.0.*:*", 24, 2),
            socket(Some(SocketState::CloseWait), "tcp 10.0.0.1:80->10.9.*:*", 5, 1),
            socket(None, "unix stream, unnamed, connected", 1, 0),
        ],
        threads: vec![group("worker-*", 16, 1, "futex"), group("a\u{1b}[2Jb", 1, 0, "epoll_wait")],
        happenings: vec![
            happening(3, true, 9, Some(HandleKind::File), "/etc/passwd", "openat send_file", None),
            happening(2, false, 8, None, "", "close drop", Some(1_200_000)),
            happening(1, true, 8, Some(HandleKind::File), "/tmp/\u{1b}]0;x\u{7}", "openat", None),
        ],
        notes: vec!["not seen: opens by io_uring; a kernel from 5.15 on".to_owned()],
    }
}

fn watch(look: Look, standing: Standing) -> Watch {
    let mut watch = Watch::new(look, "opening");
    watch.take(moment(made::leak_with_stack(), standing));
    watch
}

fn press(watch: &mut Watch, keys: &str) -> Outcome {
    keys.chars().fold(Outcome::Nothing, |_, c| {
        watch.input(Input::Key(match c {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\u{1b}' => Key::Esc,
            c => Key::Char(c),
        }))
    })
}

fn shown(watch: &mut Watch, width: u16, height: u16) -> Buffer {
    draw(width, height, |buffer| watch.draw(buffer))
}

#[test]
fn one_process() {
    check("watch-80x24.txt", &shown(&mut watch(utf8(), Standing::Watching), 80, 24));
    check("watch-120x40.txt", &shown(&mut watch(utf8(), Standing::Watching), 120, 40));
    let ascii = look(Depth::Mono, Charset::Ascii);
    check("watch-ascii-80x24.txt", &shown(&mut watch(ascii, Standing::Gone), 80, 24));
    let mut early = Watch::new(utf8(), "opening a source of events");
    check("watch-opening-80x24.txt", &shown(&mut early, 80, 24));
    check("watch-small.txt", &shown(&mut watch(utf8(), Standing::Watching), 30, 8));
}

#[test]
fn panes_behind_others_come_up_with_the_focus() {
    let mut watch = watch(utf8(), Standing::Watching);
    press(&mut watch, "\t\t");
    check("watch-sockets-80x24.txt", &shown(&mut watch, 80, 24));
    press(&mut watch, "\t\t");
    check("watch-handles-80x24.txt", &shown(&mut watch, 80, 24));
    press(&mut watch, "\n");
    check("watch-expanded-80x24.txt", &shown(&mut watch, 80, 24));
    assert_eq!(press(&mut watch, "\u{1b}"), Outcome::Redraw);
    assert_eq!(press(&mut watch, "\u{1b}"), Outcome::Quit);
}

#[test]
fn a_site_opens_to_all_that_is_known_of_it() {
    let mut watch = watch(utf8(), Standing::Watching);
    press(&mut watch, "\n");
    check("watch-site-80x24.txt", &shown(&mut watch, 80, 24));
    press(&mut watch, "jjjjjjjjjj");
    check("watch-site-scrolled-80x24.txt", &shown(&mut watch, 80, 24));
    assert_eq!(press(&mut watch, "q"), Outcome::Redraw);
    assert_eq!(press(&mut watch, "q"), Outcome::Quit);
}

#[test]
fn the_help_tells_the_keys_of_this_screen() {
    let mut watch = watch(utf8(), Standing::Watching);
    press(&mut watch, "?");
    check("watch-help-80x24.txt", &shown(&mut watch, 80, 24));
    assert_eq!(press(&mut watch, "q"), Outcome::Redraw);
    assert!(!text(&shown(&mut watch, 80, 24)).contains("any key closes"));
}

#[test]
fn a_frozen_screen_takes_what_came_once_it_thaws() {
    let mut watch = watch(utf8(), Standing::Watching);
    press(&mut watch, " ");
    let before = shown(&mut watch, 80, 24);
    assert!(!watch.take(moment(made::suspect_with_losses(), Standing::Watching)));
    assert_eq!(text(&shown(&mut watch, 80, 24)), text(&before));
    press(&mut watch, " ");
    let mut other = self::watch(utf8(), Standing::Watching);
    other.take(moment(made::suspect_with_losses(), Standing::Watching));
    assert_eq!(text(&shown(&mut watch, 80, 24)), text(&shown(&mut other, 80, 24)));
}

#[test]
fn filters_and_searches_are_typed_on_the_last_line() {
    let mut watch = watch(utf8(), Standing::Watching);
    press(&mut watch, "\tfpip");
    let typing = text(&shown(&mut watch, 80, 24));
    assert!(typing.contains("only lines with: pip"), "{typing}");
    assert!(typing.contains("no line passes the filter"), "{typing}");
    press(&mut watch, "\u{1b}");
    press(&mut watch, "ffile\n");
    let filtered = text(&shown(&mut watch, 80, 24));
    assert!(filtered.contains("Kinds 1/4"), "{filtered}");
    let wide = text(&shown(&mut watch, 160, 40));
    assert!(wide.contains("1 of 4 with \"file\""), "{wide}");
    press(&mut watch, "\u{1b}");
    press(&mut watch, "/nowhere\n");
    assert!(text(&shown(&mut watch, 80, 24)).contains("no line has that"));
}

#[test]
fn a_recording_can_be_walked_in_time() {
    let at = Standing::Replay { at_ns: 90 * SECOND, length_ns: 600 * SECOND };
    let mut watch = watch(utf8(), at);
    check("watch-replay-80x24.txt", &shown(&mut watch, 80, 24));
    assert_eq!(press(&mut watch, "["), Outcome::Jump(Jump::Back));
    assert_eq!(press(&mut watch, "]"), Outcome::Jump(Jump::Forward));
    assert_eq!(press(&mut watch, "g+2m\n"), Outcome::Jump(Jump::To("+2m".to_owned())));
    assert_eq!(press(&mut self::watch(utf8(), Standing::Watching), "["), Outcome::Nothing);
}

#[test]
fn the_mouse_selects_scrolls_and_opens() {
    let mut watch = watch(utf8(), Standing::Watching);
    let buffer = shown(&mut watch, 80, 24);
    let find = |word: &str| -> (u16, u16) {
        let lines = text(&buffer);
        let found = lines.lines().enumerate().find_map(|(row, line)| {
            let at = line.find(word)?;
            Some((line[..at].chars().count() as u16, row as u16))
        });
        found.expect("it is on the screen")
    };
    let (column, row) = find("Sockets");
    watch.input(Input::Click { column, row });
    assert!(text(&shown(&mut watch, 80, 24)).contains("close-wait"));
    // Below the heading of the sites and that of their columns.
    let (column, row) = find("VERDICT");
    let row = row + 1;
    watch.input(Input::Click { column, row });
    watch.input(Input::Wheel { column, row, up: false });
    watch.input(Input::Wheel { column, row, up: true });
    watch.input(Input::Click { column, row });
    watch.input(Input::Click { column, row });
    assert!(text(&shown(&mut watch, 80, 24)).contains("Esc closes"));
}

#[test]
fn colours_are_those_that_the_terminal_has() {
    let colours = |depth| -> Vec<Color> {
        let mut watch = watch(look(depth, Charset::Utf8), Standing::Watching);
        let buffer = shown(&mut watch, 120, 40);
        buffer.content().iter().flat_map(|cell| [cell.fg, cell.bg]).collect()
    };
    assert!(colours(Depth::Mono).iter().all(|color| *color == Color::Reset));
    let sixteen = colours(Depth::Sixteen);
    assert!(sixteen.contains(&Color::Red));
    assert!(!sixteen.iter().any(|color| matches!(color, Color::Indexed(_) | Color::Rgb(..))));
    let indexed = colours(Depth::Indexed);
    assert!(indexed.iter().any(|color| matches!(color, Color::Indexed(_))));
    assert!(!indexed.iter().any(|color| matches!(color, Color::Rgb(..) | Color::Red)));
    assert!(colours(Depth::True).iter().any(|color| matches!(color, Color::Rgb(..))));
}

#[test]
fn no_size_and_no_report_breaks_it() {
    let reports = [made::many(), made::hostile_names(), made::empty()];
    for report in reports {
        for (width, height) in [(0, 0), (1, 1), (60, 16), (61, 17), (110, 34)] {
            let mut watch = Watch::new(look(Depth::True, Charset::Utf8), "opening");
            watch.take(moment(report.clone(), Standing::Watching));
            for keys in ["", "\t", "\t\t", "\t", "\n", "\t\n", "?"] {
                press(&mut watch, keys);
                let buffer = shown(&mut watch, width, height);
                assert!(!text(&buffer).contains(['\u{1b}', '\u{7}', '\u{9b}']));
            }
        }
    }
}

fn vitals(pid: u32, comm: &str, open: u64, limit: u64, grown: i64) -> Vitals {
    Vitals {
        id: ProcessId { pid: Pid(pid), start_ticks: 5 },
        parent: Pid(1),
        uid: if pid < 1000 { 0 } else { 33 },
        comm: comm.into(),
        cmdline: Some(format!("/usr/sbin/{comm}\0-c\0/etc/{comm}.conf\0").as_str().into()),
        state: b'S',
        descriptors: Some(open),
        threads: 4,
        nofile: Some(limit),
        tasks: None,
        growth: Some(Growth { over_ns: 60 * SECOND, descriptors: grown, threads: 0 }),
    }
}

fn survey(more: u64) -> Survey {
    Survey {
        at: Monotonic(SECOND),
        processes: vec![
            vitals(4123, "leaky", 900 + more, 1024, 60),
            vitals(812, "nginx", 300, 1024, 0),
            vitals(1, "systemd", 120, 524_288, 0),
            vitals(2_000, "e\u{1b}[31mvil", 3, u64::MAX, -2),
        ],
        zombies: vec![(Pid(1), 3)],
        ..Survey::default()
    }
}

fn bounds() -> Vec<Bound> {
    let bound = |name, used, value| Bound {
        name,
        value,
        used: Some(used),
        whose: Whose::Machine,
        counted: Counted::Whole,
    };
    vec![
        bound(LimitName::FileMax, 10, i64::MAX as u64),
        bound(LimitName::ThreadsMax, 800, 1_000),
        bound(LimitName::PidMax, 800, 32_768),
    ]
}

fn top(look: Look) -> Top {
    let users = HashMap::from([(0, Name::from("root")), (33, "www-data".into())]);
    let mut top = Top::new(look, users, "danger");
    for more in [0, 20, 40, 60] {
        top.take(survey(more), bounds());
    }
    top
}

#[test]
fn every_process() {
    check("top-80x24.txt", &draw(80, 24, |buffer| top(utf8()).draw(buffer)));
    check("top-120x40.txt", &draw(120, 40, |buffer| top(utf8()).draw(buffer)));
    let ascii = look(Depth::Mono, Charset::Ascii);
    check("top-ascii-80x24.txt", &draw(80, 24, |buffer| top(ascii).draw(buffer)));
    let mut empty = Top::new(utf8(), HashMap::new(), "danger");
    assert!(text(&draw(80, 24, |buffer| empty.draw(buffer))).contains("first time"));
}

#[test]
fn enter_opens_the_process_selected_and_keys_work_as_everywhere() {
    let mut top = top(utf8());
    let key = |top: &mut Top, key| top.input(Input::Key(key));
    assert_eq!(key(&mut top, Key::Enter), Outcome::Open(Pid(4123)));
    key(&mut top, Key::Down);
    assert_eq!(key(&mut top, Key::Enter), Outcome::Open(Pid(812)));
    key(&mut top, Key::Char(' '));
    assert!(!top.take(Survey::default(), Vec::new()));
    assert_eq!(key(&mut top, Key::Enter), Outcome::Open(Pid(812)));
    key(&mut top, Key::Char(' '));
    assert_eq!(key(&mut top, Key::Enter), Outcome::Nothing);
    assert_eq!(key(&mut top, Key::Tab), Outcome::Nothing);
    assert_eq!(key(&mut top, Key::Ctrl('z')), Outcome::Suspend);
    assert_eq!(key(&mut top, Key::Char('q')), Outcome::Quit);
}
