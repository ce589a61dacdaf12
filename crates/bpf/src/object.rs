//! The committed objects, embedded: one set a processor. Their sources and how they were built: `obj/MANIFEST`,
//! `cargo xtask bpf`.

/// The loader reads the object in place and wants it aligned.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

macro_rules! object {
    ($name:literal) => {{
        #[cfg(target_arch = "x86_64")]
        static OBJECT: &Aligned<[u8]> =
            &Aligned(*include_bytes!(concat!("../obj/", $name, ".x86_64.bpf.o")));
        #[cfg(target_arch = "aarch64")]
        static OBJECT: &Aligned<[u8]> =
            &Aligned(*include_bytes!(concat!("../obj/", $name, ".aarch64.bpf.o")));
        &OBJECT.0
    }};
}

/// The programs that watch handles.
pub fn handles() -> &'static [u8] {
    object!("handles")
}

/// The iterator that reads tables.
pub fn files() -> &'static [u8] {
    object!("files")
}

/// The iterator that reads tables for people.
pub fn inventory() -> &'static [u8] {
    object!("inventory")
}

/// The iterator that looks at processes.
pub fn processes() -> &'static [u8] {
    object!("processes")
}

/// The programs that tell system calls.
pub fn trace() -> &'static [u8] {
    object!("trace")
}

/// The programs that tell of sockets.
pub fn states() -> &'static [u8] {
    object!("states")
}
