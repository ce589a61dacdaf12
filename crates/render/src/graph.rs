//! Small graphs of a number over time: a one-line spark and a filled plot of a few rows, in blocks or ASCII.

use crate::charset::Charset;

/// Fill levels of one character cell, empty to full.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 4] = [' ', '.', ':', '#'];

/// A plot's rows from the top, and the values of its lower and upper edge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plot {
    /// Rows of equal width.
    pub rows: Vec<String>,
    /// The value at the lower edge: 0, unless the curve keeps far above it.
    pub low: u64,
    /// The value at the upper edge: the curve's maximum.
    pub high: u64,
}

/// `values` in one line of `columns` characters, from zero up to their maximum.
pub fn spark(values: &[u64], columns: usize, charset: Charset) -> String {
    let high = values.iter().copied().max().unwrap_or(0);
    row(&resample(values, columns), 0, high, charset)
}

/// `values` as a filled curve of `rows` lines and `columns` characters.
pub fn plot(values: &[u64], columns: usize, rows: usize, charset: Charset) -> Plot {
    let values = resample(values, columns);
    let high = values.iter().copied().max().unwrap_or(0);
    let low = baseline(&values, high);
    let span = u128::from(high - low);
    let edge = |row: usize| low + (span * row as u128 / rows.max(1) as u128) as u64;
    let lines = (0..rows).rev().map(|index| {
        let (bottom, top) = (edge(index), edge(index + 1));
        row(&values, bottom, top, charset)
    });
    Plot { rows: lines.collect(), low, high }
}

/// Zero, or the minimum where three quarters of the height would else be a solid bar.
fn baseline(values: &[u64], high: u64) -> u64 {
    let minimum = values.iter().copied().min().unwrap_or(0);
    if high > minimum && minimum / 3 > high - minimum { minimum } else { 0 }
}

/// One row of characters, filled by how far each value reaches from `bottom` to `top`.
fn row(values: &[u64], bottom: u64, top: u64, charset: Charset) -> String {
    let levels: &[char] = if charset == Charset::Utf8 { &BLOCKS } else { &ASCII };
    let full = levels.len() - 1;
    let level = |value: u64| match (value.saturating_sub(bottom), top.saturating_sub(bottom)) {
        (0, _) => 0,
        (above, span) if above >= span => full,
        // Rounded up, so that one handle among thousands still shows.
        (above, span) => (u128::from(above) * full as u128).div_ceil(u128::from(span)) as usize,
    };
    values.iter().map(|&value| levels[level(value)]).collect()
}

/// `values` stretched or squeezed to `columns`; where several meet, the largest stands for them, so no peak is lost.
pub fn resample(values: &[u64], columns: usize) -> Vec<u64> {
    if values.is_empty() {
        return vec![0; columns];
    }
    let squeeze = |column: usize| {
        let first = column * values.len() / columns;
        let end = ((column + 1) * values.len() / columns).max(first + 1);
        values[first..end].iter().copied().max().unwrap_or(0)
    };
    (0..columns).map(squeeze).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_peaks_and_ends() {
        let check = |values: &[u64], columns, expected: &[u64]| {
            assert_eq!(resample(values, columns), expected);
        };
        check(&[1, 9, 2, 3], 2, &[9, 3]);
        check(&[1, 2], 4, &[1, 1, 2, 2]);
        check(&[], 3, &[0, 0, 0]);
        check(&[5, 6], 0, &[]);
    }

    #[test]
    fn sparks_go_from_zero_to_the_maximum() {
        let check = |values: &[u64], charset, expected: &str| {
            assert_eq!(spark(values, values.len(), charset), expected);
        };
        check(&[0, 1, 2, 3, 4, 5, 6, 7, 8], Charset::Utf8, " ▁▂▃▄▅▆▇█");
        check(&[0, 1, 5_000], Charset::Utf8, " ▁█");
        check(&[0, 0], Charset::Utf8, "  ");
        check(&[0, 1, 2, 3], Charset::Ascii, " .:#");
        check(&[u64::MAX, 1], Charset::Ascii, "#.");
    }

    #[test]
    fn plots_fill_from_below() {
        let plot = plot(&[0, 2, 4, 6], 4, 2, Charset::Ascii);
        assert_eq!(plot.rows, ["  .#", " :##"]);
        assert_eq!((plot.low, plot.high), (0, 6));
    }

    #[test]
    fn growth_on_a_high_plateau_is_visible() {
        let plot = plot(&[5_000, 5_070, 5_140], 3, 1, Charset::Utf8);
        assert_eq!((plot.low, plot.high), (5_000, 5_140));
        assert_eq!(plot.rows, [" ▄█"]);
        let flat = super::plot(&[7, 7], 2, 1, Charset::Utf8);
        assert_eq!((flat.low, flat.high, flat.rows[0].as_str()), (0, 7, "██"));
    }
}
