//! What the caller of a source may choose.

/// Are processes that the target makes watched too?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Follow {
    /// No: they are let go before their first instruction.
    #[default]
    No,
    /// Yes, and those that they make.
    Children,
}

/// Are the stacks of calls that end handles taken too?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CloseStacks {
    /// Yes: the report can say where siblings of a leaked handle are closed.
    #[default]
    Taken,
    /// No: the target runs faster.
    Skipped,
}

/// What the caller of a source may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Are child processes watched too?
    pub follow: Follow,
    /// Bytes of stack copied at an event; 0 for none.
    pub stack_bytes: usize,
    /// Are the stacks of calls that end handles taken too?
    pub close_stacks: CloseStacks,
    /// Are mappings (mmap, munmap, mremap) told?
    pub mappings: bool,
}

impl Default for Options {
    /// No children, 16 KiB of stack at every event, no mappings.
    fn default() -> Self {
        Options {
            follow: Follow::No,
            stack_bytes: 16 << 10,
            close_stacks: CloseStacks::Taken,
            mappings: false,
        }
    }
}
