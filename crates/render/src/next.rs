//! The one next command worth running after a report: a table of situations, the first that applies wins.

use fdscope_model::SourceName;
use fdscope_model::verdict::{Level, Report};

use crate::units;

/// A command and why to run it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Next {
    /// To be typed as it is.
    pub command: String,
    /// A sentence fragment, to follow a colon or a dash.
    pub why: String,
    /// True if the run itself cannot be repeated, its target being gone.
    pub is_instead: bool,
}

/// The next command for `report`, if one is worth running.
pub fn next(report: &Report) -> Option<Next> {
    if report.totals.is_empty() {
        return None;
    }
    const SITUATIONS: [fn(&Report) -> Option<Next>; 5] =
        [after_demo, target_gone, growth_without_stacks, leak_found, longer];
    SITUATIONS.iter().find_map(|situation| situation(report))
}

/// Who has seen the demo wants to see a program of their own.
fn after_demo(report: &Report) -> Option<Next> {
    is_demo(&report.command).then(|| Next {
        command: "fdscope leak PID".to_string(),
        why: "the same for a program of yours, while it runs; fdscope leak NAME does, too"
            .to_string(),
        is_instead: false,
    })
}

fn is_demo(command: &str) -> bool {
    command.split_whitespace().nth(1) == Some("demo")
}

/// A process that is gone cannot be watched again by its number, but its command can be run again.
fn target_gone(report: &Report) -> Option<Next> {
    let gone = report.totals.iter().all(|total| total.gone);
    if !gone || launches(&report.command) {
        return None;
    }
    let cmdline = report.totals[0].process.cmdline.bytes();
    let arguments: Option<Vec<String>> =
        cmdline.strip_suffix(b"\0")?.split(|&byte| byte == 0).map(quoted).collect();
    let why = "watches it from its first instruction to its exit".to_string();
    let command = format!("fdscope leak -- {}", arguments?.join(" "));
    Some(Next { command, why, is_instead: true })
}

/// An argument as a shell takes it; none if it holds anything but printable ASCII.
fn quoted(argument: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(argument).ok()?;
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return Some(text.to_string());
    }
    let printable = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    printable.then(|| format!("'{}'", text.replace('\'', "'\\''")))
}

/// Growth that sampling found has no line of code yet; a tracer finds it.
fn growth_without_stacks(report: &Report) -> Option<Next> {
    if report.sight.source != SourceName::Poll || worst(report)? < Level::Suspect {
        return None;
    }
    let command = match without_option(&report.command, "--source") {
        same if same == report.command && same.starts_with("sudo ") => return None,
        same if same == report.command => format!("sudo {same}"),
        chosen_anew => chosen_anew,
    };
    Some(Next {
        command,
        why: "with a tracer the report names the line of code".to_string(),
        is_instead: false,
    })
}

/// After a leak is found, the fix is what is to be checked.
fn leak_found(report: &Report) -> Option<Next> {
    if worst(report)? != Level::Leak || report.command.contains("--fail-on") {
        return None;
    }
    let command = with_option(&report.command, "--fail-on", "leak");
    Some(Next {
        command,
        why: "after the fix: exits with 3 if anything still leaks".to_string(),
        is_instead: false,
    })
}

/// Watching longer tells what this run could not.
fn longer(report: &Report) -> Option<Next> {
    const STEPS: [(u64, &str); 9] = [
        (30, "30s"),
        (60, "1m"),
        (120, "2m"),
        (300, "5m"),
        (600, "10m"),
        (1_800, "30m"),
        (3_600, "1h"),
        (14_400, "4h"),
        (86_400, "24h"),
    ];
    if launches(&report.command) || worst(report) == Some(Level::Leak) {
        return None;
    }
    let watched_ns = report.ended.since_ns(report.begun);
    let &(seconds, word) = STEPS.iter().find(|(s, _)| s * 1_000_000_000 / 4 >= watched_ns)?;
    let command = with_option(&report.command, "--duration", word);
    let span = units::duration_s(seconds as f64);
    let gain = match worst(report) {
        Some(Level::TooSoon) => "long enough for a verdict",
        _ => "which shows slower growth",
    };
    Some(Next { command, why: format!("watches for {span}, {gain}"), is_instead: false })
}

fn worst(report: &Report) -> Option<Level> {
    report.verdicts.iter().map(|verdict| verdict.level).max()
}

fn launches(command: &str) -> bool {
    command.contains(" -- ")
}

/// `command` with an option set right after its subcommand, where it cannot be taken for the target's own.
fn with_option(command: &str, option: &str, value: &str) -> String {
    let command = without_option(command, option);
    match command.split_once("leak") {
        Some((head, tail)) => format!("{head}leak {option} {value}{tail}"),
        None => format!("{command} {option} {value}"),
    }
}

/// `command` without `option`, however it is spelled; what follows `--` belongs to the target and stays.
fn without_option(command: &str, option: &str) -> String {
    let (own, target) = match command.split_once(" -- ") {
        Some((own, target)) => (own, Some(target)),
        None => (command, None),
    };
    let mut kept = Vec::new();
    let mut words = own.split(' ');
    while let Some(word) = words.next() {
        let Spelling { stays, value } = spelling(word, option);
        kept.extend(stays);
        if value == Value::NextWord {
            words.next();
        }
    }
    let own = kept.join(" ");
    target.map_or(own.clone(), |target| format!("{own} -- {target}"))
}

/// What a word has to do with an option.
struct Spelling<'a> {
    /// What is left of the word without the option.
    stays: Option<&'a str>,
    value: Value,
}

/// Where an option's value stands.
#[derive(PartialEq, Eq)]
enum Value {
    None,
    Inside,
    NextWord,
}

/// `--duration 5m`, `--duration=5m`, `-d 5m`, `-d5m`, `-d=5m` and `-fd 5m` are one thing.
fn spelling<'a>(word: &'a str, option: &str) -> Spelling<'a> {
    /// Options of one letter that take no value, and so may stand before another in one word.
    const SWITCHES: &[char] = &['f', 'q'];
    let not_it = Spelling { stays: Some(word), value: Value::None };
    if let Some(rest) = word.strip_prefix(option) {
        return match rest {
            "" => Spelling { stays: None, value: Value::NextWord },
            rest if rest.starts_with('=') => Spelling { stays: None, value: Value::Inside },
            _ => not_it,
        };
    }
    let (Some(letters), Some(short)) = (word.strip_prefix('-'), short_of(option)) else {
        return not_it;
    };
    let after = letters.trim_start_matches(SWITCHES);
    let Some(value) = after.strip_prefix(short) else { return not_it };
    let switches = &word[..word.len() - after.len()];
    Spelling {
        stays: (switches.len() > 1).then_some(switches),
        value: if value.is_empty() { Value::NextWord } else { Value::Inside },
    }
}

/// The letter of the options that are replaced here.
fn short_of(option: &str) -> Option<char> {
    const SHORT: &[(&str, char)] = &[("--duration", 'd'), ("--source", 's')];
    SHORT.iter().find(|(long, _)| *long == option).map(|&(_, letter)| letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_or_refused() {
        let check = |argument: &[u8], expected: Option<&str>| {
            assert_eq!(quoted(argument).as_deref(), expected);
        };
        check(b"--port=80", Some("--port=80"));
        check(b"", Some("''"));
        check(b"a b$(c)", Some("'a b$(c)'"));
        check(b"it's", Some("'it'\\''s'"));
        check(b"\x1b[2J", None);
        check(b"\xff", None);
    }

    #[test]
    fn the_demo_is_told_by_its_command() {
        for (command, expected) in
            [("fdscope demo", true), ("fdscope demo --json", true), ("fdscope leak demo", false)]
        {
            assert_eq!(is_demo(command), expected, "{command}");
        }
    }

    #[test]
    fn options_are_replaced_before_the_target_only() {
        let check = |command: &str, expected: &str| {
            assert_eq!(with_option(command, "--duration", "5m"), expected);
        };
        check("fdscope leak 812", "fdscope leak --duration 5m 812");
        check("fdscope leak --duration 10s 812", "fdscope leak --duration 5m 812");
        check("fdscope leak --duration=10s 812", "fdscope leak --duration 5m 812");
        check("fdscope leak -d 10s 812", "fdscope leak --duration 5m 812");
        check("fdscope leak 812 -d10s -f", "fdscope leak --duration 5m 812 -f");
        check("fdscope leak -fqd 10s 812", "fdscope leak --duration 5m -fq 812");
        check("fdscope leak -f 812 -k dir", "fdscope leak --duration 5m -f 812 -k dir");
        check(
            "fdscope leak -- app --duration 1s",
            "fdscope leak --duration 5m -- app --duration 1s",
        );
        check("/opt/scope 1", "/opt/scope 1 --duration 5m");
    }
}
