//! The corpus: situations that leak and situations that only look so, each over many seeds. `--nocapture` prints the
//! table that docs/verdicts.md shows.

#[path = "support/recorded.rs"]
mod recorded;
mod support;

use fdscope_model::{HandleKind, Level};
use support::{Play, SITE, Stage, worst};

/// Seeds for each healthy scenario.
const HEALTHY_SEEDS: u64 = 200;
/// Seeds for each leaking one.
const LEAKING_SEEDS: u64 = 60;

/// `SCENARIO_FIRST_SEED=1000 cargo test …` runs the corpus on seeds that no threshold was chosen by.
fn first_seed() -> u64 {
    std::env::var("SCENARIO_FIRST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// When a watch may end, in seconds.
const ENDS: [f64; 11] = [10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0];

struct Scenario {
    name: &'static str,
    /// Healthy: judged at every end from here on, never Leak. Leaking: Leak at this end and all later ones.
    from: f64,
    script: fn(&mut Stage, f64),
}

/// Handles that live on after the last end.
const LAST: f64 = 301.0;

const HEALTHY: &[Scenario] = &[
    Scenario {
        name: "steady churn",
        from: 0.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 30.0) {
                let life = s.chance.exponential(0.005);
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "warm-up of 5 to 10 s",
        from: 15.0,
        script: |s, _| {
            let (number, ramp) = (s.chance.between(8.0, 60.0) as u32, s.chance.between(5.0, 10.0));
            for _ in 0..number {
                let at = s.chance.between(0.0, ramp);
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "warm-up of 15 to 22 s",
        from: 30.0,
        script: |s, _| {
            let (number, ramp) =
                (s.chance.between(12.0, 90.0) as u32, s.chance.between(15.0, 22.0));
            for _ in 0..number {
                let at = s.chance.between(0.0, ramp);
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "warm-up of 25 to 35 s",
        from: 45.0,
        script: |s, _| {
            let (number, ramp) =
                (s.chance.between(20.0, 90.0) as u32, s.chance.between(25.0, 35.0));
            for _ in 0..number {
                let at = s.chance.between(0.0, ramp);
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "warm-up in three steps",
        from: 25.0,
        script: |s, _| {
            for step in 0..3 {
                for _ in 0..8 {
                    let at = f64::from(step) * 6.0 + s.chance.between(0.0, 1.0);
                    s.live(at, None);
                }
            }
        },
    },
    Scenario {
        name: "pool, members renewed",
        from: 20.0,
        script: |s, end| {
            for _ in 0..20 {
                let mut at = s.chance.between(0.0, 8.0);
                while at < end {
                    let life = s.chance.between(20.0, 40.0);
                    s.live(at, Some(at + life));
                    at += life + 0.01;
                }
            }
        },
    },
    Scenario {
        name: "cache, oldest evicted",
        from: 15.0,
        script: |s, end| {
            let times = s.stream(0.0, end, 5.0);
            for (index, &at) in times.iter().enumerate() {
                s.live(at, times.get(index + 40).copied());
            }
        },
    },
    Scenario {
        name: "cache that fills ever slower",
        from: 20.0,
        script: |s, _| {
            let tau = s.chance.between(4.0, 9.0);
            for _ in 0..100 {
                let at = s.chance.exponential(tau);
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "pool grown by peaks of load",
        from: 0.0,
        script: |s, end| {
            // New peaks come ever later: the gaps of their logarithms are exponential. Two pools share the site.
            for _ in 0..2 {
                let mut at: f64 = 0.1;
                while at < end {
                    s.live(at, None);
                    at *= s.chance.exponential(1.0).exp();
                }
            }
        },
    },
    Scenario {
        name: "burst, closed later",
        from: 15.0,
        script: |s, _| {
            let closing = s.chance.between(20.0, 40.0);
            for _ in 0..100 {
                let (at, wait) = (s.chance.between(8.0, 10.0), s.chance.between(0.0, 1.0));
                s.live(at, Some(closing + wait));
            }
        },
    },
    Scenario {
        name: "listeners",
        from: 0.0,
        script: |s, _| {
            for _ in 0..3 {
                let at = s.chance.between(0.0, 20.0);
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "collector every 6 to 11 s",
        from: 15.0,
        script: |s, end| {
            let cycle = s.chance.between(6.0, 11.0);
            for at in s.stream(0.0, end, 4.0) {
                let collected = ((at + 0.5) / cycle).ceil() * cycle;
                s.live(at, Some(collected));
            }
        },
    },
    Scenario {
        name: "collector that spares some",
        from: 20.0,
        script: |s, end| {
            let cycle = s.chance.between(4.0, 6.0);
            for at in s.stream(0.0, end, 4.0) {
                let mut collected = (at / cycle).ceil() * cycle;
                while s.chance.is(0.3) {
                    collected += cycle;
                }
                s.live(at, Some(collected));
            }
        },
    },
    Scenario {
        name: "log rotation",
        from: 0.0,
        script: |s, end| {
            let turn = s.chance.between(2.0, 10.0);
            let mut at = 0.5;
            while at < end {
                s.live(at, Some(at + 2.0 * turn + 0.1));
                at += turn;
            }
        },
    },
    Scenario {
        name: "in flight, load in waves",
        from: 0.0,
        script: |s, end| {
            let period = s.chance.between(15.0, 60.0);
            for at in s.stream(0.0, end, 40.0) {
                let load = 0.55 - 0.45 * (at / period * std::f64::consts::TAU).cos();
                if s.chance.is(load) {
                    let life = 0.5 * (s.chance.normal() * 0.7).exp();
                    s.live(at, Some(at + life));
                }
            }
        },
    },
    Scenario {
        name: "in flight, load rising",
        from: 0.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 30.0) {
                if s.chance.is(at / end) {
                    let life = s.chance.exponential(1.0);
                    s.live(at, Some(at + life));
                }
            }
        },
    },
    Scenario {
        name: "keep-alive of 5 to 10 s",
        from: 15.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 2.0) {
                let life = s.chance.between(5.0, 10.0);
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "keep-alive of 40 to 60 s, from before",
        from: 0.0,
        script: |s, end| {
            for index in 0..50 {
                let left = f64::from(index) + s.chance.between(0.0, 1.0);
                s.existing(Some(left));
            }
            for at in s.stream(0.0, end, 1.0) {
                let life = s.chance.between(40.0, 60.0);
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "lifetimes with a heavy tail",
        from: 0.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 20.0) {
                let life = 0.1 * (s.chance.normal() * 1.5).exp();
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "one in twenty is a long poll",
        from: 0.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 10.0) {
                let life = if s.chance.is(0.05) { s.chance.between(3.0, 8.0) } else { 0.02 };
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "batch every 10 s",
        from: 0.0,
        script: |s, end| {
            let mut start = 1.0;
            while start < end {
                for _ in 0..20 {
                    let at = start + s.chance.between(0.0, 2.0);
                    s.live(at, Some(start + 4.0));
                }
                start += 10.0;
            }
        },
    },
    Scenario {
        name: "everything reopened every 20 s",
        from: 10.0,
        script: |s, end| {
            let mut start = 0.0;
            while start < end {
                for _ in 0..30 {
                    let at = start + s.chance.between(0.0, 2.0);
                    s.live(at, Some(start + 20.0));
                }
                start += 20.0;
            }
        },
    },
    Scenario {
        name: "threads: a pool that fills",
        from: 15.0,
        script: |s, end| {
            let full = s.chance.between(6.0, 12.0);
            for_samples(end, |at| {
                s.samples.push((at, HandleKind::Thread, "work-*", (at.min(full) * 3.0) as u64))
            });
        },
    },
    Scenario {
        name: "threads: some per request",
        from: 0.0,
        script: |s, end| {
            for_samples(end, |at| {
                let busy = 20.0 + 8.0 * s.chance.normal();
                s.samples.push((at, HandleKind::Thread, "req-*", busy.max(0.0) as u64));
            });
        },
    },
    Scenario {
        name: "zombies reaped now and then",
        from: 0.0,
        script: |s, end| {
            for_samples(end, |at| {
                s.samples.push((at, HandleKind::Zombie, "sh", (at % 8.0) as u64))
            });
        },
    },
    Scenario {
        name: "mappings of a heap that breathes",
        from: 0.0,
        script: |s, end| {
            let mut level: f64 = 100.0;
            for_samples(end, |at| {
                level = 100.0 + 0.7 * (level - 100.0) + 6.0 * s.chance.normal();
                s.samples.push((at, HandleKind::Mapping, "anon 64K", level as u64));
            });
        },
    },
];

const MORE_HEALTHY: &[Scenario] = &[
    Scenario {
        name: "busy site that keeps some for 30 s",
        from: 45.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 40.0) {
                let kept = s.chance.is(0.01);
                let life = if kept { 30.0 } else { s.chance.exponential(0.01) };
                s.live(at, Some(at + life));
            }
        },
    },
    Scenario {
        name: "busy start of 10 s, then idle",
        from: 15.0,
        script: |s, _| {
            for at in s.stream(0.0, 10.0, 30.0) {
                let (kept, life) = (s.chance.is(0.1), s.chance.exponential(0.01));
                s.live(at, (!kept).then_some(at + life));
            }
        },
    },
    Scenario {
        name: "pool within a busy site",
        from: 15.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 20.0) {
                let (kept, life) = (at < 8.0 && s.chance.is(0.1), s.chance.exponential(0.01));
                s.live(at, (!kept).then_some(at + life));
            }
        },
    },
];

const LEAKING: &[Scenario] = &[
    Scenario {
        name: "error path, load ends after 35 s",
        from: 60.0,
        script: |s, _| {
            for at in s.stream(0.0, 35.0, 20.0) {
                let (leaks, life) = (s.chance.is(0.05), s.chance.exponential(0.04));
                s.live(at, (!leaks).then_some(at + life));
            }
        },
    },
    Scenario { name: "1 a second", from: 30.0, script: |s, end| every(s, end, 1.0) },
    Scenario {
        name: "1 a second by chance",
        from: 45.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 1.0) {
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "3 a second by chance",
        from: 30.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 3.0) {
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "1 a second, 20 % jitter",
        from: 30.0,
        script: |s, end| {
            let mut at = 0.5;
            while at < end {
                s.live(at, None);
                at += s.chance.between(0.8, 1.2);
            }
        },
    },
    Scenario {
        name: "5 at once every 5 s",
        from: 45.0,
        script: |s, end| {
            let mut at = 1.0;
            while at < end {
                for _ in 0..5 {
                    let offset = s.chance.between(0.0, 0.2);
                    s.live(at + offset, None);
                }
                at += 5.0;
            }
        },
    },
    Scenario {
        name: "8 s leaking, 8 s not",
        from: 90.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 2.0) {
                if at % 16.0 < 8.0 {
                    s.live(at, None);
                }
            }
        },
    },
    Scenario { name: "1 in 10 s", from: 90.0, script: |s, end| every(s, end, 10.0) },
    Scenario {
        name: "1 in 10 s by chance",
        from: 300.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 0.1) {
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "error path, 1 in 20",
        from: 30.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 20.0) {
                let life = s.chance.exponential(0.04);
                let leaks = s.chance.is(0.05);
                s.live(at, (!leaks).then_some(at + life));
            }
        },
    },
    Scenario {
        name: "warm-up of 50, then 1 a second",
        from: 45.0,
        script: |s, end| {
            for _ in 0..50 {
                let at = s.chance.between(0.0, 4.0);
                s.live(at, None);
            }
            every(s, end, 1.0);
        },
    },
    Scenario {
        name: "total flat: another site shrinks",
        from: 30.0,
        script: |s, end| {
            for index in 0..200 {
                s.live_at(7, 0.01, Some(1.0 + f64::from(index)));
            }
            every(s, end, 1.0);
        },
    },
    Scenario {
        name: "among what a collector closes",
        from: 90.0,
        script: |s, end| {
            let cycle = s.chance.between(6.0, 9.0);
            for at in s.stream(0.0, end, 4.0) {
                let leaks = s.chance.is(0.25);
                s.live(at, (!leaks).then_some((at / cycle).ceil() * cycle));
            }
        },
    },
    Scenario {
        name: "among keep-alives of 2 to 5 s",
        from: 60.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 2.0) {
                let (life, leaks) = (s.chance.between(2.0, 5.0), s.chance.is(0.4));
                s.live(at, (!leaks).then_some(at + life));
            }
        },
    },
    Scenario {
        name: "begins after 15 s",
        from: 60.0,
        script: |s, end| {
            for at in s.stream(15.0, end, 1.5) {
                s.live(at, None);
            }
        },
    },
    Scenario {
        name: "grows faster and faster",
        from: 45.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 4.0) {
                if s.chance.is(0.15 + 0.85 * at / end) {
                    s.live(at, None);
                }
            }
        },
    },
    Scenario {
        name: "load in waves, 1 in 10 leaks",
        from: 60.0,
        script: |s, end| {
            for at in s.stream(0.0, end, 20.0) {
                let load = 0.6 - 0.4 * (at / 20.0 * std::f64::consts::TAU).cos();
                if s.chance.is(load) {
                    let leaks = s.chance.is(0.1);
                    s.live(at, (!leaks).then_some(at + 0.1));
                }
            }
        },
    },
    Scenario {
        name: "threads: 1 a second",
        from: 45.0,
        script: |s, end| {
            for_samples(end, |at| {
                s.samples.push((at, HandleKind::Thread, "looper-*", 4 + at as u64))
            });
        },
    },
    Scenario {
        name: "threads: leak under a busy pool",
        from: 90.0,
        script: |s, end| {
            for_samples(end, |at| {
                let busy = 10.0 + 3.0 * s.chance.normal() + at;
                s.samples.push((at, HandleKind::Thread, "req-*", busy.max(0.0) as u64));
            });
        },
    },
    Scenario {
        name: "zombies: 1 in 2 s",
        from: 60.0,
        script: |s, end| {
            for_samples(end, |at| {
                s.samples.push((at, HandleKind::Zombie, "sh", (at / 2.0) as u64))
            });
        },
    },
];

fn every(stage: &mut Stage, end: f64, seconds: f64) {
    let mut at = stage.chance.between(0.0, seconds);
    while at < end {
        stage.live(at, None);
        at += seconds;
    }
}

/// Samples are taken every two seconds.
fn for_samples(end: f64, mut sample: impl FnMut(f64)) {
    let mut at = 0.1;
    while at < end {
        sample(at);
        at += 2.0;
    }
}

/// Levels of the worst verdict at each end.
fn levels(scenario: &Scenario, seed: u64) -> Vec<(f64, Level, &'static str)> {
    let mut stage = Stage::new(seed);
    (scenario.script)(&mut stage, LAST);
    stage.traffic(LAST);
    stage.samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut play = Play::new(&stage);
    let judge = |end: f64| {
        let judgement = play.judge(end);
        (end, worst(&judgement), judgement.verdicts.first().map_or("", |verdict| verdict.rule))
    };
    ENDS.into_iter().map(judge).collect()
}

#[test]
fn no_healthy_program_is_called_leaking() {
    let mut failures = Vec::new();
    println!("{:<40} {:>6} {:>8} {:>8}", "healthy", "seeds", "leak", "suspect");
    for scenario in HEALTHY.iter().chain(MORE_HEALTHY) {
        let (mut leaks, mut suspects, mut judged) = (0, 0, 0);
        for seed in first_seed()..first_seed() + HEALTHY_SEEDS {
            for (end, level, rule) in
                levels(scenario, seed).into_iter().filter(|l| l.0 >= scenario.from)
            {
                judged += 1;
                suspects += u32::from(level == Level::Suspect);
                if level == Level::Leak {
                    leaks += 1;
                    failures.push(format!("{} seed {seed} at {end} s: {rule}", scenario.name));
                }
            }
        }
        let share = |n: u32| format!("{:.2} %", 100.0 * f64::from(n) / f64::from(judged));
        println!("{:<40} {HEALTHY_SEEDS:>6} {:>8} {:>8}", scenario.name, leaks, share(suspects));
    }
    assert!(
        failures.is_empty(),
        "{} false alarms:\n{}",
        failures.len(),
        failures[..failures.len().min(30)].join("\n")
    );
}

#[test]
fn leaking_programs_are_found() {
    let mut failures = Vec::new();
    println!(
        "{:<40} {:>6} {:>9} {:>10} {:>8}",
        "leaking", "seeds", "found by", "median at", "found"
    );
    for scenario in LEAKING {
        let (mut found, mut at_last, mut times) = (0, 0, Vec::new());
        for seed in first_seed()..first_seed() + LEAKING_SEEDS {
            let levels = levels(scenario, seed);
            let is = |end: f64| levels.iter().any(|l| l.0 == end && l.1 == Level::Leak);
            found += u64::from(is(scenario.from));
            times.extend(levels.iter().find(|l| l.1 == Level::Leak).map(|l| l.0));
            at_last += u64::from(is(ENDS[ENDS.len() - 1]));
        }
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
        let share = 100.0 * found as f64 / LEAKING_SEEDS as f64;
        println!(
            "{:<40} {LEAKING_SEEDS:>6} {:>7} s {median:>8} s {share:>6.0} %",
            scenario.name, scenario.from
        );
        if at_last * 100 < LEAKING_SEEDS * 95 {
            failures
                .push(format!("{}: {at_last} of {LEAKING_SEEDS} at the last end", scenario.name));
        }
        if share < 95.0 {
            failures.push(format!("{}: only {share:.0} % by {} s", scenario.name, scenario.from));
        }
    }
    assert!(
        failures.is_empty(),
        "{}:\n{}",
        failures.len(),
        failures[..failures.len().min(40)].join("\n")
    );
}

#[test]
fn the_site_is_named_and_not_another() {
    let mut stage = Stage::new(1);
    every(&mut stage, 60.0, 1.0);
    stage.traffic(60.0);
    let judgement = Play::new(&stage).judge(30.0);
    let verdict = support::on_site(&judgement, SITE).expect("a verdict on the site");
    assert_eq!(verdict.level, Level::Leak);
    assert_eq!(support::on_site(&judgement, 50).map(|v| v.level), Some(Level::Steady));
}
