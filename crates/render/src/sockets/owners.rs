//! Who holds a socket, or why nobody does: in words, and as JSON.

use fdscope_model::inventory::End;
use fdscope_model::name::escape;
use fdscope_model::{Keeper, Unheld};
use serde::Serialize;

use super::SocketRow;
use crate::column::{Value, write_json};
use crate::handles::words;

/// Not more than these are named: descriptors in flight may wait in many places.
const NAMED: usize = 4;

pub(super) fn keepers(keepers: &[Keeper]) -> String {
    let one = |keeper: &Keeper| {
        let via = words::association(keeper.via, None);
        format!("{}/{} {via}", keeper.pid, keeper.comm)
    };
    let mut named: Vec<String> = keepers.iter().take(NAMED).map(one).collect();
    if keepers.len() > NAMED {
        named.push(format!("{} more", keepers.len() - NAMED));
    }
    named.join(" or ")
}

pub(super) fn ends(ends: &[End]) -> String {
    ends.iter().map(words::end).collect::<Vec<_>>().join(", ")
}

/// Who holds it; or why nobody does.
pub(super) fn owner(row: &SocketRow) -> Value<'_> {
    let Some(why) = row.unheld else { return Value::phrase(ends(&row.owners)) };
    Value::Phrase(match why {
        Unheld::TimeWait => "(over: TIME_WAIT)".to_owned(),
        Unheld::HalfOpen => "(being connected)".to_owned(),
        Unheld::AcceptQueue(_) if row.keepers.is_empty() => "(not accepted yet)".to_owned(),
        Unheld::AcceptQueue(_) => format!("(not accepted yet by {})", keepers(&row.keepers)),
        Unheld::Orphan => "(orphan: closed, still sending)".to_owned(),
        Unheld::Kernel => "(kernel)".to_owned(),
        Unheld::Ring => format!("(registered with io_uring of {})", keepers(&row.keepers)),
        Unheld::Mapped => format!("(its ring is mapped by {})", keepers(&row.keepers)),
        Unheld::InFlight => format!("(in flight, to be received by {})", keepers(&row.keepers)),
        Unheld::NotSeen => "(no descriptor seen)".to_owned(),
    })
}

#[derive(Serialize)]
pub(super) struct Holder {
    pid: u32,
    comm: String,
    fd: u32,
}

impl Holder {
    pub(super) fn of(end: &End) -> Self {
        Holder { pid: end.pid.0, comm: escape(end.comm.bytes()), fd: end.fd.0 }
    }
}

#[derive(Serialize)]
struct Kept {
    pid: u32,
    comm: String,
    via: String,
}

pub(super) fn keepers_json(row: &SocketRow, out: &mut Vec<u8>) {
    let kept = |keeper: &Keeper| Kept {
        pid: keeper.pid.0,
        comm: escape(keeper.comm.bytes()),
        via: words::association(keeper.via, None),
    };
    write_json(&row.keepers.iter().map(kept).collect::<Vec<_>>(), out);
}

pub(super) fn json(row: &SocketRow, out: &mut Vec<u8>) {
    write_json(&row.owners.iter().map(Holder::of).collect::<Vec<_>>(), out);
}

pub(super) fn peers_json(row: &SocketRow, out: &mut Vec<u8>) {
    write_json(&row.socket.ends.iter().map(Holder::of).collect::<Vec<_>>(), out);
}
