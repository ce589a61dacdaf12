//! How old sockets are, and which code made them: exactly where a trace saw their birth, else at least so old as what is
//! known of them proves. The kernel itself keeps no date.

use std::rc::Rc;

use fdscope_model::stack::Frame;
use fdscope_model::{Socket, SocketState};

use super::SocketRow;
use crate::charset::Charset;
use crate::column::{Value, Vocabulary, write_json};
use crate::json::stack as stack_json;
use crate::{site, units};

/// How long a connection stays in TIME_WAIT (`TCP_TIMEWAIT_LEN`, include/net/tcp.h).
const TIME_WAIT_NS: u64 = 60_000_000_000;
/// The kernel's number of the timer of TIME_WAIT in sock_diag.
const TIME_WAIT_TIMER: u8 = 3;
/// Frames of a stack that a table names.
const NAMED: usize = 6;

/// What a trace knows of a socket's birth.
#[derive(Clone, PartialEq, Debug)]
pub struct Made {
    /// How long ago.
    pub age_ns: u64,
    /// The stack that made it, innermost first; empty where none was taken.
    pub frames: Rc<[Frame]>,
    /// Index of the first frame above plumbing.
    pub at: Option<usize>,
}

/// What an age is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Its birth was seen: the age is exact.
    Birth,
    /// It was there so long ago, when a watch or a recording saw it first: it is at least so old.
    Watch,
    /// The kernel's times of its traffic, or of its last timer: it is at least so old.
    Traffic,
}

impl By {
    const ALL: [By; 3] = [By::Birth, By::Watch, By::Traffic];

    fn word(self) -> &'static str {
        match self {
            By::Birth => "birth",
            By::Watch => "watch",
            By::Traffic => "traffic",
        }
    }
}

/// The words for what an age is known by.
pub(super) static BY: Vocabulary = Vocabulary {
    all: || By::ALL.map(By::word).to_vec(),
    find: |text| By::ALL.map(By::word).into_iter().find(|word| word.eq_ignore_ascii_case(text)),
};

/// The age of a socket, and what it is known by.
fn known(row: &SocketRow) -> Option<(u64, By)> {
    if let Some(made) = &row.made {
        return Some((made.age_ns, By::Birth));
    }
    let watched = row.seen_ns.map(|ns| (ns, By::Watch));
    let traffic = by_traffic(&row.socket).map(|ns| (ns, By::Traffic));
    [watched, traffic].into_iter().flatten().max_by_key(|age| age.0)
}

/// The kernel sets all three times when a connection is made and whenever something happens on it, so the longest past
/// of them happened while it was there.
fn by_traffic(socket: &Socket) -> Option<u64> {
    use SocketState::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};
    match socket.state? {
        Established | CloseWait | FinWait1 | FinWait2 | LastAck | Closing => {
            let detail = socket.detail.as_ref()?;
            let times = [detail.last_sent_ns, detail.last_received_ns, detail.last_acknowledged_ns];
            times.into_iter().flatten().max()
        }
        TimeWait => {
            let timer = socket.timer.filter(|timer| timer.class == TIME_WAIT_TIMER)?;
            TIME_WAIT_NS.checked_sub(timer.remaining_ns)
        }
        _ => None,
    }
}

pub(super) fn age(row: &SocketRow) -> Value<'_> {
    Value::known(known(row), |(ns, _)| Value::Duration(ns))
}

/// A lower bound is shown as one.
pub(super) fn show_age(row: &SocketRow, charset: Charset, out: &mut String) {
    let Some((ns, by)) = known(row) else { return };
    let mark = if by == By::Birth { "" } else { "≥ " };
    out.push_str(&charset.sentence(&format!("{mark}{}", units::duration_ns(ns))));
}

pub(super) fn by(row: &SocketRow) -> Value<'_> {
    Value::known(known(row), |(_, by)| Value::Word(by.word()))
}

pub(super) fn made_by(row: &SocketRow) -> Value<'_> {
    let frame = row.made.as_ref().and_then(|made| site::frame_at(&made.frames, made.at));
    Value::known(frame, |frame| Value::Phrase(site::function_and_line(frame, Charset::Utf8)))
}

/// From the site outwards: `open_socket < serve < main`.
pub(super) fn stack(row: &SocketRow) -> Value<'_> {
    let Some(made) = &row.made else { return Value::Missing };
    let begin = made.at.unwrap_or(0).min(made.frames.len());
    let named = made.frames.iter().skip(begin).map(|frame| site::function(frame, Charset::Utf8));
    let mut names: Vec<String> = named.take(NAMED + 1).collect();
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("…".to_owned());
    }
    Value::phrase(names.join(" < "))
}

/// Every frame, innermost first.
pub(super) fn stack_frames(row: &SocketRow, out: &mut Vec<u8>) {
    match &row.made {
        None => write_json(&Vec::<u8>::new(), out),
        Some(made) => stack_json(&made.frames, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::{SocketDetail, SocketTimer};

    fn row(state: SocketState, times: [Option<u64>; 3]) -> SocketRow {
        let [last_sent_ns, last_received_ns, last_acknowledged_ns] = times;
        let detail = SocketDetail {
            last_sent_ns,
            last_received_ns,
            last_acknowledged_ns,
            ..SocketDetail::default()
        };
        let socket =
            Socket { state: Some(state), detail: Some(Box::new(detail)), ..Socket::unknown(7) };
        SocketRow::of(socket)
    }

    fn check(row: &SocketRow, shown: &str, word: Option<&'static str>) {
        let mut out = String::new();
        show_age(row, Charset::Utf8, &mut out);
        assert_eq!(out, shown);
        assert_eq!(by(row), word.map_or(Value::Missing, Value::Word));
    }

    #[test]
    fn an_age_is_exact_where_the_birth_was_seen_and_else_a_bound() {
        const S: u64 = 1_000_000_000;
        let times = [Some(3 * S), Some(700 * S), None];
        let mut old = row(SocketState::CloseWait, times);
        check(&old, "≥ 11 min 40 s", Some("traffic"));
        old.seen_ns = Some(2 * S);
        check(&old, "≥ 11 min 40 s", Some("traffic"));
        old.seen_ns = Some(1200 * S);
        check(&old, "≥ 20 min", Some("watch"));
        old.made = Some(Made { age_ns: 1300 * S, frames: Rc::new([]), at: None });
        check(&old, "21 min 40 s", Some("birth"));
        // Of one that is not connected these times tell nothing.
        check(&row(SocketState::Listen, times), "", None);
        check(&row(SocketState::SynSent, times), "", None);
    }

    #[test]
    fn a_timer_tells_how_long_it_waits_already() {
        let mut over = row(SocketState::TimeWait, [None; 3]);
        check(&over, "", None);
        let remaining_ns = 45_000_000_000;
        over.socket.timer = Some(SocketTimer { class: 3, remaining_ns, retries: 0 });
        check(&over, "≥ 15 s", Some("traffic"));
        let remaining_ns = 120_000_000_000;
        over.socket.timer = Some(SocketTimer { class: 3, remaining_ns, retries: 0 });
        check(&over, "", None);
    }
}
