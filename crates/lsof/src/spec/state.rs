//! `-s PROTOCOL:STATES`: connections by state.

use fdscope_model::SocketState;

use super::number::without_caret;
use crate::message::Messages;

/// lsof's names of TCP's states, by the kernel's numbers.
const TCP: &[(&str, SocketState)] = &[
    ("ESTABLISHED", SocketState::Established),
    ("SYN_SENT", SocketState::SynSent),
    ("SYN_RECV", SocketState::SynReceived),
    ("FIN_WAIT1", SocketState::FinWait1),
    ("FIN_WAIT2", SocketState::FinWait2),
    ("TIME_WAIT", SocketState::TimeWait),
    ("CLOSE", SocketState::Closed),
    ("CLOSE_WAIT", SocketState::CloseWait),
    ("LAST_ACK", SocketState::LastAck),
    ("LISTEN", SocketState::Listen),
    ("CLOSING", SocketState::Closing),
    ("NEW_SYN_RECV", SocketState::NewSynReceived),
    ("BOUND", SocketState::BoundInactive),
];

/// lsof's name of a state.
pub(crate) fn word(state: SocketState) -> &'static str {
    TCP.iter().find(|row| row.1 == state).map_or("UNKNOWN", |row| row.0)
}

/// The states of one protocol.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct States {
    pub included: Vec<SocketState>,
    pub excluded: Vec<SocketState>,
}

impl States {
    /// The place among the included if it is let in.
    pub(crate) fn included(&self, state: SocketState) -> Option<usize> {
        self.included.iter().position(|s| *s == state)
    }

    /// False if the state is left out, or not among those let in.
    pub(crate) fn selects(&self, state: SocketState) -> bool {
        !self.excluded.contains(&state)
            && (self.included.is_empty() || self.included(state).is_some())
    }

    /// Says which states are both let in and left out.
    pub(crate) fn check(&self, protocol: &str, messages: &mut Messages) {
        for (name, state) in TCP {
            if self.included.contains(state) && self.excluded.contains(state) {
                messages.wrong(&format!("can't include and exclude {protocol} state: {name}"), b"");
            }
        }
    }
}

/// Reads a value into the states of TCP or UDP.
pub(crate) fn read(value: &[u8], tcp: &mut States, udp: &mut States, messages: &mut Messages) {
    let (protocol, states, known) = match value.get(..4) {
        Some(head) if head.eq_ignore_ascii_case(b"tcp:") => ("TCP", tcp, TCP),
        Some(head) if head.eq_ignore_ascii_case(b"udp:") => ("UDP", udp, &TCP[..1]),
        _ => {
            messages.around("unknown -s protocol: \"", value, "\"");
            messages.wrong = true;
            return;
        }
    };
    let list = &value[4..];
    if list.is_empty() {
        return messages.wrong(&format!("no {protocol} state names in: "), value);
    }
    for item in super::number::items(list) {
        let (out, name) = without_caret(item);
        if name.is_empty() {
            messages.wrong(&format!("NULL {protocol} state name in: "), value);
            continue;
        }
        let Some((_, state)) =
            known.iter().find(|row| is(row.0, name)).or_else(|| closed(name, known))
        else {
            messages.wrong(&format!("unknown {protocol} state name: "), name);
            continue;
        };
        let into = if out { &mut states.excluded } else { &mut states.included };
        if into.contains(state) {
            let side = if out { "ex" } else { "in" };
            messages.wrong(&format!("duplicate {protocol} {side}clusion: "), name);
        } else {
            into.push(*state);
        }
    }
}

fn is(word: &str, name: &[u8]) -> bool {
    word.as_bytes().eq_ignore_ascii_case(name)
}

/// lsof knows CLOSED too, for a number that the kernel does not use: it is taken for CLOSE.
fn closed(
    name: &[u8],
    known: &'static [(&'static str, SocketState)],
) -> Option<&'static (&'static str, SocketState)> {
    known.iter().find(|row| row.1 == SocketState::Closed).filter(|_| is("CLOSED", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, selects: &[SocketState], not: &[SocketState], said: &str) {
        let mut messages = Messages::new("lsof");
        let (mut tcp, mut udp) = (States::default(), States::default());
        read(value.as_bytes(), &mut tcp, &mut udp, &mut messages);
        assert_eq!(String::from_utf8_lossy(&messages.text), said, "{value}");
        selects.iter().for_each(|state| assert!(tcp.selects(*state), "{value} {state:?}"));
        not.iter().for_each(|state| assert!(!tcp.selects(*state), "{value} {state:?}"));
    }

    #[test]
    fn states_are_let_in_or_left_out() {
        use SocketState::{Established, Listen};
        check("TCP:LISTEN", &[Listen], &[Established], "");
        check("tcp:^listen", &[Established], &[Listen], "");
        check("tcp:LISTEN,ESTABLISHED", &[Listen, Established], &[], "");
        check("TCP:", &[], &[], "lsof: no TCP state names in: TCP:\n");
        check("TCP:NOPE", &[], &[], "lsof: unknown TCP state name: NOPE\n");
        check("XYZ:LISTEN", &[], &[], "lsof: unknown -s protocol: \"XYZ:LISTEN\"\n");
        check("TCP:LISTEN,LISTEN", &[Listen], &[], "lsof: duplicate TCP inclusion: LISTEN\n");
        check("UDP:ESTABLISHED", &[], &[], "");
    }
}
