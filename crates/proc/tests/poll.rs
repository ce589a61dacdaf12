//! Sampling: at any quiet moment, what the events add up to is the kernel's own table.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fdscope_fixtures::{Fixture, c};
use fdscope_model::{
    AcquireCause, Body, Event, EventSource, FdNumber, HandleKey, HandleKind, Name, Pid, Progress,
    SourceName, TableId,
};
use fdscope_proc::{Follow, PollSource, ProcRoot};

/// What the events say of one descriptor: its kind, its name, and whether exec closes it.
type Row = (HandleKind, Option<Name>, Option<bool>);

/// The plainest fold: what lives, by table and number.
#[derive(Default)]
struct Fold {
    tables: BTreeMap<TableId, BTreeMap<FdNumber, Row>>,
    of: BTreeMap<Pid, TableId>,
    existing: usize,
    found: usize,
    released: usize,
    exited: Vec<Pid>,
    forks: usize,
    execs: Vec<Name>,
}

impl Fold {
    fn apply(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Acquire(acquire) => {
                let HandleKey::Descriptor(table, fd) = acquire.key else { panic!("{event:?}") };
                self.of.insert(event.pid, table);
                let row = (acquire.kind, acquire.name.clone(), acquire.cloexec);
                let old = self.tables.entry(table).or_default().insert(fd, row);
                assert_eq!(old, None, "a number is released before it is acquired again");
                match acquire.cause {
                    AcquireCause::Existing => self.existing += 1,
                    _ => self.found += 1,
                }
            }
            Body::Release(release) => {
                let HandleKey::Descriptor(table, fd) = release.key else { panic!("{event:?}") };
                let old = self.tables.entry(table).or_default().remove(&fd);
                assert!(old.is_some(), "only what lives is released: {event:?}");
                self.released += 1;
            }
            Body::Fork { child, child_table, parent_table, .. } => {
                self.forks += 1;
                self.of.insert(*child, *child_table);
                let copy = self.tables.get(parent_table).cloned().unwrap_or_default();
                self.tables.entry(*child_table).or_insert(copy);
            }
            Body::Unshare { from, to } => {
                self.of.insert(event.pid, *to);
                let copy = self.tables.get(from).cloned().unwrap_or_default();
                self.tables.insert(*to, copy);
            }
            Body::Exec { comm, table } => {
                self.execs.push(comm.clone());
                assert_eq!(self.of.get(&event.pid), Some(table));
                self.tables.entry(*table).or_default().retain(|_, row| row.2 != Some(true));
            }
            Body::Exit { .. } => self.exited.push(event.pid),
            other => panic!("{other:?}"),
        }
    }

    fn live(&self, pid: u32) -> Vec<u32> {
        let table = self.of.get(&Pid(pid)).and_then(|table| self.tables.get(table));
        table.into_iter().flatten().map(|(fd, _)| fd.0).collect()
    }

    fn count(&self, pid: u32, kind: HandleKind) -> usize {
        let table = self.of.get(&Pid(pid)).and_then(|table| self.tables.get(table));
        table.into_iter().flatten().filter(|(_, row)| row.0 == kind).count()
    }
}

fn listed(pid: u32) -> Vec<u32> {
    let folder =
        std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")).expect("fd");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("entry").file_name().to_str().expect("number").parse().expect("number")
    };
    let mut numbers: Vec<u32> = folder.map(name).collect();
    numbers.sort_unstable();
    numbers
}

fn watch(pid: u32, follow: Follow) -> PollSource {
    let root = ProcRoot::open().expect("/proc");
    PollSource::new(root, &[Pid(pid)], follow, Duration::from_millis(1)).expect("source")
}

/// Polls until `done`, for two minutes at most.
fn poll_until(
    source: &mut PollSource,
    fold: &mut Fold,
    mut done: impl FnMut(&Fold) -> bool,
) -> Progress {
    for _ in 0..12_000 {
        let sink = &mut |event: &Event<'_>| fold.apply(event);
        let progress = source.poll(Duration::from_millis(10), sink).expect("poll");
        if done(fold) || progress == Progress::Ended {
            return progress;
        }
    }
    panic!("two minutes have passed");
}

#[test]
fn the_events_add_up_to_the_kernels_table() {
    for kind in ["file", "socket", "pipe", "eventfd", "memfd", "dup", "epoll"] {
        let mut fixture = Fixture::start(&c("leaky"), &[&format!("kind={kind}")]);
        let pid = fixture.pid();
        let (mut source, mut fold) = (watch(pid, Follow::No), Fold::default());
        assert_eq!(source.sight().source, SourceName::Poll);
        poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
        let existing = fold.existing;
        assert!(existing >= 3 && fold.found == 0);
        fixture.ask("step 5");
        poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
        assert!(fold.found >= 5 && fold.existing == existing, "{kind}: {}", fold.found);
    }
}

#[test]
fn every_birth_and_every_death_is_found_at_a_quiet_moment() {
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let pid = fixture.pid();
    let (mut source, mut fold) = (watch(pid, Follow::No), Fold::default());
    fixture.ask("go");
    poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
    assert!(fold.count(pid, HandleKind::EventFd) >= 4);
    assert!(fold.count(pid, HandleKind::IoUring) >= 2);
    let lonely = |row: &Row| {
        row.1.as_ref().is_some_and(|name| name.to_string().starts_with("TCP socket, unconnected"))
    };
    assert!(fold.tables.values().flat_map(BTreeMap::values).any(lonely));
}

#[test]
fn churn_between_and_during_looks_leaves_no_trace_once_it_stops() {
    for mode in ["mode=churn", "mode=listener", "mode=keepalive", "mode=rotate"] {
        let mut fixture = Fixture::start(&c("healthy"), &[mode]);
        let pid = fixture.pid();
        let (mut source, mut fold) = (watch(pid, Follow::No), Fold::default());
        fixture.ask("go 1");
        for _ in 0..100 {
            // The fold itself holds that nothing lives twice and nothing unknown dies.
            source.poll(Duration::from_millis(5), &mut |event| fold.apply(event)).expect("poll");
        }
        if mode != "mode=churn" {
            // What churns within a tick may never be seen; the others hold handles for longer.
            poll_until(&mut source, &mut fold, |fold| fold.found > 0);
        }
        fixture.ask("stop");
        poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
        eprintln!("{mode}: {} found, {} released", fold.found, fold.released);
    }
}

#[test]
fn an_exit_is_told_at_once_and_ends_the_source() {
    let fixture = Fixture::start(&c("leaky"), &[]);
    let pid = fixture.pid();
    let root = ProcRoot::open().expect("/proc");
    let hour = Duration::from_secs(3600);
    let mut source = PollSource::new(root, &[Pid(pid)], false, hour).expect("source");
    let mut fold = Fold::default();
    let mut sink = |event: &Event<'_>| fold.apply(event);
    assert_eq!(source.poll(hour, &mut sink).expect("first look"), Progress::Open);
    fixture.finish();
    assert_eq!(source.poll(hour, &mut sink).expect("end"), Progress::Ended);
    assert_eq!(fold.exited, [Pid(pid)]);
}

#[test]
fn stopping_takes_one_last_look() {
    let mut fixture = Fixture::start(&c("leaky"), &[]);
    let pid = fixture.pid();
    let root = ProcRoot::open().expect("/proc");
    let hour = Duration::from_secs(3600);
    let mut source = PollSource::new(root, &[Pid(pid)], false, hour).expect("source");
    let mut fold = Fold::default();
    source.poll(hour, &mut |event| fold.apply(event)).expect("first look");
    fixture.ask("step 4");
    source.stop().expect("stop");
    let progress = source.poll(hour, &mut |event| fold.apply(event)).expect("last look");
    assert_eq!((progress, fold.live(pid)), (Progress::Ended, listed(pid)));
    assert!(fold.found >= 4);
}

#[test]
fn children_are_followed_through_fork_and_exec() {
    // A shell that starts a program and waits: the child is a fork, then an exec that closes nothing it holds.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec 7</dev/null; echo ready; read line; cat <&7; sleep 1000 & wait"]);
    let mut shell = Fixture::spawn(command);
    shell.wait_for("ready");
    let pid = shell.pid();
    let (mut source, mut fold) = (watch(pid, Follow::Children), Fold::default());
    poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
    shell.say("go");
    poll_until(&mut source, &mut fold, |fold| fold.execs.contains(&"sleep".into()));
    let child = *fold
        .of
        .keys()
        .find(|child| child.0 != pid && !fold.exited.contains(child))
        .expect("child");
    assert_eq!(source.pids(), [Pid(pid), child]);
    poll_until(&mut source, &mut fold, |fold| fold.live(child.0) == listed(child.0));
    assert!(fold.live(child.0).contains(&7), "inherited over exec");
    assert!(fold.forks >= 1);
    let id = rustix::process::Pid::from_raw(child.0 as i32).expect("a process id");
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("our grandchild");
    poll_until(&mut source, &mut fold, |fold| fold.exited.contains(&child));
}

/// The processes whose tables the fixture told of last; its threads are left out.
fn family_of(fixture: &Fixture) -> Vec<Pid> {
    let root = ProcRoot::open().expect("/proc");
    let tables = fixture.said().iter().filter_map(|line| line.strip_prefix("table task="));
    let task = |line: &str| Pid(line.split(' ').next().expect("a word").parse().expect("a number"));
    let is_process = |pid: &Pid| root.process(*pid).expect("it rests").id.pid == *pid;
    let mut family: Vec<Pid> = tables.map(task).filter(is_process).collect();
    family.sort_unstable();
    family
}

/// Polls until exactly `family` is watched and all its tables are as the kernel has them.
fn poll_until_quiet(source: &mut PollSource, fold: &mut Fold, family: &[Pid]) {
    for _ in 0..12_000 {
        source.poll(Duration::from_millis(10), &mut |event| fold.apply(event)).expect("poll");
        let agrees = |pid: &Pid| fold.live(pid.0) == listed(pid.0);
        if source.pids() == family && family.iter().all(agrees) {
            return;
        }
    }
    panic!("two minutes have passed: {:?} of {family:?}", source.pids());
}

#[test]
fn families_share_part_and_change_their_programs() {
    let acts = [
        "fork",
        "clone3",
        "clone-files",
        "vfork-exec",
        "unshare",
        "close-range",
        "close-range-cloexec",
        "close-range-unshare",
        "dup2-over",
        "scm-send",
        "scm-receive",
        "child-exits",
        "thread-exec",
    ];
    for act in acts {
        let mut fixture = Fixture::start(&c("family"), &[]);
        let (mut source, mut fold) = (watch(fixture.pid(), Follow::Children), Fold::default());
        let pid = fixture.pid();
        poll_until(&mut source, &mut fold, |fold| fold.live(pid) == listed(pid));
        let ended = act == "thread-exec";
        fixture.say(&format!("do {act}"));
        fixture.wait_for(if ended { "ready" } else { "done" });
        let family = if ended { vec![Pid(pid)] } else { family_of(&fixture) };
        poll_until_quiet(&mut source, &mut fold, &family);
        assert_eq!(ended, fold.execs.len() == 1 && fold.forks == 0, "{act}");
        eprintln!("{act}: {} forks, {} execs", fold.forks, fold.execs.len());
    }
}

#[test]
fn a_missing_process_is_refused_at_once() {
    let root = ProcRoot::open().expect("/proc");
    let error = PollSource::new(root, &[Pid(u32::MAX - 1)], false, Duration::from_secs(1));
    assert!(error.expect_err("no such process").is_gone());
}
