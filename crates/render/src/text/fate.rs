//! What becomes of a site's handles: who releases them, after how long, and how many nobody does.

use fdscope_model::verdict::{Closer, Lifetimes, Verdict};

use super::block::{COLUMN, labelled};
use crate::charset::Charset;
use crate::page::Page;
use crate::phrase::phrase;
use crate::piece::{Text, width};
use crate::site;
use crate::style::Style;
use crate::units;

/// Closers shown; the rest is counted.
const CLOSERS: usize = 3;

/// In place of the place where there is none because the source spared the target.
const NOT_TAKEN: &str = "stack not taken  ";

/// Where siblings go.
pub fn closers(page: &mut Page, verdict: &Verdict) {
    let words = phrase(verdict.kind);
    let label = format!("{} by", words.gone);
    let label = if width(&label) + 3 > COLUMN { "gone by" } else { &label };
    if verdict.closed_by.is_empty() {
        let text = match verdict.released {
            0 => Text::default()
                .and(Style::Strong, "nobody")
                .and(Style::Plain, format!(": {} while watched", words.not_one())),
            n => Text::plain(format!("{} {}; by whom was not seen", units::count(n), words.gone)),
        };
        return labelled(page, label, text);
    }
    for (index, text) in goings(&verdict.closed_by, page.form.charset).into_iter().enumerate() {
        labelled(page, if index == 0 { label } else { "" }, text);
    }
}

/// A line a place, the commonest first. A storm of calls is spared most stacks: shares are then of those that were taken,
/// and how many were not is said last.
fn goings(closers: &[Closer], charset: Charset) -> Vec<Text> {
    let all: u64 = closers.iter().map(|closer| closer.count).sum();
    let is_bare = |place: &Text| *place == Text::plain(NOT_TAKEN);
    let (bare, places): (Vec<_>, Vec<_>) =
        places(closers, charset).into_iter().partition(|row| is_bare(&row.0));
    let untaken: u64 = bare.iter().map(|(_, _, count)| count).sum();
    let of = if untaken > 0 { " of the stacks taken" } else { "" };
    let mut lines: Vec<Text> = Vec::new();
    for (place, how, count) in places.iter().take(CLOSERS) {
        let share = units::share(*count, all - untaken);
        let gone = format!("{} by {how} ({share}{of})", units::count(*count));
        lines.push(place.clone().and(Style::Plain, gone));
    }
    let rest: u64 = places.iter().skip(CLOSERS).map(|(_, _, count)| count).sum();
    if rest > 0 {
        let others = places.len() - CLOSERS;
        let others = units::count_of(others as u64, "other place", "other places");
        lines.push(Text::plain(format!("{} at {others}", units::count(rest))));
    }
    for (place, how, count) in bare {
        lines.push(place.and(Style::Plain, format!("{} by {how}", units::count(count))));
    }
    lines
}

/// Where and how siblings go, and how many; closers that differ only in how they were reached are one.
fn places(closers: &[Closer], charset: Charset) -> Vec<(Text, String, u64)> {
    let mut places: Vec<(Text, String, u64)> = Vec::new();
    for closer in closers {
        let (place, how) = (place(closer, charset), charset.sentence(&closer.how));
        match places.iter_mut().find(|known| known.0 == place && known.1 == how) {
            Some((_, _, count)) => *count += closer.count,
            None => places.push((place, how, closer.count)),
        }
    }
    places.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    places
}

/// "finish_request  src/send.c:60  ", or nothing where no stack was seen.
fn place(closer: &Closer, charset: Charset) -> Text {
    /// Ways to go that are no call of the program: they have no stack.
    const WITHOUT_STACK: [&str; 4] = ["exit", "execve", "found closed", "close not seen"];
    let Some(frame) = site::frame_at(&closer.frames, closer.at) else {
        let missing = !WITHOUT_STACK.contains(&closer.how.as_str());
        return if missing { Text::plain(NOT_TAKEN) } else { Text::default() };
    };
    let text = Text::default().and(Style::Strong, site::function(frame, charset));
    let text = match &frame.symbol.function {
        Some(_) => text.and(Style::Plain, "  ").and_solid(Style::Dim, site::place(frame, charset)),
        None => text,
    };
    text.and(Style::Plain, "  ")
}

/// Born, gone, how long they lived, and the oldest one alive.
pub fn survival(page: &mut Page, verdict: &Verdict) {
    let words = phrase(verdict.kind);
    let life = &verdict.lifetimes;
    let gone = match verdict.released {
        0 => "none".to_string(),
        n => units::count(n),
    };
    let born = units::count(verdict.acquired);
    let (before, still, is) = match verdict.went_at_its_end() {
        true => (" before its end", "", "was"),
        false => ("", "still ", "is"),
    };
    let mut parts =
        vec![format!("{born} {} while watched, {gone} {}{before}", words.past, words.gone)];
    parts.extend(lived(life));
    if let Some(oldest) = life.oldest_live_ns {
        let age = units::duration_ns(oldest);
        parts.push(format!("the oldest {still}{} {is} {age} old", words.alive));
    }
    let survivors = verdict.acquired.saturating_sub(verdict.released);
    if let Some(descriptions) = verdict.descriptions.filter(|n| *n < survivors) {
        let files =
            units::count_of(descriptions, "open file description", "open file descriptions");
        parts.push(format!("the survivors share {files} (dup or fork)"));
    }
    if verdict.existing > 0 {
        let existing = units::count(verdict.existing);
        parts.push(format!("{existing} of the living were there before watching, origin unknown"));
    }
    labelled(page, "lifetimes", Text::plain(parts.join("; ")));
}

/// "half of those within 1.2 ms, 99.9 % within 40 ms, the last after 41 ms"; what would read the same is not said.
fn lived(life: &Lifetimes) -> Option<String> {
    let [median, p999, longest] =
        [life.median_ns, life.p999_ns, life.longest_ns].map(|ns| ns.map(units::duration_ns));
    let mut text = format!("half of those within {}", median.as_deref()?);
    if let Some(p999) = p999.as_deref().filter(|p999| *p999 != median.as_deref().unwrap_or("")) {
        text += &format!(", 99.9 % within {p999}");
    }
    match longest {
        Some(longest) if Some(&longest) == median.as_ref() => Some(format!("all within {longest}")),
        Some(longest) if Some(&longest) != p999.as_ref() => {
            Some(text + ", the last after " + &longest)
        }
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::stack::{Frame, Symbol};

    #[test]
    fn closers_of_one_place_are_one() {
        let closer = |function: &str, how: &str, count| {
            let symbol = Symbol { function: Some(function.to_string()), ..Symbol::default() };
            let frame =
                Frame { symbol, module: "app".into(), build_id: None, offset: 16, plumbing: false };
            Closer { how: how.to_string(), frames: vec![frame], at: Some(0), count }
        };
        let closers = [
            closer("quit", "close", 5),
            closer("reap", "close", 4),
            closer("reap", "close", 3),
            closer("reap", "dup2", 2),
        ];
        let counts: Vec<u64> =
            places(&closers, Charset::Utf8).into_iter().map(|(_, _, count)| count).collect();
        assert_eq!(counts, [7, 5, 2]);
        let spared = Closer { frames: Vec::new(), ..closer("", "close", 86) };
        let told = goings(&[&closers[..3], &[spared]].concat(), Charset::Utf8);
        let told: Vec<String> = told.iter().map(Text::text).collect();
        let expected = [
            "reap  app+0x10  7 by close (58 % of the stacks taken)",
            "quit  app+0x10  5 by close (42 % of the stacks taken)",
            "stack not taken  86 by close",
        ];
        assert_eq!(told, expected);
        let without = |how: &str| Closer { frames: Vec::new(), ..closer("", how, 1) };
        let texts = ["close", "exit"].map(|how| place(&without(how), Charset::Utf8));
        assert_eq!(texts, [Text::plain("stack not taken  "), Text::default()]);
    }
}
