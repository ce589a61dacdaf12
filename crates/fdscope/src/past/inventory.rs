//! Handles of a recording as rows of an inventory.

use std::collections::HashMap;

use fdscope_analyze::LiveHandle;
use fdscope_model::inventory::Entry;
use fdscope_model::{
    Association, Facts, FdNumber, HandleKind, InodeId, Inventories, Inventory, Name, Pid, Socket,
    Symbolizer,
};
use fdscope_proc::ProcError;
use fdscope_render::Charset;
use fdscope_render::handles::Birth;

use super::Past;
use super::socket::socket_of;

/// Reads a recording as others read /proc.
pub struct PastInventories<'a>(pub &'a Past);

impl Inventories for PastInventories<'_> {
    type Error = ProcError;

    fn read(&mut self, pid: Pid) -> Result<Inventory, ProcError> {
        let past = self.0;
        if past.replay.is_gone(pid) {
            return Err(ProcError::Gone { pid });
        }
        let handles = past.replay.ledger.live(pid);
        let shown = handles.iter().filter(|handle| !past.since || handle.birth_seen);
        let entries = shown.map(|handle| past.entry(pid, handle)).collect();
        let process = past.replay.process(pid);
        Ok(Inventory { process, group: Pid(0), entries, faults: Vec::new() })
    }
}

impl Past {
    fn entry(&self, pid: Pid, handle: &LiveHandle) -> Entry {
        let owner = self.replay.process(pid).id;
        let mut entry = Entry::blank(owner, Association::Fd(handle.fd));
        let inode = self.inode(pid, handle);
        entry.handle.kind = handle.kind;
        entry.handle.file = handle.file;
        entry.handle.inode = inode;
        let name = self.replay.names.descriptor(pid, handle.fd).unwrap_or_default();
        if handle.kind == HandleKind::Socket {
            let socket = self.socket(&name, inode);
            entry.facts = Facts::Socket(Box::new(socket));
            // The kernel's own text, as of a living one.
            let link = inode.map(|inode| format!("socket:[{}]", inode.inode));
            entry.handle.name = link.map_or(name, |link| Name::from(link.as_str()));
        } else {
            entry.handle.name = name;
        }
        entry
    }

    /// What is known of a socket by its text and number.
    pub(super) fn socket(&self, text: &Name, inode: Option<InodeId>) -> Socket {
        socket_of(text, inode.map_or(0, |inode| inode.inode))
    }

    /// The inode of a handle.
    pub(super) fn inode(&self, pid: Pid, handle: &LiveHandle) -> Option<InodeId> {
        handle.inode.or_else(|| self.replay.names.inode(pid, handle.fd))
    }

    /// When and by which code handles were made, where that was seen.
    pub fn births(&mut self) -> HashMap<(Pid, FdNumber), Birth> {
        let mut sites = HashMap::new();
        let mut births = HashMap::new();
        for pid in self.replay.ledger.pids() {
            for handle in self.replay.ledger.live(pid).iter().filter(|handle| handle.birth_seen) {
                let names = &mut self.replay.stacks;
                let site = handle.stack.and_then(|stack| {
                    let name = || site_of(&names.symbolize(stack));
                    sites.entry(stack).or_insert_with(name).clone()
                });
                let age_ns = self.replay.now.since_ns(handle.born);
                births.insert((pid, handle.fd), Birth { age_ns, site });
            }
        }
        births
    }
}

fn site_of(stack: &fdscope_model::Symbolized) -> Option<String> {
    let frame = fdscope_render::site::frame_at(&stack.frames, stack.at)?;
    Some(fdscope_render::site::function_and_line(frame, Charset::Utf8))
}
