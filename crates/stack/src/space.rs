//! The code in one process's address space: which module an address is in, and how to unwind there.
//!
//! Every address looked up is remembered with its answer, so that unwinding the same call path again is one table
//! look-up per frame. Processes that forked without exec share one space.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fdscope_model::{CodeAddr, Pid};
use gimli::UnwindContext;

use crate::hash::FastMap;
use crate::maps::{Mapping, parse_executable};
use crate::module::Modules;
use crate::rule::Rule;

/// The most addresses remembered; a program has some hundreds, hostile stacks have no end.
const MOST_PLACES: usize = 16_384;
/// The longest text of maps that is read: 65,530 mappings of 100 bytes and some more.
const LONGEST_MAPS: u64 = 32 << 20;

/// An address, explained.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Module and offset.
    pub addr: CodeAddr,
    /// How to leave the frame.
    pub rule: Rule,
    /// True if the function there is known to keep a frame pointer: JIT code, Go.
    pub keeps_fp: bool,
}

/// The executable mappings of a process.
#[derive(Debug)]
pub struct Space {
    pid: Pid,
    mapped: Vec<Mapped>,
    places: FastMap<u64, Place>,
}

#[derive(Debug)]
struct Mapped {
    mapping: Mapping,
    module: Resolved,
}

#[derive(Clone, Copy, Debug)]
enum Resolved {
    NotYet,
    Elf(u32),
    Jit(Option<u32>),
}

impl Space {
    /// A space that nothing is known about.
    pub fn empty(pid: Pid) -> Self {
        Space { pid, mapped: Vec::new(), places: FastMap::default() }
    }

    /// Reads the mappings of `pid`; `None` if it is gone or not permitted.
    pub fn read(proc_root: &Path, pid: Pid) -> Option<Self> {
        let file = File::open(proc_root.join(format!("{pid}/maps"))).ok()?;
        let mut text = Vec::new();
        file.take(LONGEST_MAPS).read_to_end(&mut text).ok()?;
        let mapped = parse_executable(&text)
            .into_iter()
            .map(|mapping| Mapped { mapping, module: Resolved::NotYet })
            .collect::<Vec<_>>();
        (!mapped.is_empty()).then(|| Space { pid, mapped, places: FastMap::default() })
    }

    /// True if `address` is in executable memory.
    pub fn is_code(&self, address: u64) -> bool {
        self.index_of(address).is_some()
    }

    /// What is at `address`.
    pub fn place(
        &mut self,
        address: u64,
        modules: &mut Modules,
        context: &mut UnwindContext<usize>,
    ) -> Place {
        if let Some(&known) = self.places.get(&address) {
            return known;
        }
        let place = self.resolve(address, modules, context);
        if self.places.len() >= MOST_PLACES {
            self.places.clear();
        }
        self.places.insert(address, place);
        place
    }

    fn resolve(
        &mut self,
        address: u64,
        modules: &mut Modules,
        context: &mut UnwindContext<usize>,
    ) -> Place {
        let outside = CodeAddr { module: CodeAddr::ANONYMOUS, offset: address };
        let Some(index) = self.index_of(address) else {
            return Place { addr: outside, rule: Rule::NotCode, keeps_fp: false };
        };
        let resolved = self.module_at(index, modules);
        let mapping = &self.mapped[index].mapping;
        let Resolved::Elf(module) = resolved else {
            let module = if let Resolved::Jit(Some(module)) = resolved {
                module
            } else {
                CodeAddr::ANONYMOUS
            };
            let addr = CodeAddr { module, offset: address };
            return Place { addr, rule: Rule::Unknown, keeps_fp: true };
        };
        let offset = (address - mapping.start).wrapping_add(mapping.file_offset);
        let image = modules.image(module);
        let row = image.and_then(|image| {
            let address = image.elf.address_of(offset)?;
            // The file comes from the target: a panic of the parser costs this row, no more.
            let row = || image.cfi.row(address, image.arch(), context);
            catch_unwind(AssertUnwindSafe(row)).unwrap_or_default()
        });
        Place {
            addr: CodeAddr { module, offset },
            rule: row.map_or(Rule::Unknown, Rule::Dwarf),
            keeps_fp: image.is_some_and(|image| image.elf.go),
        }
    }

    fn module_at(&mut self, index: usize, modules: &mut Modules) -> Resolved {
        let mapped = &mut self.mapped[index];
        if let Resolved::NotYet = mapped.module {
            mapped.module = match modules.of_mapping(self.pid, &mapped.mapping) {
                Some(module) => Resolved::Elf(module),
                None => Resolved::Jit(modules.of_jit(self.pid)),
            };
        }
        mapped.module
    }

    fn index_of(&self, address: u64) -> Option<usize> {
        let after = self.mapped.partition_point(|mapped| mapped.mapping.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.mapped[index].mapping.end).then_some(index)
    }
}
