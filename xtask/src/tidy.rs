//! `cargo xtask tidy`: what the tree promises and no compiler checks. ARCHITECTURE.md says why each promise is made.
//!
//! A check looks at the whole tree and returns its complaints; all are printed, any fails the chore.

mod arrows;
mod licences;
mod text;
mod words;

use crate::{bpf, tree};
use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};

/// A file of the tree with its text, read once for all checks.
pub struct Source {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One check: what it holds, and the complaints it has.
type Check = (&'static str, fn(&[Source]) -> Vec<String>);

const CHECKS: &[Check] = &[
    ("arrows between crates point down", arrows::complaints),
    ("unsafe code is in sys only", words::unsafe_complaints),
    (
        "nothing below the binary prints, exits, panics at will or reads the clock",
        words::complaints,
    ),
    ("files have a header and a bearable size", text::shape_complaints),
    ("no path of anybody's machine, nothing unfinished", text::residue_complaints),
    ("links in documents lead somewhere, and every crate is described", text::link_complaints),
    ("dependencies have licences and origins that deny.toml allows", licences::complaints),
    ("committed BPF objects are those of their sources", manifest_complaints),
];

/// Runs the chore.
pub fn run(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "usage: cargo xtask tidy");
    let sources = read(tree::root())?;
    let mut count = 0;
    for (promise, check) in CHECKS {
        let complaints = check(&sources);
        println!("{} {promise}", if complaints.is_empty() { "ok  " } else { "FAIL" });
        complaints.iter().for_each(|complaint| println!("     {complaint}"));
        count += complaints.len();
    }
    match count {
        0 => Ok(()),
        1 => bail!("1 complaint"),
        count => bail!("{count} complaints"),
    }
}

fn manifest_complaints(_: &[Source]) -> Vec<String> {
    bpf::manifest_complaint().map(|why| format!("{why:#}")).into_iter().collect()
}

/// Every text file of the tree, build output and version control left out.
fn read(root: &Path) -> Result<Vec<Source>> {
    const SUFFIXES: &[&str] = &["rs", "toml", "md", "c", "h", "py", "js", "java", "go", "json"];
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let suffix = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if is_folder_of_ours(&path) {
                folders.push(path);
            } else if SUFFIXES.contains(&&*suffix) || path.ends_with(".ci/run") {
                let text = std::fs::read_to_string(&path)?;
                sources.push(Source { path: relative(root, &path), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn is_folder_of_ours(path: &Path) -> bool {
    path.is_dir() && !path.ends_with(".git") && !path.join("CACHEDIR.TAG").exists()
}

fn relative(root: &Path, path: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(root).unwrap_or(path).into();
    relative.to_string_lossy().into_owned()
}

impl Source {
    /// The crate whose library or program this is a part of: `crates/NAME/src/…`.
    pub fn crate_name(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        (rest.starts_with("src/") && self.path.ends_with(".rs")).then_some(name)
    }

    /// Numbered lines before the file's unit tests, which by custom stand last; none for a file of tests.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.take_while(move |(_, line)| !tests && line.trim() != "#[cfg(test)]")
    }
}
