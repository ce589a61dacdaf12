//! /proc/PID/fdinfo/N (proc_pid_fdinfo(5), Documentation/filesystems/proc.rst).
//!
//! One line at a time, for an inotify descriptor can have a million of them; [`FdInfo`] folds lines into counts.

use fdscope_model::inventory::FanotifyMark;
use fdscope_model::{DeviceId, InodeId};

use super::number::{decimal, decimal32, hex, octal};
use super::{after, lines, words};

/// One line of fdinfo, understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FdInfoLine<'a> {
    /// `pos:` the file offset in bytes.
    Offset(u64),
    /// `flags:` open(2)'s flags, with `O_CLOEXEC` for the descriptor's flag.
    Flags(u32),
    /// `mnt_id:` the mount (mountinfo).
    MountId(u32),
    /// `ino:` the inode (since 5.14).
    Inode(u64),
    /// `tfd:` a descriptor registered with epoll.
    EpollTarget {
        /// The number under which it was registered; may be closed or another file by now.
        fd: u32,
        /// The awaited events.
        events: u32,
        /// The inode of what was registered (since 5.0).
        inode: Option<u64>,
        /// The device of that inode (since 5.0).
        device: Option<DeviceId>,
    },
    /// `inotify wd:` a watch.
    InotifyWatch {
        /// The watch descriptor.
        wd: u32,
        /// The watched inode.
        inode: InodeId,
        /// The awaited events.
        mask: u32,
    },
    /// `fanotify ino:`, `fanotify mnt_id:` or `fanotify sdev:` a mark.
    FanotifyMark(FanotifyMark),
    /// `eventfd-count:` the counter.
    EventCount(u64),
    /// `eventfd-id:` a number of its own for each eventfd (since 5.2).
    EventId(u64),
    /// `eventfd-semaphore:` whether reads take one (since 6.5).
    EventSemaphore(bool),
    /// `clockid:` of a timerfd.
    TimerClock(u32),
    /// `ticks:` of a timerfd: expiries not read.
    TimerTicks(u64),
    /// `it_value:` of a timerfd: ns until it expires next.
    TimerRemaining(u64),
    /// `it_interval:` of a timerfd: ns between expiries.
    TimerInterval(u64),
    /// `sigmask:` of a signalfd, bit 0 for signal 1.
    SignalMask(u64),
    /// `scm_fds:` descriptors in flight towards a UNIX socket (since 5.8).
    InFlight(u64),
    /// `Pid:` the process of a pidfd; -1, shown as 0, once it is gone.
    PidFd(u32),
    /// `UserFiles:` slots of an io_uring's table.
    RingSlots(u64),
    /// A used slot: its number and, on most kernels, the file's path.
    RingFile(u32, &'a [u8]),
    /// `UserBufs:` registered buffers of an io_uring.
    RingBuffers(u64),
    /// `size:` in bytes, of memfds and dma-bufs.
    Size(u64),
    /// `iff:` the interface of a tun descriptor.
    Interface(&'a [u8]),
    /// `count:` references of a dma-buf.
    References(u64),
    /// `exp_name:` who made a dma-buf.
    Exporter(&'a [u8]),
    /// `name:` what a dma-buf was called.
    BufferName(&'a [u8]),
    /// `prog_type:`, `map_type:` or `link_type:` of a BPF descriptor: which of them, and the type.
    BpfType(&'static str, &'a [u8]),
    /// `prog_id:`, `map_id:`, `link_id:` or `btf_id:` of a BPF descriptor: which of them, and the number.
    BpfId(&'static str, u32),
    /// `tty-index:` of the master side of a pseudo-terminal.
    TerminalIndex(u32),
    /// `lock:` a file lock, for [`super::parse_lock`].
    Lock(&'a [u8]),
    /// Anything else.
    Other,
}

/// The prefix of a line and what it becomes.
type Row = (&'static [u8], fn(&[u8]) -> Option<FdInfoLine<'_>>);

const ROWS: &[Row] = &[
    (b"pos:", |v| decimal(v).map(FdInfoLine::Offset)),
    (b"flags:", |v| u32::try_from(octal(v)?).ok().map(FdInfoLine::Flags)),
    (b"mnt_id:", |v| decimal32(v).map(FdInfoLine::MountId)),
    (b"ino:", |v| decimal(v).map(FdInfoLine::Inode)),
    (b"tfd:", parse_epoll),
    (b"inotify wd:", parse_inotify),
    (b"fanotify ino:", |v| parse_fanotify(v, Marked::Inode)),
    (b"fanotify mnt_id:", |v| parse_fanotify(v, Marked::Mount)),
    (b"fanotify sdev:", |v| parse_fanotify(v, Marked::FileSystem)),
    (b"eventfd-count:", |v| hex(v).map(FdInfoLine::EventCount)),
    (b"eventfd-id:", |v| decimal(v).map(FdInfoLine::EventId)),
    (b"eventfd-semaphore:", |v| decimal(v).map(|on| FdInfoLine::EventSemaphore(on != 0))),
    (b"clockid:", |v| decimal32(v).map(FdInfoLine::TimerClock)),
    (b"ticks:", |v| decimal(v).map(FdInfoLine::TimerTicks)),
    (b"it_value:", |v| parse_timespec(v).map(FdInfoLine::TimerRemaining)),
    (b"it_interval:", |v| parse_timespec(v).map(FdInfoLine::TimerInterval)),
    (b"sigmask:", |v| hex(v).map(FdInfoLine::SignalMask)),
    (b"scm_fds:", |v| decimal(v).map(FdInfoLine::InFlight)),
    (b"Pid:", |v| Some(FdInfoLine::PidFd(decimal32(v).unwrap_or(0)))),
    (b"UserFiles:", |v| decimal(v).map(FdInfoLine::RingSlots)),
    (b"size:", |v| decimal(v).map(FdInfoLine::Size)),
    (b"iff:", |v| Some(FdInfoLine::Interface(v))),
    (b"UserBufs:", |v| decimal(v).map(FdInfoLine::RingBuffers)),
    (b"count:", |v| decimal(v).map(FdInfoLine::References)),
    (b"exp_name:", |v| Some(FdInfoLine::Exporter(v))),
    (b"name:", |v| Some(FdInfoLine::BufferName(v))),
    (b"map_type:", |v| Some(FdInfoLine::BpfType("map", v))),
    (b"prog_type:", |v| Some(FdInfoLine::BpfType("prog", v))),
    (b"link_type:", |v| Some(FdInfoLine::BpfType("link", v))),
    (b"map_id:", |v| decimal32(v).map(|id| FdInfoLine::BpfId("map", id))),
    (b"prog_id:", |v| decimal32(v).map(|id| FdInfoLine::BpfId("prog", id))),
    (b"link_id:", |v| decimal32(v).map(|id| FdInfoLine::BpfId("link", id))),
    (b"btf_id:", |v| decimal32(v).map(|id| FdInfoLine::BpfId("btf", id))),
    (b"tty-index:", |v| decimal32(v).map(FdInfoLine::TerminalIndex)),
    (b"lock:", |v| Some(FdInfoLine::Lock(v))),
];

/// Parses one line.
pub fn parse_fdinfo_line(line: &[u8]) -> FdInfoLine<'_> {
    let row = ROWS.iter().find_map(|(key, value)| after(line, key).map(value));
    row.unwrap_or_else(|| parse_ring_file(line)).unwrap_or(FdInfoLine::Other)
}

/// `tfd:        5 events:       19 data:                5  pos:0 ino:1 sdev:8`
fn parse_epoll(value: &[u8]) -> Option<FdInfoLine<'_>> {
    let mut fields = words(value);
    let fd = decimal32(fields.next()?)?;
    let events = u32::try_from(hex(fields.nth(1)?)?).ok()?;
    let inode = fields.find_map(|field| after(field, b"ino:")).and_then(hex);
    let device = fields.find_map(|field| after(field, b"sdev:")).and_then(device);
    Some(FdInfoLine::EpollTarget { fd, events, inode, device })
}

/// `inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 …`, all but the newest `wd` in hexadecimal.
fn parse_inotify(value: &[u8]) -> Option<FdInfoLine<'_>> {
    let mut fields = words(value);
    let wd = u32::try_from(hex(fields.next()?)?).ok()?;
    let inode = hex(after(fields.next()?, b"ino:")?)?;
    let device = device(after(fields.next()?, b"sdev:")?)?;
    let mask = fields.find_map(|field| after(field, b"mask:")).and_then(hex)?;
    Some(FdInfoLine::InotifyWatch { wd, inode: InodeId { device, inode }, mask: mask as u32 })
}

/// What a fanotify mark is on: decides the first field of its line.
#[derive(Clone, Copy)]
enum Marked {
    Inode,
    Mount,
    FileSystem,
}

/// `4f969 sdev:800013 mflags:0 mask:3b ignored_mask:0 …`, behind the key that says what is marked.
fn parse_fanotify(value: &[u8], marked: Marked) -> Option<FdInfoLine<'_>> {
    let mut fields = words(value);
    let first = fields.next()?;
    let mark = match marked {
        Marked::Inode => {
            let device = device(after(fields.next()?, b"sdev:")?)?;
            let inode = InodeId { device, inode: hex(first)? };
            FanotifyMark::Inode { inode, mask: mask(fields)? }
        }
        Marked::Mount => {
            FanotifyMark::Mount { mount: hex(first)?.try_into().ok()?, mask: mask(fields)? }
        }
        Marked::FileSystem => {
            FanotifyMark::FileSystem { device: device(first)?, mask: mask(fields)? }
        }
    };
    Some(FdInfoLine::FanotifyMark(mark))
}

fn mask<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    fields.find_map(|field| after(field, b"mask:")).and_then(hex)
}

/// `800013`: a device number as the kernel keeps it, in hexadecimal.
fn device(value: &[u8]) -> Option<DeviceId> {
    hex(value)?.try_into().ok().map(DeviceId)
}

/// `(1, 500)`: seconds and nanoseconds, as nanoseconds.
fn parse_timespec(value: &[u8]) -> Option<u64> {
    let inside = value.strip_prefix(b"(")?.strip_suffix(b")")?;
    let mut halves = inside.split(|&b| b == b',').map(|half| decimal(half.trim_ascii()));
    let (seconds, nanoseconds) = (halves.next()??, halves.next()??);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// `    0: /path`: a slot of an io_uring's file table that is taken. Registered buffers (`0: 0x7f…/4096`) and pending
/// entries (`0: opcode:…`, `0: user_data:…`) look alike up to the colon.
fn parse_ring_file(line: &[u8]) -> Option<FdInfoLine<'_>> {
    const OTHERS: &[&[u8]] = &[b"<none>", b"0x", b"opcode:", b"user_data:"];
    let colon = line.iter().position(|&b| b == b':')?;
    let slot = decimal32(line[..colon].trim_ascii())?;
    let path = line[colon + 1..].trim_ascii();
    let is_file = !path.is_empty() && !OTHERS.iter().any(|other| path.starts_with(other));
    is_file.then_some(FdInfoLine::RingFile(slot, path))
}

/// The lines of one descriptor, folded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FdInfo {
    /// File offset in bytes.
    pub offset: Option<u64>,
    /// Open flags.
    pub flags: Option<u32>,
    /// Mount id.
    pub mount_id: Option<u32>,
    /// Inode.
    pub inode: Option<u64>,
    /// Descriptors registered with epoll.
    pub epoll_targets: u64,
    /// inotify watches.
    pub watches: u64,
    /// fanotify marks.
    pub marks: u64,
    /// Files in slots of an io_uring.
    pub ring_files: u64,
    /// Descriptors in flight towards a UNIX socket.
    pub in_flight: u64,
    /// An eventfd's counter.
    pub event_count: Option<u64>,
    /// An eventfd's own number.
    pub event_id: Option<u64>,
    /// A timerfd's expiries that nobody read.
    pub timer_ticks: Option<u64>,
    /// The process of a pidfd.
    pub target: Option<u32>,
    /// Size in bytes, where the kernel gives one.
    pub size: Option<u64>,
}

impl FdInfo {
    /// Takes one more line into account.
    pub fn fold(&mut self, line: &[u8]) {
        self.fold_parsed(&parse_fdinfo_line(line));
    }

    /// The same for a line that is parsed already.
    pub fn fold_parsed(&mut self, line: &FdInfoLine<'_>) {
        match *line {
            FdInfoLine::Offset(offset) => self.offset = Some(offset),
            FdInfoLine::Flags(flags) => self.flags = Some(flags),
            FdInfoLine::MountId(id) => self.mount_id = Some(id),
            FdInfoLine::Inode(inode) => self.inode = Some(inode),
            FdInfoLine::EpollTarget { .. } => self.epoll_targets += 1,
            FdInfoLine::InotifyWatch { .. } => self.watches += 1,
            FdInfoLine::FanotifyMark(_) => self.marks += 1,
            FdInfoLine::RingFile(..) => self.ring_files += 1,
            FdInfoLine::InFlight(count) => self.in_flight = count,
            FdInfoLine::EventCount(count) => self.event_count = Some(count),
            FdInfoLine::EventId(id) => self.event_id = Some(id),
            FdInfoLine::TimerTicks(ticks) => self.timer_ticks = Some(ticks),
            FdInfoLine::PidFd(pid) => self.target = Some(pid),
            FdInfoLine::Size(size) => self.size = Some(size),
            _ => {}
        }
    }

    /// The close-on-exec flag, where flags were read.
    pub fn cloexec(&self) -> Option<bool> {
        self.flags.map(|flags| flags & O_CLOEXEC != 0)
    }
}

/// `O_CLOEXEC`; the same on every processor that fdscope knows.
const O_CLOEXEC: u32 = 0o2_000_000;

/// Parses a whole file.
pub fn parse_fdinfo(bytes: &[u8]) -> FdInfo {
    let mut info = FdInfo::default();
    lines(bytes).for_each(|line| info.fold(line));
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_lines_are_read() {
        let info = parse_fdinfo(b"pos:\t12\nflags:\t02100002\nmnt_id:\t15\nino:\t1057\n");
        assert_eq!((info.offset, info.flags), (Some(12), Some(0o2_100_002)));
        assert_eq!((info.mount_id, info.inode, info.cloexec()), (Some(15), Some(1057), Some(true)));
    }

    fn inode(major: u32, minor: u32, inode: u64) -> InodeId {
        InodeId { device: DeviceId::new(major, minor), inode }
    }

    #[test]
    fn each_special_line_is_told() {
        let check = |line: &'static str, expected| {
            assert_eq!(parse_fdinfo_line(line.as_bytes()), expected, "{line}");
        };
        check(
            "tfd:        5 events:       19 data:                5  pos:0 ino:1f sdev:8",
            FdInfoLine::EpollTarget {
                fd: 5,
                events: 0x19,
                inode: Some(0x1f),
                device: Some(DeviceId(8)),
            },
        );
        check(
            "inotify wd:a ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8",
            FdInfoLine::InotifyWatch { wd: 10, inode: inode(8, 0x13, 0x9e7e), mask: 0x800_afce },
        );
        check("fanotify flags:10 event-flags:0", FdInfoLine::Other);
        check(
            "fanotify ino:4f969 sdev:800013 mflags:0 mask:3b ignored_mask:1",
            FdInfoLine::FanotifyMark(FanotifyMark::Inode {
                inode: inode(8, 0x13, 0x4f969),
                mask: 0x3b,
            }),
        );
        check(
            "fanotify mnt_id:12 mflags:0 mask:1 ignored_mask:0",
            FdInfoLine::FanotifyMark(FanotifyMark::Mount { mount: 0x12, mask: 1 }),
        );
        check(
            "fanotify sdev:800013 mflags:0 mask:2 ignored_mask:0",
            FdInfoLine::FanotifyMark(FanotifyMark::FileSystem {
                device: DeviceId(0x80_0013),
                mask: 2,
            }),
        );
        check("eventfd-count:               5a", FdInfoLine::EventCount(0x5a));
        check("ticks: 3", FdInfoLine::TimerTicks(3));
        check("it_value: (1, 5)", FdInfoLine::TimerRemaining(1_000_000_005));
        check("it_interval: (0, 0)", FdInfoLine::TimerInterval(0));
        check("it_value: (1, 5", FdInfoLine::Other);
        check("sigmask:\t0000000000000200", FdInfoLine::SignalMask(0x200));
        check("eventfd-semaphore: 1", FdInfoLine::EventSemaphore(true));
        check("map_id:\t7", FdInfoLine::BpfId("map", 7));
        check("link_type:\ttracing", FdInfoLine::BpfType("link", b"tracing"));
        check("tty-index:\t3", FdInfoLine::TerminalIndex(3));
        check("scm_fds: 2", FdInfoLine::InFlight(2));
        check("Pid:\t-1", FdInfoLine::PidFd(0));
        check("UserFiles:\t4", FdInfoLine::RingSlots(4));
        check("    1: /tmp/x", FdInfoLine::RingFile(1, b"/tmp/x"));
        check("    2: <none>", FdInfoLine::Other);
        check("    3: 0x7f0000000000/4096", FdInfoLine::Other);
        check("    4: opcode:READ, fd:3, flags:0", FdInfoLine::Other);
        check("    5: user_data:7, res:0, flag:0", FdInfoLine::Other);
        check("    6: socket:[7]", FdInfoLine::RingFile(6, b"socket:[7]"));
        check("brand new: 1", FdInfoLine::Other);
    }
}
