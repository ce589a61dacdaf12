//! Reads inventories, says how many rows they have and what could not be read: for measuring the walk alone.
//!
//! `cargo run --release --example inventory -- links|table|everything PID…`

use std::process::ExitCode;

use fdscope_model::Pid;
use fdscope_proc::{InventorySource, ProcRoot, Wanted};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let wanted = match arguments.next().as_deref() {
        Some("links") => Wanted::default(),
        Some("table") => Wanted { status: true, access: true, places: true, ..Wanted::default() },
        Some("everything") => Wanted::everything(),
        _ => return ExitCode::FAILURE,
    };
    let pids: Vec<Pid> = arguments.filter_map(|pid| pid.parse().ok().map(Pid)).collect();
    let Ok(root) = ProcRoot::open() else { return ExitCode::FAILURE };
    let pids = if pids.is_empty() { root.pids().unwrap_or_default() } else { pids };
    let (mut rows, mut faults) = (0, 0);
    InventorySource::new(root, wanted).read_each(&pids, &mut |_, read| match read {
        Ok(inventory) => {
            rows += inventory.entries.len();
            faults += inventory.faults.len();
            inventory.faults.iter().for_each(|fault| eprintln!("{fault}"));
        }
        Err(error) => {
            faults += 1;
            eprintln!("{error}");
        }
    });
    println!("{rows} rows, {faults} faults");
    ExitCode::SUCCESS
}
