//! What differs between two moments: grouped, as a table for people and as JSON.

mod json;
mod text;

use std::collections::HashMap;

use fdscope_model::HandleKind;
use fdscope_model::diff::{Diff, Held};

use crate::charset::Charset;
use crate::site;

pub use json::{Frame, SCHEMA, object};
pub use text::{Shown, page};

/// What handles are grouped by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// What it is.
    Kind,
    /// What names share, of sockets the service's end: `/tmp/x-*.log`, `tcp *->10.0.0.2:443`.
    Name,
    /// A socket's other end.
    Peer,
    /// The line of code that made it.
    Site,
    /// The process's name.
    Comm,
    /// The process.
    Pid,
}

/// Every way, with its word and its heading.
const WAYS: [(By, &str, &str); 6] = [
    (By::Kind, "kind", "KIND"),
    (By::Name, "name", "NAME"),
    (By::Peer, "peer", "PEER"),
    (By::Site, "site", "MADE BY"),
    (By::Comm, "comm", "COMMAND"),
    (By::Pid, "pid", "PID"),
];

impl By {
    /// Every word that can be typed.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WAYS.iter().map(|way| way.1)
    }

    /// The way of this word.
    pub fn from_word(word: &str) -> Option<By> {
        WAYS.iter().find(|way| way.1 == word).map(|way| way.0)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        WAYS.iter().find(|way| way.0 == self).map_or("", |way| way.1)
    }

    fn header(self) -> &'static str {
        WAYS.iter().find(|way| way.0 == self).map_or("", |way| way.2)
    }

    /// What a handle has there; empty if that is not known.
    fn of(self, held: &Held, charset: Charset) -> String {
        match self {
            By::Kind => held.kind.word().to_owned(),
            By::Name => charset.name(&held.pattern),
            By::Peer => held.peer.as_ref().map(|peer| charset.name(peer)).unwrap_or_default(),
            By::Site => site_of(held, charset).unwrap_or_default(),
            By::Comm => charset.name(&held.comm),
            By::Pid => held.process.pid.to_string(),
        }
    }
}

/// The function and line that made a handle.
fn site_of(held: &Held, charset: Charset) -> Option<String> {
    let stack = held.stack.as_ref()?;
    let frame = site::frame_at(&stack.frames, stack.at)?;
    let function = site::function(frame, charset);
    Some(match site::line(frame, charset) {
        Some(line) => format!("{function} {line}"),
        None => function,
    })
}

/// Handles that have the grouped things in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// What they have in common, in the order asked for; empty where it is not known.
    pub values: Vec<String>,
    /// Of them, held at the second moment only.
    pub new: u64,
    /// Held at the first moment only.
    pub gone: u64,
    /// Held at both.
    pub kept: u64,
    /// True if they are sockets with addresses, in which no digit may be missing.
    pub addressed: bool,
}

impl Group {
    /// How many more there are.
    pub fn change(&self) -> i64 {
        self.new.cast_signed() - self.gone.cast_signed()
    }

    fn is_changed(&self) -> bool {
        self.new + self.gone > 0
    }
}

/// The groups of a comparison, those with the most new handles first.
pub fn groups(diff: &Diff, by: &[By], charset: Charset) -> Vec<Group> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut count = |held: &Held, add: fn(&mut Group)| {
        let values: Vec<String> = by.iter().map(|by| by.of(held, charset)).collect();
        let place = *places.entry(values.clone()).or_insert_with(|| {
            let network = |name: &[u8]| !name.contains(&b'/');
            let addressed = held.kind == HandleKind::Socket && network(held.pattern.bytes());
            groups.push(Group { values, new: 0, gone: 0, kept: 0, addressed });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            add(group);
        }
    };
    diff.new.iter().for_each(|held| count(held, |group| group.new += 1));
    diff.gone.iter().for_each(|held| count(held, |group| group.gone += 1));
    diff.kept.iter().for_each(|held| count(held, |group| group.kept += 1));
    groups.sort_by(|a, b| {
        let rank = |group: &Group| std::cmp::Reverse((group.change(), group.new, group.gone));
        (rank(a), &a.values).cmp(&(rank(b), &b.values))
    });
    groups
}
