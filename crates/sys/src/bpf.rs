//! The few bpf(2) and perf_event_open(2) calls that aya does not offer: whether there is any BPF here, iterators bound to
//! one process, and programs on tracepoints named by id (aya wants tracefs mounted; fdscope leaves the host's mounts alone).

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use fdscope_model::Pid;
use rustix::io::Errno;

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_TRACE_ITER: u32 = 28;
const BPF_PERF_EVENT: u32 = 41;
const BPF_MAP_TYPE_RINGBUF: u32 = 27;
const LINK_CREATE_BYTES: usize = 16;

/// `union bpf_attr` of BPF_MAP_CREATE, as far as used.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// `union bpf_attr` of BPF_PROG_LOAD, as far as used.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    unused: u32,
}

/// `union bpf_attr` of BPF_LINK_CREATE, as far as used (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    unused: u32,
}

/// `union bpf_iter_link_info`, its `task` member.
#[repr(C)]
#[derive(Default)]
struct TaskLinkInfo {
    tid: u32,
    pid: u32,
    pid_fd: u32,
    unused: u32,
}

/// `union bpf_attr` of BPF_ITER_CREATE.
#[repr(C)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// Makes the smallest ring buffer, and lets it go at once: tells whether bpf(2) answers here, and is of Linux 5.8.
///
/// # Errors
/// `ENOSYS` without bpf(2), `EPERM` where a seccomp profile, lockdown or missing capabilities refuse it, `EINVAL` on
/// kernels before 5.8.
pub fn try_ring_buffer() -> io::Result<()> {
    let max_entries = rustix::param::page_size() as u32;
    let attr = MapCreate { map_type: BPF_MAP_TYPE_RINGBUF, max_entries, ..MapCreate::default() };
    bpf(BPF_MAP_CREATE, &attr).map(drop)
}

/// Loads an iterator program: `instructions` of 8 bytes each (`struct bpf_insn`), `function` the number that the kernel's
/// types give the iterator's function (`bpf_iter_task_file`).
///
/// # Errors
/// `EPERM` without the privilege, `EACCES` or `EINVAL` for what the verifier refuses: its last words come with the error.
pub fn load_iterator(instructions: &[u8], license: &CStr, function: u32) -> io::Result<OwnedFd> {
    let load = |log: &mut [u8]| {
        let attr = ProgLoad {
            prog_type: BPF_PROG_TYPE_TRACING,
            insn_cnt: (instructions.len() / 8) as u32,
            insns: instructions.as_ptr() as u64,
            license: license.as_ptr() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: log.len() as u32,
            log_buf: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
            expected_attach_type: BPF_TRACE_ITER,
            attach_btf_id: function,
            ..ProgLoad::default()
        };
        bpf(BPF_PROG_LOAD, &attr)
    };
    load(&mut []).or_else(|refused| {
        // The log costs time, so it is asked for only where there is something to read in it.
        let mut log = vec![0; 1 << 20];
        load(&mut log).map_err(|_| {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
            let said = String::from_utf8_lossy(&log[end.saturating_sub(400)..end]).into_owned();
            match said.is_empty() {
                true => refused,
                false => io::Error::new(refused.kind(), format!("{refused}: {}", said.trim())),
            }
        })
    })
}

/// Binds an iterator program over tasks to the process `pid`, numbered in the caller's PID namespace; Linux 6.1.
///
/// # Errors
/// `EINVAL` on kernels that bind iterators to nothing, `ESRCH` if there is no such process.
pub fn link_task_iterator(program: BorrowedFd<'_>, pid: Pid) -> io::Result<OwnedFd> {
    link_iterator(program, &TaskLinkInfo { pid: pid.0, ..TaskLinkInfo::default() })
}

/// Binds an iterator program over tasks to every task of the caller's PID namespace.
///
/// # Errors
/// Those of BPF_LINK_CREATE.
pub fn link_all_tasks_iterator(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attr = LinkCreate {
        prog_fd: program.as_raw_fd() as u32,
        attach_type: BPF_TRACE_ITER,
        ..LinkCreate::default()
    };
    // As long as it was in Linux 5.8, which knows no `iter_info`.
    bpf_of(BPF_LINK_CREATE, &attr, LINK_CREATE_BYTES)
}

fn link_iterator(program: BorrowedFd<'_>, info: &TaskLinkInfo) -> io::Result<OwnedFd> {
    let attr = LinkCreate {
        prog_fd: program.as_raw_fd() as u32,
        attach_type: BPF_TRACE_ITER,
        iter_info: std::ptr::from_ref(info) as u64,
        iter_info_len: size_of::<TaskLinkInfo>() as u32,
        ..LinkCreate::default()
    };
    bpf(BPF_LINK_CREATE, &attr)
}

/// A descriptor that runs the iterator once when read.
///
/// # Errors
/// Those of BPF_ITER_CREATE.
pub fn open_iterator(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    bpf(BPF_ITER_CREATE, &IterCreate { link_fd: link.as_raw_fd() as u32, flags: 0 })
}

/// Runs `program` at each hit of the perf event, until both the event and the returned descriptor are closed. Linux before
/// 5.15 has no link for that: there the event itself holds the program, and nothing is returned.
///
/// # Errors
/// Those of BPF_LINK_CREATE, and of PERF_EVENT_IOC_SET_BPF.
pub fn run_at_perf_event(
    program: BorrowedFd<'_>,
    event: BorrowedFd<'_>,
) -> io::Result<Option<OwnedFd>> {
    match link_perf_event(program, event) {
        Err(refusal) if Errno::from_io_error(&refusal) == Some(Errno::INVAL) => {
            perf_ioctl(event, PERF_EVENT_IOC_SET_BPF, program.as_raw_fd())?;
            perf_ioctl(event, PERF_EVENT_IOC_ENABLE, 0)?;
            Ok(None)
        }
        linked => linked.map(Some),
    }
}

fn perf_ioctl(event: BorrowedFd<'_>, request: libc::Ioctl, argument: i32) -> io::Result<()> {
    // SAFETY: both requests take a number by value and touch no memory of ours.
    let done = unsafe { libc::ioctl(event.as_raw_fd(), request, argument) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn link_perf_event(program: BorrowedFd<'_>, event: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attr = LinkCreate {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: event.as_raw_fd() as u32,
        attach_type: BPF_PERF_EVENT,
        ..LinkCreate::default()
    };
    bpf(BPF_LINK_CREATE, &attr)
}

fn bpf<T>(command: libc::c_long, attr: &T) -> io::Result<OwnedFd> {
    bpf_of(command, attr, size_of::<T>())
}

/// With the first `bytes` of the structure: all that older kernels know of it.
fn bpf_of<T>(command: libc::c_long, attr: &T, bytes: usize) -> io::Result<OwnedFd> {
    let bytes = bytes.min(size_of::<T>());
    // SAFETY: bpf(2) reads `bytes` of attr, no more than it has, and the reference keeps it alive; the structures that
    // attr points to live in the caller's frame until this returns.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attr), bytes) };
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor to us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The fields of `struct perf_event_attr` that a tracepoint needs; the rest is zero (PERF_ATTR_SIZE_VER0, 64 bytes).
#[repr(C)]
#[derive(Default)]
struct PerfAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

const PERF_TYPE_TRACEPOINT: u32 = 2;
/// `_IOW('$', 8, __u32)` and `_IO('$', 0)` of include/uapi/linux/perf_event.h.
const PERF_EVENT_IOC_SET_BPF: libc::Ioctl = 0x4004_2408;
const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// A perf event for the tracepoint `id`. A program linked to it runs on every processor, though the event names one.
///
/// # Errors
/// `EACCES` or `EPERM` without CAP_PERFMON, `EINVAL` for an unknown id.
pub fn open_tracepoint(id: u64) -> io::Result<OwnedFd> {
    let attr = PerfAttr {
        kind: PERF_TYPE_TRACEPOINT,
        size: size_of::<PerfAttr>() as u32,
        config: id,
        ..PerfAttr::default()
    };
    let any_process: libc::pid_t = -1;
    // SAFETY: perf_event_open(2) reads `attr.size` bytes of attr, which lives until this returns.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            any_process,
            0,
            -1,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    owned(fd)
}
