//! When the survivors of a site were born, as a shape over the watch: spread to the end, stopped, in bursts, slowing.
//! Positions are shares of the watch, 0 its beginning and 1 its end, so nothing here depends on how fast a leak is.

/// Slots the watch is divided into, to tell births apart that came in one stroke.
const SLOTS: usize = 48;

/// A gap above this share of the watch is a pause and not the grain of a steady stream.
const PAUSE: f64 = 1.0 / 8.0;

/// Births are in bursts if there are at least so many a burst on average.
const BURST: usize = 2;

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
    /// Births in the three parts of the last three quarters.
    pub(crate) parts: [usize; 3],
    /// Where the first birth is.
    pub(crate) first: f64,
}

/// The shape of births at `positions`, which must be ascending and within 0 to 1.
pub(crate) fn shape(positions: &[f64]) -> Shape {
    let (Some(&first), Some(&last)) = (positions.first(), positions.last()) else {
        return Shape { silence: 1.0, first: 1.0, ..Shape::default() };
    };
    let gaps = || positions.windows(2).map(|pair| pair[1] - pair[0]);
    let longest_gap = gaps().fold(0.0, f64::max);
    let pause = (longest_gap * 0.4).max(1.0 / SLOTS as f64);
    let mut slots = [false; SLOTS];
    let mut parts = [0; 3];
    for &at in positions {
        slots[((at * SLOTS as f64) as usize).min(SLOTS - 1)] = true;
        if at >= 0.25 {
            parts[((at - 0.25) * 4.0).clamp(0.0, 2.0) as usize] += 1;
        }
    }
    Shape {
        births: positions.len(),
        later: positions.iter().filter(|&&at| at >= 0.5).count(),
        occupied: slots.iter().filter(|&&slot| slot).count(),
        later_occupied: slots[SLOTS / 2..].iter().filter(|&&slot| slot).count(),
        longest_gap,
        silence: 1.0 - last,
        bursts: 1 + gaps().filter(|&gap| gap > pause).count(),
        parts,
        first,
    }
}

impl Shape {
    fn in_bursts(&self) -> bool {
        self.longest_gap > PAUSE && self.births >= BURST * self.bursts
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
        let unsurprising = self.chance_of_silence() >= 0.02;
        match (self.longest_gap <= PAUSE, self.in_bursts()) {
            (true, _) => self.silence <= PAUSE && unsurprising,
            (_, true) => self.bursts >= 4 && self.silence <= 1.25 * self.longest_gap,
            (_, false) => {
                self.occupied >= 6
                    && unsurprising
                    && self.silence <= (1.25 * self.longest_gap).max(0.2)
            }
        }
    }

    /// True if births have stopped: the silence is longer than any before and not by chance.
    pub(crate) fn stopped(&self) -> bool {
        let longest = self.silence > 1.5 * self.longest_gap;
        longest && (self.silence > 0.5 || self.silence > 0.1 && self.chance_of_silence() < 0.01)
    }

    /// True if births grow fewer from part to part, by more than chance: a cache that fills does so.
    pub(crate) fn slows(&self) -> bool {
        let [a, b, c] = self.parts.map(|part| part as f64);
        a >= b && b >= c && c < 0.65 * a && (a - c) / (a + c).sqrt() > 2.2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(positions: impl IntoIterator<Item = f64>, persists: bool, stopped: bool, slows: bool) {
        let positions: Vec<f64> = positions.into_iter().collect();
        let shape = shape(&positions);
        assert_eq!(
            (shape.persists(), shape.stopped(), shape.slows()),
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
        check((0..3).map(|n| f64::from(n) / 100.0), false, true, false);
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
