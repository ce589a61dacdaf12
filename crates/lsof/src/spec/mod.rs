//! What may be selected, a file per option: how it is written, what it lets through.

pub(crate) mod address;
pub(crate) mod command;
pub(crate) mod descriptor;
pub(crate) mod named;
pub(crate) mod number;
pub(crate) mod state;
