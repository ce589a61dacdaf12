//! Every process at one look of the kernel, for the radar: the numbers that the walk through /proc gets by nine system calls
//! for each. Loading the iterator costs as much as walking some hundred processes.
//!
//! What a row cannot tell (a table being replaced, a first thread that ended before the others) is left to the walk.

pub mod wire;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use fdscope_model::{Name, Pid, ProcessId};
use fdscope_proc::radar::Glimpse;
use fdscope_sys::bpf::{link_all_tasks_iterator, open_iterator};
use zerocopy::FromBytes;

use crate::error::BpfError;
use crate::iterator::ProcessIterator;
use crate::support::{PidNamespace, Support};
use wire::SeenRow;

/// From how many processes on the iterator is clearly cheaper than the walk: of 590 the walk took 15 ms of the processor's
/// time, the iterator 3 ms, nearly all of it for loading.
pub const WORTH_PROCESSES: u64 = 250;

/// The kernel hands over at most 32 KiB at a time (kernel/bpf/bpf_iter.c, `bpf_seq_read`).
const BUFFER_BYTES: usize = 64 << 10;

/// Whether to look at so many processes by the iterator.
pub fn is_worth_loading(count: u64) -> bool {
    // The rows have the numbers of the initial PID namespace.
    count >= WORTH_PROCESSES
        && PidNamespace::of_self().level == 0
        && Support::probe() == Support::Likely
}

/// Looks at processes by BPF.
pub struct BpfProcesses {
    iterator: ProcessIterator,
    ticks_per_s: u64,
}

impl BpfProcesses {
    /// Loads the iterator.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn open() -> Result<Self, BpfError> {
        let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
        Ok(BpfProcesses { iterator: ProcessIterator::new()?, ticks_per_s })
    }

    /// Every process now, by number.
    ///
    /// # Errors
    /// If the kernel breaks off.
    pub fn look(&self) -> io::Result<Vec<Glimpse>> {
        let link = link_all_tasks_iterator(self.iterator.program())?;
        let mut iterator = File::from(open_iterator(link.as_fd())?);
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut found, mut kept) = (Vec::new(), 0);
        loop {
            let got = match iterator.read(&mut buffer[kept..]) {
                Ok(got) => got,
                // The iterator stops now and then to let others run.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            };
            let mut rest = &buffer[..kept + got];
            while let Ok((row, behind)) = SeenRow::read_from_prefix(rest) {
                found.push(self.glimpse(&row));
                rest = behind;
            }
            let (left, end) = (rest.len(), kept + got);
            match (got, left) {
                (0, 0) => return Ok(found),
                (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
            buffer.copy_within(end - left..end, 0);
            kept = left;
        }
    }

    fn glimpse(&self, row: &SeenRow) -> Glimpse {
        let end = row.comm.iter().position(|&byte| byte == 0).unwrap_or(row.comm.len());
        let words = row.open.get(..row.words as usize);
        Glimpse {
            id: ProcessId {
                pid: Pid(row.pid),
                start_ticks: row.start_ns / (1_000_000_000 / self.ticks_per_s),
            },
            parent: Pid(row.parent),
            uid: row.uid,
            comm: Name::from(&row.comm[..end]),
            state: state::letter(row.state, row.exit_state),
            flags: row.flags,
            threads: row.threads.into(),
            descriptors: words
                .map(|words| words.iter().map(|word| u64::from(word.count_ones())).sum()),
            nofile: row.nofile,
            nproc: row.nproc,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What a task does, as /proc/PID/stat says it (fs/proc/array.c, `get_task_state`; include/linux/sched.h, which has kept these
/// numbers since 5.14, where `__state` got its name).
mod state {
    const UNINTERRUPTIBLE: u32 = 0x2;
    /// `TASK_REPORT`.
    const REPORTED: u32 = 0x7f;
    const IDLE: u32 = UNINTERRUPTIBLE | 0x400;
    const REPORTED_IDLE: u32 = 0x80;
    const RTLOCK_WAIT: u32 = 0x1000;
    const FROZEN: u32 = 0x8000;

    /// The letter.
    pub(super) fn letter(state: u32, exit_state: u32) -> u8 {
        let reported = match (state | exit_state) & REPORTED {
            _ if state == IDLE => REPORTED_IDLE,
            _ if state & (RTLOCK_WAIT | FROZEN) != 0 => UNINTERRUPTIBLE,
            reported => reported,
        };
        let index = (u32::BITS - reported.leading_zeros()) as usize;
        b"RSDTtXZPI".get(index).copied().unwrap_or(b'?')
    }

    #[cfg(test)]
    mod tests {
        use super::letter;

        #[test]
        fn states_have_the_letters_of_the_kernel() {
            let check = |state, exit_state, expected: char| {
                assert_eq!(char::from(letter(state, exit_state)), expected);
            };
            check(0, 0, 'R');
            check(0x1, 0, 'S');
            check(0x2001, 0, 'S');
            check(0x2, 0, 'D');
            check(0x102, 0, 'D');
            check(0x104, 0, 'T');
            check(0x8, 0, 't');
            check(0x80, 0x20, 'Z');
            check(0x80, 0x10, 'X');
            check(0x40, 0, 'P');
            check(0x402, 0, 'I');
            check(0x1000, 0, 'D');
        }
    }
}
