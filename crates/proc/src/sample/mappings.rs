//! Mappings by file, size and protection. What others account for stands apart: thread stacks are counted as threads
//! (see `stacks`), malloc arenas and JIT regions have groups of their own, since they grow with load and not by a leak.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use fdscope_model::process::GroupCount;
use fdscope_model::thread::Unjoined;
use fdscope_model::{HandleKind, Name};

use super::stacks::{Stacks, Stretch, to_row as to_unjoined};
use crate::error::ProcError;
use crate::parse::{Map, Protection, parse_map};
use crate::pattern::pattern;
use crate::root::PidDir;

/// A group has a row of its own from this many members on, and keeps it.
const LEAST: u64 = 4;

/// Groups with a row of their own at most; the others are counted together.
const MOST_ROWS: usize = 256;

/// Groups kept while counting: bounds the memory for a process with ever new names.
const MOST_GROUPS: usize = 16_384;

/// glibc's arenas other than the first: heaps of 64 MiB, so aligned (malloc/arena.c, `HEAP_MAX_SIZE`).
const ARENA: u64 = 64 << 20;

/// Counts mappings.
#[derive(Debug, Default)]
pub(super) struct Mappings {
    stacks: Stacks,
    /// Groups that have a row.
    named: BTreeSet<Vec<u8>>,
}

/// A private anonymous mapping, held until the next line tells what it is.
#[derive(Clone, Copy, Debug)]
struct Plain {
    start: u64,
    end: u64,
    protection: Protection,
    /// Bytes of reserved memory just below that are not told yet: a guard, if this turns out to be a stack.
    guard: u64,
}

impl Plain {
    fn size(self) -> u64 {
        self.end - self.start
    }

    /// True for memory behind a guard, of a size that a stack can have.
    fn is_behind_guard(self) -> bool {
        self.guard > 0 && is_usable(self) && Stretch::fits(self.size())
    }
}

impl Mappings {
    pub fn count(&mut self, dir: &PidDir) -> Result<Vec<GroupCount>, ProcError> {
        let mut tally = self.read(dir)?;
        let mut counts: Vec<GroupCount> =
            self.stacks.unjoined(dir).iter().map(to_unjoined).collect();
        for stretch in self.stacks.rejected() {
            tally.add_rejected(stretch);
        }
        counts.extend(self.rows(tally));
        Ok(counts)
    }

    /// Exited threads that nobody joined.
    pub fn unjoined(&mut self, dir: &PidDir) -> Result<Vec<Unjoined>, ProcError> {
        self.read(dir)?;
        Ok(self.stacks.unjoined(dir))
    }

    fn read(&mut self, dir: &PidDir) -> Result<Tally, ProcError> {
        self.stacks.begin(dir);
        let mut tally = Tally::default();
        let mut held: Option<Plain> = None;
        let path = format!("{}maps", dir.living_place()?);
        dir.read_lines(&path, "read maps", &mut |line| {
            let Some(map) = parse_map(line) else { return };
            let plain = map.is_anonymous().then_some(Plain {
                start: map.start,
                end: map.end,
                protection: map.protection,
                guard: 0,
            });
            held = match (held, plain) {
                (Some(first), Some(second)) if first.end == second.start => {
                    tally.add_pair(first, second, &mut self.stacks)
                }
                (first, second) => {
                    tally.add_alone(first, &mut self.stacks);
                    second
                }
            };
            if plain.is_none() {
                tally.add(group_of_named(&map));
            }
        })?;
        tally.add_alone(held, &mut self.stacks);
        Ok(tally)
    }

    fn rows(&mut self, tally: Tally) -> Vec<GroupCount> {
        let mut others = tally.others;
        let mut rows = Vec::new();
        for (group, count) in tally.groups {
            if count >= LEAST && self.named.len() < MOST_ROWS {
                self.named.insert(group.clone());
            }
            if self.named.contains(&group) {
                rows.push(to_row(group.into(), count));
            } else {
                others += count;
            }
        }
        if others > 0 {
            rows.push(to_row("other mappings".into(), others));
        }
        rows
    }
}

fn to_row(group: Name, count: u64) -> GroupCount {
    GroupCount { kind: HandleKind::Mapping, group, count, fresh: None }
}

/// Counts by group while the file is read.
#[derive(Debug, Default)]
struct Tally {
    groups: BTreeMap<Vec<u8>, u64>,
    others: u64,
}

impl Tally {
    fn add(&mut self, group: Vec<u8>) {
        let room = self.groups.len() < MOST_GROUPS;
        match self.groups.entry(group) {
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(entry) if room => {
                entry.insert(1);
            }
            Entry::Vacant(_) => self.others += 1,
        }
    }

    /// What looked like a stack and is none.
    fn add_rejected(&mut self, stretch: &Stretch) {
        let class = size_class(stretch.size);
        self.add_reserved(stretch.guard);
        let place = if stretch.is_guarded() { " behind a guard" } else { "" };
        self.add(format!("anonymous rw-p{place}, {class}").into_bytes());
    }

    /// Two neighbours: an arena with the rest of its heap, a stack with its guard, or strangers. Returns what is
    /// still to be judged by its next neighbour.
    fn add_pair(&mut self, first: Plain, second: Plain, stacks: &mut Stacks) -> Option<Plain> {
        let both = second.end - first.start;
        if is_usable(first) && second.protection.is_none() && is_heap(first.start, both) {
            self.add_reserved(first.guard);
            self.add(b"malloc arenas".to_vec());
            return None;
        }
        if first.protection.is_none() {
            let guarded = Plain { guard: first.size(), ..second };
            // What stands where an arena could begin is one if the next neighbour is the rest of its heap.
            let may_be_arena = second.start.is_multiple_of(ARENA);
            if guarded.is_behind_guard() && may_be_arena {
                return Some(guarded);
            }
            if guarded.is_behind_guard() {
                self.add_alone(Some(guarded), stacks);
                return None;
            }
        }
        self.add_alone(Some(first), stacks);
        Some(second)
    }

    fn add_alone(&mut self, plain: Option<Plain>, stacks: &mut Stacks) {
        let Some(plain) = plain else { return };
        if plain.is_behind_guard() && !is_heap(plain.start, plain.size()) {
            let Plain { start, guard, .. } = plain;
            stacks.add(Stretch { start, size: plain.size(), guard });
            return;
        }
        self.add_reserved(plain.guard);
        if is_usable(plain) && stacks.add_unguarded(plain.start, plain.size()) {
            return;
        }
        self.add(group_of_plain(plain));
    }

    fn add_reserved(&mut self, size: u64) {
        if size > 0 {
            self.add(format!("reserved, {}", size_class(size)).into_bytes());
        }
    }
}

fn is_usable(plain: Plain) -> bool {
    plain.protection.read && plain.protection.write && !plain.protection.execute
}

fn is_heap(start: u64, size: u64) -> bool {
    start.is_multiple_of(ARENA) && size == ARENA
}

fn group_of_plain(plain: Plain) -> Vec<u8> {
    let class = size_class(plain.size());
    let text = match plain.protection {
        _ if is_usable(plain) && is_heap(plain.start, plain.size()) => "malloc arenas".to_owned(),
        protection if protection.execute => "JIT code".to_owned(),
        protection if protection.is_none() => format!("reserved, {class}"),
        protection => format!("anonymous {protection}, {class}"),
    };
    text.into_bytes()
}

/// Places for code that a runtime writes: .NET's doubly mapped memory, LuaJIT, PCRE, V8 and others by their names.
const JIT_NAMES: &[&[u8]] =
    &[b"/memfd:doublemapper", b"/memfd:jit", b"[anon:jit", b"[anon:JIT", b"[anon:v8"];

fn group_of_named(map: &Map<'_>) -> Vec<u8> {
    if JIT_NAMES.iter().any(|name| map.path.starts_with(name)) {
        return b"JIT code".to_vec();
    }
    if map.path.starts_with(b"[") {
        return map.path.to_vec();
    }
    let mut group = pattern(HandleKind::Mapping, &map.path.into()).bytes().to_vec();
    if group.is_empty() || map.path.is_empty() {
        group = b"anonymous".to_vec();
    }
    group.extend_from_slice(format!(" {}, {}", map.protection, size_class(map.size())).as_bytes());
    group
}

/// A size's class by powers of two, for leaks whose sizes differ: `64 KiB`, or `64 to 128 KiB`.
fn size_class(size: u64) -> String {
    let class = size.max(4096).ilog2();
    let (unit, shift) = match class {
        0..20 => ("KiB", 10),
        20..30 => ("MiB", 20),
        _ => ("GiB", 30),
    };
    let low = 1u64 << (class - shift);
    if size.is_power_of_two() {
        format!("{low} {unit}")
    } else {
        format!("{low} to {} {unit}", low * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_classes() {
        let check = |size: u64, expected: &str| assert_eq!(size_class(size), expected);
        check(4096, "4 KiB");
        check(12 << 10, "8 to 16 KiB");
        check(1 << 20, "1 MiB");
        check(1000 << 20, "512 to 1024 MiB");
        check(3 << 30, "2 to 4 GiB");
        check(1, "4 KiB");
    }
}
