//! What a handle's name has in common with those of its siblings: the "site" of a handle whose birth stack nobody saw.

use std::net::SocketAddr;

use fdscope_model::{HandleKind, Name};

use crate::parse::{Link, parse_link};
use crate::squeeze::{Chance, squeeze};

/// Ports from here on are drawn by the kernel for callers (net.ipv4.ip_local_port_range).
const EPHEMERAL: u16 = 32_768;

/// Places of temporary files, where names are drawn at random.
const TEMPORARY: &[&[u8]] = &[b"/tmp/", b"/var/tmp/", b"/dev/shm/", b"/run/user/", b"/memfd:"];

/// The pattern of a handle of `kind` named `name` (a link's text, or a socket's ends as text).
///
/// Paths lose what is counted up or drawn at random; sockets keep the service's address and lose the caller's port,
/// on the service's own side the caller altogether; everything anonymous keeps its type.
pub fn pattern(kind: HandleKind, name: &Name) -> Name {
    let bytes = name.bytes();
    match (kind, parse_link(bytes)) {
        (_, Link::Socket(_)) => "socket".into(),
        (_, Link::Pipe(_)) => "pipe".into(),
        (_, Link::Numbered(word, _)) => [word, b":[*]"].concat().into(),
        (_, Link::Anonymous(_)) => name.clone(),
        (HandleKind::Socket, _) => pattern_of_ends(bytes),
        (_, Link::Path { .. }) => squeeze(bytes, chance_of(bytes)).into(),
        (HandleKind::Thread | HandleKind::Child | HandleKind::Zombie, _) => {
            squeeze(bytes, Chance::Clear).into()
        }
        (kind, _) if bytes.is_empty() => kind.word().into(),
        _ => squeeze(bytes, Chance::Clear).into(),
    }
}

fn chance_of(path: &[u8]) -> Chance {
    let file = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let is_named_so =
        [&b"tmp"[..], b".tmp", b"temp"].into_iter().any(|word| file.starts_with(word));
    if is_named_so || TEMPORARY.iter().any(|place| path.starts_with(place)) {
        Chance::Temporary
    } else {
        Chance::Clear
    }
}

/// The pattern of `tcp LOCAL->REMOTE STATE` and its like; other texts are squeezed.
fn pattern_of_ends(text: &[u8]) -> Name {
    let squeezed = || squeeze(text, Chance::Temporary).into();
    let Ok(text) = str::from_utf8(text) else { return squeezed() };
    let mut words = text.split(' ');
    let (Some(table), Some(ends)) = (words.next(), words.next()) else { return squeezed() };
    let state = words.next().filter(|state| is_lasting(state));
    let Some(ends) = join_ends(ends) else { return squeezed() };
    let tail = state.map(|state| format!(" {state}")).unwrap_or_default();
    format!("{table} {ends}{tail}").as_str().into()
}

/// Both ends without what differs from caller to caller; `None` if they are no addresses.
fn join_ends(ends: &str) -> Option<String> {
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let Some((local, remote)) = ends.split_once("->") else {
        let local = address(ends)?;
        return Some(if local.port() >= EPHEMERAL {
            format!("{}:*", host(local))
        } else {
            ends.to_owned()
        });
    };
    let (local, remote) = (address(local)?, address(remote)?);
    Some(match (local.port() >= EPHEMERAL, remote.port() >= EPHEMERAL) {
        // Both ports were drawn: which is the service's, nobody can tell from here.
        (true, true) => format!("{}:*->{}:*", host(local), host(remote)),
        // Callers' ports are the upper ones, also where they are drawn from another range.
        _ if local.port() < remote.port() => format!("{local}->*"),
        _ => format!("*->{remote}"),
    })
}

fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// States in which a socket stays. Others are passed through, and would part siblings by the moment of looking.
fn is_lasting(state: &str) -> bool {
    matches!(state, "CLOSE_WAIT" | "LISTEN" | "BOUND_INACTIVE" | "FIN_WAIT2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_share_a_pattern() {
        let check = |kind, name: &str, expected: &str| {
            assert_eq!(pattern(kind, &name.into()), Name::from(expected), "{name}");
        };
        use HandleKind::*;
        check(File, "/var/log/app-123.log (deleted)", "/var/log/app-*.log (deleted)");
        check(File, "/tmp/upload.Xy7Qz1", "/tmp/upload.*");
        check(File, "/srv/data/tmpk3x_9q2a", "/srv/data/tmp*");
        check(File, "/proc/4242/status", "/proc/*/status");
        check(File, "/etc/passwd", "/etc/passwd");
        check(Memfd, "/memfd:buffer-7 (deleted)", "/memfd:buffer-* (deleted)");
        check(Socket, "socket:[4711]", "socket");
        check(Pipe, "pipe:[4711]", "pipe");
        check(EventFd, "anon_inode:[eventfd]", "anon_inode:[eventfd]");
        check(Namespace, "net:[4026531840]", "net:[*]");
        check(Socket, "tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT", "tcp 10.0.0.1:80->* CLOSE_WAIT");
        check(Socket, "tcp 10.0.0.1:51234->10.0.0.2:443 ESTABLISHED", "tcp *->10.0.0.2:443");
        check(Socket, "tcp6 [::1]:80->[::1]:50000 SYN_RECV", "tcp6 [::1]:80->*");
        check(Socket, "tcp 0.0.0.0:80 LISTEN", "tcp 0.0.0.0:80 LISTEN");
        check(Socket, "tcp 10.0.0.1:57415->10.0.0.2:48344", "tcp 10.0.0.1:*->10.0.0.2:*");
        check(Socket, "udp 0.0.0.0:40001", "udp 0.0.0.0:*");
        check(Socket, "unix stream /run/app/client-77.sock", "unix stream /run/app/client-*.sock");
        check(Thread, "work-17", "work-*");
        check(UnknownDescriptor, "", "descriptor");
    }
}
