//! lsof's options, selection and bytes, over inventories that somebody else read.
//!
//! [`Options::read`] takes arguments as lsof does, its messages included; [`Listing`] takes inventories and gives the
//! table, the fields or the JSON that lsof would print. Nothing here reads the kernel or a file: users, services, hosts
//! and paths are asked of a [`World`]. What differs from lsof on purpose stands in docs/lsof.md.
#![forbid(unsafe_code)]

mod fields;
mod file;
mod help;
mod json;
mod listing;
#[cfg(test)]
mod made;
mod message;
mod options;
mod read;
mod regex;
mod safe;
mod scan;
mod select;
mod show;
mod socket;
mod spec;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod world;

pub(crate) use listing::Who;
pub use listing::{Listing, Needs};
pub use options::{Ended, Endpoints, Options, Repeat};
pub use safe::Charset;
pub use world::{FileIdentity, Listed, MountPoint, Protocol, World};
