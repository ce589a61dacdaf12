//! When a limit breaks: over every limit that a kind counts against, the first to go.

use fdscope_model::HandleKind;
use fdscope_model::limit::{Limit, LimitName};
use fdscope_model::verdict::{Forecast, Rate};

/// Beyond this many seconds (ten years) a limit counts as not approached.
const NEVER_S: f64 = 315_360_000.0;

/// The first limit that handles of `kind` break at `rate`, given the limits of their process.
pub(crate) fn forecast(kind: HandleKind, rate: Option<Rate>, limits: &[Limit]) -> Option<Forecast> {
    let names = LimitName::of(kind);
    let relevant = limits.iter().filter(|l| names.contains(&l.name) && l.value < u64::MAX / 2);
    let first =
        relevant.min_by_key(|limit| (limit.value.saturating_sub(limit.used), limit.name))?;
    let left = first.value.saturating_sub(first.used) as f64;
    let reached = |per_s: f64| Some(left / per_s).filter(|s| s.is_finite() && *s < NEVER_S);
    Some(Forecast {
        limit: *first,
        reached_in_s: rate.and_then(|rate| reached(rate.per_s)),
        soonest_s: rate.and_then(|rate| reached(rate.high_per_s)),
        latest_s: rate.and_then(|rate| reached(rate.low_per_s)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(name: LimitName, value: u64, used: u64) -> Limit {
        Limit { name, value, used }
    }

    #[test]
    fn the_limit_with_least_room_breaks_first() {
        let limits = [
            limit(LimitName::Nofile, 1024, 140),
            limit(LimitName::FileMax, 100_000, 99_900),
            limit(LimitName::Nproc, 10, 9),
        ];
        let rate = Rate { per_s: 2.0, low_per_s: 0.0, high_per_s: 4.0 };
        let got = forecast(HandleKind::File, Some(rate), &limits).expect("limits");
        assert_eq!(got.limit.name, LimitName::FileMax);
        assert_eq!((got.reached_in_s, got.soonest_s, got.latest_s), (Some(50.0), Some(25.0), None));
    }

    #[test]
    fn an_unlimited_limit_never_breaks() {
        let limits = [limit(LimitName::Sigpending, u64::MAX, 3)];
        assert_eq!(forecast(HandleKind::Timer, None, &limits), None);
    }
}
