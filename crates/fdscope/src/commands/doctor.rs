//! `fdscope doctor`: what this kernel and user permit, what each gap costs, and the cure.

use std::io::Write;

use fdscope_bpf::load::KernelTypes;
use fdscope_bpf::{BpfSource, Options, Support, TableReader};
use fdscope_model::EventSource;

use crate::Done;
use crate::ending::Ending;
use crate::machine;

/// What was found out about one ability.
struct Finding {
    ability: &'static str,
    answer: Result<String, Gap>,
}

/// What is missing.
struct Gap {
    why: String,
    cost: &'static str,
    cure: &'static str,
}

const SETCAP: &str = "run with sudo, or: sudo setcap \
                      cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep \"$(command -v fdscope)\"";

/// Runs the command.
pub fn run() -> Done {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", machine::describe())?;
    for finding in [bpf(), tables(), ptrace(), proc()] {
        match finding.answer {
            Ok(how) => writeln!(out, "yes  {}: {how}", finding.ability)?,
            Err(gap) => {
                writeln!(out, "no   {}: {}", finding.ability, gap.why)?;
                writeln!(out, "     without it: {}", gap.cost)?;
                writeln!(out, "     cure: {}", gap.cure)?;
            }
        }
    }
    if matches!(Support::probe(), Support::Likely) {
        fdscope_sys::linger::release_behind();
    }
    Ok(Ending::Done)
}

fn bpf() -> Finding {
    let answer = try_bpf().map_err(|why| Gap {
        why,
        cost: "ptrace is used, which slows the target several times over; or /proc is sampled, without stacks",
        cure: SETCAP,
    });
    Finding { ability: "eBPF events with stacks", answer }
}

fn try_bpf() -> Result<String, String> {
    if let Support::Missing(why) = Support::probe() {
        return Err(why);
    }
    let types = KernelTypes::read().map_err(|error| error.to_string())?;
    let options = Options { ring_bytes: 1 << 20, ..Options::default() };
    let mut source = BpfSource::open(&types, options).map_err(|error| error.to_string())?;
    let how = source.sight().how.clone();
    source.stop().map_err(|error| error.to_string())?;
    // Detaching takes the kernel seconds; the process's end does it behind the user's back.
    std::mem::forget(source);
    Ok(how)
}

const TABLES: &str = "the kernel's own descriptor tables";

fn tables() -> Finding {
    let read =
        KernelTypes::read().and_then(|types| TableReader::open(&types)).and_then(|mut reader| {
            use fdscope_model::SnapshotSource;
            let snapshot = reader.snapshot(fdscope_model::Pid(std::process::id()))?;
            Ok((snapshot.handles.len(), reader.reads_one_process()))
        });
    let answer = match read {
        Ok((count, true)) => Ok(format!("read {count} descriptors of fdscope itself")),
        Ok((count, false)) => Ok(format!(
            "read {count} descriptors of fdscope itself, among those of all processes \
             (Linux before 6.1 cannot read one table alone)"
        )),
        Err(error) => Err(Gap {
            why: error.to_string(),
            cost: "tables are read through /proc, some ten times slower",
            cure: SETCAP,
        }),
    };
    Finding { ability: TABLES, answer }
}

fn ptrace() -> Finding {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    let answer = match scope.as_deref().map(str::trim) {
        Err(_) | Ok("0") => Ok("of your own processes, and as root of all".to_owned()),
        Ok(_) if rustix::process::geteuid().is_root() => Ok("as root".to_owned()),
        Ok(level) => Err(Gap {
            why: format!("kernel.yama.ptrace_scope is {level}"),
            cost: "only commands that fdscope launches can be traced: fdscope leak -- CMD",
            cure: "run with sudo, or: sudo sysctl kernel.yama.ptrace_scope=0",
        }),
    };
    Finding { ability: "ptrace", answer }
}

fn proc() -> Finding {
    let hidden = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let hidepid =
        hidden.lines().find(|line| line.starts_with("proc /proc ") && line.contains("hidepid="));
    let answer = match hidepid {
        Some(_) if !rustix::process::geteuid().is_root() => Err(Gap {
            why: "/proc is mounted with hidepid".to_owned(),
            cost: "other users' processes cannot be seen",
            cure: "run with sudo",
        }),
        _ if rustix::process::geteuid().is_root() => Ok("every process".to_owned()),
        _ => Ok("your own processes; of others the number of descriptors and the limit".to_owned()),
    };
    Finding { ability: "/proc", answer }
}
