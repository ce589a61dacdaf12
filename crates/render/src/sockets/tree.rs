//! Sockets as trees: a listener, what waits in its accept queue, and the connections that came from it, by owner; then
//! connections that processes made themselves.
//!
//! Rows come twice: first listeners are kept of them ([`Tree::note_listener`]), then each is put where it belongs. A
//! listener that matches is shown whole, another one with what came to it and matches. Of each branch a few leaves are named
//! and the others counted, with the command that lists them; [`Tree::whole`] keeps them all, for JSON.

mod json;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use fdscope_model::inventory::End;
use fdscope_model::name::escape;
use fdscope_model::{Address, Name, Pid, Socket, SocketClass, SocketState, Unheld};

use super::SocketRow;
use crate::charset::Charset;
use crate::handles::tree::Signs;
use crate::handles::words;
use crate::page::Form;
use crate::style::Style;
use crate::units::{count, count_of};

/// Leaves of a branch that are named.
const NAMED: usize = 12;

/// Where somebody listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Place {
    namespace: Option<u64>,
    address: Address,
}

/// Who holds a connection, or why nobody does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Holder {
    Process(Pid, Name),
    Nobody(&'static str),
}

/// Connections of one holder.
#[derive(Default, Debug)]
struct Branch {
    count: u64,
    states: BTreeMap<&'static str, u64>,
    leaves: Vec<Leaf>,
}

/// A connection, or a client that waits.
#[derive(Debug)]
struct Leaf {
    row: SocketRow,
    is_client: bool,
}

/// A listener, or several of the same address (SO_REUSEPORT), and what came to it.
#[derive(Default, Debug)]
struct Root {
    protocol: Name,
    listening: Vec<String>,
    holders: Vec<End>,
    /// Connections not accepted, as the listeners count them; and the most that may wait.
    waiting: u64,
    most: u64,
    waits: Branch,
    connections: BTreeMap<Holder, Branch>,
    /// True if the listener itself is to be shown.
    is_asked: bool,
}

/// The trees of some sockets.
#[derive(Debug)]
pub struct Tree {
    /// Leaves that are kept of each branch.
    most: usize,
    roots: BTreeMap<Place, Root>,
    /// UNIX clients that wait, by inode: where.
    clients: HashMap<u64, Place>,
    /// Connections that no listener here took: made by their holders.
    outgoing: BTreeMap<Holder, Branch>,
    /// All others, by protocol.
    others: BTreeMap<Name, u64>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree {
            most: NAMED,
            roots: BTreeMap::new(),
            clients: HashMap::new(),
            outgoing: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }
}

impl Tree {
    /// Trees that keep every leaf.
    pub fn whole() -> Self {
        Tree { most: usize::MAX, ..Tree::default() }
    }

    /// Keeps a listener, to be shown if it matches; other rows are passed over.
    pub fn note_listener(&mut self, row: &SocketRow, matches: bool) {
        let socket = &row.socket;
        if socket.state != Some(SocketState::Listen) {
            return;
        }
        let Some(place) = place_of(socket) else { return };
        let waiting = socket.detail.iter().flat_map(|detail| &detail.waiting);
        let clients = waiting.filter(|inode| **inode != 0).map(|inode| (*inode, place.clone()));
        self.clients.extend(clients);
        let root = self.roots.entry(place).or_default();
        root.is_asked |= matches;
        root.protocol = socket.protocol.clone();
        root.waiting += socket.receive_queue.unwrap_or(0);
        root.most += socket.send_queue.unwrap_or(0);
        root.holders.extend(row.owners.iter().cloned());
        match row.owners.as_slice() {
            [] => root.listening.push(row.unheld.map_or("nobody", Unheld::word).to_owned()),
            owners => root.listening.extend(owners.iter().map(words::end)),
        }
    }

    /// Puts a row where it belongs, if it matches or its listener does.
    pub fn push(&mut self, row: &SocketRow, matches: bool) {
        let (socket, most) = (&row.socket, self.most);
        if socket.state == Some(SocketState::Listen) {
            return;
        }
        if let Some(root) = self.clients.get(&socket.inode).and_then(|p| self.roots.get_mut(p)) {
            if matches || root.is_asked {
                root.waits.push(row, true, most);
            }
            return;
        }
        let is_connection = is_connected(socket);
        if is_connection && let Some(root) = self.listener_of(socket) {
            match row.unheld {
                _ if !matches && !root.is_asked => {}
                Some(Unheld::AcceptQueue(_)) => root.waits.push(row, false, most),
                _ => push_held(&mut root.connections, row, most),
            }
            return;
        }
        match socket.peer {
            _ if !matches => {}
            Some(Address::Inet(_)) if is_connection => push_held(&mut self.outgoing, row, most),
            _ => *self.others.entry(socket.protocol.clone()).or_default() += 1,
        }
    }

    fn listener_of(&mut self, socket: &Socket) -> Option<&mut Root> {
        let own = place_of(socket)?;
        let mut places = vec![own.clone()];
        if let Address::Inet(local) = own.address {
            let at = |ip: IpAddr| Place {
                namespace: own.namespace,
                address: Address::Inet(SocketAddr::new(ip, local.port())),
            };
            if local.is_ipv4() {
                places.push(at(Ipv4Addr::UNSPECIFIED.into()));
            }
            places.push(at(Ipv6Addr::UNSPECIFIED.into()));
        }
        let found = places.into_iter().find(|place| self.roots.contains_key(place))?;
        self.roots.get_mut(&found)
    }

    /// Writes the trees: listeners by address, then connections by who made them, then how many sockets are in neither.
    ///
    /// # Errors
    /// If `out` does not take them.
    pub fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        let mut lines = Lines { form, signs: Signs::of(form.charset), out };
        let mut namespaces: Vec<_> = self.roots.keys().map(|place| place.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        for (place, root) in self.roots.iter().filter(|(_, root)| root.is_shown()) {
            let tail = match place.namespace {
                Some(inode) if namespaces.len() > 1 => format!(", in net:[{inode}]"),
                _ => String::new(),
            };
            lines.root(place, root, &tail)?;
        }
        for (holder, branch) in &self.outgoing {
            let count = count_of(branch.count, "connection of its own", "connections of its own");
            lines.head(&holder.text(), &format!(": {count}{}", branch.states()))?;
            lines.leaves("", branch, &holder.filter())?;
        }
        lines.others(&self.others)
    }

    /// True if there is nothing to show.
    pub fn is_empty(&self) -> bool {
        let is_shown = self.roots.values().any(Root::is_shown);
        !is_shown && self.outgoing.is_empty() && self.others.is_empty()
    }
}

impl Root {
    fn is_shown(&self) -> bool {
        self.is_asked || self.waits.count > 0 || !self.connections.is_empty()
    }
}

impl Branch {
    fn push(&mut self, row: &SocketRow, is_client: bool, most: usize) {
        self.count += 1;
        if let Some(state) = row.socket.state {
            *self.states.entry(state.word()).or_default() += 1;
        }
        if self.leaves.len() < most {
            self.leaves.push(Leaf { row: row.clone(), is_client });
        }
    }

    /// ` (7 established, 2 close-wait)`.
    fn states(&self) -> String {
        let states = self.states.iter().map(|(state, n)| format!("{} {state}", count(*n)));
        let states: Vec<String> = states.collect();
        if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) }
    }
}

impl Holder {
    fn text(&self) -> String {
        match self {
            Holder::Process(pid, comm) => format!("{comm} ({pid})"),
            Holder::Nobody(why) => format!("nobody ({why})"),
        }
    }

    fn filter(&self) -> String {
        match self {
            Holder::Process(pid, _) => format!("pid = {pid}"),
            Holder::Nobody(why) => format!("unheld = {why}"),
        }
    }
}

fn push_held(to: &mut BTreeMap<Holder, Branch>, row: &SocketRow, most: usize) {
    let holder = match row.owners.first() {
        Some(end) => Holder::Process(end.pid, end.comm.clone()),
        None => Holder::Nobody(row.unheld.map_or("not-asked", Unheld::word)),
    };
    to.entry(holder).or_default().push(row, false, most);
}

fn is_connected(socket: &Socket) -> bool {
    use SocketState::{BoundInactive, Closed, Listen};
    let is_stream = matches!(socket.class, SocketClass::Stream | SocketClass::SeqPacket);
    is_stream && !matches!(socket.state, None | Some(Listen | Closed | BoundInactive))
}

fn place_of(socket: &Socket) -> Option<Place> {
    let address = match socket.local.as_ref()? {
        Address::Inet(own) => Address::Inet(SocketAddr::new(own.ip().to_canonical(), own.port())),
        other => other.clone(),
    };
    Some(Place { namespace: socket.namespace, address })
}

fn ends(ends: &[End]) -> String {
    ends.iter().map(words::end).collect::<Vec<_>>().join(", ")
}

/// A connection: descriptor, peer, state, queues, who holds the other end.
fn text(leaf: &Leaf) -> String {
    let Leaf { row, is_client } = leaf;
    if *is_client {
        return format!("client {}", ends(&row.owners));
    }
    let socket = &row.socket;
    let mut text = match row.owners.as_slice() {
        [] => String::new(),
        [one] => format!("{}  ", one.fd),
        [first, others @ ..] => format!("{} and {}  ", first.fd, ends(others)),
    };
    match (&socket.peer, &socket.local) {
        (Some(peer), _) => text.push_str(&words::address(peer)),
        (None, _) if socket.inode != 0 => text.push_str(&format!("inode {}", socket.inode)),
        (None, _) => text.push('?'),
    }
    text.push_str(&socket.state.map_or_else(String::new, |state| format!("  {}", state.word())));
    let mut told = Vec::new();
    for (queue, word) in
        [(socket.receive_queue, "not read"), (socket.send_queue, "not acknowledged")]
    {
        told.extend(queue.filter(|bytes| *bytes > 0).map(|bytes| format!("{bytes} B {word}")));
    }
    if !socket.ends.is_empty() {
        told.push(format!("↔ {}", ends(&socket.ends)));
    }
    let told = told.join(", ");
    if told.is_empty() { text } else { format!("{text}  {told}") }
}

/// Lines of trees on their way out.
struct Lines<'a> {
    form: Form,
    signs: Signs,
    out: &'a mut dyn Write,
}

impl Lines<'_> {
    fn head(&mut self, name: &str, rest: &str) -> io::Result<()> {
        let mut text = String::new();
        let charset: Charset = self.form.charset;
        Style::Strong.paint(&charset.sentence(name), self.form.color, &mut text);
        text.push_str(&charset.sentence(rest));
        writeln!(self.out, "{text}")
    }

    fn line(&mut self, trunk: &str, is_last: bool, text: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "{trunk}{}{}",
            self.signs.branch(is_last),
            self.form.charset.sentence(text)
        )
    }

    fn root(&mut self, place: &Place, root: &Root, tail: &str) -> io::Result<()> {
        let name = format!("{} {}", escape(root.protocol.bytes()), words::address(&place.address));
        let connections = root.connections.values().map(|branch| branch.count).sum();
        let connections = count_of(connections, "connection", "connections");
        let waiting = format!("{} of {} waiting", count(root.waiting), count(root.most));
        self.head(&name, &format!(" listen, {waiting}, {connections}{tail}"))?;
        let waits = root.waiting > 0 || root.waits.count > 0;
        let last = root.connections.len();
        let listening = format!("listening: {}", root.listening.join(", "));
        self.line("", !waits && last == 0, &listening)?;
        let filter = match &place.address {
            Address::Inet(address) => format!("port = {}", address.port()),
            other => format!("local = \"{}\"", words::address(other).replace('"', "\\\"")),
        };
        if waits {
            let shown = root.waiting.max(root.waits.count);
            let text = format!("waiting to be accepted: {}{}", count(shown), root.waits.states());
            self.line("", last == 0, &text)?;
            let trunk = self.signs.trunk(last == 0);
            self.leaves(trunk, &root.waits, &format!("{filter} and unheld = accept-queue"))?;
        }
        for (index, (holder, branch)) in root.connections.iter().enumerate() {
            let is_last = index + 1 == last;
            let text = format!("{}: {}{}", holder.text(), count(branch.count), branch.states());
            self.line("", is_last, &text)?;
            let trunk = self.signs.trunk(is_last);
            self.leaves(trunk, branch, &format!("{filter} and {}", holder.filter()))?;
        }
        Ok(())
    }

    fn leaves(&mut self, trunk: &str, branch: &Branch, filter: &str) -> io::Result<()> {
        let more = branch.count.saturating_sub(branch.leaves.len() as u64);
        for (index, leaf) in branch.leaves.iter().enumerate() {
            self.line(trunk, more == 0 && index + 1 == branch.leaves.len(), &text(leaf))?;
        }
        if more == 0 {
            return Ok(());
        }
        self.line(trunk, true, &format!("{} more: fdscope sockets '{filter}'", count(more)))
    }

    fn others(&mut self, others: &BTreeMap<Name, u64>) -> io::Result<()> {
        if others.is_empty() {
            return Ok(());
        }
        let one = |(protocol, n): (&Name, &u64)| format!("{} {protocol}", count(*n));
        let list: Vec<String> = others.iter().map(one).collect();
        let text = format!("not part of a tree: {}", list.join(", "));
        let mut painted = String::new();
        let text = self.form.charset.sentence(&text);
        Style::Dim.paint(&text, self.form.color, &mut painted);
        writeln!(self.out, "{painted}")
    }
}
