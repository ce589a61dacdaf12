//! Packets that wait: for a survey that tells whose they are, or for a site to be found to leak.

use fdscope_packet::ends::Ends;
use fdscope_packet::link::LinkType;
use fdscope_packet::{Packet, Time};
use std::collections::VecDeque;

use super::owners::{Known, Way};
use super::surveyor::Owner;

/// A packet waits no longer than this for its owner to be found.
pub const PATIENCE_NS: u64 = 60_000_000_000;
/// More bytes do not wait for owners: then what is known by now is told.
const MOST_WAITING: usize = 16 << 20;
/// More bytes of packets of sockets that nobody suspects yet are not kept: the oldest go.
const MOST_KEPT: usize = 16 << 20;
/// What a packet takes beside its bytes.
const EACH: usize = size_of::<Held>() + 32;

/// A packet of its own.
#[derive(Debug)]
pub struct Held {
    time: Time,
    length: u32,
    link: LinkType,
    bytes: Box<[u8]>,
    /// Between whom it went, and TCP's flags.
    pub ends: Option<(Ends, u8)>,
    /// Which way.
    pub way: Way,
    /// When it was taken out of the ring.
    pub came_ns: u64,
}

impl Held {
    /// A copy of a packet.
    pub fn of(packet: &Packet<'_>, ends: Option<(Ends, u8)>, way: Way, came_ns: u64) -> Self {
        let Packet { time, length, bytes, link } = *packet;
        Held { time, length, link, bytes: bytes.into(), ends, way, came_ns }
    }

    /// The packet.
    pub fn packet(&self) -> Packet<'_> {
        Packet { time: self.time, length: self.length, bytes: &self.bytes, link: self.link }
    }

    fn size(&self) -> usize {
        self.bytes.len() + EACH
    }
}

/// Packets in the order in which they came; behind one that waits, all do.
#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Held>,
    bytes: usize,
}

impl Waiting {
    /// True if none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// True if no more should wait.
    pub fn is_full(&self) -> bool {
        self.bytes > MOST_WAITING
    }

    /// The one that has waited longest.
    pub fn first(&self) -> Option<&Held> {
        self.queue.front()
    }

    /// Puts one at the end.
    pub fn push(&mut self, held: Held) {
        self.bytes += held.size();
        self.queue.push_back(held);
    }

    /// Takes the one that has waited longest.
    pub fn pop(&mut self) -> Option<Held> {
        let held = self.queue.pop_front()?;
        self.bytes -= held.size();
        Some(held)
    }
}

/// Packets of watched sockets that nobody suspects yet: should one be found to leak, its first packets are there.
#[derive(Default)]
pub struct History {
    kept: VecDeque<(Held, Known)>,
    bytes: usize,
    /// Packets that there was no room for.
    pub forgotten: u64,
}

impl History {
    /// Keeps a packet; the oldest makes room for it.
    pub fn keep(&mut self, held: Held, known: Known) {
        self.bytes += held.size();
        self.kept.push_back((held, known));
        while self.bytes > MOST_KEPT
            && let Some((oldest, _)) = self.kept.pop_front()
        {
            self.bytes -= oldest.size();
            self.forgotten += 1;
        }
    }

    /// Takes the packets of the owners that are asked for, in the order in which they came.
    pub fn take(&mut self, wanted: impl Fn(&Owner) -> bool) -> Vec<(Held, Known)> {
        let mut taken = Vec::new();
        for (held, known) in std::mem::take(&mut self.kept) {
            if wanted(&known.owner) {
                self.bytes -= held.size();
                taken.push((held, known));
            } else {
                self.kept.push_back((held, known));
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{EACH, Held, MOST_WAITING, Waiting};
    use crate::commands::capture::owners::Way;
    use fdscope_packet::link::LinkType;
    use fdscope_packet::{Packet, Time};

    #[test]
    fn what_waits_keeps_its_order_and_its_size_is_known() {
        let mut waiting = Waiting::default();
        for second in 0..2 {
            let time = Time { seconds: second, nanos: 0 };
            let bytes = vec![0; MOST_WAITING / 2 - EACH + second as usize];
            let packet = Packet { time, length: 1, bytes: &bytes, link: LinkType::RAW };
            waiting.push(Held::of(&packet, None, Way::In, 0));
        }
        assert!(waiting.is_full());
        assert_eq!(waiting.pop().map(|held| held.packet().time.seconds), Some(0));
        assert!(!waiting.is_full() && !waiting.is_empty());
        assert_eq!(waiting.pop().map(|held| held.packet().time.seconds), Some(1));
        assert!(waiting.is_empty() && waiting.pop().is_none());
    }
}
