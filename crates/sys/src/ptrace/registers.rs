//! The registers of a stopped tracee: the only file here that knows a processor.

use std::ffi::c_void;
use std::ptr;

use fdscope_model::{Registers, Tid};
use rustix::io::Errno;

use super::request;

/// What the registers of a stopped thread tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskRegisters {
    /// The four that unwinding starts from.
    pub unwind: Registers,
    /// True if the thread runs 32-bit code: what the words of its stack are.
    pub compat: bool,
    /// The number of the system call that the thread is in; negative if none.
    pub number: i64,
    /// The arguments of that call.
    pub args: [u64; 6],
    /// The register that holds a system call's result.
    pub result: i64,
}

/// Words enough for every processor's `NT_PRSTATUS` (aarch64 has 34).
const WORDS: usize = 40;

/// The registers of a stopped thread.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn registers(tid: Tid) -> Result<TaskRegisters, Errno> {
    let mut words = [0u64; WORDS];
    let bytes = fetch(tid, &mut words)?;
    Ok(layout::decode(&words, bytes))
}

/// Sets the register that holds a system call's result, and nothing else.
///
/// # Errors
/// `SRCH` if the thread is gone or not in a stop.
pub fn set_result(tid: Tid, result: i64) -> Result<(), Errno> {
    layout::set_result(tid, result)
}

const NT_PRSTATUS: usize = 1;

/// Fills `words` and says how many bytes the kernel wrote: fewer for a 32-bit task.
fn fetch(tid: Tid, words: &mut [u64; WORDS]) -> Result<usize, Errno> {
    let mut vector = libc::iovec {
        iov_base: ptr::from_mut(words).cast::<c_void>(),
        iov_len: size_of_val(words),
    };
    let address = ptr::from_mut(&mut vector).expose_provenance();
    request(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, address)?;
    Ok(vector.iov_len)
}

#[cfg(target_arch = "x86_64")]
mod layout {
    use super::*;

    /// Bytes of the i386 register set: seventeen 32-bit words.
    const COMPAT_BYTES: usize = 17 * 4;

    /// Offset of `rax` in `struct user`, which begins with `struct user_regs_struct`.
    const RAX_OFFSET: usize = 10 * 8;

    /// Indices are those of `struct user_regs_struct` (sys/user.h), for i386 of `user_regs_struct32`.
    pub fn decode(words: &[u64; WORDS], bytes: usize) -> TaskRegisters {
        if bytes == COMPAT_BYTES {
            let w = |i: usize| u64::from((words[i / 2] >> (i % 2 * 32)) as u32);
            return TaskRegisters {
                unwind: Registers { ip: w(12), sp: w(15), fp: w(5), lr: 0 },
                compat: true,
                number: w(11) as i32 as i64,
                args: [w(0), w(1), w(2), w(3), w(4), w(5)],
                result: w(6) as i32 as i64,
            };
        }
        let w = |i: usize| words[i];
        TaskRegisters {
            unwind: Registers { ip: w(16), sp: w(19), fp: w(4), lr: 0 },
            compat: false,
            number: w(15) as i64,
            args: [w(14), w(13), w(12), w(7), w(9), w(8)],
            result: w(10) as i64,
        }
    }

    pub fn set_result(tid: Tid, result: i64) -> Result<(), Errno> {
        request(libc::PTRACE_POKEUSER, tid, RAX_OFFSET, result as usize)
    }
}

#[cfg(target_arch = "aarch64")]
mod layout {
    use super::*;

    /// x0 to x30, sp, pc, pstate (`struct user_pt_regs`); a 32-bit Arm task has eighteen 32-bit words, which only
    /// tell that it is one: no table here knows its calls.
    const NATIVE_BYTES: usize = 34 * 8;

    pub fn decode(words: &[u64; WORDS], bytes: usize) -> TaskRegisters {
        if bytes < NATIVE_BYTES {
            return TaskRegisters { compat: true, number: -1, ..TaskRegisters::default() };
        }
        let w = |i: usize| words[i];
        TaskRegisters {
            unwind: Registers { ip: w(32), sp: w(31), fp: w(29), lr: w(30) },
            compat: false,
            number: w(8) as i64,
            args: [w(0), w(1), w(2), w(3), w(4), w(5)],
            result: w(0) as i64,
        }
    }

    pub fn set_result(tid: Tid, result: i64) -> Result<(), Errno> {
        let mut words = [0u64; WORDS];
        let bytes = fetch(tid, &mut words)?;
        words[0] = result as u64;
        let mut vector = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: bytes };
        let address = ptr::from_mut(&mut vector).expose_provenance();
        request(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, address)
    }
}
