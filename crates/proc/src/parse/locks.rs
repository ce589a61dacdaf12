//! Locks and leases: the lines of /proc/locks (proc_locks(5)), which fdinfo repeats behind `lock:` (fs/locks.c,
//! `lock_get_status`).

use fdscope_model::inventory::Lock;
use fdscope_model::{Access, DeviceId, InodeId, Pid};

use super::number::{decimal, decimal32, hex};
use super::words;

/// A lock, with whose it is and on what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldLock {
    /// The process that took it; `None` for open file description locks, and for processes of other PID namespaces.
    pub pid: Option<Pid>,
    /// The file; the device is the superblock's.
    pub inode: Option<InodeId>,
    /// True for one that waits until another is given up: not held yet.
    pub waits: bool,
    /// What it is.
    pub lock: Lock,
}

/// Parses one line; `None` if it is not one.
///
/// `1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 0 EOF`, with `->` behind the number for a lock that is waited for.
pub fn parse_lock(line: &[u8]) -> Option<HeldLock> {
    let mut fields = words(line).peekable();
    decimal(fields.next()?.strip_suffix(b":")?)?;
    let waits = fields.next_if(|field| *field == b"->").is_some();
    let (class, mode) = (fields.next()?, fields.next()?);
    let access = match fields.next()? {
        b"READ" => Access::Read,
        b"WRITE" => Access::Write,
        b"RW" => Access::Both,
        _ => Access::Neither,
    };
    let pid = decimal32(fields.next()?).filter(|pid| *pid > 0).map(Pid);
    let inode = parse_inode(fields.next()?);
    let start = decimal(fields.next()?)?;
    let end = match fields.next()? {
        b"EOF" => None,
        end => Some(decimal(end)?),
    };
    let lock = Lock { class: class.into(), mode: mode.into(), access, start, end };
    Some(HeldLock { pid, inode, waits, lock })
}

/// `fe:01:5678`: device in hexadecimal, inode in decimal; `<none>:0` for neither.
fn parse_inode(field: &[u8]) -> Option<InodeId> {
    let mut parts = field.split(|&b| b == b':');
    let (major, minor) = (hex(parts.next()?)?, hex(parts.next()?)?);
    let device = DeviceId::new(major.try_into().ok()?, minor.try_into().ok()?);
    Some(InodeId { device, inode: decimal(parts.next()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: (Option<u32>, bool, &str, Access, u64, Option<u64>)) {
        let held = parse_lock(line.as_bytes()).expect("parses");
        let HeldLock { pid, waits, lock, inode } = held;
        let class = lock.class.to_string();
        let found =
            (pid.map(|pid| pid.0), waits, class.as_str(), lock.access, lock.start, lock.end);
        assert_eq!(found, expected, "{line}");
        let on = InodeId { device: DeviceId::new(0xfe, 1), inode: 5678 };
        assert_eq!(inode, (!line.contains("none")).then_some(on), "{line}");
    }

    #[test]
    fn each_class_is_read() {
        check(
            "1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 0 EOF",
            (Some(1234), false, "POSIX", Access::Write, 0, None),
        );
        check(
            "1: -> POSIX  ADVISORY  READ 12 fe:01:5678 5 9",
            (Some(12), true, "POSIX", Access::Read, 5, Some(9)),
        );
        check(
            "2: OFDLCK ADVISORY  READ  -1 fe:01:5678 0 EOF",
            (None, false, "OFDLCK", Access::Read, 0, None),
        );
        check(
            "3: LEASE  ACTIVE    READ  7 fe:01:5678 0 EOF",
            (Some(7), false, "LEASE", Access::Read, 0, None),
        );
        check(
            "4: POSIX  *NOINODE* UNLCK 7 <none>:0 0 EOF",
            (Some(7), false, "POSIX", Access::Neither, 0, None),
        );
        assert_eq!(parse_lock(b"POSIX ADVISORY WRITE 1 fe:01:5 0 EOF"), None);
    }
}
