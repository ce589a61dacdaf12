//! One living handle as the ledger remembers it: 48 bytes, no text.

use fdscope_model::{AcquireCause, DeviceId, FileId, HandleKind, InodeId, Monotonic, StackId, Tid};

/// How a living handle came to be, as far as the verdict cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// Born while watched, by a call of any kind.
    Seen,
    /// There when watching began.
    Existing,
    /// Copied by fork or unshare.
    Inherited,
    /// Born while watched, but nobody saw how.
    Found,
}

impl From<AcquireCause> for Origin {
    fn from(cause: AcquireCause) -> Self {
        match cause {
            AcquireCause::Call(_) | AcquireCause::Dup(..) | AcquireCause::Ring(_) => Origin::Seen,
            AcquireCause::Existing => Origin::Existing,
            AcquireCause::Inherited => Origin::Inherited,
            AcquireCause::Found => Origin::Found,
        }
    }
}

const INODE_KNOWN: u8 = 1;
const CLOEXEC_KNOWN: u8 = 2;
const CLOEXEC_ON: u8 = 4;
const CLOSE_PENDING: u8 = 8;
const DISPLACER: u8 = 16;
const CROSSED_EXEC: u8 = 32;
const GIVEN: u8 = 64;

/// Which open file description a handle refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Description {
    /// The kernel's own identity.
    Known(FileId),
    /// The ledger's number, where the source cannot tell: dups and forks of one birth share it.
    Deduced(u64),
}

/// A living handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) born: Monotonic,
    pub(crate) description: Description,
    inode: u64,
    device: u32,
    /// The group its birth counts in.
    pub(crate) group: u32,
    /// The birth stack.
    stack: u32,
    pub(crate) tid: Tid,
    /// The closer's stack while `close_pending`.
    closer: u32,
    pub(crate) kind: HandleKind,
    pub(crate) origin: Origin,
    marks: u8,
}

/// The stack number that stands for none.
const NO_STACK: u32 = u32::MAX;

fn pack(stack: Option<StackId>) -> u32 {
    stack.map_or(NO_STACK, |stack| stack.0)
}

fn unpack(stack: u32) -> Option<StackId> {
    (stack != NO_STACK).then_some(StackId(stack))
}

impl Entry {
    pub(crate) fn new(born: Monotonic, description: Description, origin: Origin) -> Self {
        Entry {
            born,
            description,
            inode: 0,
            device: 0,
            group: 0,
            stack: NO_STACK,
            tid: Tid(0),
            closer: NO_STACK,
            kind: HandleKind::UnknownDescriptor,
            origin,
            marks: 0,
        }
    }

    fn mark(&mut self, mark: u8, on: bool) {
        self.marks = if on { self.marks | mark } else { self.marks & !mark };
    }

    fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub(crate) fn file(&self) -> Option<FileId> {
        match self.description {
            Description::Known(file) => Some(file),
            Description::Deduced(_) => None,
        }
    }

    pub(crate) fn stack(&self) -> Option<StackId> {
        unpack(self.stack)
    }

    pub(crate) fn set_stack(&mut self, stack: Option<StackId>) {
        self.stack = pack(stack);
    }

    pub(crate) fn inode(&self) -> Option<InodeId> {
        let inode = InodeId { device: DeviceId(self.device), inode: self.inode };
        self.has(INODE_KNOWN).then_some(inode)
    }

    pub(crate) fn set_inode(&mut self, inode: Option<InodeId>) {
        if let Some(inode) = inode {
            (self.device, self.inode) = (inode.device.0, inode.inode);
            self.mark(INODE_KNOWN, true);
        }
    }

    pub(crate) fn cloexec(&self) -> Option<bool> {
        self.has(CLOEXEC_KNOWN).then(|| self.has(CLOEXEC_ON))
    }

    pub(crate) fn set_cloexec(&mut self, cloexec: Option<bool>) {
        if let Some(on) = cloexec {
            self.mark(CLOEXEC_KNOWN, true);
            self.mark(CLOEXEC_ON, on);
        }
    }

    /// True if the caller of fdscope gave it to the launched program, or it is a copy of such.
    pub(crate) fn is_given(&self) -> bool {
        self.has(GIVEN)
    }

    pub(crate) fn set_given(&mut self, on: bool) {
        self.mark(GIVEN, on);
    }

    /// The closer, if a close was seen whose effect was not: outer `None` if no close is pending.
    pub(crate) fn pending_close(&self) -> Option<Option<StackId>> {
        self.has(CLOSE_PENDING).then(|| unpack(self.closer))
    }

    pub(crate) fn set_pending_close(&mut self, closer: Option<StackId>) {
        self.closer = pack(closer);
        self.mark(CLOSE_PENDING, true);
    }

    /// True if this entry took the place of one whose close was not seen yet.
    pub(crate) fn is_displacer(&self) -> bool {
        self.has(DISPLACER)
    }

    pub(crate) fn set_displacer(&mut self, on: bool) {
        self.mark(DISPLACER, on);
    }

    /// True if the descriptor survived an exec, as far as known.
    pub(crate) fn crossed_exec(&self) -> bool {
        self.has(CROSSED_EXEC)
    }

    pub(crate) fn set_crossed_exec(&mut self, on: bool) {
        self.mark(CROSSED_EXEC, on);
    }

    /// Could both be the same handle, by what is known of both?
    pub(crate) fn agrees_with(&self, file: Option<FileId>, inode: Option<InodeId>) -> bool {
        let files = self.file().zip(file).is_none_or(|(a, b)| a == b);
        let inodes = self.inode().zip(inode).is_none_or(|(a, b)| a == b);
        files && inodes
    }

    /// Takes over what a later look at the same handle told.
    pub(crate) fn learn(&mut self, file: Option<FileId>, inode: Option<InodeId>, kind: HandleKind) {
        if let Some(file) = file {
            self.description = Description::Known(file);
        }
        self.set_inode(inode);
        if self.kind == HandleKind::UnknownDescriptor {
            self.kind = kind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // With a four-byte key, in a map at its emptiest (7/16 full): (60 rounded to 64 + 1) / 0.4375 = 149 bytes.
        assert!(size_of::<Entry>() <= 56, "{}", size_of::<Entry>());
    }
}
