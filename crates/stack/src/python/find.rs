//! Finds a process's CPython: which release, and where its `_PyRuntime` is.
//!
//! The executable and the libraries named like Python are asked, through the files that are mapped, so that other
//! mount namespaces and deleted files make no difference.

use std::fs::File;

use fdscope_model::{InterpreterLayout, Pid};
use object::{Object, ObjectSection, ObjectSymbol, ReadCache};

use super::code::{read, word};
use super::release::{OFFSETS_BYTES, Release, from_offsets};
use crate::elf::Elf;
use crate::maps::{Mapping, parse_executable};
use crate::module::{Module, Modules};
use crate::options::StackOptions;
use crate::space::read_maps_text;
use fdscope_model::hash::FastMap;

/// The most symbols of a file that are looked at: those of the largest browsers take 20 ms.
const MOST_SYMBOLS: usize = 1 << 19;

/// What a file says of the interpreter that it holds. Addresses as stated in the file.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// `_PyRuntime`.
    runtime: u64,
    /// `Py_Version`, since 3.11.
    version: Option<u64>,
}

/// What was found of a process.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its release.
    pub release: Release,
    /// Where its frames are.
    pub layout: InterpreterLayout,
}

/// Finds interpreters, and remembers which files hold one.
#[derive(Debug, Default)]
pub struct Finder {
    known: FastMap<u32, Option<Runtime>>,
}

impl Finder {
    /// The interpreter of `pid`; `None` if it has none that is known, or does not have it mapped yet.
    pub fn find(&mut self, modules: &mut Modules, pid: Pid) -> Option<Found> {
        let StackOptions { proc_root, .. } = modules.options();
        let mappings = parse_executable(&read_maps_text(proc_root, pid)?);
        let named =
            |mapping: &Mapping| base(&mapping.path).windows(6).any(|word| word == b"python");
        // The executable comes first in most processes, and holds the interpreter in many.
        let (libraries, others): (Vec<_>, Vec<_>) = mappings.iter().partition(|m| named(m));
        let candidates = libraries.into_iter().chain(others.into_iter().take(1));
        candidates.into_iter().find_map(|mapping| self.find_in(modules, pid, mapping))
    }

    fn find_in(&mut self, modules: &mut Modules, pid: Pid, mapping: &Mapping) -> Option<Found> {
        let number = modules.of_mapping(pid, mapping)?;
        let image = modules.image(number).filter(|image| image.arch().word == 8)?;
        let runtime = *self.known.entry(number).or_insert_with(|| Runtime::read(&image.file));
        let bias = bias(&image.elf, mapping)?;
        let runtime = runtime?;
        let address = runtime.runtime.wrapping_add(bias);
        let module = modules.get(number)?;
        let release = runtime.release(pid, bias, address, module)?;
        let heads = address.wrapping_add(release.frames.heads);
        Some(Found { release, layout: InterpreterLayout { heads, ..release.frames } })
    }
}

impl Runtime {
    fn read(file: &File) -> Option<Runtime> {
        let cache = ReadCache::new(file);
        let elf = object::File::parse(&cache).ok()?;
        let (mut runtime, mut version) = (None, None);
        let symbols = elf.dynamic_symbols().chain(elf.symbols()).take(MOST_SYMBOLS);
        for symbol in symbols.filter(|symbol| symbol.is_definition()) {
            match symbol.name_bytes() {
                Ok(b"_PyRuntime") => runtime = Some(symbol.address()),
                Ok(b"Py_Version") => version = Some(symbol.address()),
                _ => continue,
            }
            if runtime.is_some() && version.is_some() {
                break;
            }
        }
        let section = |name| elf.section_by_name(name).map(|section| section.address());
        let runtime = runtime.or_else(|| section(".PyRuntime")).or_else(|| section("PyRuntime"))?;
        Some(Runtime { runtime, version })
    }

    /// From the interpreter's own table of offsets, else by its number, else by its file's name.
    fn release(self, pid: Pid, bias: u64, address: u64, module: &Module) -> Option<Release> {
        let own = read(pid, address, OFFSETS_BYTES).and_then(|bytes| from_offsets(&bytes));
        let numbered = || {
            let version = word(pid, self.version?.wrapping_add(bias), 0)?;
            (version >> 24 == 3).then_some(version as u32 >> 16 & 0xff)
        };
        let named = || minor_of_name(base(module.path.bytes())).filter(|&minor| minor < 11);
        own.or_else(|| Release::of_minor(numbered().or_else(named)?))
    }
}

/// 9 for `libpython3.9.so.1.0`.
fn minor_of_name(name: &[u8]) -> Option<u32> {
    let at = name.windows(8).position(|word| word == b"python3.")? + 8;
    let digits = name[at..].iter().take_while(|byte| byte.is_ascii_digit()).take(3);
    let digits: Vec<u8> = digits.copied().collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// What is added to the file's addresses in this process: by the segment that the mapping is of.
pub fn bias(elf: &Elf, mapping: &Mapping) -> Option<u64> {
    let end = mapping.file_offset.saturating_add(mapping.end - mapping.start);
    let shared = |segment: &&crate::elf::Segment| {
        let last = segment.offset.saturating_add(segment.size).min(end);
        last.saturating_sub(segment.offset.max(mapping.file_offset))
    };
    let segment = elf.segments.iter().max_by_key(shared).filter(|segment| shared(segment) > 0)?;
    let stated = segment.address.wrapping_sub(segment.offset).wrapping_add(mapping.file_offset);
    Some(mapping.start.wrapping_sub(stated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_told_by_the_names_of_files() {
        let check = |name: &str, expected| assert_eq!(minor_of_name(name.as_bytes()), expected);
        check("libpython3.7m.so.1.0", Some(7));
        check("python3.10", Some(10));
        check("python3", None);
        check("python3.", None);
        check("ipython3.9999999999", Some(999));
    }
}
