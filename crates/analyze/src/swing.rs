//! How a site's number went up and down: mass deaths, saw-teeth, plateaus. Read from the bins, so it also serves where
//! single births are not known.

use crate::bins::Bins;

/// A fall of this share of the number's range, and of this share of its peak, within a few bins is a mass death.
const MASS: f64 = 0.3;
const MASS_OF_PEAK: f64 = 0.25;

/// A fall below this is noise, whatever its share.
const LEAST_FALL: u64 = 4;

/// Bins within which a mass death happens: two to five hundredths of the watch.
const SUDDEN: usize = 3;

/// The swings of a number.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Swing {
    /// The highest value at the end of a bin.
    pub(crate) peak: u64,
    /// The value now.
    pub(crate) now: u64,
    /// Sudden falls by a large part.
    pub(crate) mass_deaths: u32,
    /// The largest of them.
    pub(crate) largest_fall: u64,
    /// The largest fall from any earlier value to any later one.
    pub(crate) drawdown: u64,
    /// Means of the first, middle and last third.
    pub(crate) thirds: [f64; 3],
}

pub(crate) fn swing(bins: &Bins) -> Swing {
    let values = bins.values();
    let lows: Vec<u64> = bins.bins().iter().map(|bin| u64::from(bin.low)).collect();
    let peak = values.iter().copied().max().unwrap_or(0);
    let bottom = lows.iter().copied().min().unwrap_or(0);
    let range = peak.saturating_sub(bottom);
    let needed = ((range as f64 * MASS).max(peak as f64 * MASS_OF_PEAK) as u64).max(LEAST_FALL);
    let (mut mass_deaths, mut largest_fall, mut after) = (0, 0, 0);
    let (mut highest, mut drawdown) = (bins.base(), 0);
    for (index, (&value, &low)) in values.iter().zip(&lows).enumerate() {
        drawdown = drawdown.max(highest.saturating_sub(low));
        highest = highest.max(value);
        // What was high in the last few bins, but not before the mass death that was counted last.
        let recent = &values[after.max(index.saturating_sub(SUDDEN)).min(index)..=index];
        let fall = recent.iter().copied().max().unwrap_or(0).saturating_sub(low);
        if fall >= needed {
            mass_deaths += 1;
            after = index + 1;
        }
        largest_fall = largest_fall.max(if fall >= needed { fall } else { 0 });
    }
    let third = values.len().div_ceil(3).max(1);
    let mut thirds = [0.0; 3];
    for (mean, part) in thirds.iter_mut().zip(values.chunks(third)) {
        *mean = part.iter().sum::<u64>() as f64 / part.len() as f64;
    }
    let now = values.last().copied().unwrap_or(0);
    Swing { peak, now, mass_deaths, largest_fall, drawdown, thirds }
}

/// The number's envelope from below, seen from the end: the births that no later fall took back, as ends of bins. Each is
/// a bin and the number it rose by.
pub(crate) fn lasting_rises(bins: &Bins) -> Vec<(usize, u64)> {
    let values = bins.values();
    let mut floor = u64::MAX;
    let mut envelope: Vec<u64> = values
        .iter()
        .zip(bins.bins())
        .rev()
        .map(|(&value, bin)| {
            let at_end = floor.min(value);
            floor = floor.min(u64::from(bin.low));
            at_end
        })
        .collect();
    envelope.reverse();
    let start = floor.min(bins.base());
    let mut before = start;
    let mut rises = Vec::new();
    for (index, &value) in envelope.iter().enumerate() {
        if value > before {
            rises.push((index, value - before));
            before = value;
        }
    }
    rises
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::Monotonic;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(seconds * 1_000_000_000)
    }

    #[test]
    fn a_saw_tooth_has_a_mass_death_a_tooth_and_no_lasting_rise() {
        let mut bins = Bins::new(at(0));
        for second in 0..60 {
            bins.rise(at(second), 1);
            if second % 20 == 19 {
                bins.fall(at(second), 20);
            }
        }
        assert_eq!(swing(&bins).mass_deaths, 3);
        assert_eq!(lasting_rises(&bins).iter().map(|rise| rise.1).sum::<u64>(), 0);
    }

    #[test]
    fn a_leak_beneath_a_saw_tooth_is_what_lasts() {
        let mut bins = Bins::new(at(0));
        for second in 0..60 {
            bins.rise(at(second), 2);
            if second % 10 == 9 {
                bins.fall(at(second), 10);
            }
        }
        assert_eq!(lasting_rises(&bins).iter().map(|rise| rise.1).sum::<u64>(), 60);
    }
}
