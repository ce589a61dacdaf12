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
            lines.push(line(&frames[index], at == Some(index), padding, charset));
            index += 1;
        }
    }
    match frames.len() - index {
        0 => {}
        1 => lines.push(line(&frames[index], at == Some(index), padding, charset)),
        rest => lines.push(Text::plain("  ").and(Style::Dim, format!("({rest} more frames)"))),
    }
    lines
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
