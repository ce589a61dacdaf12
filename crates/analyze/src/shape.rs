//! When the survivors of a site were born, as a shape over the watch: spread to the end, stopped, in bursts, slowing.
//! Positions are shares of the watch, 0 its beginning and 1 its end, so nothing here depends on how fast a leak is.

/// Slots the watch is divided into, to tell births apart that came in one stroke.
const SLOTS: usize = 48;

/// A gap above this share of the watch is a pause and not the grain of a steady stream.
const PAUSE: f64 = 1.0 / 8.0;

/// Births are in bursts if there are at least so many a burst on average.
const BURST: usize = 2;

/// Bursts fill at most this share of the time; chance clusters of a thin stream fill more.
const BUSY: f64 = 0.6;

/// How sure one must be that births slow before a leak is not called.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Doubt {
    /// Standard errors between the first and the last of three parts.
    parts: f64,
    /// Standard errors by which births lie early.
    skew: f64,
    /// Smirnov's statistic.
    ahead: f64,
}

/// For a site that closes nothing: it may be a cache. Even streams fail one of these in one case of eight.
pub(crate) const CACHE_LIKELY: Doubt = Doubt { parts: 2.2, skew: 1.6, ahead: 1.1 };

/// For a site that closes nearly everything: a cache is unlikely, and errors come irregularly.
pub(crate) const CACHE_UNLIKELY: Doubt = Doubt { parts: 3.0, skew: 2.4, ahead: 1.5 };

/// The shape of births over a watch.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Shape {
    /// Births.
    pub(crate) births: usize,
    /// Of them, those in the later half.
    pub(crate) later: usize,
    /// Slots with a birth.
    pub(crate) occupied: usize,
    /// Of them, those in the later half.
    pub(crate) later_occupied: usize,
    /// The longest pause between two births.
    pub(crate) longest_gap: f64,
    /// The silence after the last birth.
    pub(crate) silence: f64,
    /// Runs of births with pauses between them.
    pub(crate) bursts: usize,
    /// The share of the time from the first birth to the last that lies within bursts.
    pub(crate) busy: f64,
    /// The births of the largest of them, and the mean of those in the later half.
    pub(crate) largest_burst: usize,
    pub(crate) later_burst: f64,
    /// Births in the three parts of the last three quarters.
    pub(crate) parts: [usize; 3],
    /// Births in the first quarter and in the last.
    pub(crate) ends: [usize; 2],
    /// Slots with a birth in the last third.
    pub(crate) last_third: usize,
    /// By how many standard errors births lie earlier than an even stream would.
    pub(crate) skew: f64,
    /// By how much births run ahead of an even stream at worst, times the root of their number (Smirnov's statistic).
    pub(crate) ahead: f64,
}

/// The shape of births at `positions`, which must be ascending and within 0 to 1.
pub(crate) fn shape(positions: &[f64]) -> Shape {
    let Some(&last) = positions.last() else {
        return Shape { silence: 1.0, ..Shape::default() };
    };
    let gaps = || positions.windows(2).map(|pair| pair[1] - pair[0]);
    let longest_gap = gaps().fold(0.0, f64::max);
    let pause = (longest_gap * 0.4).max(1.0 / SLOTS as f64);
    let mut slots = [0u32; SLOTS];
    let mut parts = [0; 3];
    for &at in positions {
        slots[((at * SLOTS as f64) as usize).min(SLOTS - 1)] += 1;
        if at >= 0.25 {
            parts[((at - 0.25) * 4.0).clamp(0.0, 2.0) as usize] += 1;
        }
    }
    let taken: Vec<usize> = (0..SLOTS).filter(|&slot| slots[slot] > 0).collect();
    let from = |start: usize| taken.iter().filter(|&&slot| slot >= start).count();
    let (skew, ahead) = earliness(&slots);
    let bursts: Vec<&[f64]> = positions.chunk_by(|a, b| b - a <= pause).collect();
    Shape {
        births: positions.len(),
        later: positions.iter().filter(|&&at| at >= 0.5).count(),
        occupied: taken.len(),
        later_occupied: from(SLOTS / 2),
        ends: [
            positions.iter().filter(|&&at| at < 0.25).count(),
            positions.iter().filter(|&&at| at >= 0.75).count(),
        ],
        last_third: from(SLOTS * 2 / 3),
        skew,
        ahead,
        longest_gap,
        silence: 1.0 - last,
        bursts: bursts.len(),
        busy: bursts.iter().map(|burst| burst[burst.len() - 1] - burst[0]).sum::<f64>()
            / (last - positions[0]).max(f64::MIN_POSITIVE),
        largest_burst: bursts.iter().map(|burst| burst.len()).max().unwrap_or(0),
        later_burst: mean_size(bursts.iter().filter(|burst| burst[0] >= 0.5)),
        parts,
    }
}

fn mean_size<'a>(bursts: impl Iterator<Item = &'a &'a [f64]>) -> f64 {
    let (count, births) = bursts.fold((0, 0), |(n, sum), burst| (n + 1, sum + burst.len()));
    births as f64 / f64::from(count.max(1))
}

impl Shape {
    /// True if the silence at the end is no longer than pauses were before.
    pub(crate) fn may_go_on(&self) -> bool {
        self.silence <= 1.25 * self.longest_gap
    }

    /// True if births come in bursts of like size with pauses between them. One great burst with stragglers is no such
    /// thing: a cache that fills looks so.
    fn in_bursts(&self) -> bool {
        self.longest_gap > PAUSE
            && self.births >= BURST * self.bursts
            && self.busy <= BUSY
            && self.later_burst * 2.0 >= self.largest_burst as f64
    }

    /// Births that count as independent: all slots with one, or each burst once.
    pub(crate) fn independent(&self) -> usize {
        if self.in_bursts() { self.bursts } else { self.occupied }
    }

    /// The chance of so long a silence at the end if births went on as before.
    fn chance_of_silence(&self) -> f64 {
        (1.0 - self.silence).powi(self.independent() as i32)
    }

    /// True if births went on to the end: in a steady stream, thinly, or in repeated bursts.
    pub(crate) fn persists(&self) -> bool {
        // By slots and not by births: a burst while the program warms up must not hide what follows.
        if self.later < 3 || self.later_occupied * 4 < self.occupied {
            return false;
        }
        if self.in_bursts() {
            return self.bursts >= 4 && self.may_go_on();
        }
        self.occupied >= 6
            && self.last_third >= 2
            && self.chance_of_silence() >= 0.02
            && self.silence <= (1.25 * self.longest_gap).max(PAUSE)
    }

    /// True if far more came at the beginning than at the end: a warm-up that a leak follows, or a cache that fills. Only
    /// time or number can tell which.
    pub(crate) fn is_front_loaded(&self) -> bool {
        self.ends[0] >= 2 * self.ends[1] + 2
    }

    /// True if births have stopped: the silence is longer than any before and not by chance.
    pub(crate) fn stopped(&self) -> bool {
        let longest = self.silence > 1.5 * self.longest_gap;
        longest && (self.silence > 0.5 || self.silence > 0.1 && self.chance_of_silence() < 0.01)
    }

    /// True if births grow fewer, by more than chance: a cache that fills does so, and a pool that grows with each new
    /// peak of load.
    pub(crate) fn slows(&self, doubt: Doubt) -> bool {
        let [a, b, c] = self.parts.map(|part| part as f64);
        let fewer = b <= a && c < 0.65 * a && (a - c) / (a + c).sqrt() > doubt.parts;
        !self.in_bursts() && (fewer || self.skew > doubt.skew || self.ahead > doubt.ahead)
    }
}

/// How much earlier than an even stream the births in `slots` are: the mean in standard errors, and Smirnov's statistic.
///
/// Births of one slot are not independent. Where slots are plenty each counts once, so that a warm-up's burst does not
/// weigh against the steady stream after it; where births are few, up to three count.
fn earliness(slots: &[u32; SLOTS]) -> (f64, f64) {
    let taken = slots.iter().filter(|&&births| births > 0).count();
    let most = if taken < 16 { 3 } else { 1 };
    let (mut seen, mut sum) = (0.0, 0.0);
    let total = slots.iter().map(|&births| f64::from(births.min(most))).sum::<f64>();
    let mut ahead = 0.0_f64;
    for (slot, &births) in slots.iter().enumerate() {
        let births = f64::from(births.min(most));
        seen += births;
        sum += births * (slot as f64 + 0.5) / SLOTS as f64;
        ahead = ahead.max(seen / total - (slot as f64 + 1.0) / SLOTS as f64);
    }
    // Positions of an even stream have mean 1/2 and variance 1/12.
    ((0.5 - sum / total) * (12.0 * total).sqrt(), ahead * total.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(positions: impl IntoIterator<Item = f64>, persists: bool, stopped: bool, slows: bool) {
        let positions: Vec<f64> = positions.into_iter().collect();
        let shape = shape(&positions);
        assert_eq!(
            (shape.persists(), shape.stopped(), shape.slows(CACHE_LIKELY)),
            (persists, stopped, slows),
            "{shape:?}"
        );
    }

    #[test]
    fn shapes_are_told_apart() {
        check((0..30).map(|n| f64::from(n) / 30.0), true, false, false);
        check((0..6).map(|n| f64::from(n) / 6.0), true, false, false);
        // What stopped also slowed.
        check((0..20).map(|n| f64::from(n) / 40.0), false, true, true);
        check((0..3).map(|n| f64::from(n) / 100.0), false, true, true);
        // Bursts of five, six times.
        check(
            (0..30).map(|n| f64::from(n / 5) / 6.0 + f64::from(n % 5) / 1000.0),
            true,
            false,
            false,
        );
        // Two bursts only.
        check(
            (0..20).map(|n| f64::from(n / 10) / 2.0 + f64::from(n % 10) / 1000.0),
            false,
            false,
            false,
        );
        // A cache that fills: exponential approach with a time constant of a third of the watch.
        check((1..95).map(|n| -(1.0 - f64::from(n) / 100.0).ln() / 3.0), true, false, true);
    }
}
