//! The machine and the run, in a few words.

/// `uname`: system, release, machine.
pub fn describe() -> String {
    let uname = rustix::system::uname();
    let words = [uname.sysname(), uname.release(), uname.machine()];
    words.map(|word| word.to_string_lossy().into_owned()).join(" ")
}

/// What was typed, to be typed again: words with blanks in quotes.
pub fn typed_command() -> String {
    let quoted = |word: String| {
        let plain = !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c));
        if plain { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    let arguments = std::env::args().skip(1).map(quoted);
    std::iter::once("fdscope".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// What tells this run of the kernel from any other: process numbers and times mean nothing across it.
pub fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
