//! From a packet that came to one that is told: whose it is, whether it is wanted, and the wait for either.

use std::sync::Arc;

use anyhow::Result;
use fdscope_model::Monotonic;
use fdscope_packet::Packet;
use fdscope_packet::ends::Ends;
use fdscope_sys::clock;

use super::late::{Held, PATIENCE_NS};
use super::live::{Next, Run};
use super::owners::{Answer, Way};
use super::say;
use super::surveyor::Owner;

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
            let answer = ends.map(|(ends, _)| owners.of(ends, way, self.now_ns));
            match answer {
                Some(Answer::Later) => {}
                Some(Answer::Known(owner)) => return self.judge(packet, ends, way, Some(owner)),
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
            let answer = first.ends.map(|(ends, _)| owners.of(ends, first.way, first.came_ns));
            let owner = match answer {
                Some(Answer::Known(owner)) => Some(owner),
                Some(Answer::Later) if waited_ns < PATIENCE_NS => {
                    let Some(left) = impatient.checked_sub(1) else { break };
                    impatient = left;
                    None
                }
                _ => None,
            };
            let Some(held) = self.waiting.pop() else { break };
            if self.judge(&held.packet(), held.ends, held.way, owner)? == Next::Stop {
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
        owner: Option<Arc<Owner>>,
    ) -> Result<Next> {
        if self.ask && !self.filter.accepts(packet, owner.as_deref()) {
            return Ok(Next::More);
        }
        let (Some(beside), Some(of)) = (&self.beside, &owner) else {
            if self.options.leaked {
                return Ok(Next::More);
            }
            return self.tell(packet, ends, owner.as_ref(), None);
        };
        let now = Monotonic(self.now_ns);
        let birth = beside.book().birth(of);
        let leaks = birth.is_some_and(|birth| birth.finding(now).is_some());
        if self.options.leaked && !leaks {
            if birth.is_some() || beside.watches(of) {
                self.history.keep(Held::of(packet, ends, way, self.now_ns), Arc::clone(of));
            }
            return Ok(Next::More);
        }
        let note = birth.map(|birth| birth.note(now));
        self.tell(packet, ends, owner.as_ref(), note.as_deref())
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
        let (book, now) = (beside.book(), Monotonic(clock::monotonic_now().0));
        let leaks =
            |owner: &Owner| book.birth(owner).and_then(|birth| birth.finding(now)).is_some();
        for (held, owner) in self.history.take(leaks) {
            let birth = self.beside.as_ref().and_then(|beside| beside.book().birth(&owner));
            let note = birth.map(|birth| birth.note(now));
            if self.tell(&held.packet(), held.ends, Some(&owner), note.as_deref())? == Next::Stop {
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

    /// Tells of connections that one side does not close: those for which it is time, or all.
    pub(super) fn tell_lifecycle(&mut self, all: bool) -> Result<()> {
        let now_ns = clock::wall_now_ns();
        let (Some(lifecycle), Some(owners)) = (&mut self.lifecycle, &mut self.owners) else {
            return Ok(());
        };
        if !all && !lifecycle.is_due(now_ns) {
            return Ok(());
        }
        let book = self.beside.as_ref().map(|beside| beside.book());
        for sentence in lifecycle.tell(owners, book, &self.filter, now_ns, all) {
            self.line(&sentence)?;
        }
        Ok(())
    }
}
