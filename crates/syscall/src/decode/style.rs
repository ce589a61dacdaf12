//! How values are written: what strace's options choose.

use fdscope_model::HandleKind;

/// Choices of the reader. The default is strace's.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Bytes shown of a string, and elements of an array (`-s`).
    pub strings: usize,
    /// Leave out what is rarely of interest (`-e abbrev=`; `-v` turns it off).
    pub abbreviate: bool,
    /// Follow pointers (`-e verbose=`); otherwise structures are shown as addresses.
    pub dereference: bool,
    /// Show every argument as a hexadecimal number (`-e raw=`).
    pub raw: bool,
    /// How constants are shown (`-X`).
    pub xlat: Xlat,
    /// How strings are shown (`-x`, `-xx`).
    pub quote: Quote,
    /// Seconds east of Greenwich at a time (seconds since 1970): dates inside arguments are local ones, as strace's.
    pub zone: fn(i64) -> i32,
}

/// How constants are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Xlat {
    /// Names: `O_RDONLY`.
    #[default]
    Abbrev,
    /// Numbers: `0`.
    Raw,
    /// Both: `0 /* O_RDONLY */`.
    Verbose,
}

/// How bytes of strings are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Quote {
    /// Unprintable bytes as C escapes with octal numbers.
    #[default]
    Escapes,
    /// Strings with unprintable bytes wholly in hexadecimal (`-x`).
    HexNonAscii,
    /// All strings in hexadecimal (`-xx`).
    HexAll,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            strings: 32,
            abbreviate: true,
            dereference: true,
            raw: false,
            xlat: Xlat::Abbrev,
            quote: Quote::Escapes,
            zone: |_| 0,
        }
    }
}

/// What numbers stand for in the traced process: descriptors, processes.
pub trait Names {
    /// What stands between `<` and `>` after a descriptor (`-y`, `-yy`), ready to print, as /proc has it; [`AT_FDCWD`]
    /// for the working directory. A ` (deleted)` at its end is written behind the bracket, as strace does.
    fn descriptor(&self, fd: i32) -> Option<Vec<u8>>;

    /// What stands between `<` and `>` after a process's number (`-Y`), ready to print.
    fn pid(&self, pid: i32) -> Option<Vec<u8>> {
        let _ = pid;
        None
    }

    /// What kind of thing a descriptor refers to.
    fn kind(&self, fd: i32) -> Option<HandleKind> {
        let _ = fd;
        None
    }

    /// Of a netlink socket: its family.
    fn netlink(&self, fd: i32) -> Option<u32> {
        let _ = fd;
        None
    }

    /// The name of a network interface.
    fn interface(&self, number: u32) -> Option<Vec<u8>> {
        let _ = number;
        None
    }
}

/// The working directory, where a descriptor of a directory is asked for.
pub const AT_FDCWD: i32 = -100;

/// Knows no names: numbers only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn descriptor(&self, _: i32) -> Option<Vec<u8>> {
        None
    }
}
