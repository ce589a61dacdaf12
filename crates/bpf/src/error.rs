//! What can go wrong between fdscope and the kernel's BPF.

use fdscope_model::Pid;

/// Why BPF could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BpfError {
    /// The kernel has no type information to fit the programs to it.
    #[error(
        "failed to read /sys/kernel/btf/vmlinux: {0}; this kernel was built without CONFIG_DEBUG_INFO_BTF"
    )]
    NoBtf(String),
    /// The kernel refused to load or to check a program.
    #[error("failed to load BPF program {program}: {cause}")]
    Load {
        /// Which.
        program: &'static str,
        /// In the kernel's or the loader's words.
        cause: String,
    },
    /// Not permitted.
    #[error(
        "BPF is not permitted: {0}; needs CAP_BPF and CAP_PERFMON: run with sudo, or pass --source ptrace"
    )]
    NotPermitted(String),
    /// A program could not be put on its tracepoint.
    #[error("failed to attach to {point}: {cause}")]
    Attach {
        /// Which.
        point: String,
        /// In the kernel's words.
        cause: String,
    },
    /// A map could not be read or written.
    #[error("failed to use BPF map {map}: {cause}")]
    Map {
        /// Which.
        map: &'static str,
        /// In the kernel's words.
        cause: String,
    },
    /// A process's table could not be read.
    #[error("failed to read the descriptor table of process {pid}: {cause}")]
    Table {
        /// Whose.
        pid: Pid,
        /// In the kernel's words.
        cause: std::io::Error,
    },
    /// Waiting for the ring failed.
    #[error("failed to wait for events: {0}")]
    Wait(#[from] rustix::io::Errno),
}
