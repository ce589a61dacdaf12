//! What a handle is: one enum, one table of words, one function from the kernel's evidence to a kind.

/// The kind of a handle: descriptors by what they refer to, then everything else that can leak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HandleKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Opened with `O_PATH`: names a file, cannot read it.
    Path,
    /// A character device other than a terminal.
    CharDevice,
    /// A terminal: a tty or either end of a pseudo-terminal.
    Terminal,
    /// A block device.
    BlockDevice,
    /// An anonymous pipe.
    Pipe,
    /// A named pipe.
    Fifo,
    /// A socket of any family.
    Socket,
    /// eventfd(2).
    EventFd,
    /// timerfd_create(2).
    TimerFd,
    /// signalfd(2).
    SignalFd,
    /// epoll_create(2).
    Epoll,
    /// inotify_init(2).
    Inotify,
    /// fanotify_init(2).
    Fanotify,
    /// memfd_create(2) and memfd_secret(2).
    Memfd,
    /// userfaultfd(2).
    UserFaultFd,
    /// perf_event_open(2).
    PerfEvent,
    /// A BPF map, program, link, BTF or iterator: bpf(2).
    Bpf,
    /// io_uring_setup(2).
    IoUring,
    /// pidfd_open(2), `CLONE_PIDFD`.
    PidFd,
    /// mq_open(3).
    MessageQueue,
    /// A detached mount or a mount context: fsopen(2), fsmount(2), open_tree(2), fspick(2).
    Mount,
    /// landlock_create_ruleset(2).
    Landlock,
    /// A seccomp notification listener.
    SeccompListener,
    /// A dma-buf or sync file.
    DmaBuf,
    /// A namespace (nsfs).
    Namespace,
    /// A descriptor of a kind without a row here; its name says what the kernel calls it.
    OtherDescriptor,
    /// A descriptor whose kind could not be learnt, for instance because it was closed before anyone looked.
    UnknownDescriptor,
    /// A live thread.
    Thread,
    /// A thread that exited, is joinable, and was never joined: its stack stays mapped.
    UnjoinedThread,
    /// A child process, alive or not waited for.
    Child,
    /// A child that exited and was not waited for.
    Zombie,
    /// A memory mapping.
    Mapping,
    /// A POSIX timer: timer_create(2).
    Timer,
    /// A watch of an inotify or fanotify descriptor.
    Watch,
    /// A descriptor registered with an epoll descriptor.
    Registration,
}

/// One row of words for a kind.
struct Words {
    kind: HandleKind,
    word: &'static str,
    plural: &'static str,
}

macro_rules! words {
    ($($kind:ident $word:literal $plural:literal;)*) => {
        const WORDS: &[Words] = &[$(Words { kind: HandleKind::$kind, word: $word, plural: $plural }),*];
    };
}

words! {
    File "file" "files";
    Directory "directory" "directories";
    Path "path" "paths";
    CharDevice "char-device" "character devices";
    Terminal "terminal" "terminals";
    BlockDevice "block-device" "block devices";
    Pipe "pipe" "pipe ends";
    Fifo "fifo" "fifos";
    Socket "socket" "sockets";
    EventFd "eventfd" "eventfds";
    TimerFd "timerfd" "timerfds";
    SignalFd "signalfd" "signalfds";
    Epoll "epoll" "epoll descriptors";
    Inotify "inotify" "inotify descriptors";
    Fanotify "fanotify" "fanotify descriptors";
    Memfd "memfd" "memfds";
    UserFaultFd "userfaultfd" "userfaultfds";
    PerfEvent "perf-event" "perf events";
    Bpf "bpf" "BPF descriptors";
    IoUring "io_uring" "io_uring rings";
    PidFd "pidfd" "pidfds";
    MessageQueue "message-queue" "message queues";
    Mount "mount" "mount descriptors";
    Landlock "landlock" "landlock rulesets";
    SeccompListener "seccomp" "seccomp listeners";
    DmaBuf "dma-buf" "dma-bufs";
    Namespace "namespace" "namespaces";
    OtherDescriptor "other" "other descriptors";
    UnknownDescriptor "descriptor" "descriptors of unknown kind";
    Thread "thread" "threads";
    UnjoinedThread "unjoined-thread" "exited threads nobody joined";
    Child "child" "child processes";
    Zombie "zombie" "zombies";
    Mapping "mapping" "mappings";
    Timer "timer" "POSIX timers";
    Watch "watch" "watches";
    Registration "registration" "epoll registrations";
}

impl HandleKind {
    /// Every kind, in the order of declaration.
    pub fn all() -> impl Iterator<Item = HandleKind> {
        WORDS.iter().map(|row| row.kind)
    }

    fn words(self) -> &'static Words {
        &WORDS[self as usize]
    }

    /// The word used in `--kind`, JSON and tables: lower case, no spaces.
    pub fn word(self) -> &'static str {
        self.words().word
    }

    /// The plural used in sentences.
    pub fn plural(self) -> &'static str {
        self.words().plural
    }

    /// The kind that `word` names, if any.
    pub fn from_word(word: &str) -> Option<HandleKind> {
        WORDS.iter().find(|row| row.word == word).map(|row| row.kind)
    }

    /// True if handles of this kind take a number in the process's descriptor table.
    pub fn is_descriptor(self) -> bool {
        (self as usize) < HandleKind::Thread as usize
    }
}

const S_IFMT: u32 = 0o170_000;

/// The kind of a descriptor from its mode and the text of its /proc/PID/fd link.
///
/// `mode` is `st_mode` of the file (0 if not known); `link` the link's bytes (empty if not known). The link decides
/// for anonymous inodes, whose mode has no type bits before Linux 6.17 and those of a regular file in the kernel
/// after it (fs/anon_inodes.c).
pub fn classify(mode: u32, link: &[u8]) -> HandleKind {
    if let Some(kind) = classify_link(link) {
        return kind;
    }
    match mode & S_IFMT {
        0o100_000 => HandleKind::File,
        0o040_000 => HandleKind::Directory,
        0o020_000 => HandleKind::CharDevice,
        0o060_000 => HandleKind::BlockDevice,
        0o010_000 => HandleKind::Fifo,
        0o140_000 => HandleKind::Socket,
        _ if link.starts_with(b"/") => HandleKind::OtherDescriptor,
        _ if link.is_empty() => HandleKind::UnknownDescriptor,
        _ => HandleKind::OtherDescriptor,
    }
}

/// The links that name a kind by themselves: the longest matching prefix wins by order.
const LINKS: &[(&[u8], HandleKind)] = &[
    (b"socket:[", HandleKind::Socket),
    (b"pipe:[", HandleKind::Pipe),
    (b"anon_inode:[eventfd", HandleKind::EventFd),
    (b"anon_inode:[timerfd", HandleKind::TimerFd),
    (b"anon_inode:[signalfd", HandleKind::SignalFd),
    (b"anon_inode:[eventpoll", HandleKind::Epoll),
    (b"anon_inode:inotify", HandleKind::Inotify),
    (b"anon_inode:[fanotify", HandleKind::Fanotify),
    (b"anon_inode:[userfaultfd", HandleKind::UserFaultFd),
    (b"anon_inode:[perf_event", HandleKind::PerfEvent),
    (b"anon_inode:bpf", HandleKind::Bpf),
    (b"anon_inode:btf", HandleKind::Bpf),
    (b"anon_inode:[io_uring", HandleKind::IoUring),
    (b"anon_inode:[pidfd", HandleKind::PidFd),
    (b"pidfd:[", HandleKind::PidFd),
    (b"anon_inode:[fscontext", HandleKind::Mount),
    (b"anon_inode:[landlock", HandleKind::Landlock),
    (b"anon_inode:seccomp", HandleKind::SeccompListener),
    (b"anon_inode:sync_file", HandleKind::DmaBuf),
    (b"anon_inode:dmabuf", HandleKind::DmaBuf),
    (b"anon_inode:", HandleKind::OtherDescriptor),
    (b"/dmabuf:", HandleKind::DmaBuf),
    (b"/memfd:", HandleKind::Memfd),
    (b"/secretmem", HandleKind::Memfd),
    (b"mqueue:", HandleKind::MessageQueue),
    (b"/dev/pts/", HandleKind::Terminal),
    (b"/dev/tty", HandleKind::Terminal),
    (b"/dev/ptmx", HandleKind::Terminal),
    (b"/dev/console", HandleKind::Terminal),
    (b"net:[", HandleKind::Namespace),
    (b"mnt:[", HandleKind::Namespace),
    (b"pid:[", HandleKind::Namespace),
    (b"user:[", HandleKind::Namespace),
    (b"uts:[", HandleKind::Namespace),
    (b"ipc:[", HandleKind::Namespace),
    (b"cgroup:[", HandleKind::Namespace),
    (b"time:[", HandleKind::Namespace),
];

fn classify_link(link: &[u8]) -> Option<HandleKind> {
    // First letters tell most rows apart without a call of memcmp: a listing classifies 100,000 links.
    let is = |prefix: &[u8]| prefix.first() == link.first() && link.starts_with(prefix);
    LINKS.iter().find(|(prefix, _)| is(prefix)).map(|&(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_row_at_its_place() {
        for (index, row) in WORDS.iter().enumerate() {
            assert_eq!(row.kind as usize, index, "{}", row.word);
            assert_eq!(HandleKind::from_word(row.word), Some(row.kind));
        }
    }

    #[test]
    fn links_and_modes_give_kinds() {
        let check = |mode, link: &str, expected| {
            assert_eq!(classify(mode, link.as_bytes()), expected, "{mode:o} {link}");
        };
        check(0o100_644, "/etc/passwd", HandleKind::File);
        check(0o140_777, "socket:[123]", HandleKind::Socket);
        check(0o600, "anon_inode:[eventfd]", HandleKind::EventFd);
        check(0o100_600, "anon_inode:[eventpoll]", HandleKind::Epoll);
        check(0o600, "anon_inode:[brand-new]", HandleKind::OtherDescriptor);
        check(0o010_600, "pipe:[7]", HandleKind::Pipe);
        check(0o010_600, "/tmp/fifo", HandleKind::Fifo);
        check(0o020_620, "/dev/pts/3", HandleKind::Terminal);
        check(0o100_777, "/memfd:x (deleted)", HandleKind::Memfd);
        check(0, "", HandleKind::UnknownDescriptor);
    }
}
