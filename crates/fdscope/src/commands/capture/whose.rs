//! From a packet that came to one that is told: whose it is, whether it is wanted, and the wait for either.

use std::sync::Arc;

use anyhow::Result;
use fdscope_model::Monotonic;
use fdscope_packet::ends::Ends;
use fdscope_packet::{Packet, Time};
use fdscope_sys::clock;

use super::late::{Held, PATIENCE_NS};
use super::lifecycle;
use super::live::{Next, Run};
use super::owners::{Answer, Known, Way};
use super::say;
use super::surveyor::Owner;

/// When a packet was, on the monotonic clock, of which the other one is `apart_ns` ahead.
pub(super) fn monotonic_ns(time: Time, apart_ns: u64) -> u64 {
    let wall_ns = (time.seconds.max(0) as u64).saturating_mul(1_000_000_000) + time.nanos;
    wall_ns.saturating_sub(apart_ns)
}

impl Run<'_> {
    /// A packet came: it is told or passed over at once, or waits for its owner to be known.
    pub(super) fn came(&mut self, packet: &Packet<'_>, way: Way) -> Result<Next> {
        let Some(owners) = &mut self.owners else {
            if self.ask && !self.filter.accepts(packet, None) {
                return Ok(Next::More);
            }
            return self.tell(packet, None, None, None);
        };
        let ends = Ends::with_flags(packet);
        if self.waiting.is_empty() {
            let sent_ns = monotonic_ns(packet.time, self.clocks_apart_ns);
            let answer = ends.map(|(ends, _)| owners.of(ends, way, sent_ns, self.now_ns));
            match answer {
                Some(Answer::Later) => {}
                Some(Answer::Known(known)) => return self.judge(packet, ends, way, Some(known)),
                Some(Answer::Unknown) | None => return self.judge(packet, ends, way, None),
            }
        }
        self.waiting.push(Held::of(packet, ends, way, self.now_ns));
        // Room is made, if need be, by telling one as it is known by now.
        let full = self.waiting.is_full();
        self.settle_with(usize::from(full))
    }

    /// Tells the packets that waited for as long as their owners are known, or were looked for.
    pub(super) fn settle(&mut self) -> Result<Next> {
        self.settle_with(0)
    }

    /// Tells all that wait: one more survey, and what that does not find is not known.
    pub(super) fn settle_all(&mut self) -> Result<()> {
        if let Some(owners) = self.owners.as_mut().filter(|_| !self.waiting.is_empty()) {
            owners.survey_now();
        }
        self.settle_with(usize::MAX).map(|_| ())
    }

    /// The same, with so many that need not wait any longer.
    fn settle_with(&mut self, mut impatient: usize) -> Result<Next> {
        while let (Some(first), Some(owners)) = (self.waiting.first(), &mut self.owners) {
            let waited_ns = self.now_ns.saturating_sub(first.came_ns);
            let sent_ns = monotonic_ns(first.packet().time, self.clocks_apart_ns);
            let answer =
                first.ends.map(|(ends, _)| owners.of(ends, first.way, sent_ns, first.came_ns));
            let known = match answer {
                Some(Answer::Known(known)) => Some(known),
                Some(Answer::Later) if waited_ns < PATIENCE_NS => {
                    let Some(left) = impatient.checked_sub(1) else { break };
                    impatient = left;
                    None
                }
                _ => None,
            };
            let Some(held) = self.waiting.pop() else { break };
            if self.judge(&held.packet(), held.ends, held.way, known)? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        Ok(Next::More)
    }

    /// Whether a packet is wanted, its owner being known or not.
    fn judge(
        &mut self,
        packet: &Packet<'_>,
        ends: Option<(Ends, u8)>,
        way: Way,
        known: Option<Known>,
    ) -> Result<Next> {
        if self.ask && !self.filter.accepts(packet, known.as_ref().map(|known| &*known.owner)) {
            return Ok(Next::More);
        }
        let (Some(beside), Some(of)) = (&self.beside, &known) else {
            if self.options.leaked {
                return Ok(Next::More);
            }
            return self.tell(packet, ends, known.as_ref(), None);
        };
        let book = Arc::clone(beside.book());
        let birth = book.birth(&of.owner);
        let leaks = birth.is_some_and(|birth| birth.finding(Monotonic(self.now_ns)).is_some());
        if self.options.leaked && !leaks {
            if birth.is_some() || beside.watches(&of.owner) {
                self.history.keep(Held::of(packet, ends, way, self.now_ns), of.clone());
            }
            return Ok(Next::More);
        }
        self.tell(packet, ends, known.as_ref(), birth)
    }

    /// Hears what the watch has to say: its news, and packets kept of sockets that it suspects now.
    pub(super) fn keep_watch(&mut self) -> Result<Next> {
        let Some(beside) = &mut self.beside else { return Ok(Next::More) };
        for sentence in beside.news() {
            say(&format!("{}: {sentence}", self.guise.program()));
        }
        let over = self.options.leaked && beside.has_ended();
        if !beside.refresh() && !over {
            return Ok(Next::More);
        }
        let (book, now) = (Arc::clone(beside.book()), Monotonic(clock::monotonic_now().0));
        let leaks =
            |owner: &Owner| book.birth(owner).and_then(|birth| birth.finding(now)).is_some();
        for (held, known) in self.history.take(leaks) {
            let birth = book.birth(&known.owner);
            if self.tell(&held.packet(), held.ends, Some(&known), birth)? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        Ok(if over { Next::Stop } else { Next::More })
    }

    /// Ends the watch, and tells its last news.
    pub(super) fn end_watch(&mut self) -> Result<()> {
        let Some(beside) = &mut self.beside else { return Ok(()) };
        let ended = beside.finish();
        self.keep_watch()?;
        let program = self.guise.program();
        if self.history.forgotten > 0 {
            say(&format!(
                "{program}: {} older packets of sockets not suspected yet were not kept",
                self.history.forgotten
            ));
        }
        ended
    }

    /// Tells of changes of states that came before a moment on the monotonic clock.
    pub(super) fn tell_changes(&mut self, before_ns: u64) -> Result<()> {
        while let Some(owners) = self.owners.as_mut().filter(|_| self.lifecycle.is_some())
            && let Some(change) = owners.change_before(before_ns)
        {
            let owner = owners.of_change(&change).cloned();
            let owner = owner.as_deref();
            if lifecycle::is_wanted(&change, &self.filter, owner) {
                let at_ns = change.at.0.saturating_add(self.clocks_apart_ns);
                self.line_at(at_ns, &lifecycle::sentence(&change, owner))?;
            }
        }
        Ok(())
    }

    /// Tells of connections that one side does not close: those for which it is time, or all.
    pub(super) fn tell_lifecycle(&mut self, all: bool) -> Result<()> {
        let now_ns = clock::wall_now_ns();
        let (Some(lifecycle), Some(owners)) = (&mut self.lifecycle, &mut self.owners) else {
            return Ok(());
        };
        if !all && !lifecycle.is_due(now_ns) {
            return Ok(());
        }
        let book = self.beside.as_ref().map(|beside| &**beside.book());
        for sentence in lifecycle.tell(owners, book, &self.filter, now_ns, all) {
            self.line(&sentence)?;
        }
        Ok(())
    }
}
