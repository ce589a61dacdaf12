//! Threads of one moment in groups, and how far off their limits are: a fold over [`ThreadEntry`].
//!
//! Threads whose names share a pattern are one group; where stacks were taken, those that began with the same function.

use std::collections::{BTreeMap, BTreeSet};

use fdscope_model::thread::{
    Change, Doing, ThreadEntry, ThreadGroup, ThreadLimit, ThreadStack, Unjoined,
};
use fdscope_model::{FdNumber, HandleKind, Limit, LimitName, Name};

/// Beyond this many seconds (ten years) a limit counts as not approached.
const NEVER_S: f64 = 315_360_000.0;

/// Different stacks kept of one group.
const MOST_STACKS: usize = 8;

/// Frames of different stacks are compared by function and place.
type Shape = Vec<(Option<String>, Name, Option<u32>)>;

/// The groups of `threads`, the largest first; those of one size by their pattern.
///
/// `ended` are the patterns of threads that ended since the reading before.
pub fn group_threads(threads: &[ThreadEntry], ended: &[Name]) -> Vec<ThreadGroup> {
    let mut groups: BTreeMap<(&Name, Option<String>), Vec<&ThreadEntry>> = BTreeMap::new();
    for thread in threads {
        let entry = thread.began_in();
        groups.entry((&thread.pattern, entry)).or_default().push(thread);
    }
    let mut rows: Vec<ThreadGroup> = groups
        .into_iter()
        .map(|((pattern, entry), members)| fold(pattern, entry, &members))
        .collect();
    let mut left: BTreeMap<&Name, u64> = BTreeMap::new();
    ended.iter().for_each(|pattern| *left.entry(pattern).or_default() += 1);
    for row in &mut rows {
        if let (Some(change), Some(count)) = (&mut row.change, left.remove(&row.pattern)) {
            change.ended = count;
        }
    }
    rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.pattern.cmp(&b.pattern)));
    rows
}

fn fold(pattern: &Name, entry: Option<String>, members: &[&ThreadEntry]) -> ThreadGroup {
    let handles = Handles::of(members);
    let ages = || members.iter().filter_map(|thread| thread.age_ns);
    let started = members.iter().filter(|thread| thread.is_new == Some(true)).count() as u64;
    let compared = members.iter().any(|thread| thread.is_new.is_some());
    ThreadGroup {
        pattern: pattern.clone(),
        entry,
        count: members.len() as u64,
        change: compared.then_some(Change { started, ended: 0 }),
        states: tally(members.iter().map(|thread| thread.state)),
        doing: tally(members.iter().map(|thread| word(&thread.doing))),
        wait_channels: tally(members.iter().filter_map(|thread| thread.wait_channel.clone())),
        cpu_ns: members.iter().map(|thread| thread.cpu_ns).sum(),
        cpu_cores: members.iter().filter_map(|thread| thread.cpu_cores).reduce(|a, b| a + b),
        oldest_ns: ages().max(),
        youngest_ns: ages().min(),
        loopers: handles.loopers,
        epolls: handles.epolls.len() as u64,
        eventfds: handles.eventfds.len() as u64,
        others: handles.others,
        first: members.iter().map(|thread| thread.tid).min().unwrap_or_default(),
        stacks: stacks(members),
    }
}

/// What a thread is in, in a word.
pub fn word(doing: &Doing) -> String {
    match doing {
        Doing::Hidden => "(hidden)".to_owned(),
        Doing::Running => "(running)".to_owned(),
        Doing::Outside => "(no call)".to_owned(),
        Doing::Call(call) => match call.name {
            Some(name) => name.to_owned(),
            None => format!("call {}", call.number),
        },
    }
}

/// Values with their counts, most first, equal counts in order of value.
fn tally<T: Ord>(values: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts: BTreeMap<T, u64> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let mut rows: Vec<(T, u64)> = counts.into_iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    rows
}

/// The descriptors that the threads of a group wait on, each counted once.
#[derive(Default)]
struct Handles {
    loopers: u64,
    epolls: BTreeSet<FdNumber>,
    eventfds: BTreeSet<FdNumber>,
    others: u64,
}

impl Handles {
    fn of(members: &[&ThreadEntry]) -> Handles {
        let mut handles = Handles::default();
        let mut waiters: BTreeMap<FdNumber, u64> = BTreeMap::new();
        for set in members.iter().filter_map(|thread| thread.waits_on.as_ref()) {
            *waiters.entry(set.epoll).or_default() += 1;
            if handles.epolls.insert(set.epoll) {
                let is_event =
                    |target: &&(FdNumber, Name)| target.1.bytes() == b"anon_inode:[eventfd]";
                let events = set.targets.iter().filter(is_event);
                let before = handles.eventfds.len();
                handles.eventfds.extend(events.map(|target| target.0));
                let new = (handles.eventfds.len() - before) as u64;
                handles.others += set.registered.saturating_sub(new);
            }
        }
        handles.loopers = waiters.values().filter(|count| **count == 1).count() as u64;
        handles
    }
}

fn stacks(members: &[&ThreadEntry]) -> Vec<(ThreadStack, u64)> {
    let mut kinds: BTreeMap<Shape, (&ThreadStack, u64)> = BTreeMap::new();
    for stack in members.iter().filter_map(|thread| thread.stack.as_ref()) {
        kinds.entry(shape(stack)).or_insert((stack, 0)).1 += 1;
    }
    let mut rows: Vec<(ThreadStack, u64)> =
        kinds.into_values().map(|(stack, count)| (stack.clone(), count)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.1));
    rows.truncate(MOST_STACKS);
    rows
}

fn shape(stack: &ThreadStack) -> Shape {
    let part = |frame: &fdscope_model::Frame| match &frame.symbol.function {
        Some(function) => (Some(function.clone()), frame.module.clone(), frame.symbol.line),
        None => (Some(format!("{:#x}", frame.offset)), frame.module.clone(), None),
    };
    stack.frames.iter().map(part).collect()
}

/// The limits that threads and the stacks of unjoined ones count against, with the time until each is reached.
///
/// Growth is that of the process: `threads_per_s` for limits on threads, `mappings_per_s` for vm.max_map_count. The one
/// that is reached first comes first, then the one with least room.
pub fn thread_limits(
    limits: &[Limit],
    threads_per_s: Option<f64>,
    mappings_per_s: Option<f64>,
) -> Vec<ThreadLimit> {
    let names =
        [LimitName::of(HandleKind::Thread), LimitName::of(HandleKind::UnjoinedThread)].concat();
    let relevant = limits.iter().filter(|limit| names.contains(&limit.name));
    let mut rows: Vec<ThreadLimit> = relevant
        .map(|limit| {
            let per_s =
                if limit.name == LimitName::MaxMapCount { mappings_per_s } else { threads_per_s };
            ThreadLimit {
                limit: *limit,
                per_s,
                reached_in_s: per_s.and_then(|per_s| time_to(limit, per_s)),
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        let reached = |row: &ThreadLimit| row.reached_in_s.unwrap_or(f64::INFINITY);
        reached(a).total_cmp(&reached(b)).then_with(|| share(b).total_cmp(&share(a)))
    });
    rows
}

fn share(row: &ThreadLimit) -> f64 {
    row.limit.used as f64 / row.limit.value.max(1) as f64
}

fn time_to(limit: &Limit, per_s: f64) -> Option<f64> {
    let left = limit.value.saturating_sub(limit.used) as f64;
    Some(left / per_s).filter(|s| per_s > 0.0 && limit.value < u64::MAX / 2 && *s < NEVER_S)
}

/// Address space that the stacks of unjoined threads keep mapped, in bytes.
pub fn unjoined_bytes(rows: &[Unjoined]) -> u64 {
    rows.iter().map(|row| row.count.saturating_mul(row.stack_bytes)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::thread::{CurrentCall, Taken, WaitSet};
    use fdscope_model::{Frame, Symbol, Tid};

    fn thread(tid: u32, pattern: &str, call: &'static str) -> ThreadEntry {
        let call = CurrentCall { name: Some(call), ..CurrentCall::default() };
        ThreadEntry {
            tid: Tid(tid),
            comm: pattern.into(),
            pattern: pattern.into(),
            state: b'S',
            age_ns: Some(u64::from(tid)),
            cpu_ns: 10,
            doing: Doing::Call(call),
            ..ThreadEntry::default()
        }
    }

    fn looper(tid: u32, epoll: u32, events: &[u32]) -> ThreadEntry {
        let target = |fd: &u32| (FdNumber(*fd), "anon_inode:[eventfd]".into());
        let targets: Vec<(FdNumber, Name)> = events.iter().map(target).collect();
        let registered = events.len() as u64 + 1;
        let waits_on = Some(WaitSet { epoll: FdNumber(epoll), targets, registered });
        ThreadEntry { waits_on, ..thread(tid, "work-*", "epoll_wait") }
    }

    fn stack(functions: &[(&str, bool)], truncated: bool) -> ThreadStack {
        let frame = |(function, plumbing): &(&str, bool)| Frame {
            symbol: Symbol { function: Some((*function).to_owned()), ..Symbol::default() },
            module: Name::default(),
            build_id: None,
            offset: 0,
            plumbing: *plumbing,
        };
        let frames = functions.iter().map(frame).collect();
        ThreadStack { frames, at: None, truncated, taken: Taken::Read }
    }

    #[test]
    fn loopers_are_counted_with_their_handles() {
        let threads = [looper(3, 4, &[5]), looper(4, 6, &[7]), thread(2, "main", "futex")];
        let groups = group_threads(&threads, &[]);
        assert_eq!(groups.len(), 2);
        let work = &groups[0];
        assert_eq!(
            (work.count, work.loopers, work.epolls, work.eventfds, work.others),
            (2, 2, 2, 2, 2)
        );
        assert_eq!(work.doing, [("epoll_wait".to_owned(), 2)]);
        assert_eq!((work.oldest_ns, work.youngest_ns, work.cpu_ns), (Some(4), Some(3), 20));
        assert_eq!((work.first, work.change), (Tid(3), None));
    }

    #[test]
    fn threads_that_share_an_epoll_descriptor_are_no_loopers() {
        let groups = group_threads(&[looper(3, 4, &[5]), looper(4, 4, &[5])], &[]);
        assert_eq!((groups[0].loopers, groups[0].epolls, groups[0].eventfds), (0, 1, 1));
    }

    #[test]
    fn with_stacks_groups_part_by_entry_function() {
        let with = |tid, functions: &[(&str, bool)]| ThreadEntry {
            stack: Some(stack(functions, false)),
            ..thread(tid, "work-*", "futex")
        };
        let threads = [
            with(1, &[("wait", false), ("reader", false), ("start_thread", true)]),
            with(2, &[("poll", true), ("reader", false), ("start_thread", true)]),
            with(3, &[("wait", false), ("writer", false), ("start_thread", true)]),
        ];
        let groups = group_threads(&threads, &[]);
        let entries: Vec<_> = groups.iter().map(|g| (g.entry.as_deref(), g.count)).collect();
        assert_eq!(entries, [(Some("reader"), 2), (Some("writer"), 1)]);
        assert_eq!(groups[0].stacks.len(), 2);
        assert_eq!(stack(&[("reader", false)], true).entry_function(), None);
    }

    #[test]
    fn change_counts_both_ways() {
        let mut threads = [thread(1, "work-*", "futex"), thread(2, "work-*", "futex")];
        threads[0].is_new = Some(false);
        threads[1].is_new = Some(true);
        let ended = ["work-*", "work-*", "work-*"].map(Name::from);
        let change = group_threads(&threads, &ended)[0].change.expect("two readings");
        assert_eq!((change.started, change.ended, change.net()), (1, 3, -2));
    }

    #[test]
    fn the_limit_reached_first_comes_first() {
        let limit = |name, value, used| Limit { name, value, used };
        let limits = [
            limit(LimitName::ThreadsMax, 1000, 100),
            limit(LimitName::PidMax, 500, 100),
            limit(LimitName::MaxMapCount, 65_530, 65_030),
            limit(LimitName::Nofile, 10, 9),
            limit(LimitName::CgroupPids, u64::MAX, 9),
        ];
        let rows = thread_limits(&limits, Some(10.0), Some(20.0));
        let times: Vec<_> = rows.iter().map(|row| (row.limit.name, row.reached_in_s)).collect();
        let expected = [
            (LimitName::MaxMapCount, Some(25.0)),
            (LimitName::PidMax, Some(40.0)),
            (LimitName::ThreadsMax, Some(90.0)),
            (LimitName::CgroupPids, None),
        ];
        assert_eq!(times, expected);
        assert!(
            thread_limits(&limits, None, Some(-1.0)).iter().all(|row| row.reached_in_s.is_none())
        );
    }
}
