//! Classes of system calls: `trace=%file` and its like, as strace 7 has them, and `%handle`.
//!
//! The members were taken from what strace traces when a program makes every call once, with those added since. What
//! can be written behind `trace=` besides a class is in the crate of strace's options. `%handle` is not a list: it is
//! derived from the table of calls that concern handles ([`crate::handles`]).

use crate::handles;
use crate::names;

/// A class of calls.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// Its name without the percent sign; strace's `%%stat` is `stat_like`.
    pub name: &'static str,
    /// The names of its calls, with spaces between them.
    members: &'static str,
}

/// The class that is derived: every call that makes, copies, moves or ends a handle.
pub const HANDLE: &str = "handle";

/// True if a call belongs to a class. The percent sign may be left out; an unknown class has no members.
pub fn is_member(call: &str, class: &str) -> bool {
    let class = canonical(class);
    match class {
        HANDLE => is_handle(call),
        "all" => names::NAMES.iter().any(|row| row.name == call),
        _ => find(class).is_some_and(|row| row.members().any(|name| name == call)),
    }
}

/// The names of the calls of a class, on any processor; `None` if there is no such class.
pub fn members(class: &str) -> Option<Vec<&'static str>> {
    let class = canonical(class);
    match class {
        HANDLE => Some(all().filter(|name| is_handle(name)).collect()),
        "all" => Some(all().collect()),
        _ => find(class).map(|row| row.members().collect()),
    }
}

/// The names of all classes.
pub fn classes() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|class| class.name).chain([HANDLE])
}

impl Class {
    /// The names of its calls.
    pub fn members(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.members.split_ascii_whitespace()
    }
}

fn find(class: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|row| row.name == class)
}

fn all() -> impl Iterator<Item = &'static str> {
    names::NAMES.iter().map(|row| row.name)
}

/// `%file` is `file`, `%%stat` is `stat_like`.
fn canonical(class: &str) -> &str {
    let class = class.strip_prefix('%').unwrap_or(class);
    match class {
        "%stat" => "stat_like",
        "%statfs" => "statfs_like",
        _ => class,
    }
}

/// The calls of the table of handles, the io_uring call by which operations are submitted, and the ends of threads and
/// processes. i386's names for wider arguments mean the same call.
fn is_handle(call: &str) -> bool {
    match call {
        "exit" | "exit_group" | "execve" | "execveat" | "io_uring_enter" => true,
        "fcntl64" => is_handle("fcntl"),
        "mmap2" => is_handle("mmap"),
        "recvmmsg_time64" => is_handle("recvmmsg"),
        _ => handles::by_name(call).is_some(),
    }
}

/// The table.
pub const CLASSES: &[Class] = &[
    // Those that take a path.
    Class {
        name: "file",
        members: "\
            access acct chdir chmod chown chown32 chroot creat execve execveat faccessat \
            faccessat2 fanotify_mark fchmodat fchmodat2 fchownat file_getattr file_setattr \
            fsconfig fspick fstatat64 futimesat getcwd getxattr getxattrat inotify_add_watch \
            lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr \
            lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat mount mount_setattr move_mount \
            name_to_handle_at newfstatat oldlstat oldstat open open_tree open_tree_attr openat \
            openat2 pivot_root quotactl readlink readlinkat removexattr removexattrat rename \
            renameat renameat2 rmdir setxattr setxattrat stat stat64 statfs statfs64 statx \
            swapoff swapon symlink symlinkat truncate truncate64 umount umount2 unlink unlinkat \
            uselib utime utimensat utimensat_time64 utimes",
    },
    // Those that take or make a descriptor, as strace counts them: not socket, accept, recvmsg, clone, close_range.
    Class {
        name: "desc",
        members: "\
            _llseek _newselect bpf cachestat close copy_file_range creat dup dup2 dup3 \
            epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd \
            eventfd2 execveat faccessat faccessat2 fadvise64 fadvise64_64 fallocate \
            fanotify_init fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 \
            fchownat fcntl fcntl64 fdatasync fgetxattr file_getattr file_setattr finit_module \
            flistxattr flock fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstat fstat64 \
            fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getdents \
            getdents64 getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch \
            io_uring_enter io_uring_register io_uring_setup ioctl kexec_file_load \
            landlock_add_rule landlock_create_ruleset landlock_restrict_self linkat listxattrat \
            lseek memfd_create memfd_secret mkdirat mknodat mmap mmap2 mount_setattr move_mount \
            mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend \
            mq_timedsend_time64 name_to_handle_at newfstatat oldfstat open open_by_handle_at \
            open_tree open_tree_attr openat openat2 perf_event_open pidfd_getfd pidfd_open \
            pidfd_send_signal pipe pipe2 poll ppoll ppoll_time64 pread64 preadv preadv2 \
            process_madvise process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 \
            quotactl_fd read readahead readdir readlinkat readv removexattrat renameat renameat2 \
            select sendfile sendfile64 setns setxattrat signalfd signalfd4 socketcall splice \
            statx symlinkat sync_file_range syncfs tee timerfd_create timerfd_gettime \
            timerfd_gettime64 timerfd_settime timerfd_settime64 unlinkat userfaultfd utimensat \
            utimensat_time64 vmsplice write writev",
    },
    // Sockets.
    Class {
        name: "network",
        members: "\
            accept accept4 bind connect getpeername getpmsg getsockname getsockopt listen \
            putpmsg recvfrom recvmmsg recvmmsg_time64 recvmsg sendfile sendfile64 sendmmsg \
            sendmsg sendto setsockopt shutdown socket socketpair",
    },
    // Making, ending, awaiting, signalling of processes.
    Class {
        name: "process",
        members: "\
            clone clone3 execve execveat exit exit_group fork kill pidfd_send_signal \
            rt_sigqueueinfo rt_tgsigqueueinfo tgkill tkill vfork wait4 waitid waitpid",
    },
    // Signals.
    Class {
        name: "signal",
        members: "\
            io_uring_enter kill pause pidfd_send_signal rt_sigaction rt_sigpending \
            rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
            rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal \
            signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend ssetmask tgkill tkill",
    },
    // System V's message queues, semaphores, shared memory.
    Class {
        name: "ipc",
        members: "\
            ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 \
            shmat shmctl shmdt shmget",
    },
    // Mappings.
    Class {
        name: "memory",
        members: "\
            break brk get_mempolicy io_destroy io_setup io_uring_register madvise \
            map_shadow_stack mbind migrate_pages mincore mlock mlock2 mlockall mmap mmap2 \
            move_pages mprotect mremap mseal msync munlock munlockall munmap pkey_mprotect \
            remap_file_pages set_mempolicy set_mempolicy_home_node shmat shmdt",
    },
    // Users, groups, capabilities.
    Class {
        name: "creds",
        members: "\
            capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups \
            getgroups32 getresgid getresgid32 getresuid getresuid32 getuid getuid32 prctl \
            setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 \
            setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 \
            setuid setuid32",
    },
    // Clocks (not sleeping).
    Class {
        name: "clock",
        members: "\
            adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 \
            clock_gettime clock_gettime64 clock_settime clock_settime64 gettimeofday \
            settimeofday time",
    },
    // stat and its older and wider forms.
    Class { name: "stat", members: "oldstat stat stat64" },
    // The same for links.
    Class { name: "lstat", members: "lstat lstat64 oldlstat" },
    // The same for descriptors.
    Class { name: "fstat", members: "fstat fstat64 fstatat64 newfstatat oldfstat statx" },
    // All three.
    Class {
        name: "stat_like",
        members: "\
            fstat fstat64 fstatat64 lstat lstat64 newfstatat oldfstat oldlstat oldstat stat \
            stat64 statx",
    },
    // Of file systems, by path.
    Class { name: "statfs", members: "statfs statfs64" },
    // The same by descriptor.
    Class { name: "fstatfs", members: "fstatfs fstatfs64" },
    // All of them.
    Class { name: "statfs_like", members: "fstatfs fstatfs64 statfs statfs64 ustat" },
    // Those that only tell what the process is, and never fail.
    Class {
        name: "pure",
        members: "\
            getegid getegid32 geteuid geteuid32 getgid getgid32 getpgrp getpid getppid gettid \
            getuid getuid32",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_a_call() {
        for class in CLASSES {
            for name in class.members() {
                assert!(all().any(|call| call == name), "{name} of {}", class.name);
                assert!(is_member(name, class.name));
            }
        }
    }

    #[test]
    fn percent_signs_and_aliases_are_understood() {
        for class in ["%file", "file"] {
            assert!(is_member("openat", class));
            assert!(!is_member("close", class));
        }
        assert_eq!(members("%%stat"), members("%stat_like"));
        assert_eq!(members("%stat").map(|names| names.contains(&"statx")), Some(false));
        assert_eq!(members("%nothing"), None);
        assert!(classes().all(|class| members(class).is_some_and(|names| !names.is_empty())));
    }

    #[test]
    fn handle_has_what_no_class_of_strace_has() {
        for call in
            ["close_range", "socket", "accept4", "recvmsg", "clone", "mmap", "io_uring_enter"]
        {
            assert!(is_member(call, "%handle"), "{call}");
        }
        assert!(!is_member("read", "%handle"));
        assert!(!is_member("close_range", "%desc"));
    }
}
