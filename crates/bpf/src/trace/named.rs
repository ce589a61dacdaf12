//! What descriptors led to, as the program noted it: the text that /proc has for it, put together from its parts.

use fdscope_syscall::memory::Described;
use zerocopy::FromBytes;

use super::wire::{Named, named_flags};
use crate::inventory::socket::socket;
use crate::inventory::wire::HeldSocket;

const SOCKFS_MAGIC: u32 = 0x534f_434b;
const PIPEFS_MAGIC: u32 = 0x5049_5045;
const NSFS_MAGIC: u32 = 0x6e73_6673;
const PIDFS_MAGIC: u32 = 0x5049_4446;
const ANON_INODE_MAGIC: u32 = 0x0904_1934;

/// `sizeof(sun_path)`: the room for each of a UNIX socket's names.
const UNIX_NAME_BYTES: usize = 108;

/// Reads what a piece says; `None` if it is cut short, or if only /proc can tell the text.
pub(super) fn described(bytes: &[u8]) -> Option<Described> {
    let (named, mut rest) = Named::read_from_prefix(bytes).ok()?;
    let mut ends = None;
    if named.flags & named_flags::SOCKET != 0 {
        let (held, behind) = HeldSocket::read_from_prefix(rest).ok()?;
        let (names, behind) = behind.split_at_checked(2 * UNIX_NAME_BYTES)?;
        let (own, behind_own) = names.split_at_checked(named.own_bytes.into())?;
        let peer = behind_own.get(..held.peer_bytes.into())?;
        ends = Some(socket(&held, named.inode, 0, own, peer));
        rest = behind;
    }
    let text = rest.get(..named.text_bytes.into())?;
    Some(Described {
        link: link(&named, text)?,
        mode: named.mode.into(),
        // The kernel's own dev_t (include/linux/kdev_t.h).
        node: (named.node >> 20, named.node & 0xf_ffff),
        pid: Some(named.pid).filter(|&pid| pid != 0),
        socket: ends
            .map(|ends| (ends, text.split(|&byte| byte == 0).next().unwrap_or_default().to_vec())),
    })
}

/// What readlink(2) says of it in /proc.
fn link(named: &Named, text: &[u8]) -> Option<Vec<u8>> {
    let inode = named.inode;
    let name = text.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(match named.magic {
        SOCKFS_MAGIC => format!("socket:[{inode}]").into_bytes(),
        PIPEFS_MAGIC if named.flags & named_flags::BY_ITSELF != 0 => {
            format!("pipe:[{inode}]").into_bytes()
        }
        ANON_INODE_MAGIC => [b"anon_inode:", name].concat(),
        PIDFS_MAGIC => b"anon_inode:[pidfd]".to_vec(),
        // The kernel's text of a namespace begins with its kind, which is not noted.
        NSFS_MAGIC => return None,
        // simple_dname (fs/d_path.c): files in memory.
        _ if named.flags & named_flags::BY_ITSELF != 0 => [b"/", name, b" (deleted)"].concat(),
        _ => path(text, named.flags & named_flags::DELETED != 0),
    })
}

fn path(parts: &[u8], deleted: bool) -> Vec<u8> {
    let mut path = Vec::with_capacity(parts.len() + 10);
    let names = parts.strip_suffix(b"\0").unwrap_or(parts);
    for name in names.rsplit(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    if deleted {
        path.extend_from_slice(b" (deleted)");
    }
    path
}

#[cfg(test)]
mod tests {
    use zerocopy::IntoBytes;

    use super::*;

    fn check(magic: u32, flags: u16, text: &[u8], expected: Option<&str>) {
        let text_bytes = text.len() as u16;
        let named = Named { inode: 7, magic, flags, text_bytes, ..Named::default() };
        let bytes = [named.as_bytes(), text].concat();
        let found =
            described(&bytes).map(|found| String::from_utf8_lossy(&found.link).into_owned());
        assert_eq!(found.as_deref(), expected);
        assert_eq!(described(&bytes[..bytes.len().saturating_sub(1)]), None);
    }

    #[test]
    fn texts_are_those_of_proc() {
        check(0xef53, 0, b"passwd\0etc\0", Some("/etc/passwd"));
        check(0xef53, 1, b"x\0tmp\0", Some("/tmp/x (deleted)"));
        check(0x0102_1994, 2, b"memfd:x\0", Some("/memfd:x (deleted)"));
        check(PIPEFS_MAGIC, 2, b"\0", Some("pipe:[7]"));
        check(SOCKFS_MAGIC, 2, b"TCP\0", Some("socket:[7]"));
        check(ANON_INODE_MAGIC, 2, b"[eventfd]\0", Some("anon_inode:[eventfd]"));
        check(NSFS_MAGIC, 2, b"\0", None);
    }

    #[test]
    fn the_root_has_no_parts() {
        let named = Named { magic: 0xef53, ..Named::default() };
        assert_eq!(described(named.as_bytes()).map(|found| found.link), Some(b"/".to_vec()));
    }

    #[test]
    fn ends_of_sockets_come_with_their_names() {
        let held = HeldSocket { family: 1, class: 1, peer_inode: 9, ..HeldSocket::default() };
        let mut names = [0; 2 * UNIX_NAME_BYTES];
        names[..6].copy_from_slice(b"/run/x");
        let named = Named {
            magic: SOCKFS_MAGIC,
            flags: named_flags::SOCKET,
            own_bytes: 6,
            text_bytes: 12,
            ..Named::default()
        };
        let bytes = [named.as_bytes(), held.as_bytes(), &names, b"UNIX-STREAM\0"].concat();
        let (socket, protocol) =
            described(&bytes).and_then(|found| found.socket).expect("a socket");
        assert_eq!((socket.peer_inode, &protocol[..]), (Some(9), &b"UNIX-STREAM"[..]));
    }
}
