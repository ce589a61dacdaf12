//! The writers' output for reports made by hand, byte for byte. `FDSCOPE_BLESS=1` rewrites the files in
//! `tests/golden`: read each by eye before committing it.

mod made;

use std::path::Path;

use fdscope_model::verdict::Report;
use fdscope_render::{Charset, ColorChoice, Form, Output, write};

const TEXT: Form = Form { width: 80, color: ColorChoice::Never, charset: Charset::Utf8 };

fn check(name: &str, report: &Report, output: Output) {
    let mut bytes = Vec::new();
    write(report, output, &mut bytes).expect("a vector takes every write");
    let found = String::from_utf8(bytes).expect("output is UTF-8");
    let found = if output == Output::Json { indent(&found) } else { found };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the golden directory is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
}

/// One line of JSON as indented lines, keys in their order: objects and arrays of objects are opened up.
fn indent(json: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    let mut chars = json.trim_end().chars().peekable();
    let mut flat = Vec::new();
    while let Some(c) = chars.next() {
        let newline =
            |out: &mut String, depth: usize| out.push_str(&format!("\n{:1$}", "", depth * 2));
        match c {
            _ if quoted => {
                (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
                out.push(c);
            }
            '[' | '{' => {
                let open = c == '{' || matches!(chars.peek(), Some('{' | '"'));
                flat.push(!open);
                depth += 1;
                out.push(c);
                if open {
                    newline(&mut out, depth);
                }
            }
            ']' | '}' => {
                depth -= 1;
                if flat.pop() == Some(false) {
                    newline(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                if flat.last() == Some(&false) {
                    newline(&mut out, depth);
                }
            }
            c => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out + "\n"
}

#[test]
fn leak_with_stack() {
    let report = made::leak_with_stack();
    check("leak-80.txt", &report, Output::Text(TEXT));
    check("leak-120.txt", &report, Output::Text(Form { width: 120, ..TEXT }));
    check("leak-ascii.txt", &report, Output::Text(Form { charset: Charset::Ascii, ..TEXT }));
    check("leak-colour.txt", &report, Output::Text(Form { color: ColorChoice::Always, ..TEXT }));
    check("leak.json", &report, Output::Json);
    check("leak.folded", &report, Output::Folded);
}

#[test]
fn leak_without_symbols() {
    let report = made::leak_without_symbols();
    check("no-symbols-80.txt", &report, Output::Text(TEXT));
    check("no-symbols.folded", &report, Output::Folded);
}

#[test]
fn suspect_with_losses() {
    let report = made::suspect_with_losses();
    check("suspect-80.txt", &report, Output::Text(TEXT));
    check("suspect.json", &report, Output::Json);
    check("suspect.folded", &report, Output::Folded);
}

#[test]
fn nothing_found() {
    check("nothing-80.txt", &made::nothing_found(), Output::Text(TEXT));
}

#[test]
fn growth_without_a_verdict_is_no_all_clear() {
    check("growing-80.txt", &made::growing_too_briefly(), Output::Text(TEXT));
}

#[test]
fn thread_leak() {
    check("threads-80.txt", &made::thread_leak(), Output::Text(TEXT));
    check("threads-100.txt", &made::thread_leak(), Output::Text(Form { width: 100, ..TEXT }));
}

#[test]
fn more_than_a_page() {
    check("many-80.txt", &made::many(), Output::Text(TEXT));
    check("many-40.txt", &made::many(), Output::Text(Form { width: 40, ..TEXT }));
    check("empty-80.txt", &made::empty(), Output::Text(TEXT));
}

#[test]
fn hostile_names() {
    let report = made::hostile_names();
    check("hostile-80.txt", &report, Output::Text(TEXT));
    check("hostile-ascii.txt", &report, Output::Text(Form { charset: Charset::Ascii, ..TEXT }));
    check("hostile.json", &report, Output::Json);
    check("hostile.folded", &report, Output::Folded);
}
