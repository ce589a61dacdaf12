//! What both screens have in common: freezing, the help, the line being typed, messages, and the last line.

use fdscope_render::style::Style;
use ratatui_core::layout::Rect;

use crate::Outcome;
use crate::key::{Action, Input, Key, On, action};
use crate::pane::Pane;
use crate::pen::Pen;
use crate::prompt::{Asks, Prompt, Typed};

/// The state of a screen beside its panes.
#[derive(Default)]
pub(crate) struct Desk {
    /// The screen stays as it is, whatever comes.
    pub frozen: bool,
    /// The help is open.
    pub help: bool,
    pub prompt: Option<Prompt>,
    /// Something to be told once.
    pub message: Option<String>,
}

/// What an input turned out to be.
pub(crate) enum Heard {
    /// Dealt with.
    Done(Outcome),
    /// A time was typed.
    Time(String),
    /// For the screen.
    Action(Action),
    /// A click or a turn of the wheel.
    Mouse(Input),
}

impl Desk {
    /// Hears an input that is meant for `pane`.
    pub fn hear(&mut self, input: Input, pane: &mut Pane, allowed: impl Fn(On) -> bool) -> Heard {
        let key = match input {
            Input::Key(key) => key,
            Input::Resize => return Heard::Done(Outcome::Redraw),
            mouse => {
                self.help = false;
                return Heard::Mouse(mouse);
            }
        };
        if self.prompt.is_some() {
            return self.type_key(key, pane);
        }
        self.message = None;
        let found = action(key, allowed);
        if self.help {
            self.help = false;
            // Any key closes the help; those that leave or stop do that, too.
            return match found {
                Some(Action::Suspend) => Heard::Action(Action::Suspend),
                _ => Heard::Done(Outcome::Redraw),
            };
        }
        match found {
            Some(action) => self.act(action, pane),
            None => Heard::Done(Outcome::Nothing),
        }
    }

    fn act(&mut self, action: Action, pane: &mut Pane) -> Heard {
        match action {
            Action::Previous => pane.step(-1),
            Action::Next => pane.step(1),
            Action::PageUp => pane.page(-1),
            Action::PageDown => pane.page(1),
            Action::First => pane.first(),
            Action::Last => pane.last(),
            Action::Sort => pane.sort_by_next(),
            Action::Reverse => pane.reverse(),
            Action::SearchOn => self.tell_unless(pane.find_again(true)),
            Action::SearchBack => self.tell_unless(pane.find_again(false)),
            Action::Search => self.prompt = Some(Prompt::new(Asks::Search, "")),
            Action::Filter => self.prompt = Some(Prompt::new(Asks::Filter, pane.filter())),
            Action::GoTo => self.prompt = Some(Prompt::new(Asks::Time, "")),
            Action::Help => self.help = true,
            Action::Redraw => return Heard::Done(Outcome::Anew),
            Action::Suspend => return Heard::Done(Outcome::Suspend),
            Action::Quit => return Heard::Done(Outcome::Quit),
            Action::Back if !pane.filter().is_empty() => pane.set_filter(""),
            other => return Heard::Action(other),
        }
        Heard::Done(Outcome::Redraw)
    }

    fn type_key(&mut self, key: Key, pane: &mut Pane) -> Heard {
        let Some(prompt) = &mut self.prompt else { return Heard::Done(Outcome::Nothing) };
        let typed = prompt.key(key);
        let (asks, text, before) = (prompt.asks, prompt.text.clone(), prompt.before.clone());
        if typed != Typed::On {
            self.prompt = None;
        }
        match (asks, typed) {
            (Asks::Filter, Typed::Dropped) => pane.set_filter(&before),
            (Asks::Filter, _) => pane.set_filter(&text),
            (Asks::Search, Typed::Done) => self.tell_unless(pane.find(&text)),
            (Asks::Search, Typed::On) => drop(pane.find(&text)),
            (Asks::Time, Typed::Done) if !text.is_empty() => return Heard::Time(text),
            (Asks::Search | Asks::Time, _) => {}
        }
        Heard::Done(Outcome::Redraw)
    }

    fn tell_unless(&mut self, found: bool) {
        if !found {
            self.message = Some("no line has that".to_owned());
        }
    }

    /// The last line: what is typed, else what is to be told, else the keys.
    pub fn draw_last(&self, pen: &mut Pen<'_>, area: Rect, keys: &[(&str, &str)]) {
        let row = area.height.saturating_sub(1);
        if let Some(prompt) = &self.prompt {
            let text = fdscope_model::name::escape(prompt.text.as_bytes());
            let after = pen.put(area, row, 1, Style::Strong, prompt.label());
            let after = pen.put(area, row, after, Style::Plain, &text);
            let cursor = pen.look.selected(true);
            pen.put_painted(area, row, after, cursor, " ");
            return;
        }
        if let Some(message) = &self.message {
            pen.put(area, row, 1, Style::Suspect, message);
            return;
        }
        let mut column = 1;
        for (key, what) in keys {
            let after = column + (key.len() + what.len() + 1) as u16;
            if after > area.width {
                break;
            }
            column = pen.put(area, row, column, Style::Strong, key);
            column = pen.put(area, row, column + 1, Style::Dim, what) + 2;
        }
    }
}
