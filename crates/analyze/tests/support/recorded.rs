//! The corpus again, by way of a recording: verdicts are those of the watch, also where passing descriptors were folded.

use fdscope_analyze::Judgement;
use fdscope_model::{Level, Monotonic};
use fdscope_record::{Bounds, Ending, Folder, Reader, Record, Writer};

use super::support::{Play, Stage, judge, retold, worst};
use super::{ENDS, HEALTHY, LAST, LEAKING, MORE_HEALTHY, Scenario, first_seed};

/// Seeds for each scenario.
const SEEDS: u64 = 2;
/// Of folded recordings.
const FOLDED_SEEDS: u64 = 5;

fn all() -> impl Iterator<Item = &'static Scenario> {
    HEALTHY.iter().chain(MORE_HEALTHY).chain(LEAKING)
}

fn stage(scenario: &Scenario, seed: u64) -> Stage {
    let mut stage = Stage::new(seed);
    (scenario.script)(&mut stage, LAST);
    stage.traffic(LAST);
    stage.samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    stage
}

/// Written to a file and read back.
fn through_a_file(records: &[Record<'static>]) -> Vec<Record<'static>> {
    let folder = tempfile::tempdir().expect("room for a folder");
    let path = folder.path().join("a.fdr");
    let mut writer = Writer::create(&path, Bounds::default()).expect("a fresh file");
    records.iter().for_each(|record| writer.push(record).expect("room"));
    writer.flush().expect("room");
    let mut read = Vec::new();
    let mut reader = Reader::open(&path).expect("just written");
    let mut take = |record| {
        read.push(record);
        true
    };
    reader.read_all(&mut take).expect("just written");
    assert_eq!(reader.ending(), Ending::Open);
    read
}

/// What a watch that folds has told its ledger and its file by then.
fn folded(records: &[Record<'static>]) -> Vec<Record<'static>> {
    let mut folder = Folder::default();
    let mut told = Vec::new();
    records.iter().for_each(|record| folder.push(record.clone(), &mut |one| told.push(one)));
    folder.flush(&mut |one| told.push(one));
    told
}

#[test]
fn a_replayed_verdict_is_the_live_one() {
    for scenario in all() {
        for seed in first_seed()..first_seed() + SEEDS {
            let stage = stage(scenario, seed);
            let mut play = Play::recorded(&stage);
            for end in [20.0, 60.0, 300.0] {
                let live = play.judge(end);
                let tape = play.tape.as_deref().expect("recorded");
                let replayed = judge(&mut retold(&through_a_file(tape)), end);
                let said = |judgement: &Judgement| format!("{:?}", judgement.verdicts);
                assert_eq!(
                    said(&replayed),
                    said(&live),
                    "{} seed {seed} at {end} s",
                    scenario.name
                );
            }
        }
    }
}

/// Folding changes what is known of passing descriptors, not what is said of those that stay.
#[test]
fn a_folded_leak_is_a_leak_and_a_healthy_program_healthy() {
    let (mut failures, mut judged) = (Vec::new(), 0);
    for scenario in all() {
        for seed in first_seed()..first_seed() + FOLDED_SEEDS {
            let stage = stage(scenario, seed);
            let mut play = Play::recorded(&stage);
            for end in ENDS.into_iter().filter(|end| *end >= scenario.from) {
                let live = play.judge(end);
                let told = folded(play.tape.as_deref().expect("recorded"));
                let replayed = judge(&mut retold(&told), end);
                judged += 1;
                let leaks = |judgement: &Judgement| worst(judgement) == Level::Leak;
                if leaks(&live) != leaks(&replayed) {
                    let (live, folded) = (worst(&live), worst(&replayed));
                    let name = scenario.name;
                    failures.push(format!("{name} seed {seed} at {end} s: {live:?}, {folded:?}"));
                }
            }
        }
    }
    let few = &failures[..failures.len().min(30)];
    assert!(failures.is_empty(), "{} of {judged}:\n{}", failures.len(), few.join("\n"));
}

/// What is folded is counted in full.
#[test]
fn folded_births_and_deaths_are_counted() {
    let stage = stage(&HEALTHY[0], 1);
    let mut play = Play::recorded(&stage);
    play.until(60.0);
    let told = folded(play.tape.as_deref().expect("recorded"));
    let tape = play.tape.as_deref().expect("recorded");
    assert!(told.len() * 10 < tape.len(), "{} of {}", told.len(), tape.len());
    let mut replayed = retold(&told);
    assert_eq!(replayed.events(), play.ledger.events());
    let totals = |judgement: &Judgement| {
        judgement.totals.iter().map(|total| (total.acquired, total.released)).collect::<Vec<_>>()
    };
    assert_eq!(totals(&judge(&mut replayed, 60.0)), totals(&play.judge(60.0)));
    assert!(replayed.last() > Monotonic(0));
}
