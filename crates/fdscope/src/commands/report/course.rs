//! What there was of everything while a recording was made: the timeline of a page.
//!
//! Counted when samples were taken, and the more seldom the longer the recording is.

use std::collections::{BTreeMap, HashMap};

use fdscope_model::{AcquireCause, Body, Event, FdNumber, HandleKind, Monotonic, Name, Pid};
use fdscope_record::Record;
use fdscope_render::export::html::{Course, CourseLine};

use crate::args::Span;
use crate::live::replay::Replay;
use crate::past::socket_words;

/// Moments that are kept.
const MOST: usize = 300;
/// Lines of one graph; what is less is added up.
const LINES: usize = 7;
/// Counts of everything else in a graph.
const REST: &str = "other";

/// The graphs, by what stands in each.
const HANDLES: &str = "handles";
const SOCKETS: &str = "sockets";
const THREADS: &str = "threads";
const OTHERS: &str = "others";

/// Counts so far.
pub struct Gathering {
    span: Span,
    from: Option<Monotonic>,
    every_ns: u64,
    next: Monotonic,
    points: Vec<Point>,
    sockets: Sockets,
}

/// Counts of one moment.
struct Point {
    at: Monotonic,
    kinds: BTreeMap<HandleKind, u64>,
    states: BTreeMap<String, u64>,
}

impl Gathering {
    /// Nothing counted yet of this part of a recording.
    pub fn new(span: &Span) -> Self {
        Gathering {
            span: span.clone(),
            from: None,
            every_ns: 0,
            next: Monotonic(0),
            points: Vec::new(),
            sockets: Sockets::default(),
        }
    }

    /// Sees a record that `replay` is about to be told.
    pub fn see(&mut self, replay: &Replay, record: &Record<'_>) {
        let at = match record {
            Record::Sample(sample) => Some(sample.at),
            // The beginning: all that was there is told, and nothing has happened yet.
            Record::Event(event) if self.points.is_empty() && !is_existing(event) => Some(event.at),
            _ => None,
        };
        if let Some(at) = at.filter(|at| *at >= self.next) {
            self.consider(replay, record, at);
        }
        self.sockets.note(record);
    }

    fn consider(&mut self, replay: &Replay, record: &Record<'_>, at: Monotonic) {
        let from = *self.from.get_or_insert_with(|| {
            self.span.moments(&replay.opening).0.unwrap_or(replay.opening.begun)
        });
        // While processes are still being told of, what is counted seems to grow.
        let again = matches!(record, Record::Sample(one) if replay.sample(one.pid).is_some());
        let all = || replay.ledger.pids().iter().all(|pid| replay.sample(*pid).is_some());
        if at < from || !(again || self.points.is_empty() && all()) {
            return;
        }
        let at = if self.points.is_empty() { from } else { at };
        self.take(replay, at);
    }

    fn take(&mut self, replay: &Replay, at: Monotonic) {
        let (kinds, states) = (replay.ledger.alive(), self.sockets.counts.clone());
        self.points.push(Point { at, kinds, states });
        if self.points.len() > MOST {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
            let over_ns = self.points.first().map_or(0, |first| at.since_ns(first.at));
            self.every_ns = over_ns / self.points.len().max(1) as u64;
        }
        self.next = Monotonic(at.0.saturating_add(self.every_ns));
    }

    /// The counts of the part that began at `begun`, with those of the end.
    pub fn course(mut self, replay: &Replay, begun: Monotonic) -> Course {
        self.take(replay, replay.now);
        let points = &self.points;
        let mut lines = Vec::new();
        for graph in [HANDLES, THREADS, OTHERS] {
            let of = |point: &Point| {
                let kinds = point.kinds.iter().filter(|(kind, _)| graph_of(**kind) == graph);
                kinds.map(|(kind, count)| (kind.word().to_owned(), *count)).collect()
            };
            lines.extend(graph_lines(graph, points, of));
        }
        let rows = graph_lines(SOCKETS, points, |point| {
            let mut states = point.states.clone();
            let all = point.kinds.get(&HandleKind::Socket).copied().unwrap_or(0);
            let rest = all.saturating_sub(states.values().sum());
            if rest > 0 {
                *states.entry(REST.to_owned()).or_default() += rest;
            }
            states
        });
        lines.extend(rows);
        Course { at_ns: points.iter().map(|point| point.at.since_ns(begun)).collect(), lines }
    }
}

fn is_existing(event: &Event<'_>) -> bool {
    matches!(&event.body, Body::Acquire(acquire) if acquire.cause == AcquireCause::Existing)
}

fn graph_of(kind: HandleKind) -> &'static str {
    use HandleKind::{Child, Thread, UnjoinedThread, Zombie};
    match kind {
        kind if kind.is_descriptor() => HANDLES,
        Thread | UnjoinedThread | Child | Zombie => THREADS,
        _ => OTHERS,
    }
}

/// The lines of one graph, those that rise highest first.
fn graph_lines(
    graph: &'static str,
    points: &[Point],
    of: impl Fn(&Point) -> BTreeMap<String, u64>,
) -> Vec<CourseLine> {
    let counts: Vec<BTreeMap<String, u64>> = points.iter().map(of).collect();
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in counts.iter().flatten() {
        let most = highest.entry(name).or_default();
        *most = count.max(most).to_owned();
    }
    let mut names: Vec<(&str, u64)> = highest.into_iter().filter(|one| one.0 != REST).collect();
    names.sort_by_key(|(name, most)| (std::cmp::Reverse(*most), *name));
    names.truncate(LINES);
    let names: Vec<&str> = names.into_iter().map(|one| one.0).collect();
    let count = |counts: &BTreeMap<String, u64>, name| counts.get(name).copied().unwrap_or(0);
    let line = |name: &str, values| CourseLine { of: graph, name: name.to_owned(), values };
    let mut lines: Vec<CourseLine> = names
        .iter()
        .map(|name| line(name, counts.iter().map(|counts| count(counts, *name)).collect()))
        .collect();
    let rest = |counts: &BTreeMap<String, u64>| -> u64 {
        let others = counts.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        others.map(|(_, count)| *count).sum()
    };
    let rest: Vec<u64> = counts.iter().map(rest).collect();
    if rest.iter().any(|count| *count > 0) {
        lines.push(line(REST, rest));
    }
    lines
}

/// Sockets by protocol and state, as far as their names tell.
#[derive(Default)]
struct Sockets {
    words: HashMap<Pid, HashMap<FdNumber, String>>,
    counts: BTreeMap<String, u64>,
}

impl Sockets {
    fn note(&mut self, record: &Record<'_>) {
        match record {
            Record::Descriptor(pid, fd, _, name) => self.is_called(*pid, *fd, Some(name)),
            Record::Event(Event { pid, body, .. }) => match body {
                Body::Acquire(acquire) => {
                    if let Some(fd) = acquire.key.fd() {
                        self.is_called(*pid, fd, acquire.name.as_ref());
                    }
                }
                Body::Release(release) => {
                    if let Some(fd) = release.key.fd() {
                        self.is_called(*pid, fd, None);
                    }
                }
                Body::Exit { .. } => {
                    for word in self.words.remove(pid).unwrap_or_default().into_values() {
                        self.less(&word);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn is_called(&mut self, pid: Pid, fd: FdNumber, name: Option<&Name>) {
        let word = name.and_then(socket_words);
        let held = self.words.entry(pid).or_default();
        let before = match &word {
            Some(word) => held.insert(fd, word.clone()),
            None => held.remove(&fd),
        };
        if let Some(word) = word {
            *self.counts.entry(word).or_default() += 1;
        }
        if let Some(before) = before {
            self.less(&before);
        }
    }

    fn less(&mut self, word: &str) {
        if let Some(count) = self.counts.get_mut(word) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(fd: u32, name: &str) -> Record<'static> {
        Record::Descriptor(Pid(1), FdNumber(fd), Monotonic(0), name.into())
    }

    #[test]
    fn sockets_are_counted_by_what_their_names_tell() {
        let mut sockets = Sockets::default();
        for record in [
            named(3, "tcp 1.2.3.4:5->6.7.8.9:1 ESTABLISHED"),
            named(4, "tcp 1.2.3.4:5->6.7.8.9:2 ESTABLISHED"),
            named(4, "tcp 1.2.3.4:5->6.7.8.9:2 CLOSE_WAIT"),
            named(5, "/etc/passwd"),
            named(6, "unix stream /run/x LISTEN"),
            named(6, "socket:[7]"),
        ] {
            sockets.note(&record);
        }
        let expected = [("tcp close-wait", 1), ("tcp established", 1)];
        assert_eq!(sockets.counts, expected.map(|(word, n)| (word.to_owned(), n)).into());
        let exit = Body::Exit { table: fdscope_model::TableId(1) };
        let event = Event { at: Monotonic(1), pid: Pid(1), tid: fdscope_model::Tid(1), body: exit };
        sockets.note(&Record::Event(event));
        assert!(sockets.counts.is_empty());
    }

    #[test]
    fn a_graph_has_its_highest_lines_and_the_rest() {
        let point = |n: u64| Point {
            at: Monotonic(n),
            kinds: BTreeMap::new(),
            states: (0..10).map(|i| (format!("s{i}"), i * n)).collect(),
        };
        let points = [point(1), point(2)];
        let lines = graph_lines(SOCKETS, &points, |point| point.states.clone());
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["s9", "s8", "s7", "s6", "s5", "s4", "s3", REST]);
        assert_eq!(lines[0].values, [9, 18]);
        assert_eq!(lines[7].values, [3, 6]);
    }
}
