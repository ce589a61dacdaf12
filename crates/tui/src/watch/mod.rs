//! The screen of one target: what it holds, which sites leak, what comes and goes.
//!
//! [`Moment`] is all that is shown; `panes` makes rows of it, `layout` says where they stand, `head` draws the lines
//! above them, `detail` all that is known of one site.

mod detail;
mod head;
mod layout;
mod moment;
mod panes;

pub use moment::{Happening, KindCount, Moment, SocketGroup, Standing};

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use crate::desk::{Desk, Heard};
use crate::key::{Action, Input, On};
use crate::palette::Look;
use crate::pane::Pane;
use crate::pen::Pen;
use crate::{Jump, Outcome, help};
use detail::Detail;
use layout::{Frame, draw_heading};
use panes::{PANES, Part, new_panes};

const KEYS: &[(&str, &str)] = &[
    ("Tab", "pane"),
    ("Enter", "more"),
    ("/", "search"),
    ("f", "filter"),
    ("s", "sort"),
    ("space", "freeze"),
    ("?", "help"),
    ("q", "leave"),
];
const REPLAY_KEYS: &[(&str, &str)] = &[
    ("[", "back"),
    ("]", "on"),
    ("g", "go to"),
    ("Tab", "pane"),
    ("Enter", "more"),
    ("/", "search"),
    ("s", "sort"),
    ("?", "help"),
    ("q", "leave"),
];

const DETAIL_KEYS: &[(&str, &str)] = &[
    ("arrows", "scroll"),
    ("Esc", "back to all sites"),
    ("space", "freeze"),
    ("?", "help"),
    ("Ctrl-C", "leave"),
];

/// The screen of `fdscope watch`.
pub struct Watch {
    look: Look,
    desk: Desk,
    panes: [Pane; PANES],
    focus: Part,
    /// The pane in focus has the whole screen.
    expanded: bool,
    /// All that is known of one site has the whole screen.
    detail: Option<Detail>,
    /// Which panes are on top where several share a place.
    frame: Frame,
    /// The site whose stack is shown.
    stack_of: Option<u64>,
    moment: Option<Box<Moment>>,
    /// What came while the screen was frozen.
    waiting: Option<Box<Moment>>,
    /// What is to be told before there is anything to show.
    opening: String,
}

impl Watch {
    /// A screen without a moment to show yet; `opening` says what is being done about it.
    pub fn new(look: Look, opening: impl Into<String>) -> Self {
        Watch {
            look,
            desk: Desk::default(),
            panes: new_panes(),
            focus: Part::Sites,
            expanded: false,
            detail: None,
            frame: Frame::default(),
            stack_of: None,
            moment: None,
            waiting: None,
            opening: opening.into(),
        }
    }

    /// Takes another moment. True if the screen is to be drawn again.
    pub fn take(&mut self, moment: Moment) -> bool {
        if self.desk.frozen && self.moment.is_some() {
            self.waiting = Some(Box::new(moment));
            return false;
        }
        self.show(Box::new(moment));
        true
    }

    fn show(&mut self, moment: Box<Moment>) {
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Stack) {
            let pane = &mut self.panes[part as usize];
            pane.set(panes::rows(part, &moment, self.look.charset));
            pane.say_empty(panes::nothing(part, &moment));
        }
        self.moment = Some(moment);
        self.follow_site();
    }

    /// The stack is that of the site selected.
    fn follow_site(&mut self) {
        let site = self.panes[Part::Sites as usize].selected();
        let Some(moment) = &self.moment else { return };
        let verdict = site.and_then(|key| panes::verdict(moment, key));
        let rows = verdict.map_or_else(Vec::new, |one| panes::stack(one, self.look.charset));
        let pane = &mut self.panes[Part::Stack as usize];
        pane.set(rows);
        if site != self.stack_of {
            self.stack_of = site;
            pane.first();
            verdict.and_then(panes::frame_key).into_iter().for_each(|key| pane.select(key));
        }
        pane.say_empty(match verdict {
            None => "no site is selected",
            Some(_) => "no stack was seen",
        });
    }

    /// Tells something on the last line until the next key.
    pub fn tell(&mut self, message: impl Into<String>) {
        self.desk.message = Some(message.into());
    }

    fn replays(&self) -> bool {
        let standing = self.moment.as_ref().map(|moment| &moment.standing);
        matches!(standing, Some(Standing::Replay { .. }))
    }

    fn allowed(&self) -> impl Fn(On) -> bool + use<> {
        let replays = self.replays();
        move |on| on != On::Replay || replays
    }

    /// Hears a key or the mouse.
    pub fn input(&mut self, input: Input) -> Outcome {
        let allowed = self.allowed();
        let pane = &mut self.panes[self.focus as usize];
        if let Some(detail) = &mut self.detail
            && self.desk.prompt.is_none()
            && !self.desk.help
            && let Some(stays) = detail.hear(input)
        {
            if !stays {
                self.detail = None;
            }
            return Outcome::Redraw;
        }
        let outcome = match self.desk.hear(input, pane, allowed) {
            Heard::Done(outcome) => outcome,
            Heard::Action(action) => self.act(action),
            Heard::Mouse(input) => self.point(input),
            Heard::Time(text) => Outcome::Jump(Jump::To(text)),
        };
        if !self.desk.frozen
            && let Some(moment) = self.waiting.take()
        {
            self.show(moment);
        }
        self.follow_site();
        outcome
    }

    fn act(&mut self, action: Action) -> Outcome {
        match action {
            Action::NextPane => self.step_focus(1),
            Action::PreviousPane => self.step_focus(PANES - 1),
            Action::Freeze => self.desk.frozen = !self.desk.frozen,
            Action::Enter => self.enter(),
            Action::TimeBack => return Outcome::Jump(Jump::Back),
            Action::TimeOn => return Outcome::Jump(Jump::Forward),
            Action::Back if self.expanded => self.expanded = false,
            Action::Back => return Outcome::Quit,
            _ => {}
        }
        Outcome::Redraw
    }

    fn step_focus(&mut self, by: usize) {
        self.focus_on(Part::ALL[(self.focus as usize + by) % PANES]);
    }

    fn focus_on(&mut self, part: Part) {
        self.focus = part;
        self.frame.bring_up(part);
    }

    /// Of a site, all that is known; of another pane, more lines.
    fn enter(&mut self) {
        let site = self.panes[Part::Sites as usize].selected();
        match (self.focus, site) {
            (Part::Sites | Part::Stack, Some(key)) => self.detail = Some(Detail::new(key)),
            _ => self.expanded = !self.expanded,
        }
    }

    fn point(&mut self, input: Input) -> Outcome {
        let (column, row) = match input {
            Input::Click { column, row } | Input::Wheel { column, row, .. } => (column, row),
            _ => return Outcome::Nothing,
        };
        if let Input::Click { .. } = input
            && let Some(part) = self.frame.heading_at(column, row)
        {
            self.focus_on(part);
            return Outcome::Redraw;
        }
        let under = |part: &Part| self.panes[*part as usize].is_at(column, row);
        let Some(part) = Part::ALL.into_iter().find(under) else { return Outcome::Nothing };
        match input {
            Input::Wheel { up, .. } => {
                self.panes[part as usize].step(if up { -3 } else { 3 });
            }
            _ => {
                let again = self.focus == part && self.panes[part as usize].click(row);
                self.panes[part as usize].click(row);
                self.focus_on(part);
                if again && part == Part::Sites {
                    self.enter();
                }
            }
        }
        Outcome::Redraw
    }

    /// Draws the screen.
    pub fn draw(&mut self, buffer: &mut Buffer) {
        let area = buffer.area;
        let mut pen = Pen { buffer, look: self.look };
        if help::too_small(&mut pen, area) {
            return;
        }
        let body = Rect { y: area.y + head::ROWS, height: area.height - head::ROWS - 1, ..area };
        match &self.moment {
            None => {
                pen.put(area, 0, 1, fdscope_render::style::Style::Strong, "fdscope watch");
                pen.put(area, 2, 1, fdscope_render::style::Style::Plain, &self.opening);
            }
            Some(moment) => {
                head::draw(&mut pen, area, moment, self.desk.frozen);
                let site = self.detail.as_mut().and_then(|detail| {
                    panes::verdict(moment, detail.key()).map(|verdict| (detail, verdict))
                });
                match site {
                    Some((detail, verdict)) => detail.draw(&mut pen, body, moment, verdict),
                    None => self.draw_panes(&mut pen, body),
                }
            }
        }
        let keys = match (&self.detail, self.replays()) {
            (Some(_), _) => DETAIL_KEYS,
            (None, true) => REPLAY_KEYS,
            (None, false) => KEYS,
        };
        self.desk.draw_last(&mut pen, area, keys);
        if self.desk.help {
            let notes = self.moment.as_ref().map(|moment| moment.notes.clone()).unwrap_or_default();
            help::draw(&mut pen, area, self.allowed(), &notes);
        }
    }

    fn draw_panes(&mut self, pen: &mut Pen<'_>, body: Rect) {
        self.panes.iter_mut().for_each(Pane::hide);
        let places = self.frame.place(body, self.expanded.then_some(self.focus));
        self.frame.forget_headings();
        for place in places {
            let focused = place.top == self.focus;
            let tabs = draw_heading(pen, &place, &self.panes, self.focus);
            self.frame.remember_headings(tabs);
            let area = place.area;
            let inner = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
            self.panes[place.top as usize].draw(pen, inner, focused);
        }
    }
}
