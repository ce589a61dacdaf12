//! The chores of the tree, so that a bare machine needs cargo and no make: `cargo xtask help` lists them.
//!
//! One file per chore. Nothing here is part of the program that users run.
#![forbid(unsafe_code)]

mod bpf;
mod tree;

use anyhow::{Result, bail};
use std::process::ExitCode;

/// One chore: its name, its line of help, and what runs it with the arguments behind the name.
struct Chore {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[Chore {
    name: "bpf",
    help: "rebuild crates/bpf/obj from crates/bpf/bpf with clang; --check: compare instead of writing",
    run: bpf::run,
}];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else { return help() };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        return help();
    }
    match CHORES.iter().find(|chore| chore.name == name) {
        Some(chore) => (chore.run)(rest),
        None => bail!("no chore is called {name:?}; `cargo xtask help` lists them"),
    }
}

fn help() -> Result<()> {
    println!("usage: cargo xtask CHORE [ARG…]\n");
    for chore in CHORES {
        println!("  {:<7}{}", chore.name, chore.help);
    }
    Ok(())
}
