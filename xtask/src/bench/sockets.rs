//! What listing 100,000 sockets costs, beside ss: processor time, with owners and without.

use super::open_files::seconds_of;
use super::{Bench, Row, median};
use anyhow::Result;
use fdscope_fixtures::{Fixture, c, in_path};
use std::process::{Command, Stdio};

/// So many processes with so many sockets each: a process may have 20,000 descriptors on many machines.
const PROCESSES: u32 = 6;
const SOCKETS: u32 = 16_667;

/// What is compared: fdscope's arguments, those of ss, and how many times less time is promised.
const PAIRS: &[(&str, &[&str], &str, f64, &str)] = &[
    ("with owners", &["sockets"], "-tanp", 5.0, "5x less than ss"),
    (
        "without owners",
        &["sockets", "-o", "protocol,state,recv-q,send-q,local,peer", "type = stream"],
        "-tan",
        1.0,
        "no more than ss",
    ),
];

/// Both comparisons.
pub fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let processes = format!("processes={PROCESSES}");
    let sockets = format!("sockets={SOCKETS}");
    let target = Fixture::start(&c("many_sockets"), &[&processes, &sockets]);
    let has_ss = in_path("ss");
    let mut rows = Vec::new();
    for (name, arguments, flags, least, promise) in PAIRS {
        let mut ours = Command::new(&bench.fdscope);
        quiet(ours.args(*arguments));
        let mut ss = Command::new("ss");
        quiet(ss.arg(flags));
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            own.push(seconds_of(&mut ours)?);
            if has_ss {
                theirs.push(seconds_of(&mut ss)?);
            }
        }
        let own = median(own);
        let what = format!("fdscope sockets: 100,000 sockets, {name}");
        if !has_ss {
            rows.push(Row::new(what, format!("{own:.2} s; ss is not installed")));
            continue;
        }
        let theirs = median(theirs);
        let times = theirs / own.max(0.01);
        let figure = format!("{own:.2} s, ss {flags} {theirs:.2} s: {times:.1} times as much");
        rows.push(Row::new(what, figure).promised(promise, times >= *least));
    }
    target.finish();
    Ok(rows)
}

fn quiet(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
}
