//! What is wrong with the sockets of a machine, as the rules tell it: pure data.

use crate::id::Pid;

/// Something that is wrong, or soon will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketFinding {
    /// A word for the rule: `close-wait`.
    pub rule: &'static str,
    /// The process, where one is to blame.
    pub pid: Option<Pid>,
    /// Sockets that it is true of.
    pub count: u64,
    /// What is the case, in a sentence.
    pub what: String,
    /// What shows it, in sentences.
    pub evidence: Vec<String>,
    /// What to do.
    pub cure: String,
}
