//! Bad days: processes that may not be read, that have lost their first thread, that are called by hostile names.

mod programs;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use fdscope_fixtures::{Fixture, c};
use fdscope_model::{Association, Entry, EventSource, HandleKind, Pid};
use fdscope_proc::{Detail, InventorySource, PollSource, ProcRoot, Wanted};

#[test]
fn descriptors_outlive_the_first_thread() {
    let Some((_folder, program)) = programs::compile("headless") else { return };
    let fixture = Fixture::start(&program, &[]);
    let pid = Pid(fixture.pid());
    let root = ProcRoot::open().expect("/proc");
    let snapshot = root.descriptors(pid, Detail::Kind).expect("snapshot");
    let names: Vec<_> = snapshot.handles.iter().map(|handle| handle.name.clone()).collect();
    assert!(names.contains(&"/dev/null".into()), "{names:?}");
    assert_eq!(root.count_descriptors(pid).expect("count"), names.len() as u64);
    let wanted = Wanted { places: true, mappings: true, ..Wanted::default() };
    let read = InventorySource::new(root.clone(), wanted).read(pid).expect("inventory");
    let held = |via| read.entries.iter().any(|entry| entry.handle.via == via);
    assert!(held(Association::Exe) && held(Association::Cwd), "{read:?}");
    assert!(read.entries.iter().any(|entry| entry.handle.name == "/dev/null".into()));
    let sample = root.sample(pid).expect("sample");
    assert!(sample.groups.iter().any(|group| group.kind == HandleKind::Mapping));
    let mut source = PollSource::new(root, &[pid], false, Duration::from_secs(1)).expect("source");
    let mut events = 0;
    source.poll(Duration::ZERO, &mut |_| events += 1).expect("poll");
    assert_eq!(events, names.len());
    fixture.finish();
}

/// Runs this test program again as nobody, with only the test named.
fn as_nobody(test: &str, pid: u32) {
    let own = std::env::current_exe().expect("own program");
    let folder = tempfile::tempdir().expect("folder");
    let copy = folder.path().join("copy");
    fdscope_fixtures::copy_program(&own, &copy);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("permissions");
    let mut command = Command::new(&copy);
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env("FDSCOPE_TEST_PID", pid.to_string()).uid(65_534).gid(65_534);
    let output = command.stdin(Stdio::null()).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn another_users_process_is_refused_in_words_and_what_is_public_is_told() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root, to become another user");
        return;
    }
    let mut fixture = Fixture::start(&c("leaky"), &[]);
    fixture.ask("step 3");
    as_nobody("seen_by_nobody", fixture.pid());
}

/// The part of the test above that runs as another user.
#[test]
#[ignore = "run by the test above, as another user"]
fn seen_by_nobody() {
    let Some(pid) = std::env::var("FDSCOPE_TEST_PID").ok().and_then(|pid| pid.parse().ok()) else {
        return;
    };
    let pid = Pid(pid);
    let root = ProcRoot::open().expect("/proc");
    let error = root.descriptors(pid, Detail::Full).expect_err("another user's");
    assert!(error.is_not_permitted(), "{error}");
    let text = error.to_string();
    assert_eq!(text, format!("failed to list descriptors of process {pid}: permission denied"));
    let error = PollSource::new(root.clone(), &[pid], false, Duration::from_secs(1));
    assert!(error.expect_err("refused at once").is_not_permitted());

    let mut source = InventorySource::new(root.clone(), Wanted::everything());
    let inventory = source.read(pid).expect("who it is, is public");
    assert_eq!(inventory.process.uid, 0);
    let told: Vec<String> = inventory.faults.iter().map(ToString::to_string).collect();
    for operation in ["list descriptors", "read maps"] {
        let expected = format!("failed to {operation} in process {pid}: permission denied");
        assert!(told.contains(&expected), "{told:?}");
    }
    let refused = |entry: &Entry| entry.handle.fault.is_some() && entry.handle.name.is_empty();
    assert!(inventory.entries.len() >= 3 && inventory.entries.iter().all(refused));
    let own = source.read(Pid(std::process::id())).expect("own process");
    assert_eq!(own.faults, []);
    assert!(own.entries.iter().all(|entry| entry.handle.fault.is_none()), "{:?}", own.entries);

    let process = root.process(pid).expect("who it is, is public");
    assert!(process.exe.is_empty() && !process.cmdline.is_empty());
    let sample = root.sample(pid).expect("what is public");
    assert!(sample.threads == 1 && sample.limits.len() >= 3, "{sample:?}");
    assert!(sample.descriptors >= 6 || sample.descriptors == 0, "counted since Linux 6.2");
}

#[test]
fn hostile_names_are_kept_byte_for_byte() {
    let mut fixture = Fixture::start(&c("hostile"), &[]);
    fixture.ask("step 1");
    let pid = fixture.pid();
    let root = ProcRoot::open().expect("/proc");
    let snapshot = root.descriptors(Pid(pid), Detail::Full).expect("snapshot");
    assert_eq!(snapshot.faults, []);
    let mut unprintable = 0;
    for handle in &snapshot.handles {
        let Association::Fd(fd) = handle.via else { panic!("a descriptor: {handle:?}") };
        let link = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).expect("link");
        assert_eq!(handle.name.bytes(), link.as_os_str().as_encoded_bytes());
        unprintable += usize::from(handle.name.bytes().iter().any(|b| !(b' '..=b'~').contains(b)));
        assert!(!handle.name.to_string().chars().any(char::is_control));
    }
    assert!(unprintable >= 4);
    let read = InventorySource::new(root.clone(), Wanted::everything()).read(Pid(pid));
    let inventory = read.expect("inventory");
    for handle in &snapshot.handles {
        let row = inventory.entries.iter().find(|row| row.handle.via == handle.via).expect("row");
        assert_eq!((&row.handle.name, row.handle.kind), (&handle.name, handle.kind));
    }
    let comm = std::fs::read(format!("/proc/{pid}/comm")).expect("comm");
    let process = root.process(Pid(pid)).expect("process");
    assert_eq!(Some(process.comm.bytes()), comm.strip_suffix(b"\n"));
}

#[test]
fn zombies_and_kernel_threads_hold_nothing_and_are_no_faults() {
    let root = ProcRoot::open().expect("/proc");
    let mut child = Command::new("true").spawn().expect("spawn");
    let id = rustix::process::Pid::from_child(&child);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(id), options).expect("waitid");
    let mut source = InventorySource::new(root.clone(), Wanted::everything());
    let zombie = source.read(Pid(child.id())).expect("not waited for");
    assert!(zombie.entries.is_empty() && zombie.faults.is_empty(), "{zombie:?}");
    assert_eq!(zombie.process.comm, "true".into());
    child.wait().expect("wait");
    assert!(source.read(Pid(child.id())).expect_err("waited for").is_gone());

    let threads = root.pids().expect("pids").into_iter().filter(|pid| {
        let status = root.pid_dir(*pid).and_then(|dir| dir.status());
        status.is_ok_and(|status| status.kernel_thread == Some(true))
    });
    let Some(thread) = threads.take(1).next() else {
        eprintln!("skipped: needs to see kernel threads");
        return;
    };
    let inventory = source.read(thread).expect("a kernel thread");
    let held = |via| inventory.entries.iter().any(|entry| entry.handle.via == via);
    assert!(!held(Association::Exe), "{inventory:?}");
    let is_root = rustix::process::geteuid().is_root();
    assert!(!is_root || held(Association::Cwd) && inventory.faults.is_empty(), "{inventory:?}");
}
