//! Stacks that are known again by a memo are those that unwinding would have found.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::is_root;
use fdscope_bpf::load::KernelTypes;
use fdscope_bpf::{BpfSource, Options};
use fdscope_fixtures::{Fixture, c};
use fdscope_model::{Body, Event, EventSource, Pid, StackId, Symbolizer, Trace};
use fdscope_stack::{StackOptions, Stacks};

/// Reads a fixture's events while it waits, so that every call it made is in the ring.
struct Reader {
    source: BpfSource,
    stacks: Stacks,
    pid: Pid,
}

/// What a round of the fixture brought: births by stack, and how many stacks were known again and how many unwound.
#[derive(Debug)]
struct Round {
    births: BTreeMap<StackId, u64>,
    known: u64,
    unwound: u64,
}

impl Reader {
    fn new(fixture: &Fixture) -> Reader {
        let types = KernelTypes::read().expect("a kernel with BTF");
        let mut source = BpfSource::open(&types, Options::default()).expect("BPF is permitted");
        let pid = Pid(fixture.pid());
        source.watch(pid).expect("room for one");
        Reader { source, stacks: Stacks::new(StackOptions::default()), pid }
    }

    /// Reads all that there is, and has it remembered.
    fn round(&mut self) -> Round {
        let before = self.stacks.counters();
        let mut births = BTreeMap::new();
        loop {
            let mut any = false;
            let stacks = &mut self.stacks;
            let mut sink = |event: &Event<'_>| {
                any = true;
                let trace = match &event.body {
                    Body::Acquire(acquire) => acquire.trace,
                    Body::Release(release) => release.trace,
                    Body::Lost { count } => panic!("{count} were lost"),
                    _ => return,
                };
                let interned = stacks.intern(event.pid, &trace);
                if let (Body::Acquire(_), Trace::Known(id)) = (&event.body, interned) {
                    *births.entry(id).or_default() += 1;
                }
            };
            self.source.poll(Duration::ZERO, &mut sink).expect("it works");
            if !any {
                break;
            }
        }
        for memo in self.stacks.take_memos() {
            self.source.learn(&memo).expect("the map can be written");
        }
        let wanted = self.stacks.wanted_bytes(self.pid) as u32;
        self.source.set_stack_bytes(self.pid, wanted).expect("the map can be written");
        let now = self.stacks.counters();
        Round { births, known: now.known - before.known, unwound: now.unwound - before.unwound }
    }

    /// Births by the function of their site, and its module's file name.
    fn by_site(&mut self, round: &Round) -> BTreeMap<(String, String), u64> {
        let mut sites = BTreeMap::new();
        for (&stack, &count) in &round.births {
            let symbolized = self.stacks.symbolize(stack);
            let frame = symbolized.frames.get(symbolized.at.unwrap_or(0));
            let function = frame.and_then(|frame| frame.symbol.function.clone());
            let module = frame.map(|frame| frame.module.to_string()).unwrap_or_default();
            let file = module.rsplit('/').next().unwrap_or_default().to_owned();
            *sites.entry((function.unwrap_or_default(), file)).or_default() += count;
        }
        sites
    }
}

#[test]
fn stacks_known_again_are_those_unwound() {
    if !is_root("CAP_BPF") {
        return;
    }
    let mut fixture = Fixture::start(&c("every_birth"), &[]);
    let mut reader = Reader::new(&fixture);
    let mut next = || {
        fixture.ask("go");
        reader.round()
    };
    // The first tells how much of the stacks is needed.
    next();
    let (unwound, known) = (next(), next());
    assert_eq!(unwound.births, known.births);
    assert!(known.births.len() > 40, "{known:?}");
    assert!(known.known > 4 * known.unwound, "{} by memo, {} not", known.known, known.unwound);
}

#[test]
fn callers_at_one_depth_stay_apart() {
    if !is_root("CAP_BPF") {
        return;
    }
    let mut fixture = Fixture::start(&c("paths"), &[]);
    let mut reader = Reader::new(&fixture);
    let mut next = || {
        let lines = fixture.ask("step");
        let depths: Vec<u64> = lines
            .iter()
            .filter(|line| line.word == "way")
            .map(|line| line.number("depth"))
            .collect();
        assert!(depths.len() == 3 && depths.iter().all(|depth| *depth == depths[0]), "{depths:?}");
        reader.round()
    };
    let first = next();
    let second = next();
    assert_eq!(second.unwound, 0, "{second:?}");
    assert_eq!(first.births, second.births);
    let counts: Vec<u64> = second.births.values().copied().collect();
    assert_eq!(counts, [1, 1, 1], "left, left from elsewhere, right");
}

/// A library whose `opens` calls a function of this name; equal to every other in all but names.
fn library(folder: &Path, name: &str) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    let text = format!(
        "#include <fcntl.h>\n\
         __attribute__((noinline)) static int {name}(const char *path)\n\
         {{ int fd = open(path, O_RDONLY); __asm__ volatile(\"\" : \"+r\"(fd)); return fd; }}\n\
         int opens(const char *path)\n\
         {{ int fd = {name}(path); __asm__ volatile(\"\" : \"+r\"(fd)); return fd; }}\n"
    );
    std::fs::write(&source, text).expect("a folder of ours");
    let library = folder.join(format!("{name}.so"));
    let mut command = Command::new("cc");
    command.args(["-O2", "-g", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(command.status().expect("the fixtures need cc, too").success());
    library
}

#[test]
fn a_library_in_the_place_of_another_is_not_taken_for_it() {
    if !is_root("CAP_BPF") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name| library(folder.path(), name).display().to_string();
    let arguments = [format!("first={}", path("in_one")), format!("second={}", path("in_two"))];
    let mut fixture = Fixture::start(&c("replaced"), &[&arguments[0], &arguments[1]]);
    let mut reader = Reader::new(&fixture);
    let mut addresses = Vec::new();
    for turn in 0..6 {
        addresses.extend(
            fixture.ask("go").iter().find(|l| l.word == "loaded").map(|l| l.number("address")),
        );
        let round = reader.round();
        let sites = reader.by_site(&round);
        let of = |name: &str| {
            let key = (name.to_owned(), format!("{name}.so"));
            sites.get(&key).copied().unwrap_or(0)
        };
        let (right, wrong) =
            if turn % 2 == 0 { ("in_one", "in_two") } else { ("in_two", "in_one") };
        assert_eq!((of(right), of(wrong)), (8, 0), "turn {turn}, {right}: {sites:?}");
    }
    let same = addresses.iter().all(|address| *address == addresses[0]);
    assert!(same, "the libraries do not take each other's place: {addresses:x?}");
}
