//! `fdscope record`, and what commands that read recordings have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fdscope_model::Monotonic;
use fdscope_record::{Bounds, Opening};

use super::leak::{Leak, Source, StackMode};
use super::values::{Color, parse_duration};

/// `fdscope record`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    fdscope record nginx -o nginx.fdr              until Ctrl-C\n  \
    fdscope record 4123 -o a.fdr --duration 24h    a day, in at most 200 MB\n  \
    fdscope record -o t.fdr -- ./tests             from the first instruction to the end\n  \
    fdscope record --all -o host.fdr               every process of the machine\n\n\
    Read it with `fdscope leak FILE` and `fdscope report FILE`; also while it is written. Neither \
    environment nor anything that is read or written is in it.")]
pub struct Record {
    /// Processes to record: numbers or names
    #[arg(value_name = "PID|NAME", required_unless_present_any = ["launch", "all"])]
    pub targets: Vec<String>,
    /// Command to run and record from its first instruction to its end
    #[arg(last = true, value_name = "CMD", conflicts_with = "targets")]
    pub launch: Vec<String>,
    /// Every process of the machine, and those that come; passing handles are left out and counted (see --detail)
    #[arg(short, long, conflicts_with_all = ["targets", "launch"])]
    pub all: bool,
    /// The file, readable by you only; a recording that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How long to record: 10s, 5m, 24h [default: until Ctrl-C, or the end of the processes]
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// How often to count what grows without events, and to read /proc where that is the source [default: 1s; with --all
    /// 30s]
    #[arg(short, long, value_parser = parse_duration, value_name = "TIME")]
    pub interval: Option<Duration>,
    /// Where events come from
    #[arg(short, long, value_enum, default_value_t)]
    pub source: Source,
    /// How stacks are taken by the bpf source
    #[arg(long, value_enum, default_value_t)]
    pub stacks: StackMode,
    /// Record the children that are made meanwhile too [a launched command's are always recorded]
    #[arg(short, long)]
    pub follow: bool,
    /// Record the children that exist already too; implies --follow
    #[arg(long, visible_alias = "all-children")]
    pub children: bool,
    /// No live line while recording
    #[arg(short, long)]
    pub quiet: bool,
    /// How large it may grow.
    #[command(flatten)]
    pub keep: Keep,
}

impl Record {
    /// The watch that is recorded.
    pub fn into_leak(self) -> Leak {
        let usual = if self.all { 30 } else { 1 };
        let passing = if self.all { Detail::Lasting } else { Detail::Everything };
        let keep = Keep { detail: self.keep.detail.or(Some(passing)), ..self.keep };
        Leak {
            targets: self.targets,
            launch: self.launch,
            duration: self.duration,
            interval: self.interval.unwrap_or(Duration::from_secs(usual)),
            source: self.source,
            stacks: self.stacks,
            kinds: Vec::new(),
            follow: self.follow,
            children: self.children,
            all_threads: false,
            json: false,
            folded: None,
            fail_on: None,
            color: Color::Auto,
            ring: 32 << 20,
            quiet: self.quiet,
            output: Some(self.output),
            keep,
            everyone: self.all,
            span: Span::default(),
            only_record: true,
        }
    }
}

/// How much a recording may hold.
#[derive(Args, Debug, Clone)]
pub struct Keep {
    /// The most that the recording may take; the oldest detail is left out first: 10M, 2G
    #[arg(long, value_parser = parse_bytes, value_name = "SIZE", default_value = "200M")]
    pub max_size: u64,
    /// Leave out detail older than this: 6h, 7d [default: only size counts]
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    pub max_age: Option<Duration>,
    /// What is written at all [default: everything; with --all lasting]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub detail: Option<Detail>,
}

/// What is written of events.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Every birth and death
    Everything,
    /// All but descriptors that are closed again within 10 s: of those, counts and lifetimes by process and place in the
    /// code. A crash loses the last 15 s
    Lasting,
}

/// A recording of which passing descriptors are folded is written so often, in nanoseconds.
const FOLDED_APART_NS: u64 = 5_000_000_000;

impl Default for Keep {
    fn default() -> Self {
        Keep { max_size: Bounds::default().max_bytes, max_age: None, detail: None }
    }
}

impl Keep {
    /// The same for the writer.
    pub fn bounds(&self) -> Bounds {
        let ns = |age: Duration| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let usual = Bounds::default();
        // What waits anyway may wait a little longer, and packs better.
        let apart_ns = if self.folds() { FOLDED_APART_NS } else { usual.apart_ns };
        Bounds { max_bytes: self.max_size, max_age_ns: self.max_age.map(ns), apart_ns }
    }

    /// True if passing descriptors are counted and not told one by one.
    pub fn folds(&self) -> bool {
        self.detail == Some(Detail::Lasting)
    }
}

/// `fdscope report`.
#[derive(Args, Debug)]
pub struct Report {
    /// The recording; or a page made of one, for --format json and data
    #[arg(value_name = "FILE")]
    pub recording: PathBuf,
    /// The file to write, readable by you only; - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which part of the recording.
    #[command(flatten)]
    pub span: Span,
}

/// What `report` can write.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// One page that needs nothing else, for a browser
    #[default]
    Html,
    /// For a ticket
    Markdown,
    /// Folded stacks of living handles, for flame graphs
    Folded,
    /// For speedscope.app
    Speedscope,
    /// For `go tool pprof`
    Pprof,
    /// For code scanning
    Sarif,
    /// For CI: a test case a site
    Junit,
    /// As `fdscope leak --json`; also of a page
    Json,
    /// All that a page shows, as one JSON object: report, living handles, timeline; also of a page
    Data,
}

/// Which part of a recording is looked at.
#[derive(Args, Debug, Clone, Default)]
pub struct Span {
    /// Of a recording: only from here on; 14:02, 14:02:30, 2026-11-23T14:02 (UTC), or +10m after its beginning
    #[arg(long, value_parser = parse_moment, value_name = "WHEN")]
    pub from: Option<Moment>,
    /// Of a recording: only up to here
    #[arg(long, visible_alias = "at", value_parser = parse_moment, value_name = "WHEN")]
    pub to: Option<Moment>,
}

impl Span {
    /// True if a part is asked for.
    pub fn is_given(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// The ends of the part in a recording that began so.
    pub fn moments(&self, opening: &Opening) -> (Option<Monotonic>, Option<Monotonic>) {
        let at = |moment: Option<Moment>| moment.map(|moment| moment.at(opening));
        (at(self.from), at(self.to))
    }
}

/// A moment of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// So many nanoseconds after its beginning.
    After(u64),
    /// The first time that clocks showed this in UTC, in seconds of the day.
    Clock(u64),
    /// Seconds since the epoch.
    Wall(u64),
}

const SECOND_NS: u64 = 1_000_000_000;
const DAY_S: u64 = 86_400;

impl Moment {
    /// When that was.
    pub fn at(self, opening: &Opening) -> Monotonic {
        let begun_ns = opening.taken_at_ns;
        let wall_ns = match self {
            Moment::After(ns) => return Monotonic(opening.begun.0.saturating_add(ns)),
            Moment::Wall(seconds) => seconds.saturating_mul(SECOND_NS),
            Moment::Clock(of_day) => {
                let begun_s = begun_ns / SECOND_NS;
                let today = begun_s - begun_s % DAY_S + of_day;
                // A minute that has begun when the recording does is its first.
                let next = if today + 59 < begun_s { today + DAY_S } else { today };
                next * SECOND_NS
            }
        };
        let after = wall_ns.saturating_sub(begun_ns);
        let before = begun_ns.saturating_sub(wall_ns);
        // Up to a minute too early is the beginning itself: nobody types nanoseconds.
        let before = if before < 60 * SECOND_NS { 0 } else { before };
        Monotonic(opening.begun.0.saturating_add(after).saturating_sub(before))
    }
}

/// `14:02`, `14:02:30`, `2026-11-23T14:02`, `+10m`.
///
/// # Errors
/// A sentence that says what a moment looks like.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    let wrong = || "a moment is 14:02, 14:02:30, 2026-11-23T14:02 (all UTC) or +10m".to_owned();
    if let Some(after) = text.strip_prefix('+') {
        let after = parse_duration(after)?;
        return Ok(Moment::After(u64::try_from(after.as_nanos()).map_err(|_| wrong())?));
    }
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (Some(date), clock.trim_end_matches(['Z', 'z'])),
        None => (None, text),
    };
    let of_day = parse_clock(clock).ok_or_else(wrong)?;
    match date {
        None => Ok(Moment::Clock(of_day)),
        Some(date) => {
            parse_date(date).map(|day| Moment::Wall(day * DAY_S + of_day)).ok_or_else(wrong)
        }
    }
}

fn parse_clock(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts[..] {
        [hour, minute] if hour < 24 && minute < 60 => Some(hour * 3600 + minute * 60),
        [hour, minute, second] if hour < 24 && minute < 60 && second < 60 => {
            Some(hour * 3600 + minute * 60 + second)
        }
        _ => None,
    }
}

/// Days since the epoch (Howard Hinnant's days_from_civil).
fn parse_date(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year @ 1970..=9999, month @ 1..=12, day @ 1..=31] = parts[..] else { return None };
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// A size of at least 64K.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches(['K', 'M', 'G']);
    let scale = match &upper[digits.len()..] {
        "" => Some(1),
        "K" => Some(1_000),
        "M" => Some(1_000_000),
        "G" => Some(1_000_000_000),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(scale).and_then(|(n, scale)| n.checked_mul(scale));
    bytes.filter(|&bytes| bytes >= 64_000).ok_or_else(|| "a size from 64K up: 10M, 2G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_clocks_dates_or_distances() {
        let check = |text, expected| assert_eq!(parse_moment(text).ok(), expected, "{text}");
        check("14:02", Some(Moment::Clock(14 * 3600 + 120)));
        check("00:00:01", Some(Moment::Clock(1)));
        check("+10m", Some(Moment::After(600 * SECOND_NS)));
        check("1970-01-02T00:00", Some(Moment::Wall(86_400)));
        check("2026-11-24 10:00:00", Some(Moment::Wall(1_795_514_400)));
        check("25:00", None);
        check("14", None);
        check("2026-13-01T00:00", None);
        check("-5m", None);
    }

    #[test]
    fn a_clock_is_of_the_day_the_recording_began_or_the_next() {
        // 1970-01-02 23:30 UTC.
        let begun_s = 86_400 + 23 * 3600 + 30 * 60;
        let opening =
            Opening { taken_at_ns: begun_s * SECOND_NS, begun: Monotonic(5), ..Opening::default() };
        let after = |text| parse_moment(text).expect("a moment").at(&opening).0 - 5;
        assert_eq!(after("23:31"), 60 * SECOND_NS);
        assert_eq!(after("00:30"), 3600 * SECOND_NS);
        assert_eq!(after("23:30"), 0);
    }

    #[test]
    fn sizes_are_decimal_as_disks_are() {
        assert_eq!(parse_bytes("200M"), Ok(200_000_000));
        assert_eq!(parse_bytes("2g"), Ok(2_000_000_000));
        assert!(parse_bytes("1K").is_err() && parse_bytes("x").is_err());
    }
}
