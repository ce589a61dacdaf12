//! What fdinfo tells of one descriptor: the common lines, and what only its kind has to say.
//!
//! Names for the numbers in it (a registered descriptor's, a watched inode's) are looked up in `names`.

use fdscope_model::inventory::{EpollTarget, InotifyWatch, Lock};
use fdscope_model::{Facts, FdNumber, HandleKind, Name, Pid};

use crate::parse::{FdInfo, FdInfoLine, parse_fdinfo_line, parse_lock, unescape_octal};

/// Where tun and tap devices are made.
const TUN: &[u8] = b"/dev/net/tun";

/// Master sides of pseudo-terminals.
const MASTERS: &[&[u8]] = &[b"/dev/ptmx", b"/dev/pts/ptmx"];

/// The lines of one descriptor's fdinfo, folded.
#[derive(Debug)]
pub(super) struct Told {
    /// The common lines.
    pub info: FdInfo,
    /// What only its kind has.
    pub facts: Facts,
    /// Locks held through it.
    pub locks: Vec<Lock>,
}

/// True if fdinfo has lines that only this kind has.
pub(super) fn has_own_lines(kind: HandleKind, name: &[u8]) -> bool {
    !matches!(start(kind, name), Facts::Nothing)
}

impl Told {
    /// Nothing yet, of a descriptor of which kind and name are known by its link.
    pub fn of(kind: HandleKind, name: &[u8]) -> Self {
        Told { info: FdInfo::default(), facts: start(kind, name), locks: Vec::new() }
    }

    /// Takes one more line into account.
    pub fn take(&mut self, line: &[u8]) {
        let parsed = parse_fdinfo_line(line);
        self.info.fold_parsed(&parsed);
        if let FdInfoLine::Lock(text) = parsed {
            self.locks.extend(parse_lock(text).filter(|held| !held.waits).map(|held| held.lock));
            return;
        }
        take_counts(&mut self.facts, &parsed);
        take_lists(&mut self.facts, &parsed);
        take_texts(&mut self.facts, &parsed, line);
    }
}

/// What a kind has before its lines are read.
fn start(kind: HandleKind, name: &[u8]) -> Facts {
    match kind {
        HandleKind::EventFd => {
            Facts::EventFd { count: 0, id: None, semaphore: None, ends: Vec::new() }
        }
        HandleKind::TimerFd => {
            Facts::TimerFd { clock: 0, ticks: 0, remaining_ns: 0, interval_ns: 0 }
        }
        HandleKind::SignalFd => Facts::SignalFd { mask: 0 },
        HandleKind::Epoll => Facts::Epoll { targets: Vec::new() },
        HandleKind::Inotify => Facts::Inotify { watches: Vec::new() },
        HandleKind::Fanotify => Facts::Fanotify { marks: Vec::new() },
        HandleKind::PidFd => Facts::PidFd { pid: None, comm: Name::default() },
        HandleKind::DmaBuf => {
            Facts::DmaBuf { size: 0, count: 0, exporter: Name::default(), name: Name::default() }
        }
        HandleKind::IoUring => Facts::IoUring { files: Vec::new(), buffers: 0 },
        HandleKind::Bpf => Facts::Bpf {
            object: if name.starts_with(b"anon_inode:btf") { "btf" } else { "" },
            id: None,
            class: Name::default(),
            name: Name::default(),
        },
        HandleKind::Terminal if MASTERS.contains(&name) => {
            Facts::Terminal { index: None, ends: Vec::new() }
        }
        HandleKind::OtherDescriptor | HandleKind::CharDevice if name == TUN => {
            Facts::Tun { interface: Name::default() }
        }
        HandleKind::UserFaultFd => Facts::Other(Vec::new()),
        HandleKind::OtherDescriptor
            if !name.starts_with(b"/") || name.starts_with(b"/dev/dri/") =>
        {
            Facts::Other(Vec::new())
        }
        _ => Facts::Nothing,
    }
}

/// Numbers.
fn take_counts(facts: &mut Facts, line: &FdInfoLine<'_>) {
    match (facts, *line) {
        (Facts::EventFd { count, .. }, FdInfoLine::EventCount(value)) => *count = value,
        (Facts::EventFd { id, .. }, FdInfoLine::EventId(value)) => *id = Some(value),
        (Facts::EventFd { semaphore, .. }, FdInfoLine::EventSemaphore(on)) => *semaphore = Some(on),
        (Facts::TimerFd { clock, .. }, FdInfoLine::TimerClock(value)) => *clock = value,
        (Facts::TimerFd { ticks, .. }, FdInfoLine::TimerTicks(value)) => *ticks = value,
        (Facts::TimerFd { remaining_ns, .. }, FdInfoLine::TimerRemaining(ns)) => *remaining_ns = ns,
        (Facts::TimerFd { interval_ns, .. }, FdInfoLine::TimerInterval(ns)) => *interval_ns = ns,
        (Facts::SignalFd { mask }, FdInfoLine::SignalMask(value)) => *mask = value,
        (Facts::PidFd { pid, .. }, FdInfoLine::PidFd(value)) => {
            *pid = (value != 0).then_some(Pid(value));
        }
        (Facts::DmaBuf { size, .. }, FdInfoLine::Size(value)) => *size = value,
        (Facts::DmaBuf { count, .. }, FdInfoLine::References(value)) => *count = value,
        (Facts::IoUring { buffers, .. }, FdInfoLine::RingBuffers(value)) => *buffers = value,
        (Facts::Terminal { index, .. }, FdInfoLine::TerminalIndex(value)) => *index = Some(value),
        _ => {}
    }
}

/// One more of what a descriptor holds many of.
fn take_lists(facts: &mut Facts, line: &FdInfoLine<'_>) {
    match (facts, *line) {
        (Facts::Epoll { targets }, FdInfoLine::EpollTarget { fd, events, inode, .. }) => {
            targets.push(EpollTarget { fd: FdNumber(fd), events, inode, name: None });
        }
        (Facts::Inotify { watches }, FdInfoLine::InotifyWatch { wd, inode, mask }) => {
            watches.push(InotifyWatch { wd, inode, mask, path: None });
        }
        (Facts::Fanotify { marks }, FdInfoLine::FanotifyMark(mark)) => marks.push(mark),
        (Facts::IoUring { files, .. }, FdInfoLine::RingFile(slot, path)) => {
            files.push((slot, unescape_octal(path)));
        }
        _ => {}
    }
}

/// Words.
fn take_texts(facts: &mut Facts, line: &FdInfoLine<'_>, whole: &[u8]) {
    match (facts, *line) {
        (Facts::DmaBuf { exporter, .. }, FdInfoLine::Exporter(text)) => *exporter = text.into(),
        (Facts::DmaBuf { name, .. }, FdInfoLine::BufferName(text)) => *name = text.into(),
        (Facts::Tun { interface }, FdInfoLine::Interface(text)) => *interface = text.into(),
        // A link's own lines come first, those of its program after them.
        (Facts::Bpf { object, class, .. }, FdInfoLine::BpfType(kind, text))
            if object.is_empty() =>
        {
            *object = kind;
            *class = text.into();
        }
        (Facts::Bpf { object, id, .. }, FdInfoLine::BpfId(kind, number)) if *object == kind => {
            *id = Some(number);
        }
        (Facts::Other(lines), parsed) if !is_common(&parsed) => {
            let colon = whole.iter().position(|&b| b == b':').unwrap_or(whole.len());
            let value = whole.get(colon + 1..).unwrap_or_default().trim_ascii();
            lines.push((whole[..colon].trim_ascii().into(), value.into()));
        }
        _ => {}
    }
}

/// Lines that every descriptor has.
fn is_common(line: &FdInfoLine<'_>) -> bool {
    matches!(
        line,
        FdInfoLine::Offset(_)
            | FdInfoLine::Flags(_)
            | FdInfoLine::MountId(_)
            | FdInfoLine::Inode(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: HandleKind, name: &str, text: &str) -> Told {
        let mut told = Told::of(kind, name.as_bytes());
        text.lines().for_each(|line| told.take(line.as_bytes()));
        told
    }

    #[test]
    fn each_kind_has_its_own_lines() {
        let check = |kind, name, text, expected| {
            let common = "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t7\n";
            let told = told(kind, name, &format!("{common}{text}"));
            assert_eq!(told.facts, expected, "{text}");
            assert_eq!(told.info.inode, Some(7));
        };
        check(
            HandleKind::EventFd,
            "anon_inode:[eventfd]",
            "eventfd-count:               5a\neventfd-id: 3\neventfd-semaphore: 1",
            Facts::EventFd { count: 0x5a, id: Some(3), semaphore: Some(true), ends: vec![] },
        );
        check(
            HandleKind::TimerFd,
            "anon_inode:[timerfd]",
            "clockid: 1\nticks: 2\nsettime flags: 01\nit_value: (0, 7)\nit_interval: (1, 0)",
            Facts::TimerFd { clock: 1, ticks: 2, remaining_ns: 7, interval_ns: 1_000_000_000 },
        );
        check(
            HandleKind::Bpf,
            "anon_inode:bpf_link",
            "link_type:\ttracing\nlink_id:\t4\nprog_tag:\tab\nprog_id:\t9",
            Facts::Bpf {
                object: "link",
                id: Some(4),
                class: "tracing".into(),
                name: Name::default(),
            },
        );
        check(
            HandleKind::IoUring,
            "anon_inode:[io_uring]",
            "UserFiles:\t2\n    0: /a\\040b\n    1: <none>\nUserBufs:\t1\n    0: 0x7f00/4096",
            Facts::IoUring { files: vec![(0, "/a b".into())], buffers: 1 },
        );
        check(
            HandleKind::UserFaultFd,
            "anon_inode:[userfaultfd]",
            "pending:\t0\nAPI:\taa:0:0",
            Facts::Other(vec![("pending".into(), "0".into()), ("API".into(), "aa:0:0".into())]),
        );
        check(HandleKind::File, "/a", "lock:\tnonsense", Facts::Nothing);
    }

    #[test]
    fn locks_held_are_told_and_not_those_waited_for() {
        let text = "lock:\t1: FLOCK  ADVISORY  WRITE 5 fe:01:9 0 EOF\n\
                    lock:\t2: -> POSIX  ADVISORY  READ 5 fe:01:9 0 EOF";
        let locks = told(HandleKind::File, "/a", text).locks;
        assert_eq!(locks.len(), 1);
        assert_eq!(locks[0].class, "FLOCK".into());
    }
}
