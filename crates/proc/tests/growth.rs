//! What grows without a new descriptor is counted as the growing program counts it.

use fdscope_fixtures::{Fixture, c};
use fdscope_model::process::Sample;
use fdscope_model::{HandleKind, LimitName, Pid};
use fdscope_proc::ProcRoot;

fn sample(fixture: &Fixture) -> Sample {
    let root = ProcRoot::open().expect("/proc");
    root.sample(Pid(fixture.pid())).expect("sample")
}

fn total(sample: &Sample, kind: HandleKind) -> i64 {
    sample.groups.iter().filter(|group| group.kind == kind).map(|group| group.count as i64).sum()
}

/// The growth of `kind` over `steps` of a fixture.
fn growth(name: &str, arguments: &[&str], steps: u32, kind: HandleKind) -> i64 {
    let mut fixture = Fixture::start(&c(name), arguments);
    let before = sample(&fixture);
    fixture.ask(&format!("step {steps}"));
    let after = sample(&fixture);
    let grown = total(&after, kind) - total(&before, kind);
    eprintln!("{name} {arguments:?} {steps}: {kind:?} {grown}");
    grown
}

#[test]
fn each_kind_grows_as_the_program_grows_it_and_not_when_it_takes_back() {
    let kinds = [
        ("what=timer", HandleKind::Timer),
        ("what=watch", HandleKind::Watch),
        ("what=registration", HandleKind::Registration),
        ("what=zombie", HandleKind::Zombie),
    ];
    for (what, kind) in kinds {
        assert_eq!(growth("grow", &[what, "each=10"], 3, kind), 30, "{what}");
        assert_eq!(growth("grow", &[what, "each=10", "healthy=1"], 3, kind), 0, "{what}");
    }
}

#[test]
fn mappings_are_counted_as_the_kernel_counts_them() {
    let mut fixture = Fixture::start(&c("grow"), &["what=mapping", "each=10"]);
    let lines = |fixture: &Fixture| {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", fixture.pid()));
        maps.expect("maps").lines().count() as i64
    };
    let before = total(&sample(&fixture), HandleKind::Mapping);
    assert_eq!(before, lines(&fixture));
    fixture.ask("step 3");
    let after = total(&sample(&fixture), HandleKind::Mapping);
    assert_eq!(after, lines(&fixture));
    // The kernel merges one or two of the thirty with neighbours that were there.
    assert!(after - before >= 25, "{before} {after}");
}

#[test]
fn threads_are_counted_by_the_pattern_of_their_names() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=leak"]);
    fixture.ask("step 12");
    let sample = sample(&fixture);
    let workers = sample.groups.iter().find(|group| group.group == "worker-*".into());
    assert_eq!(workers.map(|group| (group.kind, group.count)), Some((HandleKind::Thread, 12)));
    assert_eq!(sample.threads, 13);
    assert_eq!(total(&sample, HandleKind::UnjoinedThread), 0, "their stacks are in use");
}

/// What is said of 100 threads in this mode of ending.
fn unjoined(mode: &str) -> i64 {
    growth("threads", &[&format!("mode={mode}"), "size=100"], 1, HandleKind::UnjoinedThread)
}

#[test]
fn threads_nobody_joined_are_told_from_joined_detached_and_living_ones() {
    // Where control blocks cannot be read, four are taken for those that glibc may keep.
    let found = unjoined("unjoined");
    assert!((90..=100).contains(&found), "{found} of 100");
    assert_eq!(unjoined("joined"), 0);
    assert_eq!(unjoined("detached"), 0);
    assert_eq!(unjoined("pool"), 0);
}

#[test]
fn only_what_is_new_is_fresh() {
    let mut fixture = Fixture::start(&c("threads"), &["mode=leak"]);
    let root = ProcRoot::open().expect("/proc");
    let mut sampler = fdscope_proc::Sampler::new(root, Pid(fixture.pid())).expect("sampler");
    let fresh = |sample: &Sample| {
        let group = sample.groups.iter().find(|group| group.group == "worker-*".into());
        group.and_then(|group| group.fresh)
    };
    fixture.ask("step 2");
    assert_eq!(fresh(&sampler.sample().expect("sample")), None);
    fixture.ask("step 3");
    // A part that was dear waits for its turn, and tells nothing fresh until then.
    let told = (0..12_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        fresh(&sampler.sample().expect("sample"))
    });
    assert_eq!(told, Some(3));
}

#[test]
fn limits_show_what_is_used() {
    let mut fixture = Fixture::start(&c("grow"), &["what=watch"]);
    fixture.ask("step 20");
    let sample = sample(&fixture);
    let limit = |name| sample.limits.iter().find(|limit| limit.name == name).copied();
    assert!(limit(LimitName::InotifyWatches).is_some_and(|limit| limit.used >= 20));
    assert!(limit(LimitName::InotifyInstances).is_some_and(|limit| limit.used >= 1));
    assert!(limit(LimitName::Nofile).is_some_and(|limit| limit.used == sample.descriptors));
    assert!(limit(LimitName::MaxMapCount).is_some_and(|limit| limit.used > 10));
}
