//! What a source sees and what it cannot: so that a blank reads "not visible to ptrace", never "none".

/// Which kind of source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SourceName {
    /// eBPF programs on tracepoints.
    Bpf,
    /// ptrace(2) stops.
    Ptrace,
    /// Sampling /proc.
    Poll,
    /// A recording.
    Recording,
}

impl SourceName {
    /// The word used in `--source` and JSON.
    pub fn word(self) -> &'static str {
        match self {
            SourceName::Bpf => "bpf",
            SourceName::Ptrace => "ptrace",
            SourceName::Poll => "poll",
            SourceName::Recording => "recording",
        }
    }
}

/// One thing a source cannot see here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blind {
    /// What is not seen: "opens by io_uring".
    pub what: String,
    /// Why: "the kernel has no tracepoint io_uring:io_uring_submit_req".
    pub why: String,
    /// What to do about it, if anything.
    pub cure: Option<String>,
}

/// A source's own account of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sight {
    /// Which source.
    pub source: SourceName,
    /// How it works here, in a few words: "tracepoints, DWARF stacks".
    pub how: String,
    /// What it cannot see here.
    pub blind: Vec<Blind>,
}
