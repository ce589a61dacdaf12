//! The programs on the real kernel: they load, see a child's calls, and leave nothing behind.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fdscope_bpf::load::KernelTypes;
use fdscope_bpf::{BpfSource, Options, Support, TableReader};
use fdscope_model::{Body, EventSource, Pid, Progress, SnapshotSource};

/// Bounds only the time that a broken test hangs.
const DEADLINE: Duration = Duration::from_secs(60);

fn types() -> Option<KernelTypes> {
    match Support::probe() {
        Support::Likely => Some(KernelTypes::read().expect("BTF was just found")),
        Support::Missing(why) => {
            println!("skipped: needs BPF ({why})");
            None
        }
    }
}

#[test]
fn a_childs_life_is_told_to_its_end() {
    let Some(types) = types() else { return };
    let mut source = BpfSource::open(&types, Options::default()).expect("BPF is permitted");
    let mut command = Command::new("sh");
    command.args(["-c", "read go; exec 7</etc/passwd; exec 7<&-"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("sh runs");
    source.watch(Pid(child.id())).expect("room for one");
    drop(child.stdin.take());
    let (mut acquired, mut released, mut ended) = (0, 0, false);
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end && !ended {
        let mut sink = |event: &fdscope_model::Event<'_>| match event.body {
            Body::Acquire(_) => acquired += 1,
            Body::Release(_) => released += 1,
            Body::Lost { .. } => panic!("events were lost"),
            _ => {}
        };
        ended =
            source.poll(Duration::from_millis(20), &mut sink).expect("works") == Progress::Ended;
    }
    child.wait().expect("a child of ours");
    assert!(ended, "the source must notice that nobody is left");
    // sh opens the file, moves it to 7, closes the first number, and closes 7.
    assert!(acquired >= 2 && released >= 2, "{acquired} acquired, {released} released");
}

#[test]
fn tables_equal_proc() {
    let Some(types) = types() else { return };
    let mut reader = TableReader::open(&types).expect("BPF is permitted");
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; read go"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("sh runs");
    let mut ready = [0; 6];
    child.stdout.as_mut().expect("piped").read_exact(&mut ready).expect("it says that it is ready");
    let folder = format!("/proc/{}/fd", child.id());
    let mut expected: Vec<(u32, u64)> = std::fs::read_dir(folder)
        .expect("a child of ours")
        .map(|entry| {
            let path = entry.expect("it waits").path();
            let number = path.file_name().and_then(|name| name.to_str()).expect("digits");
            (number.parse().expect("digits"), std::fs::metadata(&path).expect("open").ino())
        })
        .collect();
    expected.sort_unstable();
    let snapshot = reader.snapshot(Pid(child.id())).expect("it waits");
    let _ended = child.kill();
    let _ended = child.wait();
    let found: Vec<(u32, u64)> = snapshot
        .handles
        .iter()
        .filter_map(|handle| match handle.via {
            fdscope_model::Association::Fd(fd) => Some((fd.0, handle.inode?.inode)),
            _ => None,
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_process_that_is_gone_has_no_table() {
    let Some(types) = types() else { return };
    let mut reader = TableReader::open(&types).expect("BPF is permitted");
    let mut child = Command::new("true").spawn().expect("true runs");
    let pid = Pid(child.id());
    child.wait().expect("a child of ours");
    assert!(reader.snapshot(pid).is_err());
}
