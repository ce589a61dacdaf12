//! Exited threads that nobody joined are told from all others, whatever their stacks are made of.

mod programs;

use std::path::Path;

use fdscope_fixtures::Fixture;
use fdscope_model::{HandleKind, Pid};
use fdscope_proc::ProcRoot;

/// Threads of a fixture, by how they ended, and what their stacks are like.
#[derive(Clone, Copy, Default)]
struct Threads {
    unjoined: u64,
    joined: u64,
    detached: u64,
    living: u64,
    stack_kib: u64,
    guard_kib: Option<u64>,
    blocks: u64,
}

fn check(program: &Path, threads: Threads) {
    let guard = threads.guard_kib.map_or("-1".to_owned(), |guard| guard.to_string());
    let Threads { unjoined, joined, detached, living, stack_kib, blocks, .. } = threads;
    let numbers = [unjoined, joined, detached, living, stack_kib].map(|number| number.to_string());
    let [a, b, c, d, e] = &numbers;
    let fixture = Fixture::start(program, &[a, b, c, d, e, &guard, &blocks.to_string()]);
    let root = ProcRoot::open().expect("/proc");
    let sample = root.sample(Pid(fixture.pid())).expect("sample");
    let of = |kind| sample.groups.iter().filter(move |group| group.kind == kind);
    let found: u64 = of(HandleKind::UnjoinedThread).map(|group| group.count).sum();
    assert_eq!(found, unjoined, "{numbers:?} guard {guard}: {:#?}", sample.groups);
    let stacks: u64 = of(HandleKind::Mapping)
        .filter(|group| group.group.to_string().contains("behind a guard"))
        .map(|group| group.count)
        .sum();
    assert_eq!(stacks, 0, "stacks are not blamed as mappings");
    assert_eq!(sample.threads, living + 1);
}

#[test]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn the_count_is_exact_where_control_blocks_can_be_read() {
    let Some((_folder, program)) = programs::compile("stacks") else { return };
    let usual = Threads { unjoined: 100, ..Threads::default() };
    check(&program, usual);
    check(&program, Threads { unjoined: 0, joined: 50, detached: 50, living: 5, ..usual });
    check(&program, Threads { unjoined: 3, joined: 50, detached: 50, living: 5, ..usual });
    check(&program, Threads { stack_kib: 64, joined: 30, detached: 30, ..usual });
    check(&program, Threads { stack_kib: 2048, living: 3, ..usual });
    check(&program, Threads { stack_kib: 1024, guard_kib: Some(64), living: 3, ..usual });
    // As glibc does since 2.42: a page more for a guard inside, and neighbours merge.
    check(&program, Threads { stack_kib: 8196, guard_kib: Some(0), living: 7, ..usual });
    check(&program, Threads { unjoined: 0, blocks: 20, ..usual });
    check(&program, Threads { unjoined: 9, living: 2, blocks: 20, ..usual });
}

/// Where the stacks of captured processes begin, guards included.
const BASE: u64 = 0x7000_0000_0000;

/// A captured process with so many stacks of the usual size from `base` on, and threads that stand on the first.
fn captured_at(base: u64, stacks: u64, threads: &[(u32, Option<u64>)]) -> u64 {
    let tree = tempfile::tempdir().expect("folder");
    let write = |path: &str, text: &str| {
        let path = tree.path().join("proc/7").join(path);
        std::fs::create_dir_all(path.parent().expect("below the tree")).expect("folder");
        std::fs::write(path, text).expect("file");
    };
    const USUAL: u64 = 8 << 20;
    const PAGE: u64 = 4096;
    let mut maps = String::from("1000-2000 r-xp 00000000 fe:01 77 /bin/x\n");
    let mut at = base;
    for _ in 0..stacks {
        maps += &format!("{at:x}-{:x} ---p 00000000 00:00 0 \n", at + PAGE);
        maps += &format!("{:x}-{:x} rw-p 00000000 00:00 0 \n", at + PAGE, at + PAGE + USUAL);
        at += PAGE + USUAL;
    }
    write("maps", &maps);
    let limits = "Max stack size            8388608              unlimited            bytes     \n";
    write("limits", limits);
    let count = threads.len() + 1;
    let stat = format!("7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {count} 0 9 0 0 0");
    write("stat", &stat);
    write("status", "Tgid:\t7\nUid:\t0\t0\t0\t0\n");
    write("task/7/comm", "x\n");
    for (tid, on) in threads {
        write(&format!("task/{tid}/comm"), "y\n");
        let pointer = on.map(|at| base + at * (PAGE + USUAL) + USUAL / 2);
        let text =
            pointer.map_or("running\n".to_owned(), |at| format!("202 0x1 0x2 {at:#x} 0x3\n"));
        write(&format!("task/{tid}/syscall"), &text);
    }
    let root = ProcRoot::at(&tree.path().join("proc")).expect("tree");
    let sample = root.sample(Pid(7)).expect("sample");
    let unjoined = sample.groups.iter().filter(|group| group.kind == HandleKind::UnjoinedThread);
    unjoined.map(|group| group.count).sum()
}

fn captured(stacks: u64, threads: &[(u32, Option<u64>)]) -> u64 {
    captured_at(BASE, stacks, threads)
}

#[test]
fn a_stack_that_begins_where_an_arena_could_is_a_stack() {
    assert_eq!(captured_at(BASE - 4096, 100, &[]), 96);
    assert_eq!(captured_at(BASE - 4096, 100, &[(8, Some(0)), (9, Some(50))]), 94);
}

#[test]
fn without_control_blocks_the_count_is_what_glibc_would_not_keep() {
    assert_eq!(captured(100, &[]), 96);
    assert_eq!(captured(4, &[]), 0);
    assert_eq!(captured(100, &[(8, Some(0)), (9, Some(50))]), 94);
    // A running thread stands on some stack; one on a stack of its own making does not.
    assert_eq!(captured(100, &[(8, None)]), 95);
    assert_eq!(captured(100, &[(8, Some(1000))]), 96);
}
