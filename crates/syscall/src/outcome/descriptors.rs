//! The facts about descriptors that take more than the result: copies, ranges, messages, structures.

use fdscope_model::HandleKind;

use super::{Invocation, Outcome};
use crate::effect::Effect;
use crate::ioctls::{Place, ioctl};
use crate::memory::Memory;
use crate::message::{self, Carrier};
use crate::options::socket_option;

const NO_MEMORY: (u64, &[u8]) = (0, &[]);

impl Invocation {
    pub(super) fn copies(&self, result: u32, tell: &mut dyn FnMut(Outcome)) {
        const F_DUPFD: u32 = 0;
        const F_SETFD: u32 = 2;
        const F_DUPFD_CLOEXEC: u32 = 1030;
        let of = self.arg32(0);
        let kind = HandleKind::UnknownDescriptor;
        let copy =
            |cloexec| Outcome::Made { fd: result, kind, cloexec: Some(cloexec), of: Some(of) };
        match self.call.effect {
            Effect::Dup => tell(copy(false)),
            Effect::DupOnto { cloexec } if result != of => {
                tell(Outcome::Replaced(result));
                tell(copy(self.flag(cloexec, &NO_MEMORY).unwrap_or(false)));
            }
            Effect::Fcntl => match self.arg32(1) {
                F_DUPFD => tell(copy(false)),
                F_DUPFD_CLOEXEC => tell(copy(true)),
                F_SETFD => tell(Outcome::Flagged(of, self.args[2] & 1 != 0)),
                _ => {}
            },
            _ => {}
        }
    }

    pub(super) fn close_range(&self, tell: &mut dyn FnMut(Outcome)) {
        const CLOSE_RANGE_UNSHARE: u32 = 2;
        const CLOSE_RANGE_CLOEXEC: u32 = 4;
        let (first, last, flags) = (self.arg32(0), self.arg32(1), self.arg32(2));
        if flags & CLOSE_RANGE_UNSHARE != 0 {
            tell(Outcome::Unshared);
        }
        tell(match flags & CLOSE_RANGE_CLOEXEC {
            0 => Outcome::ClosedRange(first, last),
            _ => Outcome::FlaggedRange(first, last),
        });
    }

    pub(super) fn clone_pidfd(&self, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        const CLONE_PIDFD: u64 = 0x1000;
        if self.clone_flags(memory).is_none_or(|flags| flags & CLONE_PIDFD == 0) {
            return;
        }
        let place = match self.call.effect {
            Effect::Clone3 => memory.u64_at(self.args[0].wrapping_add(8)),
            _ => Some(self.args[2]),
        };
        if let Some(fd) = place.and_then(|address| memory.u32_at(address)) {
            tell(Outcome::Made { fd, kind: HandleKind::PidFd, cloexec: Some(true), of: None });
        }
    }

    pub(super) fn received(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let (count, flags) = match self.call.effect {
            Effect::ReceiveMessages => (result.clamp(0, 1024) as u64, self.args[3]),
            _ => (1, self.args[2]),
        };
        let stride = message::vector_stride(self.arch) as u64;
        for index in 0..count {
            self.message(self.args[1].wrapping_add(index * stride), flags, memory, tell);
        }
    }

    fn message(&self, at: u64, flags: u64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;
        /// More than the kernel ever puts: SCM_MAX_FD is 253.
        const MOST: u64 = 16 << 10;
        let mut header = [0; 64];
        let header = &mut header[..message::header_bytes(self.arch)];
        let read = memory.read(at, header);
        let Some(control) = message::control(&header[..read], self.arch) else { return };
        if control.address == 0 || control.length == 0 {
            return;
        }
        let mut bytes = vec![0; control.length.min(MOST) as usize];
        let read = memory.read(control.address, &mut bytes);
        for carried in message::carried(&bytes[..read], self.arch) {
            let (kind, cloexec) = match carried.by {
                Carrier::Rights => (HandleKind::UnknownDescriptor, flags & MSG_CMSG_CLOEXEC != 0),
                Carrier::PidFd => (HandleKind::PidFd, true),
            };
            tell(Outcome::Made { fd: carried.fd, kind, cloexec: Some(cloexec), of: None });
        }
    }

    pub(super) fn ioctl(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let Some(row) = ioctl(self.arg32(1)) else { return };
        let fd = match row.place {
            Place::Result => Some(result as u32),
            Place::Struct(offset) => memory.u32_at(self.args[2].wrapping_add(offset.into())),
            Place::OtherProcess => None,
        };
        if let Some(fd) = fd.filter(|fd| *fd <= i32::MAX as u32) {
            let cloexec = self.flag(row.cloexec, memory);
            tell(Outcome::Made { fd, kind: row.kind, cloexec, of: None });
        }
    }

    pub(super) fn socket_option(&self, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let Some(row) = socket_option(self.arg32(1), self.arg32(2)) else { return };
        let at = self.args[3].wrapping_add(row.offset.into());
        if let Some(fd) = memory.u32_at(at).filter(|fd| *fd <= i32::MAX as u32) {
            let cloexec = self.flag(row.cloexec, memory);
            tell(Outcome::Made { fd, kind: row.kind, cloexec, of: None });
        }
    }
}
