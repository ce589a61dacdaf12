//! What reading inventories costs: `task_file bpf|proc PID…` prints the rows read, the processor's time and the memory taken.

use std::time::Duration;

use fdscope_bpf::BpfInventories;
use fdscope_model::{Inventories, Pid};
use fdscope_proc::{InventorySource, ProcError, ProcRoot, Wanted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().unwrap_or_default();
    let pids: Vec<Pid> = arguments.map(|text| text.parse().map(Pid)).collect::<Result<_, _>>()?;
    let wanted = Wanted {
        kinds: true,
        access: true,
        fdinfo: true,
        sockets: true,
        status: true,
        ..Wanted::default()
    };
    let root = ProcRoot::open()?;
    match source.as_str() {
        "bpf" => {
            let source = BpfInventories::open(root, wanted)?;
            eprintln!("loaded: {:?} of the processor's time", processor_time());
            read(source, &pids);
        }
        "proc" => read(InventorySource::new(root, wanted), &pids),
        _ => eprintln!("usage: inventory bpf|proc PID..."),
    }
    Ok(())
}

fn read(mut source: impl Inventories<Error = ProcError>, pids: &[Pid]) {
    source.read_each(pids, &mut |pid, inventory| match inventory {
        Ok(inventory) => println!("{pid}: {} rows", inventory.entries.len()),
        Err(error) => println!("{pid}: {error}"),
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    eprintln!("{:?} of the processor's time, {peak}", processor_time());
}

fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}
