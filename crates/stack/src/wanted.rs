//! Which debug files would name what has no name.

use std::path::{Path, PathBuf};

use fdscope_model::{Name, StackId};

use crate::debug_file::build_id_path;
use crate::module::Code;
use crate::stacks::{Stacks, build_id_of};

impl Stacks {
    /// For each module of `stack` whose functions have no names: its path and the debug file that would name them.
    pub fn wanted_debug_files(&mut self, stack: StackId) -> Vec<WantedDebugFile> {
        let mut wanted: Vec<WantedDebugFile> = Vec::new();
        let addresses = self.table.get(stack).map_or(&[][..], |stack| &stack.frames);
        for &addr in addresses {
            let Some(module) = self.modules.get(addr.module) else { continue };
            let Code::File(image) = &module.code else { continue };
            let symbols = self.symbols.find(addr, Some(module));
            let named = symbols.iter().all(|symbol| symbol.function.is_some());
            if named || wanted.iter().any(|w| w.module == module.path) {
                continue;
            }
            wanted.push(WantedDebugFile {
                module: module.path.clone(),
                build_id: build_id_of(&module.code),
                file: build_id_path(&image.elf.build_id)
                    .map(|path| Path::new("/usr/lib/debug").join(path)),
            });
        }
        wanted
    }
}

/// A module without names, and what would name its functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedDebugFile {
    /// The module's path.
    pub module: Name,
    /// Its build id in hexadecimal: `debuginfod-find debuginfo BUILD-ID` fetches the file.
    pub build_id: Option<String>,
    /// Where its distribution's debug package puts the file.
    pub file: Option<PathBuf>,
}
