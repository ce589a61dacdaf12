//! The numbers in the table against the authorities: the libc crate, and the system's headers where installed.

use std::collections::HashMap;

use fdscope_syscall::Arch;
use fdscope_syscall::handles::{CALLS, by_name};
use fdscope_syscall::names;
use fdscope_syscall::uses::USES;

/// Names in the headers that do not contain those of the manual.
const RENAMED: &[(&str, &str)] = &[("newfstatat", "fstatat64"), ("newfstatat", "fstatat")];

#[test]
#[cfg(target_arch = "x86_64")]
fn numbers_equal_those_of_the_libc_crate() {
    macro_rules! sys {
        ($($name:ident)*) => { vec![$((stringify!($name), libc::$name)),*] };
    }
    let known = sys! {
        SYS_open SYS_openat SYS_openat2 SYS_creat SYS_open_by_handle_at SYS_socket
        SYS_socketpair SYS_accept SYS_accept4 SYS_pipe SYS_pipe2 SYS_dup SYS_dup2 SYS_dup3
        SYS_fcntl SYS_eventfd SYS_eventfd2 SYS_timerfd_create SYS_signalfd SYS_signalfd4
        SYS_epoll_create SYS_epoll_create1 SYS_inotify_init SYS_inotify_init1
        SYS_fanotify_init SYS_memfd_create SYS_memfd_secret SYS_userfaultfd
        SYS_perf_event_open SYS_bpf SYS_io_uring_setup SYS_pidfd_open SYS_pidfd_getfd
        SYS_mq_open SYS_open_tree SYS_fsopen SYS_fsmount SYS_fspick
        SYS_landlock_create_ruleset SYS_seccomp SYS_ioctl SYS_getsockopt SYS_recvmsg
        SYS_recvmmsg SYS_close SYS_close_range SYS_unshare SYS_clone SYS_clone3 SYS_fork
        SYS_vfork SYS_wait4 SYS_waitid SYS_timer_create SYS_timer_delete
        SYS_inotify_add_watch SYS_inotify_rm_watch SYS_epoll_ctl SYS_mmap SYS_munmap
        SYS_mremap
    };
    for (name, number) in known {
        let call = by_name(&name["SYS_".len()..]).expect("the list names rows of the table");
        assert_eq!(call.numbers.x86_64.map(libc::c_long::from), Some(number), "{name}");
    }
}

#[test]
fn numbers_equal_those_of_the_headers() {
    check_header(Arch::X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "__NR_");
    check_header(Arch::I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h", "__NR_");
    check_header(Arch::Aarch64, "/usr/include/asm-generic/unistd.h", "__NR_");
    check_header(Arch::Aarch64, "/usr/include/asm-generic/unistd.h", "__NR3264_");
}

/// Every number that both the header and the table know must have one name, and most of the table must be found.
fn check_header(arch: Arch, path: &str, prefix: &str) {
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: needs {path}");
        return;
    };
    let names: HashMap<u16, &str> = text.lines().filter_map(|line| define(line, prefix)).collect();
    let mut compared = 0;
    let rows = CALLS.iter().map(|call| (call.name, call.numbers));
    for (name, row) in rows.chain(USES.iter().map(|call| (call.name, call.numbers))) {
        let Some(theirs) = row.of(arch).and_then(|number| names.get(&number)) else { continue };
        let renamed = RENAMED.contains(&(name, theirs));
        // i386's wider variants: fcntl64, mmap2, recvmmsg_time64, _newselect.
        assert!(theirs.contains(name) || renamed, "{name} is {theirs} in {path}");
        compared += 1;
    }
    let least = if prefix == "__NR3264_" { 5 } else { 90 };
    assert!(compared >= least, "{path}: only {compared} compared");
}

/// Every call of the headers must be known by their name for it.
#[test]
fn every_name_is_that_of_the_headers() {
    let check = |arch, path: &str, least: usize| {
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: needs {path}");
            return;
        };
        let mut compared = 0;
        for (number, theirs) in text.lines().filter_map(|line| define(line, "__NR_")) {
            let ours = names::name(arch, number.into());
            let known = ours == Some(theirs) || arch == Arch::Aarch64 && is_of_others(ours, theirs);
            let is_no_call = ["syscalls", "arch_specific_syscall"].contains(&theirs);
            assert!(known || is_no_call, "{theirs} is {ours:?} in {path}");
            compared += 1;
        }
        assert!(compared >= least, "{path}: only {compared} compared");
    };
    check(Arch::X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 350);
    check(Arch::I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h", 430);
    check(Arch::Aarch64, "/usr/include/asm-generic/unistd.h", 280);
}

/// The generic header also has the calls of other processors: 64-bit times for 32-bit ones, and wider arguments.
fn is_of_others(ours: Option<&str>, theirs: &str) -> bool {
    ours.map_or(theirs.ends_with("64"), |ours| theirs == format!("{ours}2"))
}

fn define<'a>(line: &'a str, prefix: &str) -> Option<(u16, &'a str)> {
    let mut words = line.strip_prefix("#define ")?.split_whitespace();
    let name = words.next()?.strip_prefix(prefix)?;
    Some((words.next()?.parse().ok()?, name))
}
