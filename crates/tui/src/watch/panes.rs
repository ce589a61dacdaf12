//! The panes of the screen of one target: their columns, and the rows that a moment gives them.

use fdscope_model::name::escape;
use fdscope_model::verdict::Verdict;
use fdscope_model::{Level, Monotonic};
use fdscope_render::Charset;
use fdscope_render::site;
use fdscope_render::style::Style;
use fdscope_render::table::{Column, Keep};
use fdscope_render::units;

use super::moment::{Happening, Moment, Standing};
use crate::palette::{Depth, Look};
use crate::pane::Pane;
use crate::rows::{Field, Row, key_of};
use crate::top::trend;

/// How many panes there are.
pub(super) const PANES: usize = 6;

/// A part of the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Sites,
    Kinds,
    Sockets,
    Threads,
    Handles,
    Stack,
}

impl Part {
    /// In the order of Tab.
    pub const ALL: [Part; PANES] =
        [Part::Sites, Part::Kinds, Part::Sockets, Part::Threads, Part::Handles, Part::Stack];
}

const SITES: &[Column] = &[
    Column::left("VERDICT"),
    Column::left("SITE").keep(Keep::Shorten(12)),
    Column::left("KIND").keep(Keep::Drop(4)),
    Column::right("LIVE"),
    Column::right("BORN").keep(Keep::Drop(5)),
    Column::right("GROWTH"),
    Column::right("LIMIT IN").keep(Keep::Drop(2)),
    Column::left("TREND").keep(Keep::Drop(3)),
    Column::left("PLACE").keep(Keep::Drop(7)),
];
const KINDS: &[Column] = &[
    Column::left("KIND"),
    Column::right("OPEN"),
    Column::right("PER MIN"),
    Column::left("TREND").keep(Keep::Drop(1)),
];
const SOCKETS: &[Column] = &[
    Column::right("OPEN"),
    Column::right("CHANGE").keep(Keep::Drop(1)),
    Column::left("STATE"),
    Column::left("ENDS").keep(Keep::Shorten(18)),
];
const THREADS: &[Column] = &[
    Column::right("THREADS"),
    Column::right("CHANGE").keep(Keep::Drop(1)),
    Column::left("NAME").keep(Keep::Shorten(6)),
    Column::right("BUSY").keep(Keep::Drop(2)),
    Column::left("WAITS IN").keep(Keep::Drop(3)),
];
const HANDLES: &[Column] = &[
    Column::left(""),
    Column::right("AT"),
    Column::right("FD"),
    Column::left("KIND").keep(Keep::Drop(1)),
    Column::left("NAME").keep(Keep::Shorten(20)),
    Column::right("LIVED").keep(Keep::Drop(3)),
    Column::left("BY").keep(Keep::Drop(2)),
];
const STACK: &[Column] = &[
    Column::left(""),
    Column::left("FUNCTION").keep(Keep::Shorten(10)),
    Column::left("PLACE").keep(Keep::Drop(1)),
];

pub(super) fn new_panes() -> [Pane; PANES] {
    [
        Pane::new("Sites", SITES),
        Pane::new("Kinds", KINDS),
        Pane::new("Sockets", SOCKETS),
        Pane::new("Threads", THREADS),
        Pane::new("Coming and going", HANDLES),
        Pane::new("Stack", STACK),
    ]
}

/// The rows of a part; those of the stack are [`stack`]'s.
pub(super) fn rows(part: Part, moment: &Moment, charset: Charset) -> Vec<Row> {
    match part {
        Part::Sites => moment.report.verdicts.iter().map(|one| site_row(one, charset)).collect(),
        Part::Kinds => kinds(moment, charset),
        Part::Sockets => sockets(moment, charset),
        Part::Threads => threads(moment, charset),
        Part::Handles => {
            let begun = moment.report.begun;
            moment.happenings.iter().map(|one| happening(one, begun, charset)).collect()
        }
        Part::Stack => Vec::new(),
    }
}

/// What stands in a part without rows.
pub(super) fn nothing(part: Part, moment: &Moment) -> &'static str {
    let replays = matches!(moment.standing, Standing::Replay { .. });
    match part {
        Part::Sites => "nothing was opened since the watch began",
        Part::Kinds => "no handle is known",
        Part::Sockets => "no socket",
        Part::Threads if replays => "a recording has threads as sites only",
        Part::Threads => "no thread may be seen",
        Part::Handles => "nothing came or went yet",
        Part::Stack => "no stack was seen",
    }
}

/// What a site is known by while its verdicts change.
fn site_key(verdict: &Verdict) -> u64 {
    let at = site::frame_at(&verdict.site.frames, verdict.site.at);
    let code = at.map(|frame| (&frame.module, frame.offset, &frame.symbol.function));
    key_of((verdict.pid, verdict.kind, code, &verdict.site.pattern))
}

/// The verdict on the site with this key.
pub(super) fn verdict(moment: &Moment, key: u64) -> Option<&Verdict> {
    moment.report.verdicts.iter().find(|verdict| site_key(verdict) == key)
}

fn site_row(verdict: &Verdict, charset: Charset) -> Row {
    let style = Style::of(verdict.level);
    let word = match verdict.level {
        Level::Leak => "LEAK",
        Level::Suspect => "SUSPECT",
        quiet => quiet.word(),
    };
    let name = match site::is_unnamed(verdict) {
        true => format!("{} {}", charset.name(&verdict.comm), site::name(verdict, charset)),
        false => site::name(verdict, charset),
    };
    let growth = verdict.rate.map_or_else(Field::blank, |rate| {
        Field::number(style, units::signed_rate(rate.per_s), rate.per_s)
    });
    let at = site::frame_at(&verdict.site.frames, verdict.site.at);
    let place = at.and_then(|frame| site::line(frame, charset)).unwrap_or_default();
    let look = Look { depth: Depth::Mono, charset };
    let fields = vec![
        Field::number(style, word, f64::from(verdict.level as u8)),
        Field::text(Style::Plain, name),
        Field::text(Style::Plain, verdict.kind.word()),
        Field::count(verdict.live),
        Field::count(verdict.acquired),
        growth,
        until(verdict),
        Field::text(Style::Curve, trend(&verdict.curve.values, look)),
        Field::text(Style::Dim, place),
    ];
    Row { key: site_key(verdict), fields }
}

/// When the limit breaks; of what is not known yet, when it will be.
fn until(verdict: &Verdict) -> Field {
    let reached = verdict.forecast.and_then(|forecast| forecast.reached_in_s);
    match (reached, verdict.known_in_s) {
        (Some(seconds), _) => {
            Field::number(Style::of(verdict.level), units::duration_s(seconds), -seconds)
        }
        (None, Some(seconds)) => {
            let text = format!("known in {}", units::duration_s(seconds.ceil()));
            Field::text(Style::Dim, text)
        }
        (None, None) => Field::blank(),
    }
}

fn kinds(moment: &Moment, charset: Charset) -> Vec<Row> {
    let look = Look { depth: Depth::Mono, charset };
    let row = |kind: &super::KindCount| {
        let style =
            if kind.per_min.is_some_and(|rate| rate > 0.0) { Style::Strong } else { Style::Plain };
        let fields = vec![
            Field::text(style, kind.kind.word()),
            Field::count(kind.count),
            kind.per_min.map_or_else(Field::blank, per_min),
            Field::text(Style::Curve, trend(&kind.past, look)),
        ];
        Row::new(kind.kind, fields)
    };
    moment.kinds.iter().map(row).collect()
}

fn per_min(rate: f64) -> Field {
    let text = match rate {
        0.0 => "0".to_owned(),
        rate => signed(rate, &units::decimal(rate.abs())),
    };
    Field::number(Style::Plain, text, rate)
}

fn signed(value: f64, text: &str) -> String {
    format!("{}{text}", if value < 0.0 { '-' } else { '+' })
}

fn sockets(moment: &Moment, charset: Charset) -> Vec<Row> {
    let row = |group: &super::SocketGroup| {
        let state = group.state.map_or("", |state| state.word());
        let style = if state == "close-wait" { Style::Suspect } else { Style::Plain };
        let fields = vec![
            Field::count(group.count),
            change(group.change),
            Field::text(style, state),
            Field::text(Style::Plain, charset.name(&group.pattern)),
        ];
        Row::new((state, &group.pattern), fields)
    };
    moment.sockets.iter().map(row).collect()
}

fn change(by: i64) -> Field {
    match by {
        0 => Field::number(Style::Plain, "", 0.0),
        by => {
            let text = signed(by as f64, &units::count(by.unsigned_abs()));
            Field::number(Style::Plain, text, by as f64)
        }
    }
}

fn threads(moment: &Moment, charset: Charset) -> Vec<Row> {
    let row = |group: &fdscope_model::thread::ThreadGroup| {
        let busy = group.cpu_cores.map_or_else(Field::blank, |cores| {
            Field::number(Style::Plain, format!("{:.0} %", cores * 100.0), cores)
        });
        let doing: Vec<String> = group
            .doing
            .iter()
            .take(2)
            .map(|(word, count)| {
                let word = escape(word.as_bytes());
                if *count == group.count {
                    word
                } else {
                    format!("{} {word}", units::count(*count))
                }
            })
            .collect();
        let fields = vec![
            Field::count(group.count),
            change(group.change.map_or(0, |change| change.net())),
            Field::text(Style::Plain, charset.name(&group.pattern)),
            busy,
            Field::text(Style::Dim, doing.join(", ")),
        ];
        Row::new((&group.pattern, &group.entry), fields)
    };
    moment.threads.iter().map(row).collect()
}

fn happening(one: &Happening, begun: Monotonic, charset: Charset) -> Row {
    let (sign, style) = if one.came { ("+", Style::Strong) } else { ("-", Style::Dim) };
    let at_s = one.at.since_ns(begun) as f64 / 1e9;
    let lived = one.lived_ns.map_or_else(Field::blank, |ns| {
        Field::number(Style::Dim, units::duration_ns(ns), ns as f64)
    });
    let plain = if one.came { Style::Plain } else { Style::Dim };
    let fields = vec![
        Field::text(style, sign),
        Field::number(Style::Dim, format!("{at_s:.1} s"), at_s),
        one.fd
            .map_or_else(Field::blank, |fd| Field::number(plain, fd.to_string(), -f64::from(fd.0))),
        Field::text(plain, one.kind.map_or("", |kind| kind.word())),
        // Who made it says more than nothing, where a handle was gone before its name could be read.
        match one.name.is_empty() {
            true => Field::text(Style::Dim, format!("({})", charset.symbol(one.by.trim()))),
            false => Field::text(plain, charset.name(&one.name)),
        },
        lived,
        Field::text(Style::Dim, charset.symbol(&one.by)),
    ];
    Row { key: one.number, fields }
}

/// The frame of a site's stack that is to be read first, as a row of [`stack`] is known.
pub(super) fn frame_key(verdict: &Verdict) -> Option<u64> {
    verdict.site.at.map(key_of)
}

/// The stack of a site, innermost first; the site itself is marked.
pub(super) fn stack(verdict: &Verdict, charset: Charset) -> Vec<Row> {
    let mark = if charset == Charset::Utf8 { "▶" } else { ">" };
    let row = |(index, frame): (usize, &fdscope_model::stack::Frame)| {
        let is_site = verdict.site.at == Some(index);
        let style = match (is_site, frame.plumbing) {
            (true, _) => Style::Site,
            (false, true) => Style::Dim,
            (false, false) => Style::Plain,
        };
        let fields = vec![
            Field::text(style, if is_site { mark } else { "" }),
            Field::text(style, site::function(frame, charset)),
            Field::text(Style::Dim, site::place(frame, charset)),
        ];
        Row::new(index, fields)
    };
    verdict.site.frames.iter().enumerate().map(row).collect()
}
