//! What a recording is made of, in the order in which a ledger was told it.

use fdscope_model::process::Sample;
use fdscope_model::{
    Event, Fault, FdNumber, Folded, HandleKey, HandleKind, Monotonic, Name, Pid, Process, Sight,
    Snapshot, StackId, Symbolized, Tid,
};

use crate::bytes::{Get, In, Out, Put, form_enum};
use crate::error::Malformed;

/// The first record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Opening {
    /// The version of fdscope that recorded.
    pub fdscope: String,
    /// `uname`: system, release, machine.
    pub machine: String,
    /// The command that recorded.
    pub command: String,
    /// /proc/sys/kernel/random/boot_id: process numbers and times of two boots have nothing to do with each other.
    pub boot: String,
    /// Wall time of `begun` in nanoseconds since the epoch.
    pub taken_at_ns: u64,
    /// When watching began.
    pub begun: Monotonic,
}

/// The last record of a recording that came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Closing {
    /// When the ledger was judged.
    pub judged: Monotonic,
    /// Wall time of that in nanoseconds since the epoch.
    pub taken_at_ns: u64,
}

/// What was left out of a stretch of time to keep the recording small.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Thinned {
    /// The first moment.
    pub from: Monotonic,
    /// The last moment.
    pub to: Monotonic,
    /// Births that were left out together with their deaths.
    pub pairs: u64,
    /// Samples left out because they said what the one before had said.
    pub samples: u64,
}

/// What the kernel counts of sockets, beyond those that processes hold: of its network namespace, or of the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Net {
    /// When.
    pub at: Monotonic,
    /// /proc/net/sockstat.
    pub sockstat: Name,
    /// /proc/net/sockstat6; empty without IPv6.
    pub sockstat6: Name,
    /// Counters of losses from /proc/net/netstat, by name.
    pub losses: Vec<(Name, u64)>,
    /// Limits in /proc/sys/net, by path below it.
    pub limits: Vec<(Name, u64)>,
    /// Bytes of a page, the unit of what counts as memory.
    pub page: u64,
}

/// One thing that the ledger, or who reads its verdicts, was told.
#[derive(Clone, PartialEq, Debug)]
pub enum Record<'a> {
    /// Stands first.
    Opening(Opening),
    /// Who a process is.
    Process(Process),
    /// What happened.
    Event(Event<'a>),
    /// Counts of a process at one moment.
    Sample(Sample),
    /// The kind of a handle became known.
    Learnt(Pid, HandleKey, HandleKind),
    /// The ledger is about to be held against the kernel's table of a process.
    Comparing(Pid, Monotonic),
    /// The table it was held against.
    Compared(Snapshot),
    /// The names of a stack's frames; the latest for a number holds.
    Stack(StackId, Symbolized),
    /// The name of a descriptor: number, and when the handle at it was born (0: whichever is there).
    Descriptor(Pid, FdNumber, Monotonic, Name),
    /// The name of a thread.
    Thread(Pid, Tid, Name),
    /// What could not be read.
    Fault(Fault),
    /// What the source sees; the latest holds.
    Sight(Sight),
    /// Stands where detail was left out.
    Thinned(Thinned),
    /// The recording reached its size and nothing more could be left out: what follows in time is not in it.
    Full(Monotonic),
    /// Stands last.
    Closing(Closing),
    /// Descriptors that came and went, counted by place.
    Folded(Folded),
    /// What the kernel counts of sockets.
    Net(Net),
}

form_enum! { Record Record<'_>, Record<'static> {
    1 Opening { 0: opening }
    2 Process { 0: process }
    3 Event { 0: event }
    4 Sample { 0: sample }
    5 Learnt { 0: pid, 1: key, 2: kind }
    6 Comparing { 0: pid, 1: at }
    7 Compared { 0: snapshot }
    8 Stack { 0: id, 1: names }
    9 Descriptor { 0: pid, 1: fd, 2: born, 3: name }
    10 Thread { 0: pid, 1: tid, 2: name }
    11 Fault { 0: fault }
    12 Sight { 0: sight }
    13 Thinned { 0: thinned }
    14 Full { 0: at }
    15 Closing { 0: closing }
    16 Folded { 0: folded }
    17 Net { 0: net }
} }

impl Record<'_> {
    /// When it was, for records that tell.
    pub fn at(&self) -> Option<Monotonic> {
        match self {
            Record::Opening(opening) => Some(opening.begun),
            Record::Event(event) => Some(event.at),
            Record::Sample(sample) => Some(sample.at),
            Record::Comparing(_, at) | Record::Full(at) => Some(*at),
            Record::Compared(snapshot) => Some(snapshot.ended),
            Record::Closing(closing) => Some(closing.judged),
            Record::Folded(folded) => Some(folded.to),
            Record::Net(net) => Some(net.at),
            _ => None,
        }
    }
}
