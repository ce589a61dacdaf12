//! The sentences of a verdict: what was seen, with numbers; and what else it could have been, and why it is not.

use fdscope_model::verdict::{Closer, Forecast, Rate};
use fdscope_model::{HandleKind, Level};

use crate::case::Case;
use crate::prose::{count, duration, duration_ns, handles, percent, rate_of as per};
use crate::rules::{FEW, Rule, WINDOW_S, WINDOWS};

/// What the sentences need besides the case.
pub(crate) struct Told<'a> {
    pub(crate) rule: &'a Rule,
    /// The site in words: a function or a pattern.
    pub(crate) site: String,
    pub(crate) rate: Option<Rate>,
    pub(crate) forecast: Option<Forecast>,
    pub(crate) closed_by: &'a [Closer],
    /// The caller that most survivors share, where the site has several.
    pub(crate) caller: Option<String>,
    pub(crate) descriptions: u64,
    /// Sites that hold the same descriptions a second time: how many descriptors, and where.
    pub(crate) dups: Vec<(u64, String)>,
}

/// The verb for the birth of a kind.
fn makes(kind: HandleKind) -> &'static str {
    match kind {
        HandleKind::File | HandleKind::Directory | HandleKind::Path => "opens",
        HandleKind::Thread
        | HandleKind::UnjoinedThread
        | HandleKind::Child
        | HandleKind::Zombie => "starts",
        HandleKind::Watch | HandleKind::Registration => "adds",
        HandleKind::Mapping => "maps",
        kind if kind.is_descriptor() => "opens",
        _ => "makes",
    }
}

/// The participle for the death of a kind.
fn gone(kind: HandleKind) -> &'static str {
    match kind {
        HandleKind::Thread => "ended",
        HandleKind::UnjoinedThread => "joined",
        HandleKind::Child | HandleKind::Zombie => "waited for",
        HandleKind::Mapping => "unmapped",
        HandleKind::Timer => "deleted",
        HandleKind::Watch | HandleKind::Registration => "removed",
        _ => "closed",
    }
}

/// The evidence, strongest first.
pub(crate) fn evidence(case: &Case<'_>, told: &Told<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(headline(case, told));
    lines.extend(match told.rule.level {
        Level::Leak | Level::Suspect => growth(case, told),
        Level::TooSoon => vec![when_known(case, told)],
        Level::Bounded | Level::Steady => Vec::new(),
    });
    lines.extend(lived(case));
    lines.extend(closers(case, told));
    lines.extend(held(case, told));
    lines.extend(unseen(case));
    lines
}

fn headline(case: &Case<'_>, told: &Told<'_>) -> String {
    let facts = case.facts;
    let (kind, watched) = (facts.kind, duration(case.watched_s()));
    let alive = case.alive();
    match told.rule.name {
        "churn" => format!(
            "{} were made in {watched} and every one was {}.",
            handles(facts.acquired, kind),
            gone(kind)
        ),
        "open-at-exit" | "growth-until-exit" => format!(
            "{} of {} made in {watched} were still open when the process ended.",
            count(alive),
            handles(facts.acquired, kind)
        ),
        "collector" => format!(
            "{} live; the number fell {} times by a large part at once, by up to {}, as under a garbage collector or \
             a batch that is cleared.",
            count(alive),
            case.swing.mass_deaths,
            count(case.swing.largest_fall)
        ),
        "steady-state" => format!(
            "The number rose to about {:.0} and stands: {} made, {} {}.",
            case.swing.thirds[2],
            count(facts.acquired),
            count(facts.released),
            gone(kind)
        ),
        "in-flight" => format!(
            "{} of {} live, none older than its siblings lived: {} were {}.",
            count(alive),
            handles(facts.acquired, kind),
            count(facts.released),
            gone(kind)
        ),
        "plateau" | "long-lived" => format!(
            "{} stay open and no new one has stayed for {}.",
            handles(case.overdue() as u64 * case.weight, kind),
            duration(case.shape.silence * case.span_s)
        ),
        _ => grows(case, told),
    }
}

fn grows(case: &Case<'_>, told: &Told<'_>) -> String {
    let kind = case.facts.kind;
    let stay = handles(case.overdue() as u64 * case.weight, kind);
    let speed = told.rate.map_or_else(|| kind.plural().to_owned(), |rate| per(rate.per_s, kind));
    let limit = told.forecast.and_then(|f| Some((f.limit, f.reached_in_s?)));
    let limit = limit.map_or_else(String::new, |(limit, s)| {
        format!("; {} ({}) breaks in {}", limit.name.word(), count(limit.value), duration(s))
    });
    format!("{} {} {speed} that stay: {stay} never {}{limit}.", told.site, makes(kind), gone(kind))
}

/// What makes growth believable: it lasts, it goes on, it does not slow.
fn growth(case: &Case<'_>, told: &Told<'_>) -> Vec<String> {
    let shape = &case.shape;
    let mut lines = Vec::new();
    if shape.births > 0 {
        lines.push(format!(
            "Of the {} that stay, {} came in the later half of {}, the last {} before its end; {} of 48 equal parts \
             brought one.",
            count(shape.births as u64 * case.weight),
            count(shape.later as u64 * case.weight),
            duration(case.span_s),
            duration(shape.silence * case.span_s),
            shape.occupied
        ));
    }
    if let Some(rate) = told.rate {
        lines.push(format!(
            "The growth is between {} and {}.",
            per(rate.low_per_s, case.facts.kind),
            per(rate.high_per_s, case.facts.kind)
        ));
    }
    lines.extend(range(told.forecast));
    lines.extend(doubt(case, told));
    lines
}

fn range(forecast: Option<Forecast>) -> Option<String> {
    let forecast = forecast?;
    let (used, value) = (forecast.limit.used, forecast.limit.value);
    let soonest = forecast.soonest_s?;
    let latest = forecast
        .latest_s
        .map_or("no sooner than that".to_owned(), |s| format!("at the latest in {}", duration(s)));
    Some(format!(
        "{} of {} {} used ({}): it breaks first of the limits for {}, in {} at the earliest, {latest}.",
        count(used),
        count(value),
        forecast.limit.name.word(),
        percent(used, value),
        "these",
        duration(soonest)
    ))
}

/// Why it is not called a leak although it grows.
fn doubt(case: &Case<'_>, told: &Told<'_>) -> Option<String> {
    match told.rule.name {
        "lost-events" => {
            Some(format!("{} events were lost, so it stays a suspicion.", count(case.lost)))
        }
        "no-stacks" => Some("No birth stack was seen, so it stays a suspicion.".to_owned()),
        "irregular" => Some("It comes in too few bursts to be sure that it will go on.".to_owned()),
        "open-at-exit" => Some(
            "The run was too short to tell a leak from what is meant to last until exit."
                .to_owned(),
        ),
        _ => None,
    }
}

/// When the question will be settled.
fn when_known(case: &Case<'_>, told: &Told<'_>) -> String {
    let overdue = case.overdue();
    let short_s = (WINDOW_S * WINDOWS - case.span_s).max(0.0);
    let per_birth_s = case.span_s / overdue.max(1) as f64;
    let missing_s = case.needed().saturating_sub(overdue) as f64 * per_birth_s;
    match told.rule.name {
        "turnover" => format!(
            "{} older ones of this kind were closed meanwhile and {} are left: the new ones may only be younger. It \
             will be known in about {}.",
            count(case.turnover.closed),
            count(case.turnover.left),
            duration(
                case.turnover.left as f64 / case.turnover.closed.max(1) as f64 * case.watched_s()
            )
        ),
        "slowing" => {
            let [first, _, last] = case.shape.parts;
            format!(
                "It slows: {first} stayed in the second quarter of the watch and {last} in the last. A cache that fills \
                 looks like this; it will be known in about {}.",
                duration(case.watched_s())
            )
        }
        "open-at-exit" => "Run it longer, or attach while it works, to know.".to_owned(),
        _ => format!("It will be known in about {}.", duration(short_s.max(missing_s).max(1.0))),
    }
}

/// What happened to siblings.
fn lived(case: &Case<'_>) -> Option<String> {
    let facts = case.facts;
    let (median, most) = (facts.ages.quantile_ns(0.5)?, facts.ages.quantile_ns(0.999)?);
    let first = format!(
        "Of {} {} {}, half within {} and 99.9 % within {}.",
        handles(facts.acquired, facts.kind),
        count(facts.released),
        gone(facts.kind),
        duration_ns(median),
        duration_ns(most)
    );
    let overdue_ns = case.survival.overdue_ns.filter(|&ns| ns > 0)?;
    if case.none_overdue() {
        return Some(first);
    }
    Some(format!(
        "{first} {} {} longer than {}, an age after which {} ever {}.",
        count(case.overdue() as u64),
        if case.overdue() == 1 { "has lived" } else { "have lived" },
        duration_ns(overdue_ns),
        match case.survival.late_releases {
            0 => "none was".to_owned(),
            late => format!("only {} were", count(late)),
        },
        gone(facts.kind)
    ))
}

fn closers(case: &Case<'_>, told: &Told<'_>) -> Option<String> {
    let facts = case.facts;
    if told.closed_by.is_empty() {
        let nobody = format!("None made here was ever {}.", gone(facts.kind));
        return (facts.released == 0 && told.rule.level >= Level::TooSoon).then_some(nobody);
    }
    let total = facts.released.max(1);
    let name = |closer: &Closer| {
        let frame = closer.at.and_then(|at| closer.frames.get(at));
        let function = frame.and_then(|frame| frame.symbol.function.clone());
        let place = function.unwrap_or_else(|| closer.how.clone());
        format!("{place} ({})", percent(closer.count, total))
    };
    let names: Vec<String> = told.closed_by.iter().take(3).map(name).collect();
    Some(format!("Siblings are {} by {}.", gone(facts.kind), names.join(", ")))
}

/// How the survivors are held: by which caller, by how many descriptors.
fn held(case: &Case<'_>, told: &Told<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(caller) = &told.caller {
        lines.push(format!("At least 80 % of those that stay come by way of {caller}."));
    }
    let alive = case.facts.survivors.len() as u64;
    if told.descriptions > 0 && told.descriptions < alive {
        lines.push(format!(
            "The {} descriptors are {} open file descriptions: some are duplicates.",
            count(alive),
            count(told.descriptions)
        ));
    }
    for (number, site) in &told.dups {
        lines.push(format!(
            "{} of them are held a second time, duplicated at {site}: both descriptors must be closed.",
            count(*number)
        ));
    }
    lines
}

/// What was not seen.
fn unseen(case: &Case<'_>) -> Vec<String> {
    let facts = case.facts;
    let mut lines = Vec::new();
    if facts.existing > 0 && !facts.counted {
        lines.push(format!(
            "{} of this name were there before the watch; who made them is not known.",
            count(facts.existing)
        ));
    }
    if facts.found > 0 {
        lines.push(format!(
            "{} were found in the kernel's table without their birth being seen.",
            count(facts.found)
        ));
    }
    lines
}

/// What else growth could have been, and why it is not.
pub(crate) fn ruled_out(case: &Case<'_>, rule: &Rule) -> Vec<String> {
    let growing = ["growth", "hazard-break", "growth-until-exit", "lost-events", "no-stacks"];
    if !growing.contains(&rule.name) {
        return Vec::new();
    }
    let (shape, facts) = (&case.shape, case.facts);
    let [a, b, c] = shape.parts.map(|part| count(part as u64 * case.weight));
    let mut lines = vec![
        format!(
            "Pool or cache that fills: no, births do not slow ({a}, {b} and {c} in the last three quarters)."
        ),
        format!(
            "Warm-up: no, {} stayed in the later half, the last {} ago.",
            count(shape.later as u64 * case.weight),
            duration(shape.silence * case.span_s)
        ),
    ];
    if shape.bursts >= FEW || shape.occupied > 12 {
        lines.push(format!(
            "Burst: no, they came in {} of 48 equal parts of the watch.",
            shape.occupied
        ));
    }
    lines.push(match case.swing.mass_deaths {
        0 => format!(
            "Collector or batch that closes late: no, the number never fell by a large part in {}.",
            duration(case.watched_s())
        ),
        teeth => format!(
            "Collector or batch that closes late: no, it fell {teeth} times by a large part and these were not among \
             the closed."
        ),
    });
    if facts.released > 0 {
        lines.push(
            format!(
                "In use for a while: no, they are older than {} siblings lived.",
                if case.survival.late_releases == 0 { "any of" } else { "nearly all of" }
            )
            .replace("any of siblings", "any sibling")
            .replace("siblings lived", "siblings ever lived"),
        );
    }
    lines
}
