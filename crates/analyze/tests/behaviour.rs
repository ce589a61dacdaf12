//! What a verdict says, one fact a test: levels that evidence caps, dups, exits, misuse, forecasts.

mod support;

use fdscope_model::{HandleKind, Level, LimitName};
use support::{Play, Stage, judged, leak, on_site, site, worst};

#[test]
fn a_leak_of_one_a_second_is_called_within_thirty_seconds_and_never_before_the_third_window() {
    let mut stage = Stage::new(1);
    leak(&mut stage, 40.0, 1.0);
    stage.traffic(40.0);
    let mut play = Play::new(&stage);
    for (now, level) in
        [(8.0, Level::TooSoon), (23.9, Level::TooSoon), (24.5, Level::Leak), (30.0, Level::Leak)]
    {
        assert_eq!(site(&play.judge(now)).level, level, "at {now} s");
    }
}

#[test]
fn too_soon_says_when_it_will_be_known() {
    let mut stage = Stage::new(1);
    leak(&mut stage, 40.0, 1.0);
    let judgement = judged(&stage, 14.0);
    let verdict = site(&judgement);
    assert_eq!(verdict.level, Level::TooSoon);
    assert!(
        verdict.evidence.iter().any(|line| line == "It will be known in about 10 s."),
        "{:#?}",
        verdict.evidence
    );
}

#[test]
fn a_leak_says_how_much_how_fast_and_that_nobody_closes() {
    let mut stage = Stage::new(1);
    leak(&mut stage, 60.0, 3.0);
    stage.traffic(60.0);
    stage.samples.push((0.05, HandleKind::Zombie, "none", 0));
    let judgement = judged(&stage, 46.0);
    let verdict = site(&judgement);
    assert_eq!((verdict.level, verdict.rule), (Level::Leak, "growth"));
    let (acquired, released, live) = (verdict.acquired, verdict.released, verdict.live);
    assert_eq!((acquired, released, live), (138, 0, 138));
    let rate = verdict.rate.expect("it grows");
    assert!((rate.per_s - 3.0).abs() < 0.1 && rate.low_per_s < 3.0 && rate.high_per_s > 3.0);
    let forecast = verdict.forecast.expect("the limit is known");
    assert_eq!((forecast.limit.name, forecast.limit.value), (LimitName::Nofile, 1024));
    let left = (1024 - forecast.limit.used) as f64 / rate.per_s;
    assert!((forecast.reached_in_s.expect("growth") - left).abs() < 1.0);
    let headline = &verdict.evidence[0];
    assert!(
        headline.starts_with("`site_1` opens 3.0 files a second that stay: 138 files never closed"),
        "{headline}"
    );
    assert!(verdict.closed_by.is_empty());
    assert_eq!(verdict.examples.len(), 3);
    assert!(verdict.examples[0].age_ns > verdict.examples[1].age_ns);
    assert!(verdict.ruled_out.len() >= 3);
    assert!(
        verdict.advice.starts_with("Nobody releases these: when its use ends, close it"),
        "{}",
        verdict.advice
    );
}

#[test]
fn an_error_path_names_who_closes_its_siblings() {
    let mut stage = Stage::new(3);
    for at in stage.stream(0.0, 60.0, 20.0) {
        let leaks = stage.chance.is(0.05);
        stage.live(at, (!leaks).then_some(at + 0.04));
    }
    let judgement = judged(&stage, 58.0);
    let verdict = site(&judgement);
    assert_eq!((verdict.level, verdict.rule), (Level::Leak, "hazard-break"));
    assert_eq!(verdict.closed_by[0].count, verdict.released);
    let at = verdict.closed_by[0].at.expect("a frame above plumbing");
    let closer = verdict.closed_by[0].frames[at].symbol.function.as_deref();
    assert_eq!(closer, Some("site_90"));
    assert!(
        verdict.evidence.iter().any(|line| line.ends_with("no sibling reached that age.")),
        "{:#?}",
        verdict.evidence
    );
    assert!(verdict.advice.contains("released within 40 ms by site_90"), "{}", verdict.advice);
}

#[test]
fn what_leaked_before_the_watch_is_told() {
    let mut stage = Stage::new(1);
    (0..320).for_each(|_| stage.existing(None));
    leak(&mut stage, 40.0, 1.0);
    let judgement = judged(&stage, 35.0);
    let told = "Before watching began: 320 of the 320 already open have names like these.";
    let evidence = &site(&judgement).evidence;
    assert!(evidence.iter().any(|line| line == told), "{evidence:#?}");
}

#[test]
fn a_number_that_does_not_grow_has_no_rate() {
    let mut stage = Stage::new(1);
    for step in 0..60u64 {
        let count = if step < 30 { 51 + step % 4 } else { 30 + step % 5 };
        stage.samples.push((step as f64 * 0.5, HandleKind::Registration, "fd 11", count));
    }
    let judgement = judged(&stage, 30.0);
    let verdict = judgement.verdicts.first().expect("a counted group");
    assert_eq!((verdict.level, verdict.rule), (Level::Steady, "no-growth"));
    let said = verdict.evidence.join(" ");
    assert!(verdict.rate.is_none() && !said.contains("an hour"), "{said}");
}

#[test]
fn what_a_late_first_sample_shows_is_no_birth() {
    let mut stage = Stage::new(1);
    for step in 0..40u64 {
        stage.samples.push((11.0 + step as f64 * 0.5, HandleKind::Mapping, "other", 24));
    }
    let judgement = judged(&stage, 32.0);
    assert!(judgement.verdicts.iter().all(|v| v.acquired == 0), "{:#?}", judgement.verdicts);
}

#[test]
fn clients_that_leave_together_now_and_then_are_no_collector() {
    let mut stage = Stage::new(1);
    for index in 0..3000 {
        let at = f64::from(index) / 100.0;
        stage.live(at, Some(at + 0.004));
        if index % 300 == 0 {
            for _ in 0..7 {
                stage.live(at, Some(at + 1.0));
            }
        }
    }
    let judgement = judged(&stage, 30.0);
    assert_eq!((site(&judgement).level, site(&judgement).rule), (Level::Steady, "churn"));
    let judgement = judged(&stage, 27.5);
    assert_eq!(site(&judgement).level, Level::Steady, "{:#?}", site(&judgement).evidence);
}

#[test]
fn half_a_second_of_quiet_is_no_plateau() {
    let mut stage = Stage::new(1);
    stage.live(29.3, None);
    stage.live(29.5, None);
    let judgement = judged(&stage, 30.0);
    let evidence = &site(&judgement).evidence;
    assert_eq!(evidence[0], "2 files are kept: too few to speak of a leak.");
}

#[test]
fn threads_counted_by_name_are_not_told_beside_those_followed() {
    let mut stage = Stage::new(1);
    for index in 0..5u32 {
        let life = stage.live(1.0 + f64::from(index) * 5.9, None);
        stage.lives[life].kind = HandleKind::Thread;
        let now = u64::from(index) + 3;
        stage.samples.push((1.1 + f64::from(index) * 5.9, HandleKind::Thread, "httpg", now));
    }
    let judgement = judged(&stage, 30.0);
    assert_eq!(judgement.verdicts.len(), 1, "{:#?}", judgement.verdicts);
}

#[test]
fn lost_events_cap_a_leak_at_suspect() {
    let mut stage = Stage::new(1);
    leak(&mut stage, 40.0, 1.0);
    stage.lost_at = Some(3.0);
    let judgement = judged(&stage, 35.0);
    assert_eq!((site(&judgement).level, site(&judgement).rule), (Level::Suspect, "lost-events"));
}

#[test]
fn without_stacks_a_leak_is_a_suspicion_by_name() {
    let mut stage = Stage::new(1);
    stage.stackless = true;
    leak(&mut stage, 40.0, 1.0);
    let judgement = judged(&stage, 35.0);
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.level, verdict.rule), (Level::Suspect, "no-stacks"));
    assert_eq!(verdict.site.pattern, Some("pattern".into()));
}

#[test]
fn dup_of_leaked_fd_is_one_leak() {
    let mut stage = Stage::new(1);
    for second in 0..40 {
        let at = f64::from(second) + 0.2;
        let original = stage.live(at, None);
        let dup = stage.live_at(2, at + 0.001, None);
        stage.lives[dup].dup_of = Some(original);
    }
    let judgement = judged(&stage, 35.0);
    let leaks: Vec<_> = judgement.verdicts.iter().filter(|v| v.level == Level::Leak).collect();
    assert_eq!(leaks.len(), 1);
    assert_eq!(site(&judgement).level, Level::Leak);
    assert_eq!(site(&judgement).descriptions, Some(35));
    let told = site(&judgement)
        .evidence
        .iter()
        .any(|line| line.contains("a second time, duplicated at `site_2`"));
    assert!(told, "{:#?}", site(&judgement).evidence);
}

#[test]
fn a_dup_whose_original_is_closed_leaks_at_the_dup() {
    let mut stage = Stage::new(1);
    for second in 0..40 {
        let at = f64::from(second) + 0.2;
        let original = stage.live(at, Some(at + 0.01));
        let dup = stage.live_at(2, at + 0.001, None);
        stage.lives[dup].dup_of = Some(original);
    }
    let judgement = judged(&stage, 35.0);
    assert_eq!(on_site(&judgement, 2).map(|v| v.level), Some(Level::Leak));
    assert_eq!(site(&judgement).level, Level::Steady);
}

#[test]
fn a_caller_that_explains_the_survivors_is_named() {
    let mut stage = Stage::new(1);
    for index in 0..400 {
        let at = f64::from(index) / 10.0;
        let guilty = index % 10 == 0;
        let stack = if guilty { 7001 } else { 8001 };
        stage.live_at(stack, at, (!guilty).then_some(at + 0.01));
    }
    let judgement = judged(&stage, 38.0);
    let verdict = site(&judgement);
    assert_eq!((verdict.level, verdict.site.stacks), (Level::Leak, 2));
    assert!(
        verdict.evidence.iter().any(|line| line.ends_with("come by way of caller_7.")),
        "{:#?}",
        verdict.evidence
    );
    assert_eq!(verdict.site.frames[2].symbol.function.as_deref(), Some("caller_7"));
}

#[test]
fn open_at_exit_is_a_suspicion_and_growth_until_exit_a_leak() {
    let run = |number: u32, over_s: f64, exit_s: f64| {
        let mut stage = Stage::new(1);
        for index in 0..number {
            stage.live(over_s * f64::from(index) / f64::from(number), None);
        }
        (stage.launched, stage.exit_at) = (true, Some(exit_s));
        let judgement = judged(&stage, exit_s + 1.0);
        (site(&judgement).level, site(&judgement).rule, site(&judgement).live)
    };
    assert_eq!(run(3, 0.5, 0.6), (Level::TooSoon, "open-at-exit", 3));
    assert_eq!(run(100, 0.5, 0.6), (Level::Suspect, "open-at-exit", 100));
    assert_eq!(run(8, 0.2, 5.0), (Level::Suspect, "open-at-exit", 8));
    assert_eq!(run(100, 5.0, 5.0), (Level::Leak, "growth-until-exit", 100));
    assert_eq!(run(100, 40.0, 40.0), (Level::Leak, "growth-until-exit", 100));
    assert_eq!(run(20, 2.0, 60.0), (Level::Bounded, "plateau", 20));
}

#[test]
fn what_a_running_server_has_open_is_released_by_its_exit() {
    let run = |kind: HandleKind, launched: bool| {
        let mut stage = Stage::new(1);
        for index in 0..40 {
            let life = stage.live(f64::from(index) * 0.2, None);
            stage.lives[life].kind = kind;
        }
        (stage.launched, stage.exit_at) = (launched, Some(8.6));
        let judgement = judged(&stage, 20.0);
        (site(&judgement).level, site(&judgement).rule)
    };
    let released = (Level::Steady, "released-by-exit");
    assert_eq!(run(HandleKind::Socket, false), released);
    assert_eq!(run(HandleKind::Registration, true), released);
    assert_eq!(run(HandleKind::Thread, true), released);
    assert_eq!(run(HandleKind::Socket, true), (Level::Leak, "growth-until-exit"));
}

#[test]
fn counted_kinds_are_not_judged_by_the_end_of_their_process() {
    let mut stage = Stage::new(1);
    for step in 0..17u64 {
        stage.samples.push((step as f64 * 0.5, HandleKind::Registration, "fd 8", 13 + step));
    }
    (stage.launched, stage.exit_at) = (true, Some(8.6));
    assert_eq!(worst(&judged(&stage, 30.0)), Level::Steady);
}

#[test]
fn a_process_that_closes_all_before_exit_is_steady() {
    let mut stage = Stage::new(1);
    for index in 0..50 {
        stage.live(f64::from(index) * 0.01, Some(0.9));
    }
    stage.exit_at = Some(1.0);
    assert_eq!(worst(&judged(&stage, 2.0)), Level::Steady);
}
