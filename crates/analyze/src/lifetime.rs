//! How long handles lived: a histogram in buckets of equal ratio, sixteen an octave, so that any quantile of any watch
//! is known within 5 % from at most a few hundred counters.

use fdscope_model::verdict::Lifetimes;

/// Sub-buckets an octave, as a power of two: a bucket is 4.4 % to 6.3 % wide.
const FINE_BITS: u32 = 4;

/// Lifetimes under a microsecond are all one bucket.
const FLOOR_BITS: u32 = 10;

/// Counts of handles by the age at which they were released.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ages {
    /// The bucket of `counts[0]`.
    first: u32,
    counts: Vec<u32>,
    total: u64,
    longest_ns: u64,
}

/// The bucket that an age falls into.
pub(crate) fn bucket(age_ns: u64) -> u32 {
    let units = age_ns >> (FLOOR_BITS - FINE_BITS);
    let octave = units.checked_ilog2().unwrap_or(0);
    if octave < FINE_BITS {
        return 0;
    }
    let fine = (units >> (octave - FINE_BITS)) as u32 & ((1 << FINE_BITS) - 1);
    ((octave - FINE_BITS) << FINE_BITS | fine) + 1
}

/// The least age that falls into a bucket.
pub(crate) fn bucket_start_ns(bucket: u32) -> u64 {
    let Some(index) = bucket.checked_sub(1) else { return 0 };
    let (octave, fine) = (index >> FINE_BITS, u64::from(index & ((1 << FINE_BITS) - 1)));
    ((1 << FINE_BITS | fine) << octave) << (FLOOR_BITS - FINE_BITS)
}

impl Ages {
    pub(crate) fn record(&mut self, age_ns: u64) {
        self.record_many(age_ns, 1);
    }

    pub(crate) fn record_many(&mut self, age_ns: u64, count: u32) {
        let bucket = bucket(age_ns);
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = (self.first - bucket) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let index = (bucket - self.first) as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(count);
        self.total += u64::from(count);
        self.longest_ns = self.longest_ns.max(age_ns);
    }

    /// Takes back what was recorded of this age. The longest age stays what it was if it was another's, and else is the
    /// least of the last bucket left.
    pub(crate) fn take_back(&mut self, age_ns: u64) {
        let index = bucket(age_ns).checked_sub(self.first).map(|index| index as usize);
        let Some(count) = index.and_then(|index| self.counts.get_mut(index)) else { return };
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
        while self.counts.last() == Some(&0) {
            self.counts.pop();
        }
        let last = self.counts.len().checked_sub(1).map(|last| self.first + last as u32);
        let most = last.map_or(0, |last| bucket_start_ns(last + 1).saturating_sub(1));
        self.longest_ns = self.longest_ns.min(most);
    }

    pub(crate) fn add(&mut self, other: &Ages) {
        let mut merged = vec![0u32; self.end().max(other.end()) as usize];
        for (bucket, count) in self.buckets().chain(other.buckets()) {
            merged[bucket as usize] = merged[bucket as usize].saturating_add(count);
        }
        self.first = 0;
        self.counts = merged;
        self.total += other.total;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
    }

    fn end(&self) -> u32 {
        self.first + self.counts.len() as u32
    }

    /// Buckets and their counts, youngest first.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u32, u32)> {
        self.counts.iter().enumerate().map(|(index, &count)| (self.first + index as u32, count))
    }

    /// The age by which `share` of the released handles were released.
    pub(crate) fn quantile_ns(&self, share: f64) -> Option<u64> {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets().find_map(|(bucket, count)| {
            seen += u64::from(count);
            let middle = bucket_start_ns(bucket).midpoint(bucket_start_ns(bucket + 1));
            (seen >= rank).then_some(middle.min(self.longest_ns))
        })
    }

    pub(crate) fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    pub(crate) fn summary(&self, oldest_live_ns: Option<u64>) -> Lifetimes {
        Lifetimes {
            known: self.total,
            median_ns: self.quantile_ns(0.5),
            p999_ns: self.quantile_ns(0.999),
            longest_ns: (self.total > 0).then_some(self.longest_ns),
            oldest_live_ns,
        }
    }

    pub(crate) fn footprint(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_starts_where_the_one_before_ends_and_is_narrow() {
        for index in 1..700 {
            let (start, end) = (bucket_start_ns(index), bucket_start_ns(index + 1));
            assert_eq!((bucket(start), bucket(end - 1)), (index, index));
            assert!((end - start) as f64 / start as f64 <= 0.0626);
        }
        assert_eq!((bucket(0), bucket(1023), bucket(1024)), (0, 0, 1));
    }

    #[test]
    fn quantiles_are_within_five_percent() {
        let mut ages = Ages::default();
        (1..=10_000u64).rev().for_each(|ms| ages.record(ms * 1_000_000));
        let check = |share: f64, expected_ms: f64| {
            let got = ages.quantile_ns(share).expect("not empty") as f64 / 1e6;
            assert!((got / expected_ms - 1.0).abs() < 0.05, "{share}: {got} {expected_ms}");
        };
        check(0.5, 5000.0);
        check(0.999, 9990.0);
        check(0.01, 100.0);
    }
}
