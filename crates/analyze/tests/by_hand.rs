//! Verdicts on events told one by one: misuse, exec, children and their ends, limits, and what the whole process did.

mod support;

use fdscope_analyze::{Judgement, Ledger, LedgerOptions, Names};
use fdscope_model::event::{Acquire, AcquireCause, Body, Event, Fail, Release, ReleaseCause, Slot};
use fdscope_model::process::Sample;
use fdscope_model::verdict::{AT_ITS_END, MisuseKind};
use fdscope_model::{
    FdNumber, Frame, HandleKey, HandleKind, Level, Limit, LimitName, Monotonic, Name, Pid, StackId,
    Symbol, Symbolized, Symbolizer, TableId, Tid, Trace,
};
use support::{PID, SITE, Stage, TABLE, Table, judged, leak, site};

/// A ledger fed by hand.
struct Hand {
    ledger: Ledger,
    now: u64,
}

impl Hand {
    fn new() -> Self {
        let options = LedgerOptions { begun: Some(Monotonic(0)), ..LedgerOptions::default() };
        Hand { ledger: Ledger::new(options), now: 0 }
    }

    fn tell(&mut self, pid: u32, body: Body<'_>) {
        self.now += 1_000_000;
        self.ledger.apply(&Event { at: Monotonic(self.now), pid: Pid(pid), tid: Tid(pid), body });
    }

    fn open(&mut self, pid: u32, table: u64, fd: u32, stack: u32, cloexec: Option<bool>) {
        self.tell(
            pid,
            Body::Acquire(Acquire {
                key: HandleKey::Descriptor(TableId(table), FdNumber(fd)),
                kind: HandleKind::File,
                file: None,
                inode: None,
                cloexec,
                cause: AcquireCause::Call("openat"),
                name: None,
                trace: Trace::Known(StackId(stack)),
            }),
        );
    }

    fn close(&mut self, pid: u32, table: u64, fd: u32, stack: u32) {
        self.tell(
            pid,
            Body::Release(Release {
                key: HandleKey::Descriptor(TableId(table), FdNumber(fd)),
                cause: ReleaseCause::Call("close"),
                slot: Slot::NotRead,
                trace: Trace::Known(StackId(stack)),
            }),
        );
    }

    fn fail(&mut self, call: &'static str, errno: i32, fd: Option<u32>, stack: u32) {
        let fail = Fail {
            call,
            errno,
            fd: fd.map(FdNumber),
            table: TABLE,
            trace: Trace::Known(StackId(stack)),
        };
        self.tell(PID.0, Body::Fail(fail));
    }

    fn judge(&self) -> Judgement {
        let names = Names { handle: &|_, _| None, thread: &|_, _| None };
        self.ledger.judge(Monotonic(self.now), &mut Table, names)
    }
}

#[test]
fn a_double_close_shows_who_closed_before() {
    let mut hand = Hand::new();
    hand.open(PID.0, TABLE.0, 5, 1, None);
    hand.close(PID.0, TABLE.0, 5, 2);
    hand.fail("close", 9, Some(5), 3);
    hand.fail("read", 9, Some(5), 4);
    hand.fail("close", 9, Some(u32::MAX), 3);
    hand.fail("openat", 24, None, 1);
    let misuse = hand.judge().misuse;
    let find = |kind| misuse.iter().find(|row| row.kind == kind).expect("seen");
    let double = find(MisuseKind::DoubleClose);
    assert_eq!(double.count, 1);
    assert_eq!(double.frames[1].symbol.function.as_deref(), Some("site_3"));
    assert_eq!(double.earlier[1].symbol.function.as_deref(), Some("site_2"));
    assert_eq!(find(MisuseKind::ProcessLimit).call, "openat");
    assert_eq!(misuse.iter().filter(|row| row.kind == MisuseKind::BadDescriptor).count(), 2);
}

#[test]
fn a_sweep_that_closes_every_number_is_no_misuse() {
    let mut hand = Hand::new();
    (3..1024).filter(|fd| fd % 7 != 0).for_each(|fd| hand.fail("close", 9, Some(fd), 3));
    assert!(hand.judge().misuse.is_empty());
}

#[test]
fn what_crosses_exec_without_the_flag_is_told_with_its_birth() {
    let mut hand = Hand::new();
    hand.open(10, 1, 2, 7, Some(false));
    hand.open(10, 1, 5, 7, Some(false));
    hand.open(10, 1, 6, 7, Some(true));
    hand.tell(
        10,
        Body::Fork {
            child: Pid(11),
            child_table: TableId(2),
            parent_table: TableId(1),
            trace: Trace::None,
        },
    );
    hand.tell(11, Body::Exec { table: TableId(2), comm: "sh".into() });
    let misuse = hand.judge().misuse;
    assert_eq!(misuse.len(), 1);
    assert_eq!((misuse[0].kind, misuse[0].pid), (MisuseKind::InheritedOverExec, Pid(11)));
    assert_eq!((misuse[0].fd, misuse[0].count), (Some(FdNumber(5)), 1));
    assert_eq!(misuse[0].comm, Name::from("sh"));
    assert_eq!(misuse[0].earlier[1].symbol.function.as_deref(), Some("site_7"));
    assert_eq!(hand.ledger.live(Pid(11)).len(), 2);
}

#[test]
fn what_the_caller_gave_a_launched_program_is_not_its_misuse() {
    let mut hand = Hand::new();
    let given = Acquire {
        key: HandleKey::Descriptor(TableId(1), FdNumber(251)),
        kind: HandleKind::File,
        file: None,
        inode: None,
        cloexec: Some(false),
        cause: AcquireCause::Existing,
        name: None,
        trace: Trace::None,
    };
    hand.tell(10, Body::Acquire(given));
    hand.tell(10, Body::Exec { table: TableId(1), comm: "make".into() });
    hand.child(11, "cc", 1..3);
    assert!(hand.judge().misuse.is_empty(), "{:#?}", hand.judge().misuse);
}

#[test]
fn a_mistake_of_many_processes_of_one_program_is_one_line() {
    let mut hand = Hand::new();
    for pid in 100..130 {
        let table = TableId(u64::from(pid));
        hand.tell(pid, Body::Exec { table, comm: "cat".into() });
        let (fd, trace) = (Some(FdNumber(9)), Trace::Known(StackId(3)));
        hand.tell(pid, Body::Fail(Fail { call: "close", errno: 9, fd, table, trace }));
    }
    let misuse = hand.judge().misuse;
    assert_eq!(misuse.len(), 1, "{misuse:#?}");
    assert_eq!((misuse[0].comm.clone(), misuse[0].count), ("cat".into(), 30));
}

#[test]
fn the_kind_that_survivors_turned_out_to_be_is_theirs() {
    let mut hand = Hand::new();
    (3..13).for_each(|fd| hand.open(10, 1, fd, 7, None));
    (3..13).for_each(|fd| {
        let key = HandleKey::Descriptor(TableId(1), FdNumber(fd));
        hand.ledger.learn(Pid(10), key, HandleKind::Terminal, None);
    });
    assert_eq!(hand.judge().verdicts[0].kind, HandleKind::Terminal);
}

#[test]
fn forked_children_that_come_and_go_leave_nothing_behind() {
    let mut hand = Hand::new();
    (3..40).for_each(|fd| hand.open(10, 1, fd, fd, None));
    for child in 0..5000 {
        let (pid, table) = (100 + child, 100 + u64::from(child));
        let fork = Body::Fork {
            child: Pid(pid),
            child_table: TableId(table),
            parent_table: TableId(1),
            trace: Trace::None,
        };
        hand.tell(10, fork);
        hand.tell(pid, Body::Exit { table: TableId(table) });
    }
    assert_eq!(hand.ledger.live(Pid(10)).len(), 37);
    assert!(hand.ledger.pids().len() <= 1100);
    assert_eq!(hand.judge().verdicts.len(), 37);
}

impl Hand {
    /// A child of process 10 that runs `comm`, opens a file at each of `stacks` and ends.
    fn child(&mut self, pid: u32, comm: &str, stacks: std::ops::Range<u32>) {
        let table = u64::from(pid);
        let fork = Body::Fork {
            child: Pid(pid),
            child_table: TableId(table),
            parent_table: TableId(1),
            trace: Trace::None,
        };
        self.tell(10, fork);
        self.tell(pid, Body::Exec { table: TableId(table), comm: comm.into() });
        for (index, stack) in stacks.enumerate() {
            self.open(pid, table, 10 + index as u32, stack, None);
        }
        self.open(pid, table, 3, 50, None);
        self.close(pid, table, 3, 51);
        self.tell(pid, Body::Exit { table: TableId(table) });
    }
}

#[test]
fn many_children_of_one_program_are_one_row() {
    let mut hand = Hand::new();
    hand.open(10, 1, 3, 40, Some(true));
    (0..3000).for_each(|child| hand.child(100 + child, "cat", 1..4));
    let judgement = hand.judge();
    let rows: Vec<_> = judgement.verdicts.iter().filter(|v| v.comm == Name::from("cat")).collect();
    assert_eq!(rows.len(), 4, "{rows:#?}");
    for row in rows {
        assert_eq!((row.level, row.live, row.acquired), (Level::Steady, 0, 3000));
        assert_eq!((row.processes, row.released), (3000, 3000));
    }
    assert_eq!(judgement.totals.len(), 2);
    let cat = &judgement.totals[1];
    assert_eq!((cat.processes, cat.gone), (3000, true));
    assert_eq!((cat.acquired, cat.released), (12_000, 6000), "the copy of fd 3 is closed by exec");
}

#[test]
fn addresses_of_children_gone_too_soon_are_one_site() {
    /// No stack has a module or a name.
    struct Bare;
    impl Symbolizer for Bare {
        fn symbolize(&mut self, stack: StackId) -> Symbolized {
            let frame = Frame {
                symbol: Symbol::default(),
                module: Name::default(),
                build_id: None,
                offset: u64::from(stack.0),
                plumbing: false,
            };
            Symbolized { frames: vec![frame], at: Some(0) }
        }
    }
    let mut hand = Hand::new();
    hand.open(10, 1, 3, 40, Some(true));
    (0..50).for_each(|child| hand.child(100 + child, "cat", 10 * child..10 * child + 3));
    let names = Names { handle: &|_, _| None, thread: &|_, _| None };
    let judgement = hand.ledger.judge(Monotonic(hand.now), &mut Bare, names);
    let rows: Vec<_> = judgement.verdicts.iter().filter(|v| v.comm == Name::from("cat")).collect();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let name = "(code of `cat`, gone before its mappings were read)";
    assert_eq!(rows[0].site.pattern, Some(name.into()));
    assert_eq!((rows[0].level, rows[0].acquired, rows[0].live), (Level::Steady, 200, 0));
}

#[test]
fn a_child_that_leaves_much_open_is_told_beside_its_orderly_siblings() {
    let mut hand = Hand::new();
    hand.open(10, 1, 3, 40, Some(true));
    (0..1500).for_each(|child| hand.child(100 + child, "cc", 1..4));
    for child in [5000, 5001] {
        let fork = Body::Fork {
            child: Pid(child),
            child_table: TableId(99),
            parent_table: TableId(1),
            trace: Trace::None,
        };
        hand.tell(10, fork);
        hand.tell(child, Body::Exec { table: TableId(99), comm: "cc".into() });
        (20..60 + child % 2).for_each(|fd| hand.open(child, 99, fd, 7, None));
        hand.tell(child, Body::Exit { table: TableId(99) });
    }
    (0..1500).for_each(|child| hand.child(7000 + child, "cc", 1..4));
    let judgement = hand.judge();
    let worst = &judgement.verdicts[0];
    assert_eq!((worst.level, worst.rule), (Level::Suspect, "open-at-exit"));
    assert_eq!((worst.processes, worst.pid, worst.live), (2, Pid(5001), 41));
    assert!(judgement.verdicts[1..].iter().all(|verdict| verdict.level < Level::Suspect));
}

#[test]
fn events_after_the_end_of_their_process_do_not_spoil_its_verdict() {
    let mut hand = Hand::new();
    hand.tell(10, Body::Exec { table: TableId(1), comm: "app".into() });
    (3..20).for_each(|fd| hand.open(10, 1, fd, 7, None));
    hand.tell(10, Body::Exit { table: TableId(1) });
    hand.close(10, 1, 5, 9);
    let judgement = hand.judge();
    assert_eq!(judgement.verdicts[0].live, 17);
    assert!(judgement.totals[0].gone);
}

#[test]
fn a_number_used_again_by_a_new_process_begins_anew() {
    let mut hand = Hand::new();
    (3..20).for_each(|fd| hand.open(11, 2, fd, 7, None));
    hand.tell(11, Body::Exit { table: TableId(2) });
    let fork = Body::Fork {
        child: Pid(11),
        child_table: TableId(3),
        parent_table: TableId(1),
        trace: Trace::None,
    };
    hand.tell(10, fork);
    hand.open(11, 3, 3, 8, None);
    assert_eq!(hand.ledger.live(Pid(11)).len(), 1);
    assert!(!hand.judge().totals.iter().any(|total| total.gone));
}

#[test]
fn the_first_limit_to_break_is_named_for_counted_groups() {
    let mut hand = Hand::new();
    for second in 0..60u64 {
        let limits = vec![
            Limit { name: LimitName::CgroupPids, value: 200, used: 40 + second },
            Limit { name: LimitName::Nproc, value: 60_000, used: 40 + second },
        ];
        let groups = vec![fdscope_model::process::GroupCount {
            kind: HandleKind::Thread,
            group: "looper-*".into(),
            count: 10 + second,
            fresh: None,
        }];
        hand.now = second * 1_000_000_000;
        let at = Monotonic(hand.now);
        hand.ledger.sample(&Sample { at, pid: PID, groups, limits, ..Sample::default() });
    }
    let judgement = hand.judge();
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.level, verdict.kind), (Level::Leak, HandleKind::Thread));
    assert_eq!(verdict.forecast.map(|f| f.limit.name), Some(LimitName::CgroupPids));
    assert!(verdict.advice.contains("join or detach"), "{}", verdict.advice);
}

#[test]
fn a_leak_that_a_limit_stopped_is_not_called_a_plateau() {
    let mut hand = Hand::new();
    for index in 0..1000u32 {
        hand.now = u64::from(index) * 5_000_000;
        hand.open(PID.0, TABLE.0, 10 + index, SITE, None);
    }
    (0..20).for_each(|_| hand.fail("openat", 24, None, SITE));
    hand.now = 10_000_000_000;
    assert_eq!(
        (site(&hand.judge()).level, site(&hand.judge()).rule),
        (Level::Suspect, "limit-hit")
    );
    hand.now = 30_000_000_000;
    assert_eq!((site(&hand.judge()).level, site(&hand.judge()).rule), (Level::Leak, "limit-hit"));
}

#[test]
fn growth_until_the_whole_process_goes_quiet_wants_another_look() {
    let mut stage = Stage::new(1);
    leak(&mut stage, 40.0, 1.0);
    stage.traffic(40.0);
    let judgement = judged(&stage, 70.0);
    assert_eq!((site(&judgement).level, site(&judgement).rule), (Level::TooSoon, "load-ended"));
}

#[test]
fn threads_that_are_followed_are_not_told_again_by_their_count() {
    let mut stage = Stage::new(1);
    for second in 0..40u32 {
        let index = stage.live(f64::from(second), None);
        stage.lives[index].kind = HandleKind::Thread;
        stage.samples.push((
            f64::from(second) + 0.1,
            HandleKind::Thread,
            "looper-*",
            u64::from(second) + 2,
        ));
    }
    let judgement = judged(&stage, 39.0);
    assert_eq!(judgement.verdicts.len(), 1);
    assert_eq!(site(&judgement).level, Level::Leak);
    let told = site(&judgement)
        .evidence
        .iter()
        .any(|line| line == "The kernel counts 40 threads (looper-*) now.");
    assert!(told, "{:#?}", site(&judgement).evidence);
}

#[test]
fn one_leak_a_minute_among_many_healthy_opens_is_found() {
    let mut hand = Hand::new();
    let mut next = 100;
    // 500 opens a second, each closed after 1 ms; every minute one is not.
    for tick in 0..500 * 540u64 {
        hand.now = tick * 2_000_000;
        hand.open(PID.0, TABLE.0, 5, SITE, None);
        if tick % 30_000 == 15_000 {
            // The leaked one moves out of the way, as a new number would.
            hand.close(PID.0, TABLE.0, 5, 2);
            next += 1;
            hand.open(PID.0, TABLE.0, next, SITE, None);
        } else {
            hand.close(PID.0, TABLE.0, 5, 2);
        }
    }
    let judgement = hand.judge();
    assert_eq!((site(&judgement).level, site(&judgement).rule), (Level::Leak, "hazard-break"));
    assert_eq!(site(&judgement).live, 9);
}

#[test]
fn the_live_line_names_the_group_that_grows() {
    let mut hand = Hand::new();
    for index in 0..40u32 {
        hand.now = u64::from(index) * 1_000_000_000;
        hand.open(PID.0, TABLE.0, 10 + index, SITE, None);
        hand.open(PID.0, TABLE.0, 5, 2, None);
        hand.close(PID.0, TABLE.0, 5, 3);
    }
    let summary = hand.ledger.summary(Monotonic(hand.now));
    assert_eq!((summary.open, summary.acquired, summary.released), (40, 80, 40));
    let worst = summary.worst.expect("one grows");
    assert_eq!((worst.stack, worst.live), (Some(StackId(SITE)), 40));
    assert!((worst.per_s - 1.0).abs() < 0.1, "{worst:?}");
}

/// A program that opens one file each 100 ms for `seconds`, closes all of them one after the other, and ends `pause_ns`
/// later.
fn closes_all_at_its_end(seconds: u64, pause_ns: u64) -> Judgement {
    let mut hand = Hand::new();
    hand.tell(7, Body::Exec { table: TableId(1), comm: "app".into() });
    let fds = 3..3 + seconds as u32 * 10;
    for fd in fds.clone() {
        hand.now += 99_000_000;
        hand.open(7, 1, fd, 7, None);
    }
    fds.for_each(|fd| hand.close(7, 1, fd, 9));
    hand.now += pause_ns;
    hand.tell(7, Body::Exit { table: TableId(1) });
    hand.judge()
}

#[test]
fn what_an_interpreter_closes_at_its_end_was_a_leak_until_then() {
    let judged = closes_all_at_its_end(30, 0);
    let verdict = &judged.verdicts[0];
    assert_eq!(verdict.level, Level::Leak, "{verdict:?}");
    assert_eq!((verdict.acquired, verdict.live), (300, 300));
    let said = verdict.evidence.join("\n");
    assert!(said.contains("300 of 300 files of 30.3 s were not closed until the last 3"), "{said}");
    assert_eq!((verdict.closed_by[0].how.as_str(), verdict.closed_by[0].count), (AT_ITS_END, 300));
    // Who closes in good time, and works on, does not leak.
    assert_eq!(closes_all_at_its_end(30, 10_000_000_000).verdicts[0].level, Level::Steady);
    // Nor does who runs so shortly that opening all and then closing all is its work.
    assert_eq!(closes_all_at_its_end(2, 0).verdicts[0].level, Level::Steady);
}
