//! `cargo xtask bench`: what watching costs, beside the tools that people use today, in one run on one machine.
//!
//! Machines are noisy, so every figure is a ratio to an untraced run of the same round, rounds are interleaved, and
//! medians are printed. The output is a Markdown table. `cargo xtask bench NAME…` runs only the named parts; `--quick`
//! takes fewer rounds.

mod capture;
mod footprint;
mod open_files;
mod record;
mod server;
mod sockets;
mod storm;
mod tool;
mod trace;

use crate::tree;
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// What every part needs to know.
pub struct Bench {
    /// The released program.
    fdscope: PathBuf,
    /// Rounds of every comparison.
    rounds: usize,
}

/// A line of the result.
pub struct Row {
    what: String,
    figure: String,
    /// What the project promises of it; empty where it promises nothing.
    promise: &'static str,
    /// Whether the promise holds.
    holds: Option<bool>,
}

impl Row {
    fn new(what: impl Into<String>, figure: impl Into<String>) -> Row {
        Row { what: what.into(), figure: figure.into(), promise: "", holds: None }
    }

    fn promised(self, promise: &'static str, holds: bool) -> Row {
        Row { promise, holds: Some(holds), ..self }
    }
}

/// A part of the benchmark.
type Part = (&'static str, fn(&Bench) -> Result<Vec<Row>>);

const PARTS: &[Part] = &[
    ("storm", storm::rows),
    ("nginx", server::nginx),
    ("redis", server::redis),
    ("cpu", footprint::processor_share),
    ("memory", footprint::bytes_per_handle),
    ("verdict", footprint::seconds_to_verdict),
    ("open-files", open_files::rows),
    ("sockets", sockets::rows),
    ("capture", capture::rows),
    ("trace", trace::rows),
    ("record", record::rows),
];

/// Runs the chore.
pub fn run(arguments: &[String]) -> Result<()> {
    let (flags, names): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with('-'));
    ensure!(
        flags.iter().all(|flag| *flag == "--quick")
            && names.iter().all(|name| PARTS.iter().any(|(part, _)| part == name)),
        "usage: cargo xtask bench [--quick] [{}]",
        PARTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("|")
    );
    let bench = Bench { fdscope: built()?, rounds: if flags.is_empty() { 7 } else { 3 } };
    println!("{}\n\n| what | figure | promise | holds |\n|---|---|---|---|", machine()?);
    for (name, part) in PARTS {
        if !names.is_empty() && !names.contains(&&(*name).to_owned()) {
            continue;
        }
        let rows =
            part(&bench).unwrap_or_else(|why| vec![Row::new(*name, format!("failed: {why:#}"))]);
        rows.iter().for_each(print);
    }
    Ok(())
}

fn print(row: &Row) {
    let holds = match row.holds {
        None => "",
        Some(true) => "yes",
        Some(false) => "**no**",
    };
    println!("| {} | {} | {} | {holds} |", row.what, row.figure, row.promise);
}

/// Builds the program as users do, and returns its path.
pub fn built() -> Result<PathBuf> {
    let status = Command::new("cargo")
        .current_dir(tree::root())
        .args(["build", "--release", "--quiet", "-p", "fdscope"])
        .status()?;
    ensure!(status.success(), "the program does not build");
    let own = std::env::current_exe()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = target.map_or_else(|| tree::root().join("target"), PathBuf::from);
    Ok(target.join("release/fdscope"))
}

fn machine() -> Result<String> {
    let kernel = tree::output(Command::new("uname").args(["-s", "-r", "-m"]))?;
    let processors = std::thread::available_parallelism()?;
    Ok(format!("{}, {processors} processors", kernel.trim()))
}

/// The middle of the figures; 0 of none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
