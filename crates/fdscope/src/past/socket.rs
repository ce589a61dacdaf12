//! A socket from the text that a recording has of it: `tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;

use fdscope_analyze::LiveHandle;
use fdscope_model::inventory::End;
use fdscope_model::{
    Address, Family, Frame, HandleKind, Name, Socket, SocketClass, SocketState, StackId,
    Symbolized, Symbolizer,
};
use fdscope_render::sockets::{Made, SocketRow};

use super::Past;

/// What the text tells; all else is unknown.
pub(super) fn socket_of(text: &Name, inode: u64) -> Socket {
    let unknown = Socket::unknown(inode);
    let Ok(text) = str::from_utf8(text.bytes()) else { return unknown };
    let mut words = text.split(' ');
    let (Some(table), Some(second)) = (words.next(), words.next()) else { return unknown };
    match table {
        "unix" => unix(unknown, second, text),
        "netlink" => Socket { family: Family::Netlink, protocol: Name::from("NETLINK"), ..unknown },
        "packet" => Socket { family: Family::Packet, protocol: Name::from("PACKET"), ..unknown },
        _ => inet(unknown.clone(), table, second, words.next()).unwrap_or(unknown),
    }
}

fn inet(unknown: Socket, table: &str, ends: &str, state: Option<&str>) -> Option<Socket> {
    let (local, peer) = match ends.split_once("->") {
        Some((local, peer)) => (local, Some(peer.parse::<SocketAddr>().ok()?)),
        None => (ends, None),
    };
    let plain = table.trim_end_matches('6');
    let class = match plain {
        "tcp" => SocketClass::Stream,
        "udp" | "udplite" => SocketClass::Datagram,
        "raw" | "icmp" => SocketClass::Raw,
        _ => return None,
    };
    let (family, suffix) = match table.ends_with('6') {
        true => (Family::Inet6, "v6"),
        false => (Family::Inet, ""),
    };
    Some(Socket {
        family,
        class,
        protocol: Name::from(format!("{}{suffix}", plain.to_uppercase()).as_str()),
        state: state.and_then(state_of),
        local: Some(Address::Inet(local.parse().ok()?)),
        peer: peer.map(Address::Inet),
        ..unknown
    })
}

fn unix(unknown: Socket, class: &str, text: &str) -> Socket {
    let (class, word) = match class {
        "stream" => (SocketClass::Stream, "UNIX-STREAM"),
        "dgram" => (SocketClass::Datagram, "UNIX"),
        "seqpacket" => (SocketClass::SeqPacket, "UNIX-STREAM"),
        _ => (SocketClass::Unknown, "UNIX"),
    };
    let rest = text.splitn(3, ' ').nth(2).unwrap_or_default();
    let (path, listens) = match rest.strip_suffix("LISTEN") {
        Some(path) => (path.trim_end(), true),
        None => (rest, false),
    };
    let name = match path.strip_prefix('@') {
        Some(name) => [b"\0", name.as_bytes()].concat().into(),
        None => Name::from(path),
    };
    Socket {
        family: Family::Unix,
        class,
        protocol: Name::from(word),
        state: listens.then_some(SocketState::Listen),
        local: (!path.is_empty()).then_some(Address::Unix(name)),
        ..unknown
    }
}

/// A state by the word of /proc/net's readers: `FIN_WAIT1` is `fin-wait-1`.
fn state_of(word: &str) -> Option<SocketState> {
    let word = match word {
        "FIN_WAIT1" => "fin-wait-1".to_owned(),
        "FIN_WAIT2" => "fin-wait-2".to_owned(),
        "CLOSE" => "closed".to_owned(),
        word => word.replace('_', "-"),
    };
    SocketState::from_word(&word)
}

/// Protocol and state of a socket, `tcp close-wait`; `None` for a name that is no socket's, or tells nothing.
pub fn words(text: &Name) -> Option<String> {
    let socket = socket_of(text, 0);
    let protocol = socket.protocol.to_string().to_lowercase();
    match socket.state {
        _ if protocol.is_empty() => None,
        Some(state) => Some(format!("{protocol} {}", state.word())),
        None => Some(protocol),
    }
}

impl Past {
    /// Every socket that a recorded process held, with its holders, and with its birth where that was seen.
    pub fn sockets(&mut self) -> Vec<SocketRow> {
        let mut by_inode: BTreeMap<u64, usize> = BTreeMap::new();
        let mut rows: Vec<SocketRow> = Vec::new();
        let mut births: Vec<LiveHandle> = Vec::new();
        for pid in self.pids() {
            let process = self.replay.process(pid);
            for handle in self.replay.ledger.live(pid) {
                let left_out = self.since && !handle.birth_seen;
                if handle.kind != HandleKind::Socket || left_out {
                    continue;
                }
                let (comm, fd) = (process.comm.clone(), handle.fd);
                let owner = End { pid, comm, fd, access: None };
                let inode = self.inode(pid, &handle);
                let known = inode.and_then(|inode| by_inode.get(&inode.inode).copied());
                if let Some(place) = known
                    && let (Some(row), Some(birth)) = (rows.get_mut(place), births.get_mut(place))
                {
                    row.owners.push(owner);
                    // A copy of its descriptor was made later than the socket.
                    if handle.born < birth.born {
                        *birth = handle;
                    }
                    continue;
                }
                if let Some(inode) = inode {
                    by_inode.insert(inode.inode, rows.len());
                }
                let name = self.replay.names.descriptor(pid, handle.fd).unwrap_or_default();
                let socket = self.socket(&name, inode);
                rows.push(SocketRow { owners: vec![owner], ..SocketRow::of(socket) });
                births.push(handle);
            }
        }
        self.tell_births(&mut rows, &births);
        rows
    }

    fn tell_births(&mut self, rows: &mut [SocketRow], births: &[LiveHandle]) {
        let mut stacks: HashMap<StackId, (Rc<[Frame]>, Option<usize>)> = HashMap::new();
        for (row, birth) in rows.iter_mut().zip(births) {
            let age_ns = self.replay.now.since_ns(birth.born);
            if !birth.birth_seen {
                row.seen_ns = Some(age_ns);
                continue;
            }
            let named = birth.stack.map(|stack| {
                let names = &mut self.replay.stacks;
                let symbolize = || {
                    let Symbolized { frames, at } = names.symbolize(stack);
                    (frames.into(), at)
                };
                stacks.entry(stack).or_insert_with(symbolize).clone()
            });
            let (frames, at) = named.unwrap_or_default();
            row.made = Some(Made { age_ns, frames, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        let check = |text: &str, state: Option<SocketState>, ends: [Option<&str>; 2]| {
            let socket = socket_of(&text.into(), 7);
            let end = |address: &Option<Address>| match address {
                Some(Address::Inet(address)) => Some(address.to_string()),
                Some(Address::Unix(name)) => Some(name.to_string()),
                _ => None,
            };
            let found = [end(&socket.local), end(&socket.peer)];
            assert_eq!(found, ends.map(|end| end.map(str::to_owned)), "{text}");
            assert_eq!((socket.state, socket.inode), (state, 7), "{text}");
        };
        let close_wait = Some(SocketState::CloseWait);
        let ends = [Some("10.0.0.1:80"), Some("10.0.0.2:4242")];
        check("tcp 10.0.0.1:80->10.0.0.2:4242 CLOSE_WAIT", close_wait, ends);
        check("tcp6 [::1]:80 LISTEN", Some(SocketState::Listen), [Some("[::1]:80"), None]);
        check(
            "tcp 1.2.3.4:5->6.7.8.9:1 FIN_WAIT2",
            Some(SocketState::FinWait2),
            [Some("1.2.3.4:5"), Some("6.7.8.9:1")],
        );
        check("udp 0.0.0.0:53", None, [Some("0.0.0.0:53"), None]);
        check(
            "unix stream /run/a b.sock LISTEN",
            Some(SocketState::Listen),
            [Some("/run/a b.sock"), None],
        );
        check("unix dgram", None, [None, None]);
        check("socket:[4711]", None, [None, None]);
        check("tcp nonsense", None, [None, None]);
    }
}
