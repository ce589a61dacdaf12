//! Processes that could not be attached to: why, and what helps.

use fdscope_bpf::BpfError;
use fdscope_model::Pid;
use fdscope_ptrace::Error;

use crate::ending::Ending;

/// A process that could not be attached to.
pub struct Refused {
    /// What is said of it.
    pub words: String,
    ending: Ending,
}

impl Refused {
    /// By ptrace: in strace's words, and behind them what strace does not say.
    pub fn by_ptrace(pid: Pid, error: &Error) -> Self {
        let (ending, why) = match error {
            Error::NoSuchProcess { .. } => (Ending::TargetGone, "No such process".to_owned()),
            Error::NotPermitted { reason, .. } => {
                (Ending::NotPermitted, format!("Operation not permitted ({reason})"))
            }
            Error::AlreadyTraced { tracer, comm, .. } => (
                Ending::NotPermitted,
                format!("Operation not permitted (traced by process {tracer}, {comm})"),
            ),
            other => (Ending::Failed, other.to_string()),
        };
        Refused { words: format!("attach: ptrace(PTRACE_SEIZE, {pid}): {why}"), ending }
    }

    /// By eBPF.
    pub fn by_bpf(error: BpfError) -> Self {
        let (ending, why) = match &error {
            BpfError::Table { pid, cause } if cause.kind() == std::io::ErrorKind::NotFound => {
                (Ending::TargetGone, format!("{pid}: No such process"))
            }
            BpfError::NotPermitted(_) => (Ending::NotPermitted, error.to_string()),
            _ => (Ending::Failed, error.to_string()),
        };
        Refused { words: format!("attach: {why}"), ending }
    }
}

/// How `fdscope trace` ends if nobody could be attached to. Says the cure, if privilege is what is missing; `why` is why
/// eBPF, which needs less of the process, was not used.
pub fn ending(refused: &[Refused], why: Option<&str>) -> Ending {
    let has = |ending: Ending| refused.iter().any(|row| row.ending == ending);
    if has(Ending::NotPermitted) {
        cure(why);
        return Ending::NotPermitted;
    }
    if refused.iter().all(|row| row.ending == Ending::TargetGone) {
        return Ending::TargetGone;
    }
    Ending::Failed
}

/// Says what helps where privilege is missing.
pub fn cure(why: Option<&str>) {
    let typed: Vec<String> = std::env::args().collect();
    if let Some(why) = why {
        eprintln!("  eBPF was not used: {why}");
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("  run: sudo {}", typed.join(" "));
    }
    eprintln!(
        "  or once: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep \
         \"$(command -v fdscope)\""
    );
    eprintln!("  what can be had without it: your own processes, and programs that fdscope starts");
}
