//! What is written behind a packet: who has its socket, which thread sent it, how old the socket is, where it was opened.

use std::fmt::Write as _;

use fdscope_render::units::duration_ns;

use super::owners::Known;
use super::watch::Birth;
use fdscope_model::Monotonic;

/// What is said of packets whose owner was not found.
pub const UNKNOWN: &str = "unknown";
/// Sockets younger than this are new: packets and what is known of sockets have clocks of their own.
const NEW_NS: u64 = 1_000_000;

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// One line.
    Line,
    /// Of a sent packet also if its thread is the first one or not known, and the callers of the place, a line each.
    Callers,
}

/// Appends what is known of a packet that was sent at `sent_ns` on the monotonic clock.
pub fn write(note: &mut String, known: &Known, birth: Option<&Birth>, sent_ns: u64, depth: Depth) {
    note.push_str(&known.owner.text);
    match &known.thread {
        Some(thread) if !thread.is_first => add(note, &thread.text),
        Some(_) if depth == Depth::Callers => add(note, "its first thread"),
        None if depth == Depth::Callers && known.is_sent => add(note, "thread unknown"),
        _ => {}
    }
    let born_ns = birth.and_then(Birth::born).map(|born| born.0).or(known.born_ns);
    let (age_ns, is_older) = match born_ns {
        Some(born_ns) => (sent_ns.saturating_sub(born_ns), false),
        None => known.owner.age(sent_ns),
    };
    match (age_ns < NEW_NS, is_older) {
        (true, false) => add(note, "new"),
        (true, true) => {}
        (false, _) => {
            let over = if is_older { ">" } else { "" };
            let _infallible = write!(note, ", age {over}{}", duration_ns(age_ns));
        }
    }
    if let Some(birth) = birth {
        note.push_str("; ");
        note.push_str(&birth.note(Monotonic(sent_ns)));
        if depth == Depth::Callers {
            note.push_str(&birth.callers);
        }
    }
}

fn add(note: &mut String, words: &str) {
    note.push_str(", ");
    note.push_str(words);
}
