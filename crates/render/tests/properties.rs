//! Whatever a target calls itself, its files and its functions, the terminal is safe and the lines stay in shape.

mod made;

use fdscope_model::Name;
use fdscope_model::verdict::Report;
use fdscope_render::live::{Status, Worst, line};
use fdscope_render::{Charset, ColorChoice, Form, Output, piece, write};
use proptest::collection::vec;
use proptest::prelude::*;

fn printed(report: &Report, output: Output) -> String {
    let mut bytes = Vec::new();
    write(report, output, &mut bytes).expect("a vector takes every write");
    String::from_utf8(bytes).expect("output is UTF-8")
}

/// Puts `name` and `text` everywhere that a target can choose.
fn with_names(mut report: Report, name: &Name, text: &str) -> Report {
    let text = || text.to_string();
    report.command = text();
    report.machine = text();
    report.sight.how = text();
    for blind in &mut report.sight.blind {
        (blind.what, blind.why, blind.cure) = (text(), text(), Some(text()));
    }
    for total in &mut report.totals {
        total.process.comm = name.clone();
        total.process.exe = name.clone();
        total.process.cmdline = name.clone();
    }
    report.faults.iter_mut().for_each(|fault| fault.cause = text());
    for verdict in &mut report.verdicts {
        verdict.comm = name.clone();
        verdict.site.pattern = verdict.site.pattern.as_ref().map(|_| name.clone());
        verdict.advice = text();
        verdict.evidence = vec![text(), text()];
        verdict.ruled_out = vec![text()];
        for example in &mut verdict.examples {
            (example.name, example.thread) = (name.clone(), name.clone());
        }
        for closer in &mut verdict.closed_by {
            closer.how = text();
            closer.frames.iter_mut().for_each(|frame| rename(frame, name, &text()));
        }
        verdict.site.frames.iter_mut().for_each(|frame| rename(frame, name, &text()));
    }
    for misuse in &mut report.misuse {
        (misuse.comm, misuse.name, misuse.call) = (name.clone(), name.clone(), text());
        misuse.frames.iter_mut().for_each(|frame| rename(frame, name, &text()));
        misuse.earlier.iter_mut().for_each(|frame| rename(frame, name, &text()));
    }
    report
}

fn rename(frame: &mut fdscope_model::Frame, name: &Name, text: &str) {
    frame.module = name.clone();
    frame.build_id = frame.build_id.as_ref().map(|_| text.to_string());
    frame.symbol.function = frame.symbol.function.as_ref().map(|_| text.to_string());
    frame.symbol.file = frame.symbol.file.as_ref().map(|_| text.to_string());
}

/// The text without the colour sequences that fdscope itself writes.
fn without_colour(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        let digits = after.find(|c: char| !(c.is_ascii_digit() || c == ';')).unwrap_or(0);
        assert_eq!(after[digits..].chars().next(), Some('m'), "only SGR sequences are written");
        rest = &after[digits + 1..];
    }
    out + rest
}

fn assert_harmless(text: &str) {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "a control character came through");
    for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}'] {
        assert!(!text.contains(hidden), "{hidden:?} came through");
    }
}

/// Bytes of names: mostly what is dangerous.
fn names() -> impl Strategy<Value = Vec<u8>> {
    let hostile = prop_oneof![
        Just(b"\x1b[2J".to_vec()),
        Just(b"\x1b]0;x\x07".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(vec![0xc2, 0x9b]),
        Just(vec![0xff]),
        Just(vec![0xe2, 0x80, 0xae]),
        Just("日本".as_bytes().to_vec()),
        Just(b" ".to_vec()),
        Just(b";".to_vec()),
        Just(b"\\".to_vec()),
        vec(1..=255u8, 0..6),
        "[a-z/._-]{0,12}".prop_map(String::into_bytes),
    ];
    vec(hostile, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_control_character_reaches_the_output(bytes in names(), text in any::<String>()) {
        let name = Name::from(bytes);
        for (_, report) in made::all() {
            let report = with_names(report, &name, &text);
            for charset in [Charset::Utf8, Charset::Ascii] {
                let form = Form { charset, ..Form::default() };
                let plain = printed(&report, Output::Text(form));
                assert_harmless(&plain);
                prop_assert!(charset == Charset::Utf8 || plain.is_ascii());
                let color = Form { color: ColorChoice::Always, ..form };
                let painted = printed(&report, Output::Text(color));
                prop_assert_eq!(without_colour(&painted), plain);
            }
            assert_harmless(&printed(&report, Output::Json));
            assert_harmless(&printed(&report, Output::Folded));
        }
    }

    #[test]
    fn folded_lines_always_end_in_a_count(bytes in names(), text in any::<String>()) {
        for (_, report) in made::all() {
            let live: u64 = report.verdicts.iter().map(|verdict| verdict.live).sum();
            let folded = printed(&with_names(report, &Name::from(bytes.clone()), &text), Output::Folded);
            let counts = folded.lines().map(|line| {
                let (stack, count) = line.rsplit_once(' ').expect("a count ends the line");
                assert!(stack.split(';').count() >= 2, "{stack}");
                count.parse::<u64>().expect("a number")
            });
            prop_assert_eq!(counts.sum::<u64>(), live, "no living handle is left out");
        }
    }

    /// Lines keep to the width, but where one piece that must not be broken is wider than its line's rest.
    #[test]
    fn lines_keep_to_the_width(width in 60usize..200, text in "[ -~]{0,30}( [a-z]{1,12}){0,20}") {
        for (_, report) in made::all() {
            let name = Name::from(text.chars().filter(|c| *c != ' ').take(15).collect::<String>().as_str());
            let report = with_names(report, &name, "");
            let mut report = report;
            report.verdicts.iter_mut().for_each(|verdict| verdict.evidence = vec![text.clone()]);
            let longest = text.split(' ').map(piece::width).max().unwrap_or(0);
            let form = Form { width, ..Form::default() };
            for line in printed(&report, Output::Text(form)).lines() {
                // Tables drop columns down to numbers that must stay; 79 columns hold them all.
                let least = if width < 80 { 80 } else { width };
                prop_assert!(piece::width(line) <= least.max(longest + 13), "{width}: {line}");
            }
        }
    }

    #[test]
    fn the_live_line_fits_or_is_empty(width in 0usize..140, text in any::<String>(), open: u64, lost: u64) {
        let worst = Worst {
            name: text,
            kind: fdscope_model::HandleKind::Socket,
            live: open,
            per_s: lost as f64 / 3.0,
        };
        let status = Status {
            elapsed_ns: lost,
            open,
            limit: (lost % 2 == 0).then_some(lost),
            acquired_per_s: open as f64 / 7.0,
            worst: Some(worst),
            lost,
        };
        let line = line(&status, Form { width, ..Form::default() });
        assert_harmless(&line);
        prop_assert!(piece::width(&line) <= width, "{line}");
        prop_assert!(!line.contains('\n'));
    }
}
