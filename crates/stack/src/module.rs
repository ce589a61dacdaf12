//! Modules: the files that code comes from, opened once per file and kept open, so that symbols are there when the
//! process is gone and the file deleted or replaced.
//!
//! One or two descriptors are held per module (the file, its debug file). A file that several processes map, in
//! whichever mount namespace, is one module: it is known by device, inode, size and time of change.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fdscope_model::{CodeAddr, Name, Pid};

use crate::arch::{Arch, LONGEST_CALL};
use crate::callee::{Fit, Functions, Side, fit};
use crate::cfi::Cfi;
use crate::debug_file;
use crate::elf::Elf;
use crate::epilogue;
use crate::error::StackError;
use crate::maps::Mapping;
use crate::open::{open_below, open_quietly};
use crate::options::StackOptions;
use fdscope_model::hash::FastMap;

/// The most modules of one run: a bound for targets that map ever new files.
const MOST: usize = 8192;
/// The largest vDSO; real ones have two pages.
const LARGEST_VDSO: u64 = 64 << 10;

/// Where code comes from.
#[derive(Debug)]
pub struct Module {
    /// Path as its process sees it; `[vdso]`; empty for code that no file backs.
    pub path: Name,
    /// What it is.
    pub code: Code,
}

/// What a module's code is.
#[derive(Debug)]
pub enum Code {
    /// An ELF file.
    File(Box<Image>),
    /// What a just-in-time compiler made in this process.
    Jit {
        /// Whose memory it is.
        pid: Pid,
        /// The process's perf map, if it writes one; kept open.
        map: Option<File>,
    },
}

/// An ELF file in use.
#[derive(Debug)]
pub struct Image {
    /// The file; for the vDSO a copy.
    pub file: File,
    /// What was read of it.
    pub elf: Elf,
    /// How to unwind through it.
    pub cfi: Cfi,
    /// Its separate debug file, if one was found.
    pub debug: Option<File>,
    /// The symbol table packed into it, unpacked when first wanted.
    packed: OnceCell<Option<File>>,
    /// Its functions, read when first wanted.
    functions: OnceCell<Functions>,
    /// Return addresses looked at, with the answer.
    calls: FastMap<u64, bool>,
}

/// What makes a file the same file.
#[derive(PartialEq, Eq, Hash, Debug)]
struct FileKey {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// The run's modules.
#[derive(Debug)]
pub struct Modules {
    options: StackOptions,
    list: Vec<Module>,
    by_file: HashMap<FileKey, Option<u32>>,
    by_process: HashMap<Pid, u32>,
    vdsos: Vec<(Vec<u8>, u32)>,
}

impl Modules {
    /// No modules yet.
    pub fn new(options: StackOptions) -> Self {
        Modules {
            options,
            list: Vec::new(),
            by_file: HashMap::new(),
            by_process: HashMap::new(),
            vdsos: Vec::new(),
        }
    }

    /// What was given to [`Modules::new`].
    pub fn options(&self) -> &StackOptions {
        &self.options
    }

    /// The module with this number.
    pub fn get(&self, module: u32) -> Option<&Module> {
        self.list.get(module as usize)
    }

    /// The ELF file with this number.
    pub fn image(&self, module: u32) -> Option<&Image> {
        match &self.get(module)?.code {
            Code::File(image) => Some(image),
            Code::Jit { .. } => None,
        }
    }

    /// The module that `mapping` of `pid` maps; `None` if no ELF file backs it.
    pub fn of_mapping(&mut self, pid: Pid, mapping: &Mapping) -> Option<u32> {
        if mapping.path == b"[vdso]" {
            return self.of_vdso(pid, mapping);
        }
        if mapping.inode == 0 {
            return None;
        }
        let file = self.open(pid, mapping)?;
        let facts = file.metadata().ok().filter(|facts| facts.is_file())?;
        let key = FileKey {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.len(),
            changed: (facts.ctime(), facts.ctime_nsec()),
        };
        if let Some(&known) = self.by_file.get(&key) {
            return known;
        }
        let path = mapping.path.strip_suffix(b" (deleted)").unwrap_or(&mapping.path);
        // The file comes from the target: a panic of the parser makes it a file without code, no more.
        let load = AssertUnwindSafe(|| self.load(pid, path, file).ok());
        let loaded = catch_unwind(load).unwrap_or_default();
        let module = loaded.and_then(|image| self.add(path, Code::File(Box::new(image))));
        self.by_file.insert(key, module);
        module
    }

    /// The module of code that no file backs in `pid`.
    pub fn of_jit(&mut self, pid: Pid) -> Option<u32> {
        if let Some(&known) = self.by_process.get(&pid) {
            return Some(known);
        }
        let map = crate::perf_map::open(&self.options.proc_root, pid);
        let module = self.add(b"", Code::Jit { pid, map })?;
        self.by_process.insert(pid, module);
        Some(module)
    }

    /// Forgets which module is the JIT code of `pid`: the number may come back as another process.
    pub fn forget(&mut self, pid: Pid) {
        self.by_process.remove(&pid);
    }

    /// Looks again for perf maps that did not exist when their process was first seen.
    pub fn find_perf_maps(&mut self) {
        for module in &mut self.list {
            if let Code::Jit { pid, map: map @ None } = &mut module.code {
                *map = crate::perf_map::open(&self.options.proc_root, *pid);
            }
        }
    }

    /// True if the code before this offset of the module's file is a call: what a return address looks like.
    ///
    /// Code that cannot be read is given the benefit of the doubt.
    pub fn follows_call(&mut self, module: u32, offset: u64) -> bool {
        let Some(Module { code: Code::File(image), .. }) = self.list.get_mut(module as usize)
        else {
            return true;
        };
        if let Some(&known) = image.calls.get(&offset) {
            return known;
        }
        if image.calls.len() >= MOST {
            image.calls.clear();
        }
        let answer = image.follows_call(offset);
        image.calls.insert(offset, answer);
        answer
    }

    /// Can the return address `upper` be that of a frame at `lower`? Both as they are, not moved back.
    pub fn fit(&self, upper: CodeAddr, lower: CodeAddr) -> Fit {
        let side = |addr: CodeAddr| self.image(addr.module)?.side(addr);
        match (side(upper), side(lower)) {
            (Some(upper), Some(lower)) => fit(upper, lower),
            _ => Fit::Possible,
        }
    }

    /// True if the code at this place is the trampoline that signal handlers return to.
    pub fn returns_from_signal(&self, at: CodeAddr) -> bool {
        let trampoline = || {
            let image = self.image(at.module)?;
            let mut code = [0; 16];
            let read = image.file.read_at(&mut code, at.offset).ok()?;
            let known = image.arch().signal_return?.code;
            Some(known.iter().any(|known| code[..read].starts_with(known)))
        };
        trampoline().unwrap_or(false)
    }

    fn add(&mut self, path: &[u8], code: Code) -> Option<u32> {
        let number = u32::try_from(self.list.len()).ok().filter(|&n| (n as usize) < MOST)?;
        self.list.push(Module { path: path.into(), code });
        Some(number)
    }

    /// Opens the very file that is mapped: through `map_files`, which needs CAP_CHECKPOINT_RESTORE and works for
    /// deleted files, else through the process's root directory if the inode number is still the same.
    fn open(&self, pid: Pid, mapping: &Mapping) -> Option<File> {
        let process = self.options.proc_root.join(pid.to_string());
        let range = format!("map_files/{:x}-{:x}", mapping.start, mapping.end);
        let same = |file: &File| file.metadata().is_ok_and(|m| m.ino() == mapping.inode);
        open_quietly(&process.join(range)).or_else(|| {
            let by_path = open_below(&process.join("root"), &mapping.path).filter(same);
            by_path.or_else(|| open_quietly(&process.join("exe")).filter(same))
        })
    }

    fn load(&self, pid: Pid, path: &[u8], file: File) -> Result<Image, StackError> {
        let mut elf = Elf::read(&file)?;
        let root = self.options.proc_root.join(pid.to_string()).join("root");
        let debug = debug_file::find(&self.options, &root, path, &elf);
        let mut sections = std::mem::take(&mut elf.unwind);
        if sections.debug_frame.bytes.is_empty()
            && let Some(Ok(separate)) = debug.as_ref().map(Elf::read)
        {
            sections.debug_frame = separate.unwind.debug_frame;
        }
        let cfi = Cfi::new(sections, elf.arch);
        Ok(Image {
            file,
            cfi,
            elf,
            debug,
            packed: OnceCell::new(),
            functions: OnceCell::new(),
            calls: FastMap::default(),
        })
    }

    /// The vDSO has no file: its bytes are read from the process and kept in a memory file.
    fn of_vdso(&mut self, pid: Pid, mapping: &Mapping) -> Option<u32> {
        let memory = File::open(self.options.proc_root.join(format!("{pid}/mem"))).ok()?;
        let size = (mapping.end - mapping.start).min(LARGEST_VDSO);
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        memory.read_exact_at(&mut bytes, mapping.start).ok()?;
        if let Some((_, known)) = self.vdsos.iter().find(|(seen, _)| *seen == bytes) {
            return Some(*known);
        }
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file: File = rustix::fs::memfd_create("vdso", flags).ok()?.into();
        file.write_all(&bytes).ok()?;
        let image = self.load(pid, b"[vdso]", file).ok()?;
        let module = self.add(b"[vdso]", Code::File(Box::new(image)))?;
        self.vdsos.push((bytes, module));
        Some(module)
    }
}

impl Image {
    fn follows_call(&self, offset: u64) -> bool {
        let mut code = [0; LONGEST_CALL];
        let from = offset.saturating_sub(LONGEST_CALL as u64);
        let wanted = &mut code[..(offset - from) as usize];
        match self.file.read_exact_at(wanted, from) {
            Ok(()) => (self.elf.arch.ends_in_call)(wanted),
            Err(_) => true,
        }
    }

    fn side(&self, addr: CodeAddr) -> Option<Side<'_>> {
        let address = self.elf.address_of(addr.offset)?;
        let functions = self.functions.get_or_init(|| Functions::read(&self.file));
        Some(Side { module: addr.module, file: &self.file, elf: &self.elf, functions, address })
    }

    /// The code that a call, whose last byte is at this offset of the file, returns to.
    pub fn code(&self, offset: u64) -> Option<Vec<u8>> {
        let mut code = vec![0; epilogue::LENGTH];
        let length = self.file.read_at(&mut code, offset.checked_add(1)?).ok()?;
        code.truncate(length);
        Some(code)
    }

    /// The symbol table packed into the file, as a file.
    pub fn packed(&self) -> Option<&File> {
        self.packed.get_or_init(|| debug_file::unpack(&self.file, &self.elf)).as_ref()
    }

    /// The processor of the file.
    pub fn arch(&self) -> &'static Arch {
        self.elf.arch
    }
}
