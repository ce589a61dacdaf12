//! The live screens: what `fdscope top` and `fdscope watch` show, what their keys do, and how that is drawn.
//!
//! Pure: data comes in by [`Top::take`] and [`Watch::take`], keys by `input`, and a frame goes out on a ratatui buffer.
//! Nothing here reads a clock, /proc or the terminal; the same data and keys always give the same buffer. Words, units
//! and the layout of tables are those of `fdscope-render`.
#![forbid(unsafe_code)]

mod desk;
mod help;
mod key;
mod palette;
mod pane;
mod pen;
mod prompt;
mod rows;
mod top;
pub mod watch;

pub use key::{Input, Key};
pub use palette::{Depth, Look};
pub use top::Top;
pub use watch::Watch;

use fdscope_model::Pid;

/// What the program is to do after an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing: the screen is as it was.
    Nothing,
    /// Draw again.
    Redraw,
    /// Write the whole screen anew.
    Anew,
    /// End this screen.
    Quit,
    /// Stop until the shell continues us.
    Suspend,
    /// Open the screen of this process.
    Open(Pid),
    /// Go to another moment of the recording.
    Jump(Jump),
}

/// Where to in a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Jump {
    /// A step back.
    Back,
    /// A step forward.
    Forward,
    /// The moment that was typed.
    To(String),
}
