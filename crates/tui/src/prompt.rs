//! A line of text being typed.

use crate::key::Key;

/// What a text is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    Search,
    Filter,
    Time,
}

/// A text while it is typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prompt {
    pub asks: Asks,
    pub text: String,
    /// What it was before, for who gives up.
    pub before: String,
}

/// What a key did to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Typed {
    /// It goes on.
    On,
    /// It is complete.
    Done,
    /// It is given up.
    Dropped,
}

/// Longer ones are a book.
const MOST: usize = 200;

impl Prompt {
    pub fn new(asks: Asks, text: &str) -> Self {
        Prompt { asks, text: text.to_owned(), before: text.to_owned() }
    }

    pub fn key(&mut self, key: Key) -> Typed {
        match key {
            Key::Enter => return Typed::Done,
            Key::Esc | Key::Ctrl('c' | 'g') => return Typed::Dropped,
            Key::Backspace if self.text.is_empty() => return Typed::Dropped,
            Key::Backspace => drop(self.text.pop()),
            Key::Ctrl('u') => self.text.clear(),
            Key::Char(c) if self.text.len() < MOST && !c.is_control() => self.text.push(c),
            _ => {}
        }
        Typed::On
    }

    /// What stands before the text.
    pub fn label(&self) -> &'static str {
        match self.asks {
            Asks::Search => "/",
            Asks::Filter => "only lines with: ",
            Asks::Time => "go to (14:02:30, +10m): ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_typed_corrected_and_given_up() {
        let mut prompt = Prompt::new(Asks::Filter, "a");
        let mut check = |key, typed, text: &str| {
            assert_eq!((prompt.key(key), prompt.text.as_str()), (typed, text));
        };
        check(Key::Char('b'), Typed::On, "ab");
        check(Key::Backspace, Typed::On, "a");
        check(Key::Char('\u{1b}'), Typed::On, "a");
        check(Key::Ctrl('u'), Typed::On, "");
        check(Key::Backspace, Typed::Dropped, "");
        check(Key::Char('q'), Typed::On, "q");
        check(Key::Enter, Typed::Done, "q");
        check(Key::Esc, Typed::Dropped, "q");
    }
}
