//! The rules of the verdict, as a table: the first that applies decides. What each means, why it is there and how often
//! it errs is told in docs/verdicts.md.

use fdscope_model::Level;

use crate::case::Case;

/// Seconds of a window. No live process is called leaking before the third window is full.
pub(crate) const WINDOW_S: f64 = 8.0;

/// Seconds of a window of a process that ended: waiting longer is not possible.
pub(crate) const ENDED_WINDOW_S: f64 = 1.0;

/// Windows before a verdict of growth.
pub(crate) const WINDOWS: f64 = 3.0;

/// Survivors needed for a verdict of growth while the watch is short: what accumulates lazily is rarely more.
pub(crate) const SURVIVORS_SHORT: usize = 10;

/// Survivors needed once the watch is long: slow leaks get their proportionate time.
pub(crate) const SURVIVORS_LONG: usize = 6;

/// Seconds after which a watch is long.
pub(crate) const LONG_S: f64 = 60.0;

/// As many overdue handles are no leak to speak of yet; fewer are a listener, a log, a connection to a database.
pub(crate) const FEW: usize = 3;

/// Handles open at the exit of a short run that are worth suspicion.
pub(crate) const OPEN_AT_EXIT: usize = 6;

/// A rule: its name in the documentation, what it says, and when it applies.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) applies: fn(&Case<'_>) -> bool,
}

/// Every rule, in order of precedence.
pub(crate) const RULES: &[Rule] = &[
    // Nothing stays.
    Rule {
        name: "released-by-exit",
        level: Level::Steady,
        applies: |c| c.alive() == 0 && c.facts.by_exit > 0,
    },
    Rule { name: "churn", level: Level::Steady, applies: |c| c.alive() == 0 },
    Rule { name: "no-growth", level: Level::Steady, applies: |c| c.falls() },
    Rule {
        name: "collector",
        level: Level::Bounded,
        applies: |c| c.none_overdue() && c.is_sawtooth(),
    },
    Rule {
        name: "steady-state",
        level: Level::Bounded,
        applies: |c| c.none_overdue() && c.has_filled(),
    },
    Rule { name: "in-flight", level: Level::Steady, applies: |c| c.none_overdue() },
    // Grew until a limit stopped it.
    Rule {
        name: "limit-hit",
        level: Level::Leak,
        applies: |c| c.exhausts() && c.is_third_window() && c.is_certain() && !c.closes_late(),
    },
    Rule { name: "limit-hit", level: Level::Suspect, applies: |c| c.exhausts() },
    // The process ended.
    Rule {
        name: "growth-until-exit",
        level: Level::Leak,
        applies: |c| c.ended() && c.is_growing() && !c.slows() && c.is_certain(),
    },
    Rule {
        name: "open-at-exit",
        level: Level::Suspect,
        applies: |c| c.is_whole_run() && c.is_short() && c.overdue() >= OPEN_AT_EXIT,
    },
    Rule {
        name: "open-at-exit",
        level: Level::TooSoon,
        applies: |c| c.is_whole_run() && c.is_short() && c.overdue() >= FEW,
    },
    Rule { name: "released-by-exit", level: Level::Steady, applies: |c| c.ended() && c.is_short() },
    // Grew and stopped.
    Rule {
        name: "plateau",
        level: Level::Bounded,
        applies: |c| c.has_stopped() && c.overdue() > FEW,
    },
    Rule { name: "long-lived", level: Level::Bounded, applies: |c| c.has_stopped() },
    // Might still turn.
    Rule {
        name: "third-window",
        level: Level::TooSoon,
        applies: |c| !c.is_third_window() && c.overdue() >= FEW,
    },
    Rule { name: "turnover", level: Level::TooSoon, applies: |c| c.is_turnover() },
    // Grows.
    Rule {
        name: "load-ended",
        level: Level::TooSoon,
        applies: |c| c.is_growing() && c.went_quiet(),
    },
    Rule {
        name: "closed-late",
        level: Level::Suspect,
        applies: |c| c.is_growing() && c.closes_late(),
    },
    Rule { name: "slowing", level: Level::TooSoon, applies: |c| c.is_growing() && c.slows() },
    Rule {
        name: "lost-events",
        level: Level::Suspect,
        applies: |c| c.is_growing() && c.around.lost > 0,
    },
    Rule {
        name: "no-stacks",
        level: Level::Suspect,
        applies: |c| c.is_growing() && !c.is_certain(),
    },
    Rule {
        name: "hazard-break",
        level: Level::Leak,
        applies: |c| c.is_growing() && c.siblings_die(),
    },
    Rule { name: "growth", level: Level::Leak, applies: |c| c.is_growing() },
    // Undecided.
    Rule {
        name: "irregular",
        level: Level::Suspect,
        applies: |c| c.overdue() >= SURVIVORS_SHORT && c.may_go_on(),
    },
    Rule { name: "proportion", level: Level::TooSoon, applies: |c| c.overdue() >= FEW },
    Rule { name: "long-lived", level: Level::Bounded, applies: |_| true },
];

/// The rule that decides a case.
pub(crate) fn decide(case: &Case<'_>) -> &'static Rule {
    RULES.iter().find(|rule| (rule.applies)(case)).expect("the last rule applies to every case")
}
