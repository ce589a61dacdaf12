//! Folding: what stays is told in its order, what passes is counted, and nothing goes unsaid.

use fdscope_model::event::Slot;
use fdscope_model::{
    Acquire, AcquireCause, Body, Event, Fail, FdNumber, Folded, HandleKey, HandleKind, Monotonic,
    Pid, Release, ReleaseCause, StackId, TableId, Tid, Trace,
};
use fdscope_record::{Folder, Record};

const SECOND: u64 = 1_000_000_000;
const PID: Pid = Pid(7);
const TABLE: TableId = TableId(70);

fn event(at: u64, body: Body<'static>) -> Record<'static> {
    Record::Event(Event { at: Monotonic(at), pid: PID, tid: Tid(7), body })
}

fn descriptor(fd: u32) -> HandleKey {
    HandleKey::Descriptor(TABLE, FdNumber(fd))
}

fn birth_of(at: u64, key: HandleKey, cause: AcquireCause) -> Record<'static> {
    let acquire = Acquire {
        key,
        kind: HandleKind::File,
        file: None,
        inode: None,
        cloexec: None,
        cause,
        name: None,
        trace: Trace::Known(StackId(3)),
    };
    event(at, Body::Acquire(acquire))
}

fn birth(at: u64, fd: u32) -> Record<'static> {
    birth_of(at, descriptor(fd), AcquireCause::Call("openat"))
}

fn death(at: u64, fd: u32) -> Record<'static> {
    let release = Release {
        key: descriptor(fd),
        cause: ReleaseCause::Call("close"),
        slot: Slot::Empty,
        trace: Trace::Known(StackId(4)),
    };
    event(at, Body::Release(release))
}

/// What comes out, counts apart.
fn fold(records: &[Record<'static>]) -> (Vec<Record<'static>>, Vec<Folded>) {
    let mut folder = Folder::default();
    let (mut told, mut folded) = (Vec::new(), Vec::new());
    let mut out = |record| match record {
        Record::Folded(one) => folded.push(one),
        other => told.push(other),
    };
    records.iter().for_each(|record| folder.push(record.clone(), &mut out));
    folder.flush(&mut out);
    (told, folded)
}

/// All is told.
fn check_told(records: &[Record<'static>]) {
    let (told, folded) = fold(records);
    assert_eq!((told.as_slice(), folded.len()), (records, 0));
}

#[test]
fn a_birth_and_its_death_become_a_count() {
    let (told, folded) = fold(&[birth(1_000, 3), death(3_500, 3), birth(4_000, 3)]);
    assert_eq!(told, [birth(4_000, 3)]);
    let [one] = folded.as_slice() else { panic!("{folded:?}") };
    assert_eq!((one.count(), one.longest_ns), (1, 2_500));
    assert_eq!(
        (one.from, one.born, one.to),
        (Monotonic(1_000), Monotonic(1_000), Monotonic(3_500))
    );
    assert_eq!((one.birth, one.death), (Trace::Known(StackId(3)), Trace::Known(StackId(4))));
}

#[test]
fn what_lives_longer_is_told() {
    let records = [birth(1, 3), birth(9 * SECOND, 4), birth(20 * SECOND, 5), death(21 * SECOND, 3)];
    check_told(&records);
}

#[test]
fn what_others_depend_on_is_told() {
    let opened = birth_of(1, descriptor(0), AcquireCause::Existing);
    let between: [(&str, Vec<Record<'static>>); 8] = [
        ("a copy", vec![birth_of(2, descriptor(4), AcquireCause::Dup("dup", FdNumber(3)))]),
        ("fork", {
            let body = Body::Fork {
                child: Pid(8),
                child_table: TableId(80),
                parent_table: TABLE,
                trace: Trace::None,
            };
            vec![event(2, body)]
        }),
        ("exec", vec![event(2, Body::Exec { table: TABLE, comm: "x".into() })]),
        ("unshare", vec![event(2, Body::Unshare { from: TABLE, to: TableId(71) })]),
        ("close-on-exec", vec![event(2, Body::CloseOnExec { key: descriptor(3), on: true })]),
        ("a loss", vec![event(2, Body::Lost { count: 1 })]),
        ("a comparison", vec![Record::Comparing(PID, Monotonic(2))]),
        ("a watch", {
            let key = HandleKey::Watch(TABLE, FdNumber(3), 1);
            vec![birth_of(2, key, AcquireCause::Call("inotify_add_watch"))]
        }),
    ];
    for (what, between) in between {
        let mut records = vec![opened.clone(), birth(1, 3)];
        records.extend(between);
        records.push(death(3, 3));
        let (told, folded) = fold(&records);
        assert_eq!((told.as_slice(), folded.len()), (records.as_slice(), 0), "{what}");
    }
}

#[test]
fn a_number_taken_again_before_its_close_was_told_is_told() {
    let release = Release {
        key: descriptor(3),
        cause: ReleaseCause::Call("close"),
        slot: Slot::Holds(fdscope_model::FileId(9)),
        trace: Trace::None,
    };
    check_told(&[birth(1, 3), event(2, Body::Release(release))]);
}

#[test]
fn a_second_close_is_told_behind_the_first() {
    let fail = |at| {
        let fail = Fail {
            call: "close",
            errno: 9,
            fd: Some(FdNumber(3)),
            table: TABLE,
            trace: Trace::Known(StackId(5)),
        };
        event(at, Body::Fail(fail))
    };
    let (told, folded) = fold(&[birth(1, 3), death(2, 3), fail(3), fail(4)]);
    assert_eq!(told, [death(2, 3), fail(3), fail(4)]);
    assert_eq!(folded.iter().map(Folded::count).sum::<u64>(), 1);
}

/// Of processes that are gone before they can be compared, as short ones are all the time.
#[test]
fn a_comparison_that_never_ends_does_not_end_folding() {
    let gone = Pid(99);
    let mut records = vec![birth(1, 3), Record::Comparing(gone, Monotonic(2))];
    records.extend([birth(3, 4), death(4, 4), death(5, 3)]);
    // One that is known, and cannot be read any more.
    records.push(Record::Comparing(PID, Monotonic(6)));
    let late = 11 * SECOND;
    records.extend([birth(late, 5), death(late + 1, 5)]);
    let (_, folded) = fold(&records);
    assert_eq!(folded.iter().map(Folded::count).sum::<u64>(), 3);
}

#[test]
fn counts_of_a_process_are_told_before_its_end() {
    let exit = event(5, Body::Exit { table: TABLE });
    let mut folder = Folder::default();
    let mut told = Vec::new();
    for record in [birth(1, 3), death(2, 3), exit.clone()] {
        folder.push(record, &mut |record| told.push(record));
    }
    folder.flush(&mut |record| told.push(record));
    assert!(matches!(told.as_slice(), [Record::Folded(_), last] if *last == exit), "{told:?}");
}

#[test]
fn what_waits_is_bounded_and_nothing_goes_unsaid() {
    let mut folder = Folder::default();
    let (mut births, mut most) = (0, 0);
    let mut out = |record: Record<'_>| births += u64::from(matches!(record, Record::Event(_)));
    // All within a moment, none closed.
    for number in 0..300_000_u32 {
        folder.push(birth(1_000, number), &mut out);
        most = most.max(folder.waiting());
    }
    folder.flush(&mut out);
    assert_eq!(births, 300_000);
    assert!(most <= 1 << 16 | 1, "{most} waited");
}

#[test]
fn quiet_time_passes_too() {
    let mut folder = Folder::default();
    let mut told = 0;
    folder.push(birth(SECOND, 3), &mut |_| told += 1);
    folder.advance(Monotonic(10 * SECOND), &mut |_| told += 1);
    folder.advance(Monotonic(11 * SECOND), &mut |_| told += 1);
    assert_eq!(told, 1);
}
