//! Every command that takes a recording, on the committed one that tells a story: byte for byte as the goldens, which a
//! person has read. `FDSCOPE_BLESS=1` rewrites them.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::fdscope;
use serde_json::Value;

const STORY: &str = "story-1.fdr";

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../record/tests/recordings")
}

/// What a command prints, and what it says.
fn printed(arguments: &str) -> String {
    let mut command = fdscope();
    command.current_dir(recordings()).env("COLUMNS", "100").env("LC_ALL", "C.UTF-8");
    let output = command.args(arguments.split(' ')).output().expect("fdscope is built");
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    let code = output.status.code();
    assert_eq!(code, Some(0), "{arguments}: {stderr}");
    format!(
        "$ fdscope {arguments}\n{stdout}{}{stderr}",
        if stderr.is_empty() { "" } else { "---\n" }
    )
}

fn check(name: &str, commands: &[&str]) {
    let found: Vec<String> = commands.iter().map(|arguments| printed(arguments)).collect();
    let found = found.join("\n");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FDSCOPE_BLESS").is_some() {
        fs::create_dir_all(golden.parent().expect("a folder")).expect("the tree can be written");
        fs::write(&golden, &found).expect("the tree can be written");
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(found == expected, "{name} differs; found:\n{found}");
}

#[test]
fn leak_judges_the_whole_and_a_part() {
    check("leak.txt", &["leak story-1.fdr", "leak story-1.fdr --from +5m --to 14:12"]);
}

#[test]
fn ls_shows_what_was_held_at_a_moment() {
    check(
        "ls.txt",
        &[
            "ls story-1.fdr --at 14:02",
            "ls story-1.fdr --at +2m -o fd,kind,what,age,site,size --sort -age",
            "ls story-1.fdr --from 14:18 812",
            "ls story-1.fdr --group-by kind,state,pattern",
            "ls story-1.fdr :443 --count",
            "ls story-1.fdr helper --at 14:06",
            "ls story-1.fdr -R /var/log --count",
        ],
    );
}

#[test]
fn processes_threads_and_sockets_are_shown_as_they_were() {
    check(
        "processes.txt",
        &["ps story-1.fdr", "ps story-1.fdr --at 14:05:30", "story-1.fdr", "threads story-1.fdr"],
    );
    check(
        "sockets.txt",
        &[
            "sockets story-1.fdr --at +4m",
            "sockets story-1.fdr state = close-wait --group-by protocol,state",
            "sockets story-1.fdr --findings",
            "sockets story-1.fdr --at +4m -o state,peer,owner,age,age-by,site,stack --sort -age",
            "sockets story-1.fdr --tree --at +4m",
        ],
    );
}

#[test]
fn diff_says_what_some_minutes_added() {
    check(
        "diff.txt",
        &[
            "diff story-1.fdr",
            "diff story-1.fdr --from 14:02 --to 14:20",
            "diff story-1.fdr --at 14:05 --at 14:06 --by kind,comm --list",
            "diff story-1.fdr story-1.fdr",
        ],
    );
}

#[test]
fn reports_for_people_and_graphs() {
    check(
        "report.txt",
        &["report story-1.fdr -o - --format markdown", "report story-1.fdr -o - --format folded"],
    );
}

/// JSON says that it is of the past, and of which moment.
#[test]
fn json_is_of_the_moment() {
    for (arguments, list) in [
        ("ls story-1.fdr --at 14:02 --json", "handles"),
        ("ps story-1.fdr --at 14:02 --json", "processes"),
        ("sockets story-1.fdr --at 14:02 --json", "sockets"),
        ("threads story-1.fdr --at 14:02 --json", "processes"),
    ] {
        let mut command = fdscope();
        let output = command.current_dir(recordings()).args(arguments.split(' ')).output();
        let output = output.expect("fdscope is built");
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(value["taken_at_ns"], 1_795_528_920_000_000_000_u64, "{arguments}");
        assert_eq!(value["machine"], "Linux 6.18.5 x86_64", "{arguments}");
        assert!(!value[list].as_array().expect("documented").is_empty(), "{arguments}");
    }
}

#[test]
fn moments_and_names_that_are_not_there_are_told() {
    let check = |arguments: &str, code: i32, words: &str| {
        let mut command = fdscope();
        let output = command.current_dir(recordings()).args(arguments.split(' ')).output();
        let output = output.expect("fdscope is built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {said}");
    };
    check(&format!("ls {STORY} nginx"), 4, "has no process nginx");
    check(&format!("ls {STORY} helper"), 4, "has no process helper");
    check(&format!("ls {STORY} --at 2026-11-24T13:00"), 2, "nothing of that time");
    check(&format!("ls {STORY} --at 15:00"), 0, "ends before that moment");
    check("ls 1 --at 14:02", 2, "are for recordings");
    check("ps --at 14:02", 2, "are for recordings");
    check("sockets --to 14:02", 2, "are for recordings");
    check("threads 1 --to 14:02", 2, "are for recordings");
    check("--at 14:02", 2, "are for recordings");
    check("ls 1 --sort -age", 2, "does not keep");
    check(&format!("threads {STORY} --stack"), 2, "living processes");
    check(&format!("sockets {STORY} --summary"), 1, "no counts of the kernel's");
    check("sockets --summary port", 2, "cannot be used with a filter");
    check(&format!("ps {STORY} --limits"), 2, "living processes");
}
