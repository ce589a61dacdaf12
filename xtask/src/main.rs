//! The chores of the tree, so that a bare machine needs cargo and no make: `cargo xtask help` lists them.
//!
//! One file per chore. Nothing here is part of the program that users run.
#![forbid(unsafe_code)]

mod bench;
mod bpf;
mod kernels;
mod tidy;
mod tree;

use anyhow::{Result, bail, ensure};
use std::process::ExitCode;

/// One chore: its name, its line of help, and what runs it with the arguments behind the name.
struct Chore {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "bench",
        help: "what watching costs, beside strace, as a Markdown table; --quick, or parts by name",
        run: bench::run,
    },
    Chore {
        name: "bpf",
        help: "rebuild crates/bpf/obj from crates/bpf/bpf with clang; --check: compare, write nothing",
        run: bpf::run,
    },
    Chore { name: "ci", help: "all that must hold before a change goes in: .ci/run", run: ci },
    Chore {
        name: "kernels",
        help: "the program on other kernels, emulated: a table of what works; IMAGE…, vmlinuz or .deb",
        run: kernels::run,
    },
    Chore {
        name: "tidy",
        help: "the promises of ARCHITECTURE.md that no compiler checks",
        run: tidy::run,
    },
];

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
        println!("  {:<9}{}", chore.name, chore.help);
    }
    Ok(())
}

fn ci(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "usage: cargo xtask ci");
    let status = std::process::Command::new(tree::root().join(".ci/run")).status()?;
    ensure!(status.success(), ".ci/run: {status}");
    Ok(())
}
