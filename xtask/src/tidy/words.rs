//! Words that code below the binary may not contain, and where unsafe code may stand.

use super::Source;

/// Where a word may not stand.
#[derive(PartialEq)]
enum Realm {
    /// In every crate but the binary.
    BelowTheBinary,
    /// In every crate.
    Everywhere,
}

const FORBIDDEN: &[(&str, Realm, &str)] = &[
    ("println!", Realm::BelowTheBinary, "prints"),
    ("print!(", Realm::BelowTheBinary, "prints"),
    ("dbg!", Realm::Everywhere, "prints"),
    ("process::exit", Realm::BelowTheBinary, "exits"),
    ("SystemTime::now", Realm::Everywhere, "reads a clock; sys::clock does that"),
    ("Instant::now", Realm::Everywhere, "reads a clock; sys::clock does that"),
    (".unwrap()", Realm::Everywhere, "say with expect() why it cannot fail, or return the error"),
];

pub fn complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(name) = source.crate_name() else { continue };
        for (number, line) in source.code().filter(|(_, line)| !is_comment(line)) {
            let hits = FORBIDDEN.iter().filter(|(word, realm, _)| {
                line.contains(word) && (name != "fdscope" || *realm == Realm::Everywhere)
            });
            for (word, _, why) in hits {
                complaints.push(format!("{}:{number}: {word} {why}", source.path));
            }
        }
    }
    complaints
}

pub fn unsafe_complaints(sources: &[Source]) -> Vec<String> {
    let roots = sources.iter().filter(|source| {
        source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs")
    });
    let mut complaints: Vec<String> = roots
        .filter(|root| !root.path.starts_with("crates/sys/"))
        .filter(|root| !root.text.contains("#![forbid(unsafe_code)]"))
        .map(|root| format!("{}: lacks #![forbid(unsafe_code)]", root.path))
        .collect();
    let sys = sources.iter().filter(|source| source.crate_name() == Some("sys"));
    complaints.extend(sys.flat_map(bare_blocks));
    complaints
}

/// Unsafe blocks without a SAFETY sentence in the comment above their statement.
fn bare_blocks(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut complaints = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if is_comment(line) || !line.contains("unsafe {") {
            continue;
        }
        let near = &lines[index.saturating_sub(8)..=index];
        if !near.iter().any(|line| line.contains("SAFETY:")) {
            complaints.push(format!("{}:{}: unsafe block without SAFETY:", source.path, index + 1));
        }
    }
    complaints
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn printing_below_the_binary_is_seen_and_in_tests_is_not() {
        let text = "fn f() {\n    println!(\"x\");\n}\n#[cfg(test)]\nmod tests { println!() }\n";
        assert_eq!(complaints(&[source("crates/proc/src/walk.rs", text)]).len(), 1);
        assert_eq!(complaints(&[source("crates/fdscope/src/main.rs", text)]).len(), 0);
        assert_eq!(complaints(&[source("crates/proc/src/walk/tests.rs", text)]).len(), 0);
    }

    #[test]
    fn an_unsafe_block_needs_its_sentence() {
        let bare = source("crates/sys/src/x.rs", "let x = unsafe { f() };");
        let said = source("crates/sys/src/x.rs", "// SAFETY: f has no demands.\nunsafe { f() };");
        assert_eq!(unsafe_complaints(&[bare]).len(), 1);
        assert_eq!(unsafe_complaints(&[said]).len(), 0);
    }
}
