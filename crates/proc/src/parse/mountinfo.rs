//! /proc/PID/mountinfo (proc_pid_mountinfo(5)): from the mount id in fdinfo to a device and a file system type.

use fdscope_model::{DeviceId, Name};

use super::number::decimal32;
use super::{lines, words};

/// One mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// The id that fdinfo's `mnt_id` refers to.
    pub id: u32,
    /// The device of the superblock. btrfs gives files of a subvolume another `st_dev`.
    pub device: DeviceId,
    /// Which directory of the file system is mounted.
    pub root: Name,
    /// Where.
    pub point: Name,
    /// File system type: `ext4`, `fuse.sshfs`.
    pub kind: Name,
    /// Options of the superblock: `rw,pids`.
    pub options: Name,
}

/// Parses one line; `None` if it is not one.
pub fn parse_mount(line: &[u8]) -> Option<Mount> {
    let mut fields = words(line);
    let id = decimal32(fields.next()?)?;
    let device = parse_device(fields.nth(1)?)?;
    let root = unescape_octal(fields.next()?);
    let point = unescape_octal(fields.next()?);
    fields.find(|field| *field == b"-")?;
    let kind = unescape_octal(fields.next()?);
    let options = fields.nth(1).unwrap_or_default().into();
    Some(Mount { id, device, root, point, kind, options })
}

/// Hands each mount of a whole file to `sink`.
pub fn parse_mountinfo(bytes: &[u8], sink: impl FnMut(Mount)) {
    lines(bytes).filter_map(parse_mount).for_each(sink);
}

/// `MAJOR:MINOR` in decimal.
fn parse_device(field: &[u8]) -> Option<DeviceId> {
    let mut halves = field.split(|&b| b == b':').map(decimal32);
    Some(DeviceId::new(halves.next()??, halves.next()??))
}

/// Undoes the kernel's `\040` for blanks, newlines and backslashes (fs/seq_file.c, `mangle_path`).
pub fn unescape_octal(text: &[u8]) -> Name {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(super::octal).and_then(|code| u8::try_from(code).ok());
        match (first, code) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_are_passed_over() {
        let line =
            b"36 35 98:7 /mnt1 /my\\040disk rw,noatime master:1 shared:2 - fuse.x src rw,a=b";
        let mount = parse_mount(line).expect("parses");
        assert_eq!((mount.id, mount.device), (36, DeviceId::new(98, 7)));
        assert_eq!(mount.point, Name::from("/my disk"));
        assert_eq!((mount.kind, mount.options), (Name::from("fuse.x"), Name::from("rw,a=b")));
        assert!(parse_mount(b"36 35 98:7 /mnt1 /mnt2 rw").is_none());
    }

    #[test]
    fn only_octal_triples_are_escapes() {
        assert_eq!(unescape_octal(b"a\\134b\\9\\77"), Name::from(&b"a\\b\\9\\77"[..]));
    }
}
