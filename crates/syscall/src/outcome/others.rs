//! The facts about timers, watches, registrations, mappings and children.

use super::{Invocation, Outcome};
use crate::effect::Effect;
use crate::memory::{Memory, u32_in};

impl Invocation {
    pub(super) fn registrations(
        &self,
        result: u32,
        memory: &dyn Memory,
        tell: &mut dyn FnMut(Outcome),
    ) {
        const EPOLL_CTL_ADD: u32 = 1;
        const EPOLL_CTL_DEL: u32 = 2;
        let (first, second) = (self.arg32(0), self.arg32(1));
        match (self.call.effect, second) {
            (Effect::TimerCreate, _) => {
                if let Some(id) = memory.u32_at(self.args[2]) {
                    tell(Outcome::TimerMade(id));
                }
            }
            (Effect::TimerDelete, _) => tell(Outcome::TimerEnded(first)),
            (Effect::AddWatch, _) => tell(Outcome::Watched(first, result)),
            (Effect::RemoveWatch, watch) => tell(Outcome::Unwatched(first, watch)),
            (Effect::EpollControl, EPOLL_CTL_ADD) => {
                tell(Outcome::Registered(first, self.arg32(2)))
            }
            (Effect::EpollControl, EPOLL_CTL_DEL) => {
                tell(Outcome::Unregistered(first, self.arg32(2)));
            }
            _ => {}
        }
    }

    pub(super) fn mappings(&self, result: u64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        match self.call.effect {
            Effect::Map => tell(Outcome::Mapped(self.address(result), self.args[1])),
            Effect::MapStruct => {
                if let Some(length) = memory.u32_at(self.args[0].wrapping_add(4)) {
                    tell(Outcome::Mapped(self.address(result), length.into()));
                }
            }
            Effect::Unmap => tell(Outcome::Unmapped(self.args[0], self.args[1])),
            Effect::Remap => {
                tell(Outcome::Unmapped(self.args[0], self.args[1]));
                tell(Outcome::Mapped(self.address(result), self.args[2]));
            }
            _ => {}
        }
    }

    fn address(&self, result: u64) -> u64 {
        if self.arch.is_compat() { result & 0xffff_ffff } else { result }
    }

    pub(super) fn reaped(&self, result: i64, memory: &dyn Memory, tell: &mut dyn FnMut(Outcome)) {
        let child = match self.call.effect {
            Effect::Wait => self.waited(result, memory),
            _ => self.waited_id(memory),
        };
        if let Some(child) = child.filter(|child| *child > 0) {
            tell(Outcome::Reaped(child));
        }
    }

    /// wait4 also reports children that stopped or continued (low byte 0x7f, or all ones); without a status to look
    /// at, they can only be meant if WUNTRACED or WCONTINUED was asked for.
    fn waited(&self, result: i64, memory: &dyn Memory) -> Option<u32> {
        const WUNTRACED_WCONTINUED: u64 = 2 | 8;
        let gone = match memory.u32_at(self.args[1]) {
            Some(status) => status & 0xff != 0x7f && status != 0xffff,
            None => self.args[2] & WUNTRACED_WCONTINUED == 0,
        };
        gone.then_some(result as u32)
    }

    /// `siginfo_t`: `si_code` is the third int, `si_pid` follows at the next multiple of the pointer size.
    fn waited_id(&self, memory: &dyn Memory) -> Option<u32> {
        const P_PID: u32 = 1;
        const WNOWAIT: u64 = 0x0100_0000;
        const WSTOPPED_WCONTINUED: u64 = 2 | 8;
        const CLD_EXITED_KILLED_DUMPED: std::ops::RangeInclusive<u32> = 1..=3;
        if self.args[3] & WNOWAIT != 0 {
            return None;
        }
        let mut bytes = [0; 24];
        let read = memory.read(self.args[2], &mut bytes);
        if read < bytes.len() {
            let only_ends = self.args[3] & WSTOPPED_WCONTINUED == 0;
            return (only_ends && self.arg32(0) == P_PID).then(|| self.arg32(1));
        }
        let code = u32_in(&bytes, 8)?;
        let pid_at = 12usize.next_multiple_of(self.arch.pointer_bytes());
        let pid = u32_in(&bytes, pid_at)?;
        CLD_EXITED_KILLED_DUMPED.contains(&code).then_some(pid)
    }
}
