//! Completions and manual pages, from the same tables as `--help`.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::Done;
use crate::args::Arguments;
use crate::ending::Ending;

/// Prints the completion script of a shell.
pub fn completions(shell: Shell) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "fdscope", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Ending::Done)
}

/// Prints the manual page, or writes one per command into `folder`.
pub fn man(folder: Option<&Path>) -> Done {
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder))
                .with_context(|| {
                    format!("failed to write manual pages into {}", folder.display())
                })?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
            std::io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(Ending::Done)
}
