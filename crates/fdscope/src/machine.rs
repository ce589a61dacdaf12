//! The machine, in a few words.

/// `uname`: system, release, machine.
pub fn describe() -> String {
    let uname = rustix::system::uname();
    let words = [uname.sysname(), uname.release(), uname.machine()];
    words.map(|word| word.to_string_lossy().into_owned()).join(" ")
}
