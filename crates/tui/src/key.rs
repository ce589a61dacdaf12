//! What can be typed and clicked, and the one table of what it does: `?` shows the same rows.

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are those on the keys")]
pub enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Tab,
    BackTab,
    Enter,
    Esc,
    Backspace,
}

/// What comes from the terminal. Columns and rows count from 0 at the top left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A key.
    Key(Key),
    /// The first button of the mouse.
    Click {
        /// Where.
        column: u16,
        /// Where.
        row: u16,
    },
    /// The wheel of the mouse.
    Wheel {
        /// Where the pointer is.
        column: u16,
        /// Where the pointer is.
        row: u16,
        /// Away from the user.
        up: bool,
    },
    /// The terminal has another size.
    Resize,
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Previous,
    Next,
    PageUp,
    PageDown,
    First,
    Last,
    NextPane,
    PreviousPane,
    Enter,
    Search,
    SearchOn,
    SearchBack,
    Filter,
    Sort,
    Reverse,
    Freeze,
    Help,
    TimeBack,
    TimeOn,
    GoTo,
    Redraw,
    Suspend,
    Back,
    Quit,
}

/// On which screens a key works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    All,
    Watch,
    Replay,
}

/// A row of the table of keys.
pub(crate) struct Binding {
    pub keys: &'static [Key],
    pub action: Action,
    pub on: On,
    /// The keys as the help shows them; empty for those that go without saying.
    pub shown: &'static str,
    pub what: &'static str,
}

const fn row(
    keys: &'static [Key],
    action: Action,
    on: On,
    shown: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, action, on, shown, what }
}

/// Every key. The first row that fits decides.
pub(crate) const BINDINGS: &[Binding] = &[
    row(&[Key::Up, Key::Char('k')], Action::Previous, On::All, "up, k", "the line above"),
    row(&[Key::Down, Key::Char('j')], Action::Next, On::All, "down, j", "the line below"),
    row(&[Key::PageUp, Key::Ctrl('b')], Action::PageUp, On::All, "PgUp PgDn", "a page up, down"),
    row(&[Key::PageDown, Key::Ctrl('f')], Action::PageDown, On::All, "", ""),
    row(&[Key::Home], Action::First, On::All, "Home End", "the first line, the last (G)"),
    row(&[Key::End, Key::Char('G')], Action::Last, On::All, "", ""),
    row(
        &[Key::Tab, Key::Right],
        Action::NextPane,
        On::Watch,
        "Tab",
        "the next pane; Shift-Tab back",
    ),
    row(&[Key::BackTab, Key::Left], Action::PreviousPane, On::Watch, "", ""),
    row(&[Key::Enter], Action::Enter, On::All, "Enter", "more of this: pane, site or process"),
    row(&[Key::Char('/')], Action::Search, On::All, "/ n N", "search; next, previous"),
    row(&[Key::Char('n')], Action::SearchOn, On::All, "", ""),
    row(&[Key::Char('N')], Action::SearchBack, On::All, "", ""),
    row(&[Key::Char('f')], Action::Filter, On::All, "f", "only lines with a text; !text: without"),
    row(&[Key::Char('s')], Action::Sort, On::All, "s S", "sort by the next column; reverse"),
    row(&[Key::Char('S')], Action::Reverse, On::All, "", ""),
    row(&[Key::Char('[')], Action::TimeBack, On::Replay, "[ ]", "back, forward in time"),
    row(&[Key::Char(']')], Action::TimeOn, On::Replay, "", ""),
    row(&[Key::Char('g')], Action::GoTo, On::Replay, "g", "go to a time: 14:02:30, +10m"),
    row(&[Key::Char('g')], Action::First, On::All, "", ""),
    row(&[Key::Char(' ')], Action::Freeze, On::All, "space", "freeze; go on"),
    row(&[Key::Char('?'), Key::Char('h')], Action::Help, On::All, "?", "this help"),
    row(&[Key::Ctrl('l')], Action::Redraw, On::All, "Ctrl-L", "draw anew"),
    row(&[Key::Ctrl('z')], Action::Suspend, On::All, "Ctrl-Z", "stop; fg comes back"),
    row(&[Key::Esc], Action::Back, On::All, "Esc", "close, clear the filter, leave"),
    row(&[Key::Char('q'), Key::Char('Q'), Key::Ctrl('c')], Action::Quit, On::All, "q", "leave"),
];

/// What `key` does where replaying or not, on a screen of panes or not.
pub(crate) fn action(key: Key, allowed: impl Fn(On) -> bool) -> Option<Action> {
    let fits = |row: &&Binding| allowed(row.on) && row.keys.contains(&key);
    BINDINGS.iter().find(fits).map(|row| row.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_shown_in_the_help_by_its_row_or_the_one_before() {
        let mut shown = false;
        for row in BINDINGS {
            shown |= !row.shown.is_empty();
            assert!(shown, "{:?}", row.action);
            assert_eq!(row.shown.is_empty(), row.what.is_empty());
        }
    }

    #[test]
    fn a_key_means_what_its_screen_says() {
        let live = |on| on != On::Replay;
        let replay = |_| true;
        assert_eq!(action(Key::Char('g'), live), Some(Action::First));
        assert_eq!(action(Key::Char('g'), replay), Some(Action::GoTo));
        assert_eq!(action(Key::Char('['), live), None);
        assert_eq!(action(Key::Char('x'), replay), None);
    }
}
