//! The sentences of a verdict: what was seen, with numbers; and what else it could have been, and why it is not.

use fdscope_model::verdict::{Forecast, Rate};
use fdscope_model::{HandleKind, Level, LimitName};

use crate::case::Case;
use crate::prose::{about, count, duration, duration_ns, handles, pace, rate_of as per};
use crate::rules::{FEW, Rule};

/// What the sentences need besides the case.
pub(crate) struct Told<'a> {
    pub(crate) rule: &'a Rule,
    /// The site in words: a function or a pattern.
    pub(crate) site: String,
    pub(crate) rate: Option<Rate>,
    pub(crate) forecast: Option<Forecast>,
    /// The caller that most survivors share, where the site has several.
    pub(crate) caller: Option<String>,
    pub(crate) descriptions: u64,
    /// What the kernel counts of the same handles.
    pub(crate) counts: Vec<String>,
    /// The limit, the number of other sites that fill it, and the seconds until it breaks by all of them.
    pub(crate) together: Option<(LimitName, usize, f64)>,
    /// Of the descriptors open before the watch, those of like name, and all.
    pub(crate) before: Option<(u64, u64)>,
    /// Sites that hold the same descriptions a second time: how many descriptors, and where.
    pub(crate) dups: Vec<(u64, String)>,
}

/// The verb for the birth of a kind.
fn makes(kind: HandleKind) -> &'static str {
    match kind {
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

/// How many live, and since when: "51 mappings live (39 of them from before watching), 24 came meanwhile".
fn living(case: &Case<'_>) -> String {
    let facts = case.facts;
    let alive = case.alive();
    match facts.existing {
        before if facts.counted && before > 0 => format!(
            "{} live ({} of them there before watching), {} came meanwhile",
            handles(alive, facts.kind),
            count(before),
            count(facts.acquired)
        ),
        _ => format!("{} of {} live", count(alive), handles(facts.acquired, facts.kind)),
    }
}

/// What makes many of a kind go at once.
fn fall(kind: HandleKind) -> &'static str {
    match kind {
        HandleKind::Socket | HandleKind::Registration => {
            "as when clients leave together, or under a garbage collector"
        }
        HandleKind::Thread | HandleKind::Child | HandleKind::Zombie => {
            "as when a batch of work is done"
        }
        _ => "as under a garbage collector or a batch that is cleared",
    }
}

fn be(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
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
    lines.extend(before(told));
    lines.extend(lived(case));
    lines.extend(together(told));
    lines.extend(held(case, told));
    lines.extend(unseen(case));
    lines
}

fn headline(case: &Case<'_>, told: &Told<'_>) -> String {
    let facts = case.facts;
    let (kind, watched) = (facts.kind, duration(case.watched_s()));
    let made = handles(facts.acquired, kind);
    let (alive, released) = (count(case.alive()), count(facts.released));
    match told.rule.name {
        "open-at-exit" | "growth-until-exit" => {
            let gone = gone(kind);
            match facts.closed_before_end_ns {
                None => format!(
                    "{alive} of {made} of {watched} were not {gone} when the process ended."
                ),
                Some(ns) => format!(
                    "{alive} of {made} of {watched} were not {gone} until the last {} of the process.",
                    duration_ns(ns)
                ),
            }
        }
        "released-by-exit" => {
            let (by_exit, many) = (count(facts.by_exit), processes(facts.processes));
            format!("{by_exit} of {made} of {many} lived until its end, which released them.")
        }
        "churn" if facts.processes > 1 => {
            format!("{made} of {} came and went: none is left.", processes(facts.processes))
        }
        "churn" => format!("{made} came and went in {watched}: none is left."),
        "no-growth" => format!("{} came and {released} went in {watched}.", count(facts.acquired)),
        "collector" => format!(
            "{}; the number fell {} times by a large part at once, by up to {}, {}.",
            living(case),
            case.swing.mass_deaths,
            count(case.swing.largest_fall),
            fall(kind)
        ),
        "steady-state" => format!(
            "The number rose to about {:.0} and stands there: {made}, {released} {}.",
            case.swing.thirds[2],
            gone(kind)
        ),
        "in-flight" => format!(
            "{}, and none is older than siblings became: {released} were {}.",
            living(case),
            gone(kind)
        ),
        "limit-hit" => {
            let refused = count(case.around.refused);
            format!(
                "{alive} of {made} made in {watched} are never {}; {refused} calls failed because a limit was hit.",
                gone(kind)
            )
        }
        "plateau" | "long-lived" => {
            let stay = case.overdue() as u64 * case.weight;
            let kept = format!("{} {} kept", handles(stay, kind), be(stay));
            match case.has_stopped() {
                true => format!("{kept}, and none more for {}.", duration(case.silence_s())),
                false => format!("{kept}: too few to speak of a leak."),
            }
        }
        _ if facts.counted => more(case, told),
        _ => grows(case, told),
    }
}

/// "the process", "each of 512 processes".
fn processes(number: u64) -> String {
    if number == 1 {
        "the process".to_owned()
    } else {
        format!("each of {} processes", count(number))
    }
}

fn limit(told: &Told<'_>) -> String {
    let reached = told.forecast.and_then(|f| Some((f.limit, f.reached_in_s?)));
    reached.map_or_else(String::new, |(limit, s)| {
        format!("; {} ({}) breaks in {}", limit.name.word(), count(limit.value), duration(s))
    })
}

fn grows(case: &Case<'_>, told: &Told<'_>) -> String {
    let kind = case.facts.kind;
    let stay = handles(case.overdue() as u64 * case.weight, kind);
    let Some(rate) = told.rate else {
        let watched = duration(case.watched_s());
        return format!("{stay} of {} were not {} in {watched}.", told.site, gone(kind));
    };
    let speed = per(rate.per_s, kind);
    format!(
        "{} {} {speed} that stay: {stay} never {}{}.",
        told.site,
        makes(kind),
        gone(kind),
        limit(told)
    )
}

/// The headline of a counted group: nobody saw who makes them.
fn more(case: &Case<'_>, told: &Told<'_>) -> String {
    let kind = case.facts.kind;
    let stay = handles(case.overdue() as u64 * case.weight, kind);
    let speed = told.rate.map_or_else(String::new, |rate| format!(", {}", pace(rate.per_s)));
    format!(
        "{stay} ({}) came in {} and were not {}{speed}{}.",
        told.site,
        duration(case.span_s),
        gone(kind),
        limit(told)
    )
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
    lines.extend(doubt(case, told));
    lines
}

/// Whether it began before the watch.
fn before(told: &Told<'_>) -> Option<String> {
    let (like, all) = told.before?;
    Some(format!(
        "Before watching began: {} of the {} already open have names like these.",
        count(like),
        count(all)
    ))
}

/// Why it is not called a leak although it grows.
fn doubt(case: &Case<'_>, told: &Told<'_>) -> Option<String> {
    match told.rule.name {
        "lost-events" => {
            Some(format!("{} events were lost, so it stays a suspicion.", count(case.around.lost)))
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

/// When the question will be settled, and why not yet.
fn when_known(case: &Case<'_>, told: &Told<'_>) -> String {
    let known = about(case.known_in_s());
    match told.rule.name {
        "turnover" => format!(
            "{} older ones of like name were closed meanwhile and {} are left, so these may only be younger. It will be \
             known in about {known}.",
            count(case.turnover.closed),
            count(case.turnover.left)
        ),
        "load-ended" => {
            "It grew until the whole process went quiet: watch again under load.".to_owned()
        }
        "open-at-exit" => "The run was too short, or they are too few, to say more.".to_owned(),
        "slowing" => {
            let [first, last] = case.shape.ends;
            format!(
                "It slows: {first} of those that stay came in the first quarter and {last} in the last, as when a cache \
                 fills. It will be known in about {known}."
            )
        }
        _ => format!("It will be known in about {known}."),
    }
}

/// How far beyond their siblings the survivors are. How long siblings lived and who closed them stands beside it.
fn lived(case: &Case<'_>) -> Option<String> {
    let overdue_ns = case.survival.overdue_ns;
    if case.none_overdue() || overdue_ns == 0 {
        return None;
    }
    let late = match case.survival.late_releases {
        0 => "no sibling".to_owned(),
        late => format!("only {} of the released", count(late)),
    };
    let (stay, age) = (count(case.overdue() as u64), duration_ns(overdue_ns));
    Some(format!("{stay} outlived {age}; {late} reached that age."))
}

/// When the limit breaks if all that grow are taken together.
fn together(told: &Told<'_>) -> Option<String> {
    let (limit, others, in_s) = told.together?;
    let sites = if others == 1 {
        "1 other growing site".to_owned()
    } else {
        format!("{others} other growing sites")
    };
    Some(format!("Together with {sites}, {} breaks in {}.", limit.word(), duration(in_s)))
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
    if case.facts.processes > 1 && alive > 0 {
        lines.push(format!(
            "{} processes of this name did so; this is one of the worst.",
            count(case.facts.processes)
        ));
    }
    if !told.counts.is_empty() {
        lines.push(format!("The kernel counts {} now.", told.counts.join(", ")));
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
    if let Some(end) = case.load_end {
        let quiet = duration_ns(case.around.now.since_ns(end));
        lines.push(format!("Nothing was made in the last {quiet}; what came before is judged."));
    }
    if facts.existing > 0 && !facts.counted {
        lines.push(format!(
            "{} of this name were there before the watch; who made them is not known.",
            count(facts.existing)
        ));
    }
    // Where nothing else is seen, as in sampling, it goes without saying.
    if facts.found > 0 && facts.found < facts.acquired {
        lines.push(format!(
            "{} were found in the kernel's table without their birth being seen.",
            count(facts.found)
        ));
    }
    lines
}

/// What else growth could have been, and why it is not.
pub(crate) fn ruled_out(case: &Case<'_>, rule: &Rule) -> Vec<String> {
    let growing =
        ["growth", "hazard-break", "growth-until-exit", "lost-events", "no-stacks", "closed-late"];
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
    if facts.released > 0 && !facts.counted {
        let than = if case.survival.late_releases == 0 { "any" } else { "nearly any" };
        lines.push(format!(
            "In use for a while: no, they are over {} old, twice as old as {than} sibling became.",
            duration_ns(case.survival.overdue_ns)
        ));
    }
    lines
}
