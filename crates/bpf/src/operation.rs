//! From the table of calls to what the programs do with each: `enum op` and `struct action` of `bpf/wire.h`.

use fdscope_syscall::Effect;
use fdscope_syscall::ring::RingEffect;

use crate::wire::Action;

const RETURNS: u8 = 1;
const PAIR: u8 = 2;
const ONE_AT: u8 = 3;
const CLONE3: u8 = 4;
const CLOSE: u8 = 5;
const ONTO: u8 = 6;
const FCNTL: u8 = 7;
const MESSAGE: u8 = 8;
const MESSAGES: u8 = 9;
const IOCTL: u8 = 10;
const PLAIN: u8 = 11;
const INT_AT: u8 = 12;
const RESCAN: u8 = 13;
const SOCKETCALL: u8 = 14;
const SOCKOPT: u8 = 15;
const WAITID: u8 = 16;

const NO_STACK: u8 = 0;
const BIRTH_STACK: u8 = 1;
const DEATH_STACK: u8 = 2;

const CLONE_PIDFD: u32 = 0x1000;

/// What the program does at the return of a call with this effect; `None` for calls that it leaves alone.
pub fn action(effect: Effect, call: u16) -> Option<Action> {
    let (op, arg, stack, mask) = match effect {
        Effect::Returns { .. } | Effect::Dup => (RETURNS, 0, BIRTH_STACK, 0),
        Effect::Pair { arg, .. } => (PAIR, arg, BIRTH_STACK, 0),
        Effect::DupOnto { .. } => (ONTO, 1, BIRTH_STACK, 0),
        Effect::Fcntl => (FCNTL, 0, BIRTH_STACK, 0),
        Effect::Close => (CLOSE, 0, DEATH_STACK, 0),
        Effect::CloseRange => (RESCAN, 0, BIRTH_STACK, 0),
        Effect::Clone => (ONE_AT, 2, BIRTH_STACK, CLONE_PIDFD),
        Effect::Clone3 => (CLONE3, 0, BIRTH_STACK, 0),
        Effect::ReceiveMessage => (MESSAGE, 1, BIRTH_STACK, 0),
        Effect::ReceiveMessages => (MESSAGES, 1, BIRTH_STACK, 0),
        Effect::Ioctl => (IOCTL, 0, BIRTH_STACK, 0),
        Effect::GetSocketOption => (SOCKOPT, 3, BIRTH_STACK, 0),
        Effect::Unshare => (PLAIN, 0, NO_STACK, 0),
        Effect::TimerCreate => (INT_AT, 2, BIRTH_STACK, 0),
        Effect::AddWatch => (PLAIN, 0, BIRTH_STACK, 0),
        Effect::TimerDelete | Effect::RemoveWatch => (PLAIN, 0, DEATH_STACK, 0),
        Effect::Wait => (PLAIN, 0, NO_STACK, 0),
        Effect::WaitId => (WAITID, 2, NO_STACK, 0),
        Effect::SocketCall => (SOCKETCALL, 0, BIRTH_STACK, 0),
        // Births of processes and threads come from the scheduler's tracepoints. Registrations and mappings are
        // counted by sampling: hooking these calls would cost busy servers more than it tells.
        Effect::Fork
        | Effect::EpollControl
        | Effect::Map
        | Effect::MapStruct
        | Effect::Unmap
        | Effect::Remap => return None,
    };
    Some(Action { op, arg, stack, mask, call, ..Action::default() })
}

/// What the program does at the completion of an io_uring operation; `None` for those it leaves alone.
pub fn ring_action(effect: RingEffect, row: u16) -> Option<Action> {
    let op = match effect {
        RingEffect::Returns | RingEffect::Install => RETURNS,
        RingEffect::Close => CLOSE,
        RingEffect::Pair | RingEffect::ReceiveMessage => RESCAN,
        RingEffect::EpollControl => return None,
    };
    Some(Action { op, stack: BIRTH_STACK, call: row, ..Action::default() })
}
