//! From addresses to functions, files and lines: the only file that knows blazesym.
//!
//! Each module is asked in turn: its separate debug file, then the file itself with its debug information, then its
//! symbol table alone, then a packed symbol table, then what the toolchain put there for itself (`go_table`). All go by the descriptors that `module` keeps, so that deleted files and other mount
//! namespaces make no difference.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};
use fdscope_model::{CodeAddr, Monotonic, Symbol};
use fdscope_sys::clock::monotonic_now;

use crate::elf::{LARGEST_SECTION, unpacks_soberly};
use crate::go_table::GoTable;
use crate::module::{Code, Image, Module};
use crate::perf_map::PerfMap;
use crate::swift;
use fdscope_model::hash::FastMap;

/// What blazesym has parsed it keeps: beyond so many files, or so many bytes of files, it starts anew. A machine where
/// programs are built and run has ever new ones.
const MOST_FILES: usize = 512;
const MOST_BYTES: u64 = 2 << 30;
/// But not more often than this: a single program may be larger.
const STARTS_APART_NS: u64 = 10_000_000_000;

/// Finds names, and remembers them.
#[derive(Debug)]
pub struct Symbols {
    symbolizer: Symbolizer,
    debug_dirs: Vec<PathBuf>,
    /// The bytes of the files that the symbolizer was asked about, and since when.
    parsed_bytes: u64,
    parsing_since: Monotonic,
    known: FastMap<CodeAddr, Rc<[Symbol]>>,
    perf_maps: FastMap<u32, PerfMap>,
    go_tables: FastMap<u32, Option<GoTable>>,
    /// Files that the symbolizer may hold, by device and inode: may they be asked?
    sober: FastMap<(u64, u64), bool>,
}

impl Symbols {
    /// Nothing known yet. The directories are for debug files that debug files refer to (dwz).
    pub fn new(debug_dirs: Vec<PathBuf>) -> Self {
        let symbolizer = build(&debug_dirs);
        let (parsed_bytes, parsing_since) = (0, monotonic_now());
        let (known, perf_maps) = (FastMap::default(), FastMap::default());
        let (go_tables, sober) = (FastMap::default(), FastMap::default());
        Symbols {
            symbolizer,
            debug_dirs,
            parsed_bytes,
            parsing_since,
            known,
            perf_maps,
            go_tables,
            sober,
        }
    }

    /// The symbols at `addr` of `module`, innermost first; never empty.
    pub fn find(&mut self, addr: CodeAddr, module: Option<&Module>) -> Rc<[Symbol]> {
        if let Some(known) = self.known.get(&addr) {
            return Rc::clone(known);
        }
        let found: Option<Vec<Symbol>> = match module.map(|module| &module.code) {
            Some(Code::File(image)) => {
                self.in_image(image, addr.offset).or_else(|| self.in_go_table(image, addr))
            }
            Some(Code::Jit { map: Some(map), .. }) => self.in_perf_map(map, addr),
            _ => None,
        };
        let jit = matches!(module.map(|module| &module.code), Some(Code::Jit { .. }));
        let named = found.is_some();
        let found: Rc<[Symbol]> = found.unwrap_or_else(|| vec![Symbol::default()]).into();
        // A perf map grows: what it does not name yet it may name later.
        if named || !jit {
            self.known.insert(addr, Rc::clone(&found));
        }
        found
    }

    fn in_perf_map(&mut self, file: &File, addr: CodeAddr) -> Option<Vec<Symbol>> {
        let size = file.metadata().ok()?.len();
        let map = self.perf_maps.entry(addr.module).or_default();
        // Maps are only ever appended to.
        if map.size() < size {
            *map = PerfMap::read(file);
        }
        map.symbol(addr.offset).map(|symbol| vec![symbol])
    }

    fn in_go_table(&mut self, image: &Image, addr: CodeAddr) -> Option<Vec<Symbol>> {
        let address = image.elf.address_of(addr.offset)?;
        let read = || {
            let (offset, size) = image.elf.go_table.filter(|&(_, size)| size < LARGEST_SECTION)?;
            let mut bytes = vec![0; usize::try_from(size).ok()?];
            image.file.read_exact_at(&mut bytes, offset).ok()?;
            GoTable::parse(bytes, image.elf.text_address)
        };
        let table = self.go_tables.entry(addr.module).or_insert_with(read).as_ref()?;
        table.symbol(address).map(|symbol| vec![symbol])
    }

    fn in_image(&mut self, image: &Image, offset: u64) -> Option<Vec<Symbol>> {
        let address = image.elf.address_of(offset)?;
        let separate = image.debug.as_ref().map(|file| (file, true));
        let sources = separate.into_iter().chain([(&image.file, true), (&image.file, false)]);
        // The best answer has a line; failing that, the first that has a name.
        let mut named = None;
        for (file, debug_syms) in sources {
            match self.ask(file, debug_syms, address) {
                Some(mut symbols) if symbols.iter().any(|symbol| symbol.line.is_some()) => {
                    self.qualify(file, address, &mut symbols);
                    return Some(symbols);
                }
                found => named = named.or(found),
            }
        }
        named.or_else(|| self.ask(image.packed()?, false, address))
    }

    /// Replaces `run` by `(anonymous namespace)::Worker::run(int)`: the debug information of C++ functions that no
    /// other file can call lacks the full name, and the symbol table has it.
    fn qualify(&mut self, file: &File, address: u64, symbols: &mut [Symbol]) {
        let Some(outer) = symbols.last_mut() else { return };
        let Some(short) = outer.function.as_deref().filter(|name| !name.contains("::")) else {
            return;
        };
        let full = self.ask(file, false, address).and_then(|mut found| found.pop()?.function);
        let tail = format!("::{}", short.split('<').next().unwrap_or(short));
        if let Some(full) = full.filter(|full| full.contains(&tail)) {
            outer.function = Some(full);
        }
    }

    /// The file comes from the target and may be hostile: a panic in its parsing costs these names, no more. That no memory
    /// is left would end the program, so what asks for too much is not even begun.
    fn ask(&mut self, file: &File, debug_syms: bool, address: u64) -> Option<Vec<Symbol>> {
        let meta = file.metadata().ok()?;
        let key = (meta.dev(), meta.ino());
        let sober = match self.sober.get(&key) {
            Some(sober) => *sober,
            None => {
                self.make_room(meta.len());
                let sober = unpacks_soberly(file);
                self.sober.insert(key, sober);
                sober
            }
        };
        if !sober {
            return None;
        }
        let mut elf = Elf::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
        elf.debug_syms = debug_syms;
        let source = Source::Elf(elf);
        let ask = || match self.symbolizer.symbolize_single(&source, Input::VirtOffset(address)) {
            Ok(Symbolized::Sym(sym)) => Some(symbols_of(&sym)),
            _ => None,
        };
        catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
            self.start_anew();
            None
        })
    }

    /// Another file of so many bytes is about to be parsed.
    fn make_room(&mut self, bytes: u64) {
        let is_full = self.sober.len() >= MOST_FILES || self.parsed_bytes > MOST_BYTES;
        if is_full && monotonic_now().since_ns(self.parsing_since) >= STARTS_APART_NS {
            self.start_anew();
        }
        self.parsed_bytes = self.parsed_bytes.saturating_add(bytes);
    }

    /// Forgets all that was parsed; what was found stays known.
    fn start_anew(&mut self) {
        self.symbolizer = build(&self.debug_dirs);
        self.sober.clear();
        (self.parsed_bytes, self.parsing_since) = (0, monotonic_now());
    }
}

fn build(debug_dirs: &[PathBuf]) -> Symbolizer {
    // Descriptors name the files, and what they name never changes.
    Symbolizer::builder().set_debug_dirs(Some(debug_dirs)).enable_auto_reload(true).build()
}

/// Innermost first: the functions inlined here from the deepest out, then the one that holds them.
fn symbols_of(sym: &Sym<'_>) -> Vec<Symbol> {
    let inlined = sym.inlined.iter().rev();
    let mut symbols: Vec<Symbol> =
        inlined.map(|f| symbol_of(&f.name, f.code_info.as_ref(), true)).collect();
    symbols.push(symbol_of(&sym.name, sym.code_info.as_deref(), false));
    symbols
}

fn symbol_of(name: &str, at: Option<&CodeInfo<'_>>, inlined: bool) -> Symbol {
    Symbol {
        function: swift::demangle(name).or_else(|| Some(name.to_owned()).filter(|n| !n.is_empty())),
        file: at.map(|at| at.to_path().to_string_lossy().into_owned()),
        line: at.and_then(|at| at.line).filter(|&line| line > 0),
        inlined,
    }
}
