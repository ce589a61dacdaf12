//! What the terminal can show, and whether there is one.

use std::env;
use std::io::IsTerminal;

use fdscope_render::{Charset, ColorChoice, Form};
use fdscope_tui::{Depth, Look};

use crate::args::Color;

/// How to print a report on standard output.
pub fn form(color: Color) -> Form {
    let terminal = std::io::stdout().is_terminal();
    Form { width: width(terminal), color: choose(color, terminal), charset: charset() }
}

/// How to print the live line on standard error; `None` if nobody would see it.
pub fn live_form() -> Option<Form> {
    let terminal = std::io::stderr().is_terminal() && !is_dumb();
    let width = window_columns(&std::io::stderr()).unwrap_or(80).saturating_sub(1);
    terminal.then(|| Form { width, color: ColorChoice::Never, charset: charset() })
}

/// How a whole screen is to look on the terminal of standard output.
pub fn look(color: Color) -> Look {
    let form = form(color);
    let depth = match form.color {
        ColorChoice::Never => Depth::Mono,
        ColorChoice::Always => depth(|name| env::var(name).ok()),
    };
    // The terminal's own library would heed NO_COLOR against --color=always.
    crossterm::style::force_color_output(depth != Depth::Mono);
    Look { depth, charset: form.charset }
}

/// COLORTERM says that all colours are there (as S-Lang and others define it), TERM how many there are else.
fn depth(variable: impl Fn(&str) -> Option<String>) -> Depth {
    if variable("COLORTERM").is_some_and(|word| ["truecolor", "24bit"].contains(&word.as_str())) {
        return Depth::True;
    }
    match variable("TERM").unwrap_or_default().as_str() {
        term if term.ends_with("-direct") => Depth::True,
        term if term.contains("256color") => Depth::Indexed,
        term if term.starts_with("vt") || term.ends_with("-mono") || term.ends_with("-m") => {
            Depth::Mono
        }
        _ => Depth::Sixteen,
    }
}

/// True if standard output can be redrawn in place.
pub fn can_redraw() -> bool {
    std::io::stdout().is_terminal() && !is_dumb()
}

/// Columns of the terminal on standard output.
pub fn columns() -> usize {
    window_columns(&std::io::stdout()).unwrap_or(80)
}

/// Lines of the terminal on standard output.
pub fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.filter(|size| size.ws_row > 0).map_or(24, |size| size.ws_row.into())
}

/// NO_COLOR (no-color.org) and CLICOLOR_FORCE (bixense.com/clicolors) as their authors define them.
fn choose(color: Color, terminal: bool) -> ColorChoice {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let wanted = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if env::var_os("CLICOLOR_FORCE").is_some_and(|v| !v.is_empty() && v != "0") => {
            true
        }
        Color::Auto => terminal && !is_dumb(),
    };
    if wanted { ColorChoice::Always } else { ColorChoice::Never }
}

fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn width(terminal: bool) -> usize {
    let columns = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let window = || terminal.then(|| window_columns(&std::io::stdout())).flatten();
    columns.or_else(window).unwrap_or(80).clamp(40, 160)
}

fn window_columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

/// UTF-8 unless the locale says otherwise: the first of LC_ALL, LC_CTYPE and LANG that is set decides.
fn charset() -> Charset {
    let set = |name: &&str| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    let plain = locale.is_some_and(|locale| {
        let upper = locale.to_ascii_uppercase();
        !upper.contains("UTF-8") && !upper.contains("UTF8")
    });
    if plain { Charset::Ascii } else { Charset::Utf8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        let check = |term: &str, colorterm: &str, expected| {
            let variable = |name: &str| match name {
                "TERM" => Some(term.to_owned()),
                _ => Some(colorterm.to_owned()),
            };
            assert_eq!(depth(variable), expected, "{term} {colorterm}");
        };
        check("xterm-256color", "truecolor", Depth::True);
        check("xterm-256color", "", Depth::Indexed);
        check("tmux-direct", "", Depth::True);
        check("linux", "", Depth::Sixteen);
        check("vt220", "", Depth::Mono);
        check("xterm-mono", "yes", Depth::Mono);
    }
}
