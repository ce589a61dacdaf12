//! The committed objects, embedded. Their sources and how they were built: `obj/MANIFEST`, `cargo xtask bpf`.

macro_rules! object {
    ($name:literal) => {{
        /// The loader reads the object in place and wants it aligned.
        #[repr(C, align(8))]
        struct Aligned<T: ?Sized>(T);
        static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("../obj/", $name)));
        &OBJECT.0
    }};
}

/// The programs that watch handles.
#[cfg(target_arch = "x86_64")]
pub fn handles() -> &'static [u8] {
    object!("handles.bpf.o")
}

/// The iterator that reads tables.
#[cfg(target_arch = "x86_64")]
pub fn files() -> &'static [u8] {
    object!("files.bpf.o")
}

/// The programs that watch handles.
#[cfg(target_arch = "aarch64")]
pub fn handles() -> &'static [u8] {
    object!("handles.arm64.bpf.o")
}

/// The iterator that reads tables.
#[cfg(target_arch = "aarch64")]
pub fn files() -> &'static [u8] {
    object!("files.arm64.bpf.o")
}
