//! Constants by name, a file a family. Values are those of x86; where Arm differs, its table stands beside.

pub(crate) mod file;
pub(crate) mod ioctl_plain;
pub(crate) mod ioctl_read;
pub(crate) mod ioctl_write;
pub(crate) mod ipc;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod netlink;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod sockopt;

/// A table of requests: `ioctl_names! { 0x5401 "TCGETS" }`.
macro_rules! ioctl_names {
    ($($value:literal $name:literal),* $(,)?) => {
        /// Numbers and names.
        pub(crate) const NAMES: &[(u32, &str)] = &[$(($value, $name)),*];
    };
}
use ioctl_names;

/// The name of an ioctl request.
pub(crate) fn ioctl_name(request: u32) -> Option<&'static str> {
    let table = match request >> 30 {
        0 => ioctl_plain::NAMES,
        1 => ioctl_write::NAMES,
        _ => ioctl_read::NAMES,
    };
    let at = table.binary_search_by_key(&request, |row| row.0).ok()?;
    table.get(at).map(|row| row.1)
}
