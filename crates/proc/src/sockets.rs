//! What is at the ends of sockets: from inodes to text, by /proc/PID/net of the process's network namespace.
//!
//! A socket that was never bound or connected is in none of those files. Its protocol is read from the descriptor's
//! extended attribute `system.sockprotoname`, which sockfs answers from memory (net/socket.c).

use std::collections::{BTreeSet, HashMap};

use fdscope_model::{FdNumber, Name, Pid};

use crate::error::ProcError;
use crate::parse::{Endpoint, Link, Table, parse_endpoint, parse_link};
use crate::root::ProcRoot;

impl ProcRoot {
    /// The sockets among `wanted` (inodes) that the process's network namespace lists. Reads no further table once
    /// all are found; keeps only what was wanted. A socket of another namespace is not found.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn endpoints(
        &self,
        pid: Pid,
        wanted: &BTreeSet<u64>,
    ) -> Result<HashMap<u64, Endpoint>, ProcError> {
        let dir = self.pid_dir(pid)?;
        let mut found = HashMap::new();
        for table in Table::ALL {
            if found.len() == wanted.len() {
                break;
            }
            let read = dir.read_lines(&format!("net/{}", table.file()), "read net", &mut |line| {
                let endpoint = parse_endpoint(table, line);
                if let Some(endpoint) = endpoint.filter(|e| wanted.contains(&e.inode)) {
                    found.insert(endpoint.inode, endpoint);
                }
            });
            match read {
                // A kernel without this family, or a process that ended: the directory decides.
                Err(error) if error.is_gone() => drop(dir.stat("net", "read net")?),
                _ => {}
            }
        }
        Ok(found)
    }

    /// A socket's descriptor in words, as it is now: `tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT`, or what
    /// [`Self::unlisted_socket`] says. `None` if it is closed, no socket, or not permitted.
    pub fn socket_text(&self, pid: Pid, fd: FdNumber) -> Option<Name> {
        let link = self.pid_dir(pid).ok()?.read_link(&format!("fd/{fd}"), "read link").ok()?;
        let Link::Socket(inode) = parse_link(link.bytes()) else { return None };
        let found = self.endpoints(pid, &BTreeSet::from([inode])).ok()?;
        found.get(&inode).map(Endpoint::text).or_else(|| self.unlisted_socket(pid, fd))
    }

    /// The name of a socket that no table lists: `TCP socket, unconnected or of another network namespace`. Families
    /// without a table have their protocol's name alone.
    pub fn unlisted_socket(&self, pid: Pid, fd: FdNumber) -> Option<Name> {
        let protocol = self.socket_protocol(pid, fd)?;
        let listed = [&b"TCP"[..], b"TCPv6", b"UDP", b"UDPv6"].contains(&protocol.bytes());
        let tail = if listed { ", unconnected or of another network namespace" } else { "" };
        Some(format!("{protocol} socket{tail}").as_str().into())
    }

    /// The protocol of a socket's descriptor, `TCP` or `UNIX`; `None` if it is closed, no socket, or not permitted.
    /// Only for descriptors just seen to be sockets: another file may take long to answer.
    pub fn socket_protocol(&self, pid: Pid, fd: FdNumber) -> Option<Name> {
        let mut value = [0; 64];
        let path = self.is_live().then(|| self.path_of(&format!("{pid}/fd/{fd}")))?;
        let length = rustix::fs::getxattr(path, "system.sockprotoname", &mut value[..]).ok()?;
        let value = value.get(..length)?;
        Some(value.strip_suffix(b"\0").unwrap_or(value).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, OwnedFd};

    fn inode(fd: &impl AsRawFd) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).expect("link");
        let text = link.to_string_lossy().into_owned();
        text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("inode")
    }

    #[test]
    fn own_sockets_have_their_ends() {
        let root = ProcRoot::open().expect("/proc");
        let pid = Pid(std::process::id());
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("address");
        let client = TcpStream::connect(address).expect("connect");
        let wanted = BTreeSet::from([inode(&listener), inode(&client)]);
        let found = root.endpoints(pid, &wanted).expect("endpoints");
        assert_eq!(
            found[&inode(&listener)].text(),
            format!("tcp {address} LISTEN").as_str().into()
        );
        let local = client.local_addr().expect("address");
        let expected = format!("tcp {local}->{address} ESTABLISHED");
        assert_eq!(found[&inode(&client)].text(), expected.as_str().into());
        assert_eq!(
            found[&inode(&client)].name(),
            format!("tcp {local}->{address}").as_str().into()
        );
    }

    #[test]
    fn a_socket_never_connected_still_has_a_protocol() {
        let root = ProcRoot::open().expect("/proc");
        let pid = Pid(std::process::id());
        use rustix::net::{AddressFamily, SocketType, socket};
        let lonely: OwnedFd =
            socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
        let fd = FdNumber(lonely.as_raw_fd() as u32);
        assert_eq!(root.socket_protocol(pid, fd), Some("TCP".into()));
        assert_eq!(root.socket_protocol(pid, FdNumber(9999)), None);
        let text = root.socket_text(pid, fd).expect("a socket").to_string();
        assert!(text.starts_with("TCP socket, unconnected"), "{text}");
    }
}
