//! The sentence with numbers: what a site does, how many that makes, and when the limit breaks.

use fdscope_model::verdict::{Forecast, Level, Verdict};
use fdscope_model::{Limit, LimitName};

use crate::charset::Charset;
use crate::phrase::{Phrase, phrase};
use crate::piece::Text;
use crate::site;
use crate::style::Style;
use crate::units;

/// Columns of a function's name in the sentence; the stack below shows it whole.
const NAME_COLUMNS: usize = 64;

/// The sentence about `verdict`, without its level word.
pub fn headline(verdict: &Verdict, charset: Charset) -> Text {
    let words = phrase(verdict.kind);
    let name = site::short_name(verdict, NAME_COLUMNS, charset);
    let name = match site::is_unnamed(verdict) {
        true => format!("{} {name}", charset.name(&verdict.comm)),
        false => format!("`{name}`"),
    };
    let text =
        Text::solid(Style::Strong, name).and(Style::Plain, format!(" {}", growth(verdict, &words)));
    match &verdict.forecast {
        Some(forecast) => {
            text.and(Style::Plain, ", ").and_text(limit(&forecast.limit)).and_text(when(forecast))
        }
        None => text,
    }
}

/// "opens 3.0 files/s that are never closed: 140 open"; without a rate, "opened 412 files, 140 of which …".
fn growth(verdict: &Verdict, words: &Phrase) -> String {
    let coded = !verdict.site.frames.is_empty();
    let (verb, past) = if coded { (words.verb, words.past) } else { ("gains", "gained") };
    let fate = match verdict.level {
        Level::Leak if verdict.went_at_its_end() => words.only_at_the_end(),
        Level::Leak => words.never(),
        _ => words.not_seen(),
    };
    let live = format!("{} {}", units::count(verdict.live), words.alive);
    // Slower than this, a rate would print as 0.0 a day.
    if let Some(rate) = verdict.rate.filter(|rate| rate.per_s * 86_400.0 >= 0.05) {
        return format!("{verb} {} that {fate}: {live}", units::rate(rate.per_s, words.many));
    }
    let born = units::count_of(verdict.acquired, words.one, words.many);
    match verdict.acquired.saturating_sub(verdict.released) {
        kept if kept == verdict.acquired => format!("{past} {born} that {fate}: {live}"),
        kept => format!("{past} {born}, {} of which {fate}: {live}", units::count(kept)),
    }
}

/// "limit 1,024"; any limit but the usual one is named.
fn limit(limit: &Limit) -> Text {
    let name = match limit.name {
        LimitName::Nofile => "limit".to_string(),
        other => format!("limit {}", other.word()),
    };
    match limit.value {
        u64::MAX => Text::plain(format!("{name} unlimited")),
        value => Text::plain(format!("{name} ")).and_solid(Style::Strong, units::count(value)),
    }
}

/// " reached in 4 min 55 s (4 min 37 s to 5 min 16 s)".
fn when(forecast: &Forecast) -> Text {
    if forecast.limit.used >= forecast.limit.value {
        return Text::plain(" ").and(Style::Leak, "used up");
    }
    let Some(reached) = forecast.reached_in_s else {
        return Text::plain(match forecast.limit.value {
            u64::MAX => "",
            _ => " not being approached",
        });
    };
    let text = Text::plain(" reached in ").and_solid(Style::Strong, units::duration_s(reached));
    let range = match (forecast.soonest_s, forecast.latest_s) {
        (Some(soonest), Some(latest)) => {
            format!(" ({} to {})", units::duration_s(soonest), units::duration_s(latest))
        }
        (Some(soonest), None) => format!(" (at the soonest {})", units::duration_s(soonest)),
        (None, Some(latest)) => format!(" (at the latest {})", units::duration_s(latest)),
        (None, None) => String::new(),
    };
    text.and(Style::Plain, range)
}
