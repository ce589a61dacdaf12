//! Reports made by hand for the tests: each a situation that a user meets.
#![allow(dead_code, reason = "every test file uses a part")]

use fdscope_model::id::{FdNumber, Monotonic, Pid, ProcessId, SiteId, Tid};
use fdscope_model::verdict::{
    Closer, Curve, Example, Forecast, Lifetimes, Misuse, MisuseKind, Rate, Report, Site, Total,
    Verdict,
};
use fdscope_model::{
    Blind, Fault, Frame, HandleKind, Level, Limit, LimitName, Name, Process, Sight, SourceName,
    Symbol,
};

pub const SECOND: u64 = 1_000_000_000;

/// A frame with debug information.
pub fn frame(function: &str, file: &str, line: u32) -> Frame {
    Frame {
        symbol: Symbol {
            function: Some(function.to_string()),
            file: Some(file.to_string()),
            line: Some(line),
            inlined: false,
        },
        module: Name::from("/usr/local/bin/app"),
        build_id: Some("5b9a3c0e8f1d2a4b6c7d8e9f00112233445566aa".to_string()),
        offset: 0x1a2b,
        plumbing: false,
    }
}

/// A frame of a library, without debug information.
pub fn plumbing(function: &str, module: &str) -> Frame {
    Frame {
        symbol: Symbol { function: Some(function.to_string()), ..Symbol::default() },
        module: Name::from(module),
        build_id: None,
        offset: 0xf00d,
        plumbing: true,
    }
}

pub fn curve(values: Vec<u64>) -> Curve {
    Curve { start: Monotonic(1_000 * SECOND), bin_ns: SECOND, values }
}

/// A process with 1,024 descriptors allowed.
pub fn total(pid: u32, comm: &str, at_start: u64, now: u64, values: Vec<u64>) -> Total {
    Total {
        process: Process {
            id: ProcessId { pid: Pid(pid), start_ticks: 123_456 },
            parent: Pid(1),
            comm: Name::from(comm),
            cmdline: Name::from(format!("{comm}\0--serve\0").as_str()),
            uid: 1_000,
            exe: Name::from("/usr/local/bin/app"),
        },
        at_start,
        now,
        acquired: 18_432,
        released: 18_292,
        curve: curve(values),
        limits: vec![
            Limit { name: LimitName::Nofile, value: 1_024, used: now },
            Limit { name: LimitName::FileMax, value: u64::MAX, used: 9_000 },
        ],
        gone: false,
        found: 0,
        vanished: 0,
        agrees: Some(true),
        processes: 1,
    }
}

/// A quiet watch of one process by eBPF for a minute.
pub fn nothing_found() -> Report {
    Report {
        command: "fdscope leak --duration 1m 812".to_string(),
        taken_at_ns: 1_795_416_000 * SECOND,
        machine: "Linux 6.18.5 x86_64".to_string(),
        begun: Monotonic(1_000 * SECOND),
        ended: Monotonic(1_060 * SECOND),
        sight: Sight {
            source: SourceName::Bpf,
            how: "tracepoints, DWARF stacks".to_string(),
            blind: Vec::new(),
        },
        lost: 0,
        events: 36_724,
        stacks_skipped: 0,
        totals: vec![total(812, "app", 12, 12, vec![12; 60])],
        verdicts: vec![
            quiet(Level::Steady, "serve_static", 18_020, 18_020, 0),
            quiet(Level::Bounded, "pool_open", 64, 0, 64),
        ],
        misuse: Vec::new(),
        faults: Vec::new(),
    }
}

/// A site in order.
pub fn quiet(level: Level, function: &str, acquired: u64, released: u64, live: u64) -> Verdict {
    let median_ns = (released > 0).then_some(1_200_000);
    Verdict {
        level,
        rule: if level == Level::Bounded { "plateau" } else { "steady" },
        kind: HandleKind::Socket,
        pid: Pid(812),
        comm: Name::from("app"),
        site: Site {
            id: SiteId(7),
            frames: vec![frame(function, "/home/ann/app/src/serve.c", 77)],
            at: Some(0),
            stacks: 1,
            pattern: None,
        },
        acquired,
        released,
        live,
        existing: 0,
        descriptions: None,
        since: None,
        rate: None,
        forecast: None,
        lifetimes: Lifetimes { known: released, median_ns, ..Lifetimes::default() },
        curve: curve(vec![live; 60]),
        evidence: Vec::new(),
        ruled_out: Vec::new(),
        closed_by: Vec::new(),
        examples: Vec::new(),
        advice: String::new(),
        processes: 1,
        known_in_s: None,
    }
}

/// An error path that forgets its file, in a program with debug information.
pub fn leak_with_stack() -> Report {
    let mut report = nothing_found();
    let grown = (0..60).map(|second| second * 140 / 59).collect::<Vec<u64>>();
    report.totals = vec![total(812, "app", 12, 152, grown.iter().map(|n| n + 12).collect())];
    report.verdicts.insert(0, send_file(grown));
    report.misuse = vec![double_close()];
    report
}

fn send_file(grown: Vec<u64>) -> Verdict {
    let mut inlined = frame("open_logged", "src/log.h", 12);
    inlined.symbol.inlined = true;
    let example = |fd, name: &str, thread: &str, age| Example {
        fd: Some(FdNumber(fd)),
        name: Name::from(name),
        tid: Tid(813),
        thread: Name::from(thread),
        age_ns: age,
    };
    Verdict {
        level: Level::Leak,
        rule: "growth",
        kind: HandleKind::File,
        site: Site {
            id: SiteId(0),
            frames: vec![
                plumbing("__open64", "/lib/x86_64-linux-gnu/libc.so.6"),
                plumbing("_IO_file_open", "/lib/x86_64-linux-gnu/libc.so.6"),
                plumbing("fopen", "/lib/x86_64-linux-gnu/libc.so.6"),
                inlined,
                frame("send_file", "src/send.c", 42),
                frame("handle_request", "src/server.c", 120),
                frame("worker", "src/server.c", 201),
                plumbing("start_thread", "/lib/x86_64-linux-gnu/libc.so.6"),
                plumbing("clone3", "/lib/x86_64-linux-gnu/libc.so.6"),
            ],
            at: Some(4),
            stacks: 2,
            pattern: None,
        },
        acquired: 412,
        released: 272,
        live: 140,
        descriptions: Some(140),
        since: Some(Monotonic(1_001 * SECOND)),
        rate: Some(Rate { per_s: 3.0, low_per_s: 2.8, high_per_s: 3.2 }),
        forecast: Some(Forecast {
            limit: Limit { name: LimitName::Nofile, value: 1_024, used: 152 },
            reached_in_s: Some(295.2),
            soonest_s: Some(277.1),
            latest_s: Some(316.4),
        }),
        lifetimes: Lifetimes {
            known: 272,
            median_ns: Some(1_200_000),
            p999_ns: Some(40_000_000),
            longest_ns: Some(41_300_000),
            oldest_live_ns: Some(59_000_000_000),
        },
        curve: curve(grown),
        evidence: vec![
            "140 of 412 files opened here are still open, the oldest for 59 s, while those closed lived 1.2 ms.".to_string(),
            "The number grew in 58 of the last 60 seconds.".to_string(),
        ],
        ruled_out: vec![
            "A pool or cache: no, it has not stopped growing.".to_string(),
            "Late closing by a collector: no, the number never fell.".to_string(),
        ],
        closed_by: vec![Closer {
            how: "close".to_string(),
            frames: vec![
                plumbing("close", "/lib/x86_64-linux-gnu/libc.so.6"),
                frame("finish_request", "src/send.c", 60),
            ],
            at: Some(1),
            count: 272,
        }],
        examples: vec![
            example(7, "/srv/files/report-2026-11.pdf", "worker-1", 59 * SECOND),
            example(12, "/srv/files/a.txt", "worker-2", 58_600_000_000),
            example(140, "/etc/passwd", "worker-1", 12_100_000_000),
        ],
        advice: "Close the file on every path out of send_file, errors included, as finish_request does.".to_string(),
        ..quiet(Level::Leak, "send_file", 0, 0, 0)
    }
}

fn double_close() -> Misuse {
    Misuse {
        kind: MisuseKind::DoubleClose,
        pid: Pid(812),
        comm: Name::from("app"),
        call: "close".to_string(),
        count: 17,
        fd: Some(FdNumber(9)),
        name: Name::from("/srv/files/a.txt"),
        frames: vec![
            frame("free_request", "src/server.c", 88),
            frame("worker", "src/server.c", 203),
        ],
        at: Some(0),
        earlier: vec![frame("finish_request", "src/send.c", 60)],
    }
}

/// A leak after twelve seconds: nothing is known yet, but it must not read as an all-clear.
pub fn growing_too_briefly() -> Report {
    let mut report = leak_with_stack();
    report.verdicts.truncate(1);
    let verdict = &mut report.verdicts[0];
    (verdict.level, verdict.rule) = (Level::TooSoon, "short");
    verdict.known_in_s = Some(11.6);
    verdict.evidence = vec!["140 files stay; 12 s are too few to say more.".to_string()];
    report.ended = Monotonic(report.begun.0 + 12 * SECOND);
    report.command = "fdscope leak -d 12s 812".to_string();
    report
}

/// A stripped program: modules and offsets are all there is.
pub fn leak_without_symbols() -> Report {
    let mut report = leak_with_stack();
    report.misuse.clear();
    let verdict = &mut report.verdicts[0];
    let bare = |module: &str, offset, plumbing| Frame {
        symbol: Symbol::default(),
        module: Name::from(module),
        build_id: Some("c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00".to_string()),
        offset,
        plumbing,
    };
    verdict.site.frames = vec![
        bare("/lib/libc.so.6", 0xf9bc1, true),
        bare("/opt/vendor/agent", 0x7f3d20, false),
        bare("/opt/vendor/agent", 0x401180, false),
        bare("", 0x7f00_1234_5678, false),
    ];
    verdict.site.at = Some(1);
    verdict.site.stacks = 1;
    verdict.closed_by.clear();
    verdict.released = 0;
    verdict.acquired = 140;
    verdict.lifetimes = Lifetimes { oldest_live_ns: Some(59 * SECOND), ..Lifetimes::default() };
    verdict.advice = "Close what agent+0x7f3d20 opens.".to_string();
    report
}

/// Sampling of a busy server that lost events: growth by peer, and no line.
pub fn suspect_with_losses() -> Report {
    let mut report = leak_with_stack();
    report.command = "fdscope leak nginx".to_string();
    report.sight = Sight {
        source: SourceName::Poll,
        how: "every 500 ms".to_string(),
        blind: vec![
            Blind {
                what: "call stacks".to_string(),
                why: "sampling /proc sees no calls".to_string(),
                cure: Some("run with sudo for eBPF".to_string()),
            },
            Blind {
                what: "handles opened and closed between two samples".to_string(),
                why: "a sample is taken every 500 ms".to_string(),
                cure: None,
            },
        ],
    };
    report.lost = 1_204;
    report.stacks_skipped = 33;
    report.misuse.clear();
    report.faults = (0..12)
        .map(|n| Fault {
            pid: Some(Pid(900 + n)),
            fd: None,
            operation: "read table",
            cause: "permission denied".to_string(),
        })
        .collect();
    let verdict = &mut report.verdicts[0];
    verdict.level = Level::Suspect;
    verdict.kind = HandleKind::Socket;
    verdict.site = Site {
        frames: Vec::new(),
        at: None,
        pattern: Some(Name::from("tcp 10.0.0.7:5432")),
        ..verdict.site.clone()
    };
    verdict.existing = 4;
    verdict.descriptions = None;
    verdict.closed_by.clear();
    verdict
        .evidence
        .push("1,204 events were lost, so some of these may have been closed unseen.".to_string());
    verdict.examples.iter_mut().for_each(|example| {
        example.tid = Tid(0);
        example.name = Name::from("10.0.0.5:40312 -> 10.0.0.7:5432 CLOSE_WAIT");
    });
    verdict.forecast = verdict.forecast.map(|f| Forecast { latest_s: None, ..f });
    verdict.advice = "Close the connection when the peer has: 140 stand in CLOSE_WAIT.".to_string();
    let total = &mut report.totals[0];
    (total.found, total.vanished, total.agrees) = (7, 3, Some(false));
    report
}

/// Threads that never end, in one of two processes; the other ended.
pub fn thread_leak() -> Report {
    let mut report = leak_with_stack();
    report.misuse.clear();
    report.totals.push(Total {
        gone: true,
        agrees: None,
        ..total(4_194_303, "helper", 5, 3, vec![5; 60])
    });
    let verdict = &mut report.verdicts[0];
    verdict.kind = HandleKind::Thread;
    verdict.site.frames = vec![
        plumbing("pthread_create", "/lib/libc.so.6"),
        plumbing("std::sys::pal::unix::thread::Thread::new", "/usr/local/bin/app"),
        plumbing("std::thread::Builder::spawn_unchecked_", "/usr/local/bin/app"),
        frame("app::looper::Looper<T>::start", "src/looper.rs", 31),
        frame("app::session::Session::new", "src/session.rs", 9),
    ];
    verdict.site.at = Some(3);
    verdict.rate = Some(Rate { per_s: 1.0 / 30.0, low_per_s: 1.0 / 40.0, high_per_s: 1.0 / 25.0 });
    verdict.forecast = Some(Forecast {
        limit: Limit { name: LimitName::ThreadsMax, value: 31_000, used: 260 },
        reached_in_s: Some(922_200.0),
        soonest_s: Some(768_000.0),
        latest_s: Some(1_230_000.0),
    });
    verdict.examples.iter_mut().for_each(|example| {
        example.fd = None;
        example.name = Name::from("looper-17");
    });
    verdict.closed_by.clear();
    verdict.released = 0;
    verdict.lifetimes = Lifetimes { oldest_live_ns: Some(59 * SECOND), ..Lifetimes::default() };
    verdict.descriptions = None;
    verdict.evidence =
        vec!["All 140 threads started here are alive and sleep in epoll_wait.".to_string()];
    verdict.advice = "Quit the looper when its session ends.".to_string();
    report.verdicts.push(Verdict {
        evidence: vec!["5 files after 3 s; known after 12 s more.".to_string()],
        ..quiet(Level::TooSoon, "fresh", 5, 0, 5)
    });
    report
}

/// A target that chose its names to harm the reader's terminal.
pub fn hostile_names() -> Report {
    let hostile = Name::from(b"\x1b]0;pwned\x07\xff\xfe\n\r\x9bLEAK \xe2\x80\xae;end".as_slice());
    let text = "\u{1b}[31m\u{202e}evil;\nname\u{9b}";
    let mut report = leak_with_stack();
    report.command = format!("fdscope leak '{text}'");
    report.totals[0].process.comm = hostile.clone();
    report.misuse[0].name = hostile.clone();
    report.misuse[0].comm = hostile.clone();
    report.faults.push(Fault {
        pid: Some(Pid(812)),
        fd: Some(FdNumber(3)),
        operation: "read link",
        cause: text.to_string(),
    });
    let verdict = &mut report.verdicts[0];
    verdict.comm = hostile.clone();
    verdict.evidence[0] = text.to_string();
    for example in &mut verdict.examples {
        example.name = hostile.clone();
        example.thread = hostile.clone();
    }
    for frame in &mut verdict.site.frames {
        frame.module = hostile.clone();
        frame.symbol.function = Some(text.to_string());
        frame.symbol.file = Some(text.to_string());
    }
    report.verdicts[1].site.pattern = Some(hostile);
    report.verdicts[1].site.frames.clear();
    report
}

/// A whole machine watched: more of everything than a page has room for.
pub fn many() -> Report {
    let mut report = leak_with_stack();
    report.command = "fdscope leak".to_string();
    let leak = report.verdicts[0].clone();
    let misuse = report.misuse[0].clone();
    for n in 0..10 {
        let frame = frame(&format!("leak_{n}"), "src/many.c", 100 + n);
        let site = Site { frames: vec![frame], at: Some(0), stacks: 1, ..leak.site.clone() };
        let level = if n < 6 { Level::Leak } else { Level::Suspect };
        report.verdicts.push(Verdict { level, site, ..leak.clone() });
        report.misuse.push(Misuse {
            kind: MisuseKind::ProcessLimit,
            call: "openat".to_string(),
            count: 1,
            fd: None,
            name: Name::default(),
            earlier: Vec::new(),
            ..misuse.clone()
        });
    }
    for n in 0..30 {
        let mut site = quiet(Level::Steady, &format!("steady_{n}"), 1_000 * n, 1_000 * n, 0);
        site.pid = Pid(900 + n as u32);
        report.verdicts.push(site);
        let mut total = total(900 + n as u32, &format!("worker-{n}"), 5, 5 + 20 * n, vec![5; 60]);
        total.limits[0].value = if n == 3 { u64::MAX } else { 1_024 };
        report.totals.push(total);
        report.faults.push(Fault {
            pid: Some(Pid(2_000 + n as u32)),
            fd: None,
            operation: "unwind stack",
            cause: format!("no unwind information in module {n}"),
        });
    }
    let cat = quiet(Level::Steady, "copy", 90_000, 90_000, 0);
    report.verdicts.push(Verdict { comm: Name::from("cat"), processes: 30_000, ..cat });
    let cat = total(2_100, "cat", 90_000, 0, vec![5; 60]);
    report.totals.push(Total { gone: true, processes: 30_000, limits: Vec::new(), ..cat });
    report.sight.blind = (0..6)
        .map(|n| Blind {
            what: format!("handles of the kind number {n}"),
            why: "the kernel has no tracepoint for them\nor it has one that may not be used".into(),
            cure: Some("none".to_string()),
        })
        .collect();
    report.verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.level));
    report
}

/// Nothing at all was there to be seen.
pub fn empty() -> Report {
    Report {
        totals: Vec::new(),
        verdicts: Vec::new(),
        events: 0,
        ended: Monotonic(0),
        ..nothing_found()
    }
}

/// Every report above, by name.
pub fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("nothing found", nothing_found()),
        ("leak with stack", leak_with_stack()),
        ("growing too briefly", growing_too_briefly()),
        ("leak without symbols", leak_without_symbols()),
        ("suspect with losses", suspect_with_losses()),
        ("thread leak", thread_leak()),
        ("hostile names", hostile_names()),
        ("many", many()),
        ("empty", empty()),
    ]
}
