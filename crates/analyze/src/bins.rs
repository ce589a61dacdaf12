//! A number over time in bounded memory: births, deaths and the lowest value per bin, in bins that double in width
//! whenever the watch outgrows them. Every history starts its bins at the same moment, so histories can be added.

use fdscope_model::Monotonic;
use fdscope_model::verdict::Curve;

/// The most bins a history holds; at least half of them are in use once the first doubling is over.
pub(crate) const MOST: usize = 128;

/// The width of a bin before the first doubling: 2^26 ns, 67 ms; the first doubling comes after 8.6 s.
const FINEST_NS: u64 = 1 << 26;

/// What happened in one bin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bin {
    pub(crate) born: u32,
    pub(crate) died: u32,
    /// The lowest value at any moment of the bin.
    pub(crate) low: u32,
}

/// The history of one number.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    origin: Monotonic,
    doublings: u32,
    /// The value before the first bin: what existed when watching began.
    base: u32,
    now: u32,
    bins: Vec<Bin>,
}

impl Bins {
    pub(crate) fn new(origin: Monotonic) -> Self {
        Bins { origin, doublings: 0, base: 0, now: 0, bins: Vec::new() }
    }

    fn width_ns(&self) -> u64 {
        FINEST_NS << self.doublings
    }

    /// Adds to the value from the very beginning: handles older than the watch.
    pub(crate) fn existed(&mut self, by: u32) {
        self.base = self.base.saturating_add(by);
        self.now = self.now.saturating_add(by);
        self.bins.iter_mut().for_each(|bin| bin.low = bin.low.saturating_add(by));
    }

    pub(crate) fn rise(&mut self, at: Monotonic, by: u32) {
        let bin = self.bin_at(at);
        bin.born = bin.born.saturating_add(by);
        self.now = self.now.saturating_add(by);
    }

    pub(crate) fn fall(&mut self, at: Monotonic, by: u32) {
        let now = self.now.saturating_sub(by);
        let bin = self.bin_at(at);
        bin.died = bin.died.saturating_add(by);
        bin.low = bin.low.min(now);
        self.now = now;
    }

    /// Takes one fall back, which is then as if it had never been.
    pub(crate) fn take_back_fall(&mut self, at: Monotonic) {
        let index = (at.since_ns(self.origin) / self.width_ns()) as usize;
        let index = index.min(self.bins.len().saturating_sub(1));
        if let Some(bin) = self.bins.get_mut(index) {
            bin.died = bin.died.saturating_sub(1);
        }
        self.bins.iter_mut().skip(index).for_each(|bin| bin.low = bin.low.saturating_add(1));
        self.now = self.now.saturating_add(1);
    }

    /// The bin of a moment; what comes late counts in the newest bin, so that the curve stays one that was true.
    fn bin_at(&mut self, at: Monotonic) -> &mut Bin {
        let since = at.since_ns(self.origin);
        while since / self.width_ns() >= MOST as u64 {
            self.double();
        }
        let index = (since / self.width_ns()) as usize;
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Bin { born: 0, died: 0, low: self.now });
        }
        self.bins.last_mut().expect("the line above made at least one bin")
    }

    fn double(&mut self) {
        self.bins = self.bins.chunks(2).map(merge).collect();
        self.doublings += 1;
    }

    /// Adds another history of the same origin.
    pub(crate) fn add(&mut self, other: &Bins) {
        let mut other = other.clone();
        while self.doublings < other.doublings {
            self.double();
        }
        while other.doublings < self.doublings {
            other.double();
        }
        let length = self.bins.len().max(other.bins.len());
        for history in [&mut *self, &mut other] {
            history.bins.resize(length, Bin { born: 0, died: 0, low: history.now });
        }
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.born = mine.born.saturating_add(theirs.born);
            mine.died = mine.died.saturating_add(theirs.died);
            mine.low += theirs.low;
        }
        self.base += other.base;
        self.now += other.now;
    }

    /// The bins up to `end`, the last ones filled in if nothing happened in them.
    pub(crate) fn until(&self, end: Monotonic) -> Bins {
        let mut whole = self.clone();
        whole.bin_at(end);
        whole
    }

    /// The value before the first bin.
    pub(crate) fn base(&self) -> u64 {
        u64::from(self.base)
    }

    pub(crate) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// When bin `index` ends.
    pub(crate) fn end_of(&self, index: usize) -> Monotonic {
        Monotonic(self.origin.0 + (index as u64 + 1) * self.width_ns())
    }

    /// The value at the end of each bin.
    pub(crate) fn values(&self) -> Vec<u64> {
        let mut value = u64::from(self.base);
        let step = |bin: &Bin| {
            value = (value + u64::from(bin.born)).saturating_sub(u64::from(bin.died));
            value
        };
        self.bins.iter().map(step).collect()
    }

    /// The mean of the values.
    pub(crate) fn mean(&self) -> f64 {
        self.values().iter().sum::<u64>() as f64 / self.bins.len().max(1) as f64
    }

    pub(crate) fn curve(&self) -> Curve {
        Curve { start: self.origin, bin_ns: self.width_ns(), values: self.values() }
    }

    pub(crate) fn footprint(&self) -> usize {
        self.bins.capacity() * size_of::<Bin>()
    }
}

fn merge(pair: &[Bin]) -> Bin {
    let fold = |a: Bin, b: &Bin| Bin {
        born: a.born.saturating_add(b.born),
        died: a.died.saturating_add(b.died),
        low: a.low.min(b.low),
    };
    pair[1..].iter().fold(pair[0], fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(seconds * 1_000_000_000)
    }

    #[test]
    fn bins_double_and_keep_every_birth_and_death() {
        let mut bins = Bins::new(at(100));
        for second in 0..1000 {
            bins.rise(at(100 + second), 2);
            bins.fall(at(100 + second), 1);
        }
        assert!(bins.bins().len() <= MOST && bins.bins().len() > MOST / 4);
        assert_eq!(bins.values().last(), Some(&1000));
        assert_eq!(bins.bins().iter().map(|b| b.born).sum::<u32>(), 2000);
    }

    #[test]
    fn histories_of_unlike_width_add_up() {
        let (mut short, mut long) = (Bins::new(at(0)), Bins::new(at(0)));
        short.existed(1);
        short.rise(at(5), 1);
        long.rise(at(5), 3);
        long.fall(at(90), 2);
        short.add(&long);
        assert_eq!((short.values()[0], short.values().last()), (1, Some(&3)));
    }

    #[test]
    fn the_lowest_value_of_a_bin_is_kept() {
        let mut bins = Bins::new(at(0));
        bins.rise(Monotonic(1), 5);
        bins.fall(Monotonic(2), 5);
        bins.rise(Monotonic(3), 5);
        assert_eq!(bins.bins()[0].low, 0);
    }
}
