//! How long a site's handles live, by the product-limit estimate (Kaplan and Meier 1958), which counts the living as
//! what they are: handles that lived at least so long.
//!
//! The question is where the curve goes flat: the age after which handles of this site are no longer released. A site
//! whose handles all die has no such age; an error path that misses its close has one a little above the lifetime of
//! the healthy; a site that never closes has it at zero.

use crate::lifetime::{Ages, bucket, bucket_start_ns};

/// The curve counts as flat from an age if at least this share of those that reached it is never released.
const FLAT: f64 = 0.8;

/// The curve is read up to the age that so many handles reached; beyond it single deaths would decide.
const AT_RISK: u64 = 4;

/// A handle is overdue at this multiple of the age from which the curve is flat.
pub(crate) const OVERDUE: f64 = 2.0;

/// What the curve says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Survival {
    /// The age from which handles are overdue; 0 if hardly any was ever released.
    pub(crate) overdue_ns: u64,
    /// Releases of handles that were older than that.
    pub(crate) late_releases: u64,
    /// Of the handles that reached the typical age of those, the share that was released: 1 if none outlives it.
    pub(crate) late_share: f64,
}

/// Reads the curve of handles released at `ages` and of handles still alive at `living` (ages in nanoseconds).
pub(crate) fn survival(ages: &Ages, living: &[u64]) -> Survival {
    let rows = rows(ages, living);
    let mut at_risk: u64 = rows.iter().map(|row| row.released + row.alive).sum();
    // Share of those at risk that outlive each bucket, up to the last that enough handles reached.
    let mut outlive = Vec::with_capacity(rows.len());
    for row in &rows {
        if at_risk < AT_RISK {
            break;
        }
        outlive.push((row.bucket, 1.0 - row.released as f64 / at_risk as f64));
        at_risk -= row.released + row.alive;
    }
    let mut never_released = 1.0;
    // The youngest bucket from which on the curve is flat: the one after the last that breaks it.
    let mut flat_from = 0;
    for (index, &(bucket, share)) in outlive.iter().rev().enumerate() {
        never_released *= share;
        if never_released < FLAT {
            // Too few are left to read on: what outlived every sibling twice is few, but overdue all the same.
            let longest = crate::lifetime::bucket(ages.longest_ns()) + 1;
            flat_from = if index == 0 { longest } else { bucket + 1 };
            break;
        }
    }
    let overdue_ns = (bucket_start_ns(flat_from) as f64 * OVERDUE) as u64;
    let (late_releases, late_share) = late(ages, living, overdue_ns);
    Survival { overdue_ns, late_releases, late_share }
}

/// Releases of overdue handles, and the share released of the handles that reached the median age of those.
fn late(ages: &Ages, living: &[u64], overdue_ns: u64) -> (u64, f64) {
    let late: Vec<(u32, u64)> = ages
        .buckets()
        .filter(|&(age, released)| released > 0 && bucket_start_ns(age + 1) > overdue_ns)
        .map(|(age, released)| (age, u64::from(released)))
        .collect();
    let total: u64 = late.iter().map(|&(_, released)| released).sum();
    let mut older = total;
    let Some(&(typical, _)) = late.iter().find(|&&(_, released)| {
        older -= released;
        older * 2 <= total
    }) else {
        return (0, 0.0);
    };
    let released: u64 = late.iter().filter(|row| row.0 >= typical).map(|row| row.1).sum();
    let alive = living.iter().filter(|&&age| bucket(age) > typical).count() as u64;
    (total, released as f64 / (released + alive) as f64)
}

struct Row {
    bucket: u32,
    released: u64,
    alive: u64,
}

/// Both populations by age, youngest first, buckets without any left out.
fn rows(ages: &Ages, living: &[u64]) -> Vec<Row> {
    let mut counts = std::collections::BTreeMap::<u32, (u64, u64)>::new();
    for (bucket, released) in ages.buckets().filter(|&(_, released)| released > 0) {
        counts.entry(bucket).or_default().0 += u64::from(released);
    }
    for &age in living {
        counts.entry(bucket(age)).or_default().1 += 1;
    }
    let row = |(bucket, (released, alive))| Row { bucket, released, alive };
    counts.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ages(released_ms: impl IntoIterator<Item = u64>) -> Ages {
        let mut ages = Ages::default();
        released_ms.into_iter().for_each(|ms| ages.record(ms * MS));
        ages
    }

    #[test]
    fn a_site_that_never_closes_is_overdue_from_birth() {
        let living: Vec<u64> = (1..30).map(|s| s * 1000 * MS).collect();
        assert_eq!(survival(&ages([]), &living).overdue_ns, 0);
        assert_eq!(survival(&ages([10, 20]), &living).overdue_ns, 0);
    }

    #[test]
    fn an_error_path_is_overdue_a_little_after_its_siblings() {
        let living: Vec<u64> = (1..10).map(|s| s * 1000 * MS).collect();
        let overdue = survival(&ages((1..=400).map(|n| n % 40 + 1)), &living).overdue_ns;
        assert!((70 * MS..100 * MS).contains(&overdue), "{overdue}");
    }

    #[test]
    fn a_few_that_outlived_thousands_are_overdue() {
        let living = [5_000 * MS, 9_000 * MS];
        let overdue = survival(&ages((0..5000).map(|n| n % 50)), &living).overdue_ns;
        assert!((98 * MS..110 * MS).contains(&overdue), "{overdue}");
    }

    #[test]
    fn connections_that_all_end_have_no_flat_part_worth_the_name() {
        // Lifetimes evenly 1 to 60 s; those alive are younger than 60 s.
        let living: Vec<u64> = (1..58).map(|s| s * 1000 * MS).collect();
        let overdue = survival(&ages((1..=600).map(|n| n * 100)), &living).overdue_ns;
        assert!(overdue > 58_000 * MS, "{overdue}");
    }
}
