//! Trees as JSON: the same branches, with every leaf.

use std::collections::BTreeMap;

use fdscope_model::Address;
use fdscope_model::inventory::End;
use fdscope_model::name::escape;
use serde::Serialize;

use super::{Branch, Holder, Leaf, Place, Root, Tree};
use crate::column::write_json;
use crate::handles::words;
use crate::sockets::owners::Holder as HolderForm;

impl Tree {
    /// Appends `"trees":[…],"outgoing":[…],"others":{…}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let shown = self.roots.iter().filter(|(_, root)| root.is_shown());
        out.extend(b"\"trees\":");
        write_json(&shown.map(|(place, root)| RootForm::of(place, root)).collect::<Vec<_>>(), out);
        out.extend(b",\"outgoing\":");
        write_json(&branches(&self.outgoing), out);
        out.extend(b",\"others\":");
        let others = self.others.iter();
        let others = others.map(|(name, count)| (escape(name.bytes()), *count));
        write_json(&others.collect::<BTreeMap<String, u64>>(), out);
    }
}

#[derive(Serialize)]
struct RootForm {
    protocol: String,
    local: String,
    netns: Option<u64>,
    listening: Vec<HolderForm>,
    waiting: u64,
    backlog: u64,
    queue: Vec<LeafForm>,
    connections: Vec<BranchForm>,
}

impl RootForm {
    fn of(place: &Place, root: &Root) -> Self {
        RootForm {
            protocol: escape(root.protocol.bytes()),
            local: words::address(&place.address),
            netns: place.namespace,
            listening: holders(&root.holders),
            waiting: root.waiting.max(root.waits.count),
            backlog: root.most,
            queue: root.waits.leaves.iter().map(LeafForm::of).collect(),
            connections: branches(&root.connections),
        }
    }
}

#[derive(Serialize)]
struct BranchForm {
    pid: Option<u32>,
    comm: Option<String>,
    unheld: Option<&'static str>,
    count: u64,
    states: BTreeMap<&'static str, u64>,
    sockets: Vec<LeafForm>,
}

fn branches(all: &BTreeMap<Holder, Branch>) -> Vec<BranchForm> {
    let form = |(holder, branch): (&Holder, &Branch)| {
        let (pid, comm, unheld) = match holder {
            Holder::Process(pid, comm) => (Some(pid.0), Some(escape(comm.bytes())), None),
            Holder::Nobody(why) => (None, None, Some(*why)),
        };
        BranchForm {
            pid,
            comm,
            unheld,
            count: branch.count,
            states: branch.states.clone(),
            sockets: branch.leaves.iter().map(LeafForm::of).collect(),
        }
    };
    all.iter().map(form).collect()
}

#[derive(Serialize)]
struct LeafForm {
    owners: Vec<HolderForm>,
    state: Option<&'static str>,
    local: Option<String>,
    peer: Option<String>,
    inode: u64,
    receive_queue: Option<u64>,
    send_queue: Option<u64>,
    peer_owners: Vec<HolderForm>,
}

impl LeafForm {
    fn of(leaf: &Leaf) -> Self {
        let socket = &leaf.row.socket;
        let end = |address: &Option<Address>| address.as_ref().map(words::address);
        LeafForm {
            owners: holders(&leaf.row.owners),
            state: socket.state.map(|state| state.word()),
            local: end(&socket.local),
            peer: end(&socket.peer),
            inode: socket.inode,
            receive_queue: socket.receive_queue,
            send_queue: socket.send_queue,
            peer_owners: holders(&socket.ends),
        }
    }
}

fn holders(ends: &[End]) -> Vec<HolderForm> {
    ends.iter().map(HolderForm::of).collect()
}
