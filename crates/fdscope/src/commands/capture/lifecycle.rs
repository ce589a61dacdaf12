//! Connections of TCP that one side has ended and the other has not: since when, and who does not close.
//!
//! FINs that were seen say since when; for connections whose FIN came before the capture, the state of the
//! socket says that it came.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};

use fdscope_bpf::states::Change;
use fdscope_model::SocketState;
use fdscope_packet::Time;
use fdscope_packet::ends::{Ends, FIN, RST, SYN, Transport};
use fdscope_render::units::duration_ns;
use fdscope_sys::clock;

use super::filter::Filter;
use super::note::UNKNOWN;
use super::owners::Owners;
use super::surveyor::Owner;
use super::watch::{Birth, Book};

/// A connection is told of when it has been half closed for these times; the whole list at the end too.
const TOLD_AT_S: [u64; 7] = [10, 60, 600, 3_600, 6 * 3_600, 24 * 3_600, 7 * 24 * 3_600];
/// Sockets are looked at this often.
const EVERY_NS: u64 = 5_000_000_000;
/// More connections are not remembered: the rest is known by its state only.
const MOST: usize = 1 << 18;

/// Since when a side has been left alone by its peer.
#[derive(Clone, Copy, Debug)]
struct Half {
    /// When the peer's FIN was seen; none if it came before.
    at: Option<Time>,
    /// When it was first known.
    known_ns: u64,
    /// How many of the times at which it is told of have passed.
    told: usize,
}

/// Connections by the end that has not closed and its peer.
#[derive(Default)]
pub struct Lifecycle {
    halves: HashMap<(SocketAddr, SocketAddr), Half>,
    looked_ns: u64,
}

impl Lifecycle {
    /// Takes notice of a packet.
    pub fn see(&mut self, ends: Ends, flags: u8, time: Time) {
        if ends.transport != Transport::Tcp {
            return;
        }
        let (sender, other) = (ends.source, ends.destination);
        if flags & (SYN | RST) != 0 {
            self.halves.remove(&(sender, other));
            self.halves.remove(&(other, sender));
        } else if flags & FIN != 0 {
            // If the other side ended it first, both have now.
            let was_last = self.halves.remove(&(sender, other)).is_some();
            if !was_last && self.halves.len() < MOST {
                let half = Half { at: Some(time), known_ns: nanos(time), told: 0 };
                self.halves.entry((other, sender)).or_insert(half);
            }
        }
    }

    /// Whether it is time to look at sockets again.
    pub fn is_due(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.looked_ns) >= EVERY_NS
    }

    /// Sentences about connections that stay half closed: those for which it is time, or all that are.
    pub fn tell(
        &mut self,
        owners: &Owners,
        book: Option<&Book>,
        filter: &Filter,
        now_ns: u64,
        all: bool,
    ) -> Vec<String> {
        self.looked_ns = now_ns;
        for (own, peer, owner) in owners.half_closed() {
            // What its FIN would have been asked.
            let ends = Ends { transport: Transport::Tcp, source: peer, destination: own };
            if !filter.accepts_ends(ends, FIN, Some(owner)) {
                continue;
            }
            let half = Half { at: None, known_ns: now_ns, told: 0 };
            self.halves.entry((own, peer)).or_insert(half);
        }
        // What no process holds in this state any more was closed; what came just now may not have been looked for.
        let is_new = |half: &Half| now_ns.saturating_sub(half.known_ns) < EVERY_NS;
        self.halves.retain(|(own, peer), half| {
            owners.half_closed_at(*own, *peer).is_some() || is_new(half)
        });
        let monotonic_ns = clock::monotonic_now().0;
        let mut told = Vec::new();
        for ((own, peer), half) in &mut self.halves {
            let Some(owner) = owners.half_closed_at(*own, *peer) else { continue };
            let silent_ns = owner.silent_ns(monotonic_ns).unwrap_or(0);
            let age_ns = half.at.map_or(silent_ns, |at| now_ns.saturating_sub(nanos(at)));
            let passed = TOLD_AT_S.iter().filter(|at| age_ns >= *at * 1_000_000_000).count();
            if !all && passed <= half.told {
                continue;
            }
            half.told = passed;
            let since = since(half.at.is_some(), age_ns);
            let site = book.and_then(|book| book.birth(owner)).map_or_else(String::new, opened);
            let holder = &owner.text;
            let sentence =
                format!("{own} > {peer}: {since}, this side never closed ({holder}{site})");
            told.push((age_ns, sentence));
        }
        told.sort_by(|a, b| b.cmp(a));
        told.into_iter().map(|(_, sentence)| sentence).collect()
    }
}

fn since(seen: bool, age_ns: u64) -> String {
    let age = duration_ns(age_ns);
    match (seen, age_ns) {
        (true, _) => format!("peer sent FIN {age} ago"),
        (false, 0) => "peer sent FIN before the capture".to_owned(),
        (false, _) => format!("peer sent FIN before the capture, last heard of {age} ago"),
    }
}

/// Whether a change of a state is wanted: a segment either way would be.
pub fn is_wanted(change: &Change, filter: &Filter, owner: Option<&Owner>) -> bool {
    let (_, source, destination) = Owner::key(change);
    let ip = if source.is_ipv4() { destination.ip() } else { destination.ip().to_canonical() };
    let destination = match (source.is_ipv4(), ip.is_ipv4()) {
        (false, true) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, destination.port())),
        _ => destination,
    };
    let ends = Ends { transport: Transport::Tcp, source, destination };
    [ends, ends.reversed()].into_iter().any(|ends| filter.accepts_ends(ends, FIN, owner))
}

/// `10.0.0.7:443 > 10.0.0.9:51812: established -> close-wait ; nginx[812] fd 9`.
pub fn sentence(change: &Change, owner: Option<&Owner>) -> String {
    let (_, own, _) = Owner::key(change);
    let peer = change.peer.map_or_else(String::new, |peer| format!(" > {peer}"));
    let word = |state: Option<SocketState>| state.map_or("unknown", SocketState::word);
    let (before, after) = (word(change.before), word(change.state));
    let owner = owner.map_or(UNKNOWN, |owner| owner.text.as_str());
    format!("{own}{peer}: {before} -> {after} ; {owner}")
}

fn opened(birth: &Birth) -> String {
    let at = if birth.site.starts_with("before ") { "" } else { "at " };
    format!(", opened {at}{}", birth.site)
}

fn nanos(time: Time) -> u64 {
    (time.seconds.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(time.nanos)
}

#[cfg(test)]
mod tests {
    use super::Lifecycle;
    use fdscope_packet::Time;
    use fdscope_packet::ends::{Ends, FIN, RST, SYN, Transport};

    /// Packets, `>` for those of the first end, and the ends that are left alone by them: 1, 2.
    fn check(packets: &[(char, u8)], left: &[u16]) {
        let address = |port: u16| std::net::SocketAddr::from(([10, 0, 0, 1], port));
        let there = Ends { transport: Transport::Tcp, source: address(1), destination: address(2) };
        let mut lifecycle = Lifecycle::default();
        for (way, flags) in packets {
            let ends = if *way == '>' { there } else { there.reversed() };
            lifecycle.see(ends, *flags, Time { seconds: 1, nanos: 0 });
        }
        let mut found: Vec<u16> = lifecycle.halves.keys().map(|(own, _)| own.port()).collect();
        found.sort_unstable();
        assert_eq!(found, left, "{packets:?}");
    }

    #[test]
    fn a_side_is_left_alone_by_the_others_fin_until_its_own() {
        check(&[('>', SYN), ('<', SYN | 16)], &[]);
        check(&[('>', FIN)], &[2]);
        check(&[('<', FIN | 16), ('<', FIN | 16)], &[1]);
        check(&[('>', FIN), ('<', FIN)], &[]);
        check(&[('>', FIN), ('<', RST)], &[]);
        check(&[('>', FIN), ('>', RST)], &[]);
        check(&[('<', FIN), ('>', SYN)], &[]);
    }
}
