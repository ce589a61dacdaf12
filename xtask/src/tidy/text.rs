//! Checks of files as text: headers, sizes, leftovers, links.

use super::Source;
use crate::tree;
use std::path::Path;

/// No file of code is longer. Most are a quarter of it; one that comes near lacks a table or a type.
const MOST_LINES: usize = 700;

/// The same for C: a BPF object is one file, because the kernel's verifier sees one program.
const MOST_LINES_OF_C: usize = 900;

/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helpers", "misc", "manager", "types"];

pub fn shape_complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let path = Path::new(&source.path);
        let suffix = path.extension().unwrap_or_default();
        if suffix != "rs" && suffix != "c" && suffix != "h" {
            continue;
        }
        let headers: &[&str] = if suffix == "rs" { &["//!"] } else { &["/*", "//"] };
        if !headers.iter().any(|header| source.text.starts_with(header)) {
            complaints.push(format!("{}: does not open with what it is for", source.path));
        }
        let count = source.text.lines().count();
        let most = if suffix == "rs" { MOST_LINES } else { MOST_LINES_OF_C };
        if count > most {
            complaints.push(format!("{}: {count} lines, at most {most}", source.path));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if EMPTY_NAMES.contains(&&*stem) {
            complaints.push(format!("{}: {stem} is not a noun of this program", source.path));
        }
    }
    complaints
}

/// Pieces that, joined, are what no file may contain; in pieces, so that this file does not.
const RESIDUE: &[(&[&str], &str)] = &[
    (&["/wo", "rk/"], "a path of somebody's machine"),
    (&["/fa", "rm/"], "a path of somebody's machine"),
    (&["/root", "/.cargo"], "a path of somebody's machine"),
    (&["/root", "/.rustup"], "a path of somebody's machine"),
    (&["/root", "/.pyenv"], "a path of somebody's machine"),
    (&["TO", "DO"], "unfinished"),
    (&["FIX", "ME"], "unfinished"),
    (&["todo", "!("], "unfinished"),
    (&["unimplemented", "!("], "unfinished"),
];

pub fn residue_complaints(sources: &[Source]) -> Vec<String> {
    let needles: Vec<(String, &str)> =
        RESIDUE.iter().map(|(pieces, why)| (pieces.concat(), *why)).collect();
    let mut complaints = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            for (needle, why) in needles.iter().filter(|(needle, _)| line.contains(needle)) {
                let number = number + 1;
                complaints.push(format!("{}:{number}: {needle} ({why})", source.path));
            }
        }
    }
    complaints
}

pub fn link_complaints(sources: &[Source]) -> Vec<String> {
    let documents = sources.iter().filter(|source| source.path.ends_with(".md"));
    let mut complaints: Vec<String> = documents.flat_map(dead_links).collect();
    let architecture = sources.iter().find(|source| source.path == "ARCHITECTURE.md");
    let described = architecture.map_or("", |page| &page.text);
    let crates = sources.iter().filter_map(|source| {
        source.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").map(str::to_owned)
    });
    complaints.extend(
        crates
            .filter(|name| !described.contains(&format!("crates/{name}")))
            .map(|name| format!("ARCHITECTURE.md: says nothing about crates/{name}")),
    );
    complaints
}

/// Relative targets of `[text](target)` that are not there.
fn dead_links(page: &Source) -> Vec<String> {
    let folder = tree::root().join(Path::new(&page.path).parent().unwrap_or(Path::new("")));
    let targets = page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{}: links to {target}, which is not there", page.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_file_without_header_and_a_long_one_are_seen() {
        assert_eq!(shape_complaints(&[source("a.rs", "use std::fmt;")]).len(), 1);
        let long = format!("//! Long.\n{}", "//\n".repeat(MOST_LINES));
        assert_eq!(shape_complaints(&[source("a.rs", &long)]).len(), 1);
        assert_eq!(shape_complaints(&[source("a.rs", "//! Good.")]).len(), 0);
    }

    #[test]
    fn a_dead_link_is_seen() {
        let page = source("README.md", "[a](Cargo.toml) [b](nowhere.md) [c](https://x.org/)");
        assert_eq!(dead_links(&page), ["README.md: links to nowhere.md, which is not there"]);
    }
}
