//! Nothing that a target can put on its stack or into its files makes unwinding or naming fail, loop or panic.
//!
//! The process is a made-up one: a directory that looks like /proc/PID, with maps that point to broken files.

mod common;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use common::{can_compile, compile};
use fdscope_model::{Pid, Registers, Symbolizer, Trace};
use fdscope_stack::{StackOptions, Stacks};
use proptest::prelude::*;

const PID: Pid = Pid(4711);
const BASE: u64 = 0x5555_0000_0000;
const STACK: u64 = 0x7ffc_0000_0000;
const MOST_FRAMES: usize = 128;

/// The bytes of healthy files, by ways of saying how to unwind; `None` where none can be compiled.
fn healthy() -> Option<&'static [Vec<u8>]> {
    static FILES: OnceLock<Option<Vec<Vec<u8>>>> = OnceLock::new();
    let build_all = || {
        if !can_compile() {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain");
        let flags: [&[&str]; 3] = [
            &["-O2"],
            &["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-gz"],
            &["-O2", "-Wl,--no-eh-frame-hdr"],
        ];
        let build = |flags: &&[&str]| {
            compile("cc", "chain.c", flags, &path);
            fs::read(&path).unwrap()
        };
        Some(flags.iter().map(build).collect())
    };
    FILES.get_or_init(build_all).as_deref()
}

/// A made-up process whose only mapping is `file`, whole, at `BASE`, and some code outside files above it.
fn make_process(root: &Path, file: &[u8]) -> StackOptions {
    let process = root.join(PID.to_string());
    fs::create_dir_all(process.join("map_files")).unwrap();
    let end = BASE + (file.len() as u64).next_multiple_of(4096).max(4096);
    fs::write(process.join(format!("map_files/{BASE:x}-{end:x}")), file).unwrap();
    let jit = end + 0x10_000;
    let maps = format!(
        "{BASE:x}-{end:x} r-xp 00000000 fe:01 99 /srv/broken\n{jit:x}-{:x} rwxp 00000000 00:00 0 \n",
        jit + 0x1000
    );
    fs::write(process.join("maps"), maps).unwrap();
    fs::write(process.join("status"), "NSpid:\t4711\n").unwrap();
    let debug_dirs = vec![root.join("debug")];
    StackOptions { proc_root: root.to_path_buf(), debug_dirs, ..StackOptions::default() }
}

/// A word of a hostile stack: code, stack, small, or anything.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0_u64..0x20_000).prop_map(|offset| BASE + offset),
        3 => (0_u64..0x1000).prop_map(|offset| STACK + offset),
        1 => 0_u64..32,
        1 => any::<u64>(),
        1 => prop_oneof![Just(u64::MAX), Just(0), Just(i64::MAX as u64), Just(1 << 63)],
    ]
}

/// How a file is broken.
#[derive(Clone, Debug)]
enum Harm {
    CutAt(prop::sample::Index),
    Flip(Vec<(prop::sample::Index, u8)>),
    Overwrite(prop::sample::Index, Vec<u8>),
    /// Sizes, offsets and counts of the headers, which say where everything else is.
    Header(Vec<(u8, u8)>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Harm::CutAt),
        prop::collection::vec((index(), any::<u8>()), 1..64).prop_map(Harm::Flip),
        (index(), prop::collection::vec(any::<u8>(), 1..512))
            .prop_map(|(at, bytes)| Harm::Overwrite(at, bytes)),
        prop::collection::vec((16_u8..255, any::<u8>()), 1..4).prop_map(Harm::Header),
    ]
}

fn apply(harm: &Harm, bytes: &mut Vec<u8>) {
    match harm {
        Harm::CutAt(at) => bytes.truncate(at.index(bytes.len())),
        Harm::Flip(flips) => {
            for (at, mask) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
        }
        Harm::Overwrite(at, with) => {
            let at = at.index(bytes.len());
            let end = (at + with.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&with[..end - at]);
        }
        Harm::Header(changes) => {
            for &(at, byte) in changes {
                bytes[usize::from(at)] = byte;
            }
        }
    }
}

fn check(stacks: &mut Stacks, regs: Registers, words: &[u64], compat: bool) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let trace = Trace::Copied { regs, bytes: &bytes, compat, code_since: None };
    let id = common::id(stacks.intern(PID, &trace));
    assert!(stacks.stack(id).frames.len() <= MOST_FRAMES);
    let again = common::id(stacks.intern(PID, &trace));
    assert_eq!(id, again, "the same copy is the same stack");
    let wanted = stacks.wanted_bytes(PID);
    assert!(wanted.is_power_of_two() && (1 << 10..=64 << 10).contains(&wanted));
    let symbolized = stacks.symbolize(id);
    assert_eq!(symbolized.at.is_some(), !symbolized.frames.is_empty());
    stacks.wanted_debug_files(id);
}

/// Where the headers of packed sections stand in a 64-bit file.
fn packed_sections(bytes: &[u8]) -> Vec<usize> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let (table, size, count) = (word(0x28) as usize, half(0x3a), half(0x3c));
    let headers = (0..count).map(|index| table + index * size);
    headers.filter(|at| word(at + 8) & 0x800 != 0).map(|at| word(at + 24) as usize).collect()
}

#[test]
fn a_section_that_claims_to_unpack_to_all_memory_is_not_unpacked() {
    let Some(files) = healthy() else { return };
    let sections = packed_sections(&files[1]);
    assert!(!sections.is_empty(), "-gz packs what -g makes");
    for claim in [u64::MAX, i64::MAX as u64, 1 << 40] {
        let mut bytes = files[1].clone();
        for at in &sections {
            bytes[at + 8..at + 16].copy_from_slice(&claim.to_le_bytes());
        }
        let root = tempfile::tempdir().unwrap();
        let mut stacks = Stacks::new(make_process(root.path(), &bytes));
        for offset in (0x1000..0x1400).step_by(16) {
            let regs = Registers { ip: BASE + offset, sp: STACK, fp: STACK + 64, lr: 0 };
            check(&mut stacks, regs, &[], false);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_stacks_are_harmless(
        file in 0_usize..3,
        ip in word(), sp in word(), fp in word(),
        words in prop::collection::vec(word(), 0..512),
        compat in any::<bool>(),
    ) {
        let Some(files) = healthy() else { return Ok(()) };
        let root = tempfile::tempdir().unwrap();
        let mut stacks = Stacks::new(make_process(root.path(), &files[file]));
        check(&mut stacks, Registers { ip, sp, fp, lr: 0 }, &words, compat);
        check(&mut stacks, Registers { ip, sp: STACK, fp, lr: 0 }, &words, compat);
        let given = common::id(stacks.intern(PID, &Trace::Addresses(&words)));
        assert!(stacks.stack(given).frames.len() <= MOST_FRAMES);
    }

    #[test]
    fn broken_files_are_harmless(
        file in 0_usize..3,
        harm in harm(),
        ips in prop::collection::vec(0_u64..0x8000, 1..8),
        words in prop::collection::vec(word(), 0..128),
    ) {
        let Some(files) = healthy() else { return Ok(()) };
        let mut bytes = files[file].clone();
        apply(&harm, &mut bytes);
        let root = tempfile::tempdir().unwrap();
        let mut stacks = Stacks::new(make_process(root.path(), &bytes));
        for offset in ips {
            let regs = Registers { ip: BASE + offset, sp: STACK, fp: STACK + 64, lr: 0 };
            check(&mut stacks, regs, &words, false);
        }
    }
}
