//! A case: all that the rules ask about one site, worked out once.

use fdscope_model::{Level, Monotonic};

use crate::rules::{
    ENDED_WINDOW_S, FEW, LONG_S, Rule, SURVIVORS_LONG, SURVIVORS_SHORT, WINDOW_S, WINDOWS,
};
use crate::shape::{CACHE_LIKELY, CACHE_UNLIKELY, Shape, shape};
use crate::site::Facts;
use crate::survival::{Survival, survival};
use crate::swing::{Swing, lasting_rises, swing};
use crate::watched::Beginning;

/// A site closes late if of those that reach the age of its late releases this share is released.
const CLOSED_LATE: f64 = 1.0 / 3.0;

/// The load has ended if nothing was born for this share of the watch.
const QUIET: f64 = 0.15;

/// Seconds without a birth below which nothing is said of a plateau.
const QUIET_S: f64 = 3.0;

/// The share of a watch in which the rises of a counted group are believed.
const SETTLED: f64 = 0.9;

/// A counted group must rise by this multiple of its largest fall.
const NOISE: f64 = 2.0;

/// Seconds, and survivors, before a front-loaded site may be called, and before one that goes up and down may.
const UNCLEAR_S: f64 = 40.0;
const UNCLEAR: usize = 24;

/// The most rises looked at one by one; beyond it each stands for several.
const MOST_RISES: u64 = 4096;

/// Older handles of the same kind that were closed meanwhile.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Turnover {
    /// Handles from before the watch that were closed while it lasted.
    pub(crate) closed: u64,
    /// Those still open.
    pub(crate) left: u64,
    /// Seconds from the beginning of the watch to the last such close: so long, at least, do they live.
    pub(crate) lasted_s: f64,
}

/// One site before the rules.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) around: Surroundings,
    pub(crate) survival: Survival,
    pub(crate) swing: Swing,
    /// Births of overdue handles, ascending, as shares of the span in which a handle can be overdue.
    pub(crate) positions: Vec<f64>,
    pub(crate) shape: Shape,
    /// Seconds of that span.
    pub(crate) span_s: f64,
    /// Handles that each position stands for.
    pub(crate) weight: u64,
    pub(crate) turnover: Turnover,
    /// When the load ended, if it did: what came after is not looked at.
    pub(crate) load_end: Option<Monotonic>,
    /// Handles alive that were born while watched.
    live: u64,
}

/// What a case needs to know of its process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings {
    /// When its watch began.
    pub(crate) begun: Monotonic,
    /// Where in its life that was.
    pub(crate) beginning: Beginning,
    /// Now, or when it ended.
    pub(crate) now: Monotonic,
    /// The last birth at any of its sites.
    pub(crate) last_birth: Monotonic,
    /// Events lost.
    pub(crate) lost: u64,
    /// Descriptors open.
    pub(crate) open: u64,
    /// Calls that failed because a limit was hit.
    pub(crate) refused: u64,
}

impl<'a> Case<'a> {
    pub(crate) fn new(facts: &'a Facts, around: Surroundings) -> Self {
        let Surroundings { begun, now, .. } = around;
        let living: Vec<u64> = facts.survivors.iter().map(|row| now.since_ns(row.born)).collect();
        let survival = survival(&facts.ages, &living);
        let horizon = now.0.saturating_sub(survival.overdue_ns);
        // Where the load has ended, what follows says nothing: the site is judged as of its last birth. For a site that
        // closes most of what it opens its own births are the load, for any other those of the whole process.
        let busy_site = facts.released > facts.survivors.len() as u64;
        let load_end = if busy_site { facts.last_birth } else { around.last_birth };
        let quiet = now.since_ns(load_end) as f64 > QUIET * now.since_ns(begun) as f64;
        let worked_s = load_end.since_ns(begun) as f64 / 1e9;
        let is_over = quiet && worked_s >= WINDOWS * WINDOW_S && facts.ended.is_none();
        let horizon = Monotonic(if is_over { horizon.min(load_end.0) } else { horizon });
        let span_s = horizon.since_ns(begun) as f64 / 1e9;
        let positions: Vec<f64> = facts
            .survivors
            .iter()
            .filter(|row| row.born <= horizon && span_s > 0.0)
            .map(|row| (row.born.since_ns(begun) as f64 / 1e9 / span_s).clamp(0.0, 1.0))
            .collect();
        let mut case = Case::of(facts, around, survival, (positions, span_s));
        case.load_end = is_over.then_some(load_end);
        case
    }

    /// The case of a counted group: its births are the rises that no later fall took back. The last tenth of the watch
    /// shows no births, because what will fall has had no time to fall there.
    pub(crate) fn counted(facts: &'a Facts, around: Surroundings, live: u64) -> Self {
        let Surroundings { begun, now, .. } = around;
        let watched_s = now.since_ns(begun) as f64 / 1e9;
        let span_s = watched_s * SETTLED;
        let bins = facts.bins.until(now);
        let rises = lasting_rises(&bins);
        let total: u64 = rises.iter().map(|rise| rise.1).sum();
        let thin = total.div_ceil(MOST_RISES).max(1);
        let positions = rises
            .iter()
            .flat_map(|&(bin, by)| std::iter::repeat_n(bin, by.div_ceil(thin) as usize))
            .map(|bin| (bins.end_of(bin).since_ns(begun) as f64 / 1e9 / span_s).max(0.0))
            .filter(|&at| at <= 1.0)
            .collect();
        let survival = Survival { overdue_ns: 0, late_releases: 0, late_share: 0.0 };
        let mut case = Case::of(facts, around, survival, (positions, span_s));
        (case.weight, case.live, case.around.lost) = (thin, live, 0);
        case
    }

    fn of(
        facts: &'a Facts,
        around: Surroundings,
        survival: Survival,
        (positions, span_s): (Vec<f64>, f64),
    ) -> Self {
        Case {
            facts,
            around,
            survival,
            swing: swing(&facts.bins.until(around.now)),
            shape: shape(&positions),
            positions,
            span_s,
            weight: 1,
            turnover: Turnover::default(),
            load_end: None,
            live: facts.survivors.len() as u64,
        }
    }

    pub(crate) fn watched_s(&self) -> f64 {
        self.around.now.since_ns(self.around.begun) as f64 / 1e9
    }

    pub(crate) fn alive(&self) -> u64 {
        self.live
    }

    /// Handles older than any sibling lived: the candidates.
    pub(crate) fn overdue(&self) -> usize {
        self.positions.len()
    }

    pub(crate) fn none_overdue(&self) -> bool {
        self.positions.is_empty()
    }

    pub(crate) fn ended(&self) -> bool {
        self.facts.ended.is_some()
    }

    fn window_s(&self) -> f64 {
        if self.is_whole_run() { ENDED_WINDOW_S } else { WINDOW_S }
    }

    /// True if the process ended and its whole run was watched, so that what it left open can be judged by that run.
    /// Descriptors only: what else a process has, such as threads and registrations, is meant to end with it.
    pub(crate) fn is_whole_run(&self) -> bool {
        self.ended() && self.facts.kind.is_descriptor() && self.around.beginning.is_whole_run()
    }

    /// True for a process that ended before three windows of a living one.
    pub(crate) fn is_short(&self) -> bool {
        self.watched_s() < WINDOW_S * WINDOWS
    }

    pub(crate) fn is_third_window(&self) -> bool {
        self.span_s >= self.window_s() * WINDOWS
    }

    /// Survivors needed for growth.
    pub(crate) fn needed(&self) -> usize {
        if self.span_s >= LONG_S { SURVIVORS_LONG } else { SURVIVORS_SHORT }
    }

    pub(crate) fn is_growing(&self) -> bool {
        let enough = self.is_third_window() && self.overdue() >= self.needed();
        enough && self.shape.persists() && !self.is_noise()
    }

    /// True if births grow fewer: a cache that fills.
    pub(crate) fn slows(&self) -> bool {
        if self.siblings_die() {
            return self.shape.slows(CACHE_UNLIKELY);
        }
        let unclear = self.span_s < UNCLEAR_S || self.overdue() < UNCLEAR;
        self.shape.slows(CACHE_LIKELY) || unclear && self.shape.is_front_loaded()
    }

    /// True if births came at least three times and the silence since is no longer than before.
    pub(crate) fn may_go_on(&self) -> bool {
        self.shape.bursts >= FEW && self.shape.may_go_on() && !self.slows() && !self.is_noise()
    }

    /// True for a counted group whose lasting rise is small against its ups and downs.
    fn is_noise(&self) -> bool {
        let rise = (self.overdue() as u64 * self.weight) as f64;
        let falls = self.swing.drawdown as f64;
        self.facts.counted && (rise < NOISE * falls || falls > 0.0 && self.span_s < UNCLEAR_S)
    }

    /// In how many seconds the question will be settled, if things go on as they do.
    pub(crate) fn known_in_s(&self) -> f64 {
        let window_s = (self.window_s() * WINDOWS - self.span_s).max(0.0);
        let birth_s = self.span_s / self.overdue().max(1) as f64;
        let missing = SURVIVORS_LONG.max(self.needed().min(SURVIVORS_SHORT));
        let birth_s = missing.saturating_sub(self.overdue()) as f64 * birth_s;
        let Turnover { closed, left, .. } = self.turnover;
        let older_s = left as f64 / closed.max(1) as f64 * self.watched_s();
        let older_s = if self.is_turnover() { older_s.max(WINDOW_S) } else { 0.0 };
        let slow_s = if self.is_growing() && self.slows() { self.watched_s() } else { 0.0 };
        window_s.max(birth_s).max(older_s).max(slow_s).max(1.0)
    }

    /// True for a counted group that lost as many as it gained.
    pub(crate) fn falls(&self) -> bool {
        self.facts.counted && self.facts.released >= self.facts.acquired
    }

    /// True if the births have stopped, for long enough to say so.
    pub(crate) fn has_stopped(&self) -> bool {
        self.shape.stopped() && (self.ended() || self.silence_s() >= QUIET_S)
    }

    /// Seconds without a birth that stays.
    pub(crate) fn silence_s(&self) -> f64 {
        self.shape.silence * self.span_s
    }

    /// True if watching on will settle the question by itself.
    pub(crate) fn is_undecided(&self, rule: &Rule) -> bool {
        rule.level == Level::TooSoon && !self.ended() && rule.name != "load-ended"
    }

    /// True if nothing forbids certainty. Counted groups have no stacks by their nature.
    pub(crate) fn is_certain(&self) -> bool {
        self.around.lost == 0 && (self.facts.counted || self.facts.has_stacks())
    }

    /// True if the load of the whole process has ended, and only that may be why no more stay.
    pub(crate) fn went_quiet(&self) -> bool {
        self.load_end.is_some() && !self.siblings_die()
    }

    /// True if many were released at an age at which the survivors count as overdue.
    pub(crate) fn closes_late(&self) -> bool {
        self.survival.late_share > CLOSED_LATE
    }

    /// True if calls failed for a limit and this site holds half of what counts against it, never to be released.
    pub(crate) fn exhausts(&self) -> bool {
        let held = self.facts.kind.is_descriptor() && self.overdue() as u64 * 2 > self.around.open;
        held && self.around.refused > 0 && self.overdue() >= SURVIVORS_SHORT
    }

    /// True if most handles of the site are released, and the overdue ones are the exception.
    pub(crate) fn siblings_die(&self) -> bool {
        !self.facts.counted && self.facts.released > self.facts.survivors.len() as u64
    }

    /// True if handles die in masses, again and again.
    pub(crate) fn is_sawtooth(&self) -> bool {
        let Swing { mass_deaths, largest_fall, .. } = self.swing;
        // Of a site whose handles mostly go one by one, a few leave together now and then.
        let most = mass_deaths as u64 * largest_fall * 2 >= self.facts.released;
        mass_deaths >= 2 && self.facts.released >= 10 && most
    }

    /// True if the number rose at first and then stood.
    pub(crate) fn has_filled(&self) -> bool {
        let [first, middle, last] = self.swing.thirds;
        last >= 3.0 && last > 1.3 * first && last < 1.3 * middle
    }

    /// True if as many older handles of the kind were closed as new ones stayed, and some are left to close: the new
    /// ones may only be younger.
    pub(crate) fn is_turnover(&self) -> bool {
        let Turnover { closed, left, lasted_s } = self.turnover;
        let recent = self.watched_s() < 1.5 * lasted_s;
        let hardly = self.facts.released * 5 <= self.facts.acquired;
        hardly && (left > 0 || recent) && closed * 2 >= self.overdue() as u64
    }
}
