//! Threads and processes: births, ends, shared tables, exec.

mod common;

use std::collections::{BTreeMap, HashSet};

use common::{Seen, Target, compile, lines};
use fdscope_model::{Body, HandleKey, ReleaseCause, TableId};
use fdscope_ptrace::{Follow, Options};

const FOLLOW: Options = Options {
    follow: Follow::Children,
    stack_bytes: 4096,
    close_stacks: fdscope_ptrace::CloseStacks::Taken,
    mappings: false,
    registrations: false,
};

/// Replays descriptor events: each birth must be at a free number, each death at a taken one.
fn assert_consistent(seen: &[Seen], at_first: &[(TableId, u32)]) -> HashSet<(TableId, u32)> {
    let mut open: HashSet<(TableId, u32)> = at_first.iter().copied().collect();
    for (index, event) in seen.iter().enumerate() {
        let around = || format!("{:#?}", &seen[index.saturating_sub(6)..=index]);
        match &event.body {
            Body::Acquire(acquire) => {
                if let HandleKey::Descriptor(table, fd) = acquire.key {
                    assert!(open.insert((table, fd.0)), "{fd} was open already: {}", around());
                }
            }
            Body::Release(release) => {
                if let HandleKey::Descriptor(table, fd) = release.key {
                    assert!(open.remove(&(table, fd.0)), "{fd} was not open: {}", around());
                }
            }
            _ => {}
        }
    }
    open
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn only(seen: &[Seen], words: &[&str]) -> Vec<String> {
    let fits = |line: &String| words.iter().any(|word| line.contains(word));
    lines(seen).into_iter().filter(fits).collect()
}

#[test]
fn four_threads_at_the_same_numbers_are_told_in_order() {
    let Some(program) = compile("threads", &[]) else { return };
    let (ledger, seen) = Target::start(program).trace(Options::default());
    let left = assert_consistent(&seen, &[]);
    assert!(left.is_empty(), "{left:?}");
    let count = |word: &str| seen.iter().filter(|event| event.line.contains(word)).count();
    assert_eq!((count("+ openat"), count("- close")), (6000, 6000));
    assert_eq!(sorted(only(&seen, &["thread"])), sorted(ledger));
}

#[test]
fn every_way_to_make_a_process_is_told_and_followed() {
    let Some(program) = compile("family", &[]) else { return };
    let target = Target::start(program);
    let pid = target.pid().0;
    let (ledger, seen) = target.trace(FOLLOW);
    let own: Vec<Seen> = seen.iter().filter(|event| event.pid == pid).cloned().collect();
    let made = ["child", "thread", "+ clone3", "unshare"];
    let expected: Vec<String> =
        ledger.iter().filter(|l| made.iter().any(|w| l.contains(w))).cloned().collect();
    assert_eq!(only(&own, &made), expected);

    let mut by_child: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for event in seen.iter().filter(|event| event.pid != pid) {
        by_child.entry(event.pid).or_default().push(event.line.clone());
    }
    let work = "+ openat 3|- close 3|exit";
    let children: Vec<String> = by_child.values().map(|lines| lines.join("|")).collect();
    let [forked, vforked, cloned, sharing, spawned] = &children[..] else {
        panic!("five children were made: {by_child:?}")
    };
    assert_eq!(forked, work);
    assert_eq!(vforked, &format!("exec exe|{work}"));
    // The pidfd took number 3 in the parent, but after the child's copy of the table was made.
    assert_eq!(cloned, work);
    assert_eq!(sharing, "+ dup3 50|exit");
    assert!(spawned.ends_with(&work), "{spawned}");
    check_tables(&seen, pid);
}

/// The child of clone(CLONE_FILES) used its parent's table; the others had their own.
fn check_tables(seen: &[Seen], pid: u32) {
    let forks: Vec<(TableId, TableId)> = seen
        .iter()
        .filter_map(|event| match &event.body {
            Body::Fork { child_table, parent_table, .. } => Some((*child_table, *parent_table)),
            _ => None,
        })
        .collect();
    let shares: Vec<bool> = forks.iter().map(|(child, parent)| child == parent).collect();
    assert_eq!(shares, [false, false, false, true, false]);
    // What the thread had in its own table is closed with the thread, the descriptors copied by unshare included.
    let ended: Vec<&str> = seen
        .iter()
        .filter(|event| matches!(&event.body, Body::Release(r) if r.cause == ReleaseCause::Exit))
        .map(|event| event.line.as_str())
        .collect();
    assert!(ended.contains(&"- descriptor 0") && ended.contains(&"- descriptor 3"), "{ended:?}");
    // What the thread opened after unshare is in the table that it moved to.
    let moved = seen.iter().find_map(|event| match event.body {
        Body::Unshare { to, .. } if event.pid == pid => Some(to),
        _ => None,
    });
    let last = seen.iter().rev().find_map(|event| match &event.body {
        Body::Acquire(acquire) if event.pid == pid => match acquire.key {
            HandleKey::Descriptor(table, _) => Some(table),
            _ => None,
        },
        _ => None,
    });
    assert!(moved.is_some());
    assert_eq!(last, moved);
}

#[test]
fn children_not_followed_run_on_untraced() {
    let Some(program) = compile("family", &[]) else { return };
    let target = Target::start(program);
    let pid = target.pid().0;
    let (ledger, seen) = target.trace(Options::default());
    assert!(seen.iter().all(|event| event.pid == pid), "{seen:#?}");
    let made = ["child", "thread"];
    let expected: Vec<String> =
        ledger.into_iter().filter(|l| made.iter().any(|w| l.contains(w))).collect();
    assert_eq!(only(&seen, &made), expected);
}

#[test]
fn exec_by_a_thread_that_is_not_the_leader_ends_the_others() {
    let Some(program) = compile("exec_thread", &[]) else { return };
    let (ledger, seen) = Target::start(program).trace(Options::default());
    let exec = seen.iter().position(|event| event.line == "exec exe");
    let exec = exec.expect("the program ran another");
    let threads = only(&seen, &["thread"]);
    assert_eq!(threads.iter().filter(|line| line.starts_with('+')).count(), 4, "{threads:?}");
    assert_eq!(threads.iter().filter(|line| line.starts_with('-')).count(), 4, "{threads:?}");
    let after: Vec<String> = lines(&seen[exec + 1..]);
    assert_eq!(after, [ledger, vec!["exit".into()]].concat());
}

#[test]
fn a_thousand_threads_are_all_seized() {
    let Some(program) = compile("crowd", &[]) else { return };
    let (_, seen) = Target::start(program).trace(Options::default());
    assert!(assert_consistent(&seen, &[]).is_empty());
    let count = |word: &str| seen.iter().filter(|event| event.line.contains(word)).count();
    assert_eq!((count("+ openat"), count("- close"), count("- thread")), (1000, 1000, 1000));
}

#[test]
fn children_that_the_kernel_reaps_do_not_look_unwaited_for() {
    let Some(program) = compile("ignores", &[]) else { return };
    let (_, seen) = Target::start(program).trace(Options::default());
    let count = |word: &str| seen.iter().filter(|event| event.line.starts_with(word)).count();
    assert_eq!(count("+ child"), 200);
    assert!(count("- child") > 160, "{}", count("- child"));
}

#[test]
fn calls_that_were_under_way_when_attaching_are_told() {
    let Some(program) = compile("blocked", &[]) else { return };
    let (ledger, seen) = Target::start(program).trace(Options::default());
    assert!(assert_consistent(&seen, &[]).is_empty());
    // Two threads tell in the order in which they run: compared as sets.
    assert_eq!(sorted(only(&seen, &["+ ", "- c"])), sorted(ledger));
}
