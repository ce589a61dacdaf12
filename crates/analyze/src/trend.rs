//! How fast the survivors of a site accumulate, with its uncertainty.

use fdscope_model::verdict::Rate;

/// Blocks whose means the slope is taken through.
const BLOCKS: usize = 12;

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// Growth of the number of births at `positions` (ascending, 0 to 1) over `watched_s` seconds.
///
/// The estimate is the median slope between block means of the cumulative number (Theil 1950, Sen 1968). Its own
/// interval is too narrow, because cumulative numbers remember their past; so the wider of two intervals is given:
/// Sen's, and that of a count of as many independent births.
pub(crate) fn rate(positions: &[f64], independent: usize, watched_s: f64) -> Option<Rate> {
    let first = *positions.first()?;
    let from = if first > 0.25 { first } else { 0.0 };
    let span_s = (1.0 - from) * watched_s;
    if span_s <= 0.0 {
        return None;
    }
    let means = block_means(positions, from);
    let block_s = span_s / BLOCKS as f64;
    let mut slopes = Vec::with_capacity(BLOCKS * (BLOCKS - 1) / 2);
    for late in 1..BLOCKS {
        for early in 0..late {
            slopes.push((means[late] - means[early]) / ((late - early) as f64 * block_s));
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let n = BLOCKS as f64;
    let spread = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() / 2.0;
    let middle = slopes.len() as f64 / 2.0;
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
    let per_s = slopes[slopes.len() / 2];
    let counted = positions.len() as f64 / span_s;
    let chance = Z * counted / (independent.max(1) as f64).sqrt();
    let low = at(middle - spread).min(counted - chance).min(per_s).max(0.0);
    let high = at(middle + spread).max(counted + chance).max(per_s);
    Some(Rate { per_s, low_per_s: low, high_per_s: high })
}

/// The mean of the cumulative number in each block.
fn block_means(positions: &[f64], from: f64) -> [f64; BLOCKS] {
    let mut means = [0.0; BLOCKS];
    let width = (1.0 - from) / BLOCKS as f64;
    for &at in positions {
        for (index, mean) in means.iter_mut().enumerate() {
            let end = from + (index + 1) as f64 * width;
            *mean += ((end - at) / width).clamp(0.0, 1.0);
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_within_the_interval() {
        let positions: Vec<f64> = (0..90).map(|n| f64::from(n) / 90.0).collect();
        let rate = rate(&positions, 48, 30.0).expect("births");
        assert!((rate.per_s - 3.0).abs() < 0.1, "{rate:?}");
        assert!(rate.low_per_s < 2.9 && rate.high_per_s > 3.1, "{rate:?}");
    }

    #[test]
    fn a_burst_at_the_start_does_not_raise_the_rate() {
        let mut positions = vec![0.0; 50];
        positions.extend((1..=30).map(|n| f64::from(n) / 30.0));
        let rate = rate(&positions, 30, 30.0).expect("births");
        assert!((rate.per_s - 1.0).abs() < 0.15, "{rate:?}");
    }
}
