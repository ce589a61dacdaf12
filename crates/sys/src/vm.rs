//! Reading another process's memory with process_vm_readv(2).

use std::ffi::c_void;

use fdscope_model::Tid;

/// How many page-sized pieces one call reads; more would need a longer vector for no gain.
const PIECES: usize = 64;
/// The step at which reading may fail: the smallest page of any processor, so that every unmapped page starts a piece.
const PAGE: usize = 4096;

/// Copies memory of a thread's process from `address` upwards, and says how many bytes were readable.
///
/// Reading stops without error where the mapping ends (the top of the stack, for instance): the vector is cut at page
/// boundaries, and the kernel transfers whole pieces. At most 64 pages a call. 0 if nothing is readable or permitted.
pub fn read(tid: Tid, address: u64, buffer: &mut [u8]) -> usize {
    let mut remote = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; PIECES];
    let mut used = 0;
    let mut total = 0;
    while total < buffer.len() && used < PIECES {
        let Some(start) = address.checked_add(total as u64) else { break };
        let piece = (PAGE - start as usize % PAGE).min(buffer.len() - total);
        remote[used] = libc::iovec {
            iov_base: std::ptr::without_provenance_mut::<c_void>(start as usize),
            iov_len: piece,
        };
        used += 1;
        total += piece;
    }
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: total };
    let pid = tid.0 as libc::pid_t;
    // SAFETY: the local vector covers `total` <= `buffer.len()` bytes of an exclusively borrowed slice; the remote
    // addresses are another process's and are checked by the kernel.
    let read = unsafe {
        libc::process_vm_readv(pid, &raw const local, 1, remote.as_ptr(), used as libc::c_ulong, 0)
    };
    usize::try_from(read).unwrap_or(0)
}
