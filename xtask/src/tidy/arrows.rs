//! Which crate may know which: the floors of ARCHITECTURE.md as a table.
//!
//! Only manifests are read. That code uses no crate that its manifest does not name is the compiler's business.

use super::Source;

/// A crate and those that it may depend on. A crate without a row may not exist.
const MAY: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("sys", &["model"]),
    ("proc", &["model", "sys"]),
    ("stack", &["model", "sys"]),
    ("syscall", &["model"]),
    ("analyze", &["model"]),
    ("render", &["model"]),
    ("lsof", &["model"]),
    ("tui", &["model", "render"]),
    ("strace", &["model", "syscall"]),
    ("packet", &["model"]),
    ("record", &["model"]),
    ("bpf", &["model", "sys", "proc", "syscall"]),
    ("ptrace", &["model", "sys", "proc", "stack", "syscall"]),
    (
        "fdscope",
        &[
            "model", "sys", "proc", "stack", "syscall", "analyze", "render", "lsof", "strace",
            "packet", "record", "tui", "bpf", "ptrace",
        ],
    ),
];

/// What any crate may use in its tests.
const IN_TESTS: &[&str] = &["fixtures", "model", "sys", "proc", "syscall", "stack", "record"];

pub fn complaints(sources: &[Source]) -> Vec<String> {
    let manifests = sources.iter().filter(|source| source.path.ends_with("/Cargo.toml"));
    manifests.flat_map(manifest_complaints).collect()
}

fn manifest_complaints(manifest: &Source) -> Vec<String> {
    let Some(name) = manifest.path.strip_prefix("crates/").and_then(|path| path.split('/').next())
    else {
        return Vec::new();
    };
    let Some((_, may)) = MAY.iter().find(|(row, _)| *row == name) else {
        return vec![format!("{}: crate {name} has no row in the table of arrows", manifest.path)];
    };
    let mut complaints = Vec::new();
    for dependency in dependencies(&manifest.text) {
        let Dependency { name: on, tests, shared } = dependency;
        if !shared {
            complaints.push(format!("{}: {on} is not `workspace = true`", manifest.path));
        }
        let ours = on.strip_prefix("fdscope-");
        let allowed = ours.is_none_or(|on| may.contains(&on) || tests && IN_TESTS.contains(&on));
        if !allowed {
            complaints.push(format!("{}: {name} may not depend on {on}", manifest.path));
        }
        if name == "model" && !tests {
            complaints.push(format!("{}: model depends on nothing, not on {on}", manifest.path));
        }
    }
    if !manifest.text.contains("[lints]\nworkspace = true") {
        complaints.push(format!("{}: does not take the workspace's lints", manifest.path));
    }
    complaints
}

struct Dependency<'a> {
    name: &'a str,
    tests: bool,
    shared: bool,
}

/// The dependencies that a manifest lists, one per line in a section whose name ends in "dependencies".
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=')
            && section.ends_with("dependencies]")
            && !line.starts_with('#')
        {
            let name = key.trim().trim_end_matches(".workspace");
            let shared = key.contains(".workspace") || value.contains("workspace = true");
            found.push(Dependency { name, tests: section.contains("dev-"), shared });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let text = format!("{text}\n[lints]\nworkspace = true\n");
        let source = Source { path: path.into(), text };
        let complaints = complaints(&[source]);
        assert_eq!(complaints.len(), expected.len(), "{complaints:?}");
        for (complaint, words) in complaints.iter().zip(expected) {
            assert!(complaint.contains(words), "{complaint}");
        }
    }

    #[test]
    fn an_arrow_up_is_seen() {
        let up = "[dependencies]\nfdscope-render.workspace = true\n";
        check("crates/analyze/Cargo.toml", up, &["analyze may not depend on fdscope-render"]);
        check("crates/fdscope/Cargo.toml", up, &[]);
    }

    #[test]
    fn tests_may_use_the_fixtures() {
        let tests = "[dev-dependencies]\nfdscope-fixtures = { workspace = true }\n";
        check("crates/proc/Cargo.toml", tests, &[]);
    }

    #[test]
    fn versions_are_named_once() {
        check("crates/proc/Cargo.toml", "[dependencies]\nlibc = \"0.2\"\n", &["workspace"]);
    }

    #[test]
    fn an_unknown_crate_needs_a_row() {
        check("crates/attic/Cargo.toml", "", &["no row"]);
    }
}
