//! Why a module's file cannot help with unwinding or naming.

/// What went wrong with one file of code.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The file could not be opened or read.
    #[error("failed to read code file: {0}")]
    Read(#[from] std::io::Error),
    /// It is no ELF file, or a broken one.
    #[error("failed to parse ELF file: {0}")]
    Elf(#[from] object::Error),
    /// It is for a processor that unwinding does not know.
    #[error("failed to use ELF file for machine {0}: no such processor in the table")]
    Machine(u16),
    /// It is no regular file.
    #[error("failed to use code file: it is no regular file")]
    Irregular,
}
