//! A call stack for people: the site marked, inlined frames named as such, plumbing folded away.

use fdscope_model::stack::Frame;

use crate::charset::Charset;
use crate::piece::Text;
use crate::site;
use crate::style::Style;

/// Frames of the program shown of one stack; the rest is counted.
const SHOWN: usize = 14;
/// Columns up to which functions are padded, so that places stand in line.
const FUNCTION_COLUMNS: usize = 34;

/// The lines of a stack, innermost first, each to follow a margin.
pub fn lines(frames: &[Frame], at: Option<usize>, charset: Charset) -> Vec<Text> {
    let padding = padding(frames, charset);
    let mut lines = Vec::new();
    let mut index = 0;
    while index < frames.len() && lines.len() < SHOWN {
        let plumbing = frames[index..].iter().take_while(|frame| frame.plumbing).count();
        if plumbing > 1 && !at.is_some_and(|at| (index..index + plumbing).contains(&at)) {
            lines.push(folded(&frames[index..index + plumbing], charset));
            index += plumbing;
        } else {
            let times = recursion(&frames[index..], at.and_then(|at| at.checked_sub(index)));
            let line = line(&frames[index], at == Some(index), padding, charset);
            lines.push(if times > 1 {
                line.and(Style::Dim, format!("  ({times} times)"))
            } else {
                line
            });
            index += times;
        }
    }
    match frames.len() - index {
        0 => {}
        1 => lines.push(line(&frames[index], at == Some(index), padding, charset)),
        rest => lines.push(Text::plain("  ").and(Style::Dim, format!("({rest} more frames)"))),
    }
    lines
}

/// How many of the first frames say the same, as those of a function that calls itself; the site stands alone.
fn recursion(frames: &[Frame], at: Option<usize>) -> usize {
    let first = &frames[0];
    let same = |frame: &Frame| {
        let named = frame.symbol.function.is_some();
        frame.symbol == first.symbol
            && frame.module == first.module
            && (named || frame.offset == first.offset)
    };
    let most = at.map_or(frames.len(), |at| at.max(1));
    frames[..most].iter().take_while(|frame| same(frame)).count().max(1)
}

fn padding(frames: &[Frame], charset: Charset) -> usize {
    let shown = frames.iter().filter(|frame| !frame.plumbing);
    let widths = shown.map(|frame| crate::piece::width(&function(frame, charset)));
    widths.filter(|width| *width <= FUNCTION_COLUMNS).max().unwrap_or(0)
}

/// Marker, function, place.
fn line(frame: &Frame, is_site: bool, padding: usize, charset: Charset) -> Text {
    let style = match (is_site, frame.plumbing) {
        (true, _) => Style::Site,
        (false, true) => Style::Dim,
        (false, false) => Style::Plain,
    };
    let marker = match (is_site, charset) {
        (false, _) => " ",
        (true, Charset::Utf8) => "▶",
        (true, Charset::Ascii) => ">",
    };
    // A name without symbol is its place already.
    let place =
        if frame.symbol.function.is_some() { site::place(frame, charset) } else { String::new() };
    Text::default()
        .and(style, marker)
        .and(Style::Plain, " ")
        .and(style, function(frame, charset))
        .pad_to(padding + 2)
        .and(Style::Plain, "  ")
        .and_solid(if is_site { Style::Site } else { Style::Dim }, place)
}

fn function(frame: &Frame, charset: Charset) -> String {
    let inlined = if frame.symbol.inlined { " (inlined)" } else { "" };
    format!("{}{inlined}", site::function(frame, charset))
}

/// "(3 frames of libc)".
fn folded(frames: &[Frame], charset: Charset) -> Text {
    let mut owners: Vec<String> = Vec::new();
    for frame in frames {
        let owner = owner(frame, charset);
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let text = format!("({} frames of {})", frames.len(), owners.join(", "));
    Text::plain("  ").and(Style::Dim, text)
}

/// What a plumbing frame belongs to: the standard library by its path, else its module without version.
fn owner(frame: &Frame, charset: Charset) -> String {
    const STANDARD: [(&str, &str); 5] = [
        ("std::", "std"),
        ("core::", "std"),
        ("alloc::", "std"),
        ("<std::", "std"),
        ("<core::", "std"),
    ];
    let function = frame.symbol.function.as_deref().unwrap_or_default();
    if let Some((_, owner)) = STANDARD.iter().find(|(prefix, _)| function.starts_with(prefix)) {
        return (*owner).to_string();
    }
    let module = site::module(frame, charset);
    match module.split_once(".so") {
        Some((name, _)) if !name.is_empty() => name.to_string(),
        _ if module.is_empty() => "generated code".to_string(),
        _ => module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::Name;
    use fdscope_model::stack::Symbol;

    fn frame(function: Option<&str>, line: u32, offset: u64) -> Frame {
        let symbol = Symbol {
            function: function.map(str::to_string),
            file: function.map(|_| "a.c".to_string()),
            line: function.map(|_| line),
            inlined: false,
        };
        Frame { symbol, module: Name::from("app"), build_id: None, offset, plumbing: false }
    }

    #[test]
    fn a_function_that_calls_itself_is_one_line_but_the_site_is_not_hidden() {
        let down = |line, offset| frame(Some("down"), line, offset);
        let unnamed = |offset| frame(None, 0, offset);
        let check = |frames: &[Frame], at: Option<usize>, expected: usize| {
            assert_eq!(recursion(frames, at), expected, "{frames:?}");
        };
        check(&[down(1, 1), down(1, 2), down(1, 3), down(2, 4)], None, 3);
        check(&[down(1, 1), down(1, 2), down(1, 3)], Some(0), 1);
        check(&[down(1, 1), down(1, 2), down(1, 3)], Some(2), 2);
        check(&[unnamed(1), unnamed(1), unnamed(2)], None, 2);
        check(&[unnamed(1), down(1, 1)], None, 1);
        check(&[down(1, 1)], None, 1);
    }

    #[test]
    fn frames_beyond_a_recursion_are_reached() {
        let mut frames = vec![frame(Some("leaf"), 9, 0)];
        frames.extend((0..40).map(|_| frame(Some("down"), 1, 1)));
        frames.push(frame(Some("main"), 3, 2));
        let lines = lines(&frames, Some(0), Charset::Utf8);
        assert_eq!(lines.len(), 3);
    }
}
