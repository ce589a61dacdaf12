//! Separate debug files: by build id, by `.gnu_debuglink`, from the debuginfod client's cache, and packed into the
//! module itself.
//!
//! Searched when a module is first met, while its process still lives: debug packages may be installed inside a
//! container and not outside. Only files on disk; the network is never used.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lzma_rust2::XzReader;

use crate::elf::Elf;
use crate::open::{open_below, open_quietly};
use crate::options::StackOptions;

/// The largest file whose checksum is computed, for debug links without build id.
const LARGEST_CHECKED: u64 = 256 << 20;
/// The largest `.gnu_debugdata` that is unpacked, and to how much; that of a browser has 5 MB.
const LARGEST_PACKED: u64 = 32 << 20;
const LARGEST_UNPACKED: u64 = 256 << 20;
/// Memory that unpacking may take: the dictionary of `xz -9` has 64 MB.
const UNPACKING_KB: u32 = 80 << 10;

/// The debug file of the module at `path` inside `root`, if it is there and belongs to the module.
pub fn find(options: &StackOptions, root: &Path, path: &[u8], elf: &Elf) -> Option<File> {
    let near = candidates(options, path, elf);
    let inside = near.iter().filter_map(|path| open_below(root, path.as_os_str().as_bytes()));
    let outside = near.iter().filter_map(|path| open_quietly(path));
    let cached = in_cache(options, elf).and_then(|path| open_quietly(&path));
    inside.chain(outside).chain(cached).find(|file| belongs(file, elf))
}

/// Where debug files with this build id are expected below a debug directory.
pub fn build_id_path(build_id: &[u8]) -> Option<PathBuf> {
    let text = hexadecimal(build_id);
    let (directory, file) = text.split_at_checked(2).filter(|(_, file)| !file.is_empty())?;
    Some(Path::new(".build-id").join(directory).join(format!("{file}.debug")))
}

/// The symbol table that Fedora and its kin pack into stripped files (`.gnu_debugdata`), as a file in memory.
pub fn unpack(file: &File, elf: &Elf) -> Option<File> {
    let (offset, size) = elf.debug_data.filter(|&(_, size)| size <= LARGEST_PACKED)?;
    let mut packed = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(&mut packed, offset).ok()?;
    let reader = XzReader::new_mem_limit(packed.as_slice(), false, UNPACKING_KB);
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut unpacked: File = rustix::fs::memfd_create("debugdata", flags).ok()?.into();
    std::io::copy(&mut reader.take(LARGEST_UNPACKED), &mut unpacked).ok()?;
    Some(unpacked)
}

/// Bytes as lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In gdb's order: build id, then the module's own directory, its `.debug`, the copies of the tree.
fn candidates(options: &StackOptions, path: &[u8], elf: &Elf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(name) = build_id_path(&elf.build_id) {
        found.extend(options.debug_dirs.iter().map(|directory| directory.join(&name)));
    }
    if let Some((link, _)) = &elf.debug_link
        && !link.contains(&b'/')
    {
        let link = OsStr::from_bytes(link);
        let home = Path::new(OsStr::from_bytes(path)).parent().unwrap_or(Path::new("/"));
        found.extend([home.join(link), home.join(".debug").join(link)]);
        let home = home.strip_prefix("/").unwrap_or(home);
        found.extend(options.debug_dirs.iter().map(|directory| directory.join(home).join(link)));
    }
    found.retain(|candidate| candidate.as_os_str().as_bytes() != path);
    found
}

fn in_cache(options: &StackOptions, elf: &Elf) -> Option<PathBuf> {
    let cache = options.debuginfod_cache.as_ref().filter(|_| !elf.build_id.is_empty())?;
    Some(cache.join(hexadecimal(&elf.build_id)).join("debuginfo"))
}

/// A debug file belongs to a module if their build ids are equal; without build ids, if the checksum is.
fn belongs(file: &File, elf: &Elf) -> bool {
    let Ok(candidate) = Elf::read(file) else { return false };
    if !elf.build_id.is_empty() && !candidate.build_id.is_empty() {
        return candidate.build_id == elf.build_id;
    }
    elf.debug_link.as_ref().is_some_and(|(_, crc)| checksum(file) == Some(*crc))
}

fn checksum(file: &File) -> Option<u32> {
    let size = file.metadata().ok()?.len();
    if size > LARGEST_CHECKED {
        return None;
    }
    let mut crc = flate2::Crc::new();
    let mut file = file.take(size);
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk).ok()? {
            0 => return Some(crc.sum()),
            read => crc.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_id_paths_follow_the_convention() {
        let path = build_id_path(&[0xab, 0xcd, 0xef]).unwrap();
        assert_eq!(path, Path::new(".build-id/ab/cdef.debug"));
        assert_eq!(build_id_path(&[]), None);
        assert_eq!(build_id_path(&[0xab]), None);
    }
}
