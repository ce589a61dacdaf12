//! The licences and origins of the dependency tree against deny.toml, for machines without cargo-deny.

use super::Source;
use crate::tree;
use std::process::Command;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn complaints(sources: &[Source]) -> Vec<String> {
    let Some(rules) = sources.iter().find(|source| source.path == "deny.toml") else {
        return vec!["deny.toml is missing".into()];
    };
    let allowed = quoted_list(&rules.text, "allow = [");
    let metadata = match metadata() {
        Ok(metadata) => metadata,
        Err(why) => return vec![format!("{why:#}")],
    };
    let mut complaints = Vec::new();
    for licence in values(&metadata, "\"license\":\"") {
        if !is_allowed(licence, &allowed) {
            complaints.push(format!("deny.toml does not allow the licence {licence}"));
        }
    }
    for origin in values(&metadata, "\"source\":\"") {
        if origin != REGISTRY {
            complaints.push(format!("deny.toml does not allow dependencies from {origin}"));
        }
    }
    complaints.sort();
    complaints.dedup();
    complaints
}

/// What cargo knows of the packages built on this machine, as one line of JSON.
fn metadata() -> anyhow::Result<String> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    tree::output(
        Command::new("cargo")
            .current_dir(tree::root())
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
            .arg(platform),
    )
}

/// The strings in the list that `opening` opens.
fn quoted_list<'a>(text: &'a str, opening: &str) -> Vec<&'a str> {
    let list = text.split(opening).nth(1).and_then(|rest| rest.split(']').next());
    list.unwrap_or_default().split('"').skip(1).step_by(2).collect()
}

/// Every string value of a key, given with its quotes and colon. Enough for licences and origins, which hold no quotes.
fn values<'a>(json: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    json.split(key).skip(1).filter_map(|rest| rest.split('"').next())
}

/// True if one alternative of every part of the expression is allowed. Parentheses stand around alternatives only.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_of_every_part_must_be_allowed() {
        let check = |expression, expected| {
            let allowed = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        };
        check("MIT OR Apache-2.0", true);
        check("Apache-2.0 / MIT", true);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("GPL-3.0-only", false);
        check("MIT AND GPL-3.0-only", false);
    }

    #[test]
    fn lists_and_values_are_found() {
        assert_eq!(quoted_list("allow = [\n \"A\",\n \"B\",\n]\n[\"C\"]", "allow = ["), ["A", "B"]);
        let json = r#"{"license":"A","x":1},{"license":null},{"license":"B"}"#;
        assert_eq!(values(json, "\"license\":\"").collect::<Vec<_>>(), ["A", "B"]);
    }
}
