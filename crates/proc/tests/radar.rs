//! The radar against programs whose numbers are known.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fdscope_fixtures::{Fixture, c};
use fdscope_model::survey::{Survey, Vitals};
use fdscope_model::{LimitName, Pid};
use fdscope_proc::radar::{Counting, Radar};
use fdscope_proc::{ProcError, ProcRoot};

fn radar() -> Radar {
    Radar::new(ProcRoot::open().expect("/proc"))
}

fn of(survey: &Survey, pid: u32) -> &Vitals {
    survey.processes.iter().find(|vitals| vitals.id.pid == Pid(pid)).expect("it lives")
}

#[test]
fn descriptors_threads_and_limit_are_the_kernels() {
    let fixture = Fixture::start(&c("many"), &["descriptors=700", "threads=9"]);
    let survey = radar().sweep().expect("a sweep");
    let vitals = of(&survey, fixture.pid());
    let open = std::fs::read_dir(format!("/proc/{}/fd", fixture.pid())).expect("ours").count();
    assert_eq!(vitals.descriptors, Some(open as u64));
    assert_eq!((vitals.threads, vitals.growth), (10, None));
    assert_eq!((&vitals.comm, vitals.parent), (&"many".into(), Pid(std::process::id())));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", fixture.pid())).expect("ours");
    let soft = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let soft = soft.split_whitespace().nth(3).and_then(|word| word.parse().ok());
    assert_eq!(vitals.nofile, soft);
}

#[test]
fn growth_is_told_from_the_second_look_on() {
    let mut fixture = Fixture::start(&c("many"), &["descriptors=10"]);
    let mut radar = radar();
    radar.sweep().expect("a sweep");
    for expected in [5, 12] {
        fixture.ask(if expected == 5 { "step 5" } else { "step 7" });
        let survey = radar.sweep().expect("a sweep");
        let vitals = of(&survey, fixture.pid());
        let growth = vitals.growth.expect("seen before");
        assert_eq!((growth.descriptors, growth.threads), (expected, 0));
        assert!(growth.over_ns > 0 && growth.descriptors_per_min() > 0.0);
        assert!(vitals.reached_in_s().is_some_and(|seconds| seconds > 0.0));
    }
}

#[test]
fn names_may_hold_anything_and_zombies_and_kernel_threads_are_counted_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = std::ffi::OsStr::from_bytes(b"a) S 1 \x1b[2J\n\xff");
    let program = folder.path().join(name);
    fdscope_fixtures::copy_program("/bin/sleep", &program);
    let mut child = Command::new(&program).arg("300").stdin(Stdio::null()).spawn().expect("runs");
    let mut zombie = Command::new("/bin/true").spawn().expect("runs");
    let id = rustix::process::Pid::from_child(&zombie);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(id), options).expect("it ends");

    let survey = radar().sweep().expect("a sweep");
    assert_eq!(of(&survey, child.id()).comm.bytes(), name.as_bytes());
    let own = survey.zombies.iter().find(|zombie| zombie.0 == Pid(std::process::id()));
    assert_eq!(own, Some(&(Pid(std::process::id()), 1)));
    assert!(survey.processes.iter().all(|vitals| vitals.id.pid.0 != zombie.id()));
    let kthreadd = std::fs::read("/proc/2/comm").is_ok_and(|comm| comm == b"kthreadd\n");
    assert_eq!(survey.kernel_threads > 0, kthreadd);
    let _ended = (child.kill(), child.wait(), zombie.wait());
}

#[test]
fn limits_of_all_have_their_use() {
    let fixture = Fixture::start(&c("many"), &["descriptors=10", "threads=300"]);
    let radar = {
        let mut radar = radar();
        radar.sweep().expect("a sweep");
        radar
    };
    let survey = Radar::new(ProcRoot::open().expect("/proc")).sweep().expect("a sweep");
    let bounds = radar.bounds(&survey, Counting::Everything);
    let of = |name| bounds.iter().find(|bound| bound.name == name).expect("listed");
    assert!(of(LimitName::FileMax).used.is_some_and(|used| used > 10));
    assert!(of(LimitName::ThreadsMax).used.is_some_and(|used| used > 300));
    assert!(of(LimitName::MaxMapCount).used.is_some_and(|used| used >= 600));
    assert!(of(LimitName::InotifyWatches).used.is_some());
    let bounds = radar.bounds(&survey, Counting::Nothing);
    let mappings = bounds.iter().find(|bound| bound.name == LimitName::MaxMapCount);
    assert_eq!(mappings.and_then(|bound| bound.used), None);
    drop(fixture);
}

/// Writes a captured tree: path and content.
fn capture(files: &[(&str, &str)]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().expect("temporary directory");
    for (path, content) in files {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("directory");
        std::fs::write(path, content).expect("file");
    }
    tree
}

const LIMITS: &str = "Max processes 50 50 processes\nMax open files 8 8 files\n";

fn captured(cgroup: &[(&str, &str)]) -> Result<Survey, ProcError> {
    let stat = |pid: u32, threads: u32| {
        format!("{pid} (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 9 0 0 0")
    };
    let (one, seven) = (stat(1, 1), stat(7, 3));
    let mut files = vec![
        ("proc/1/stat", one.as_str()),
        ("proc/1/limits", LIMITS),
        ("proc/1/mountinfo", "30 25 0:26 / /cg rw - cgroup2 cgroup2 rw\n"),
        ("proc/1/fd/0", ""),
        ("proc/7/stat", seven.as_str()),
        ("proc/7/limits", LIMITS),
        ("proc/7/fd/0", ""),
        ("proc/7/fd/1", ""),
        ("cg/cgroup.controllers", "cpu pids\n"),
    ];
    files.extend(cgroup);
    let tree = capture(&files);
    Radar::new(ProcRoot::at(&tree.path().join("proc"))?).sweep()
}

#[test]
fn the_tightest_cgroup_above_a_process_is_in_sight() {
    let check = |cgroup: &[(&str, &str)], expected: Option<(u64, u64)>| {
        let survey = captured(cgroup).expect("a sweep");
        let vitals = of(&survey, 7);
        let found = vitals.tasks.filter(|limit| limit.name == LimitName::CgroupPids);
        assert_eq!(found.map(|limit| (limit.used, limit.value)), expected, "{cgroup:?}");
        assert_eq!(vitals.descriptors, Some(2));
    };
    let far =
        [("cg/a/pids.max", "100\n"), ("cg/a/pids.current", "5\n"), ("cg/a/cgroup.procs", "7\n")];
    check(&far, None);
    let near =
        [("cg/a/pids.max", "100\n"), ("cg/a/pids.current", "95\n"), ("cg/a/cgroup.procs", "7\n")];
    check(&near, Some((95, 100)));
    let above = [
        ("cg/a/pids.max", "100\n"),
        ("cg/a/pids.current", "95\n"),
        ("cg/a/b/pids.max", "max\n"),
        ("cg/a/b/cgroup.procs", "1\n7\n"),
    ];
    check(&above, Some((95, 100)));
    check(&[("cg/cgroup.procs", "7\n")], None);
}
