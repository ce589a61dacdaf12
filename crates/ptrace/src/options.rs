//! What the caller of a source may choose.

/// Are processes that the target makes watched too?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Follow {
    /// No: they are let go before their first instruction.
    #[default]
    No,
    /// Yes, and those that they make. A set-user-id program among them runs without its privilege unless fdscope has
    /// CAP_SYS_PTRACE: the kernel's rule for every tracer.
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
    /// Are mappings (mmap, munmap, mremap) told? Many programs map more often than they open; sampling counts them.
    pub mappings: bool,
    /// Are registrations (epoll_ctl) told? Sampling counts them; here they have stacks. A registration is told to end
    /// with the descriptor registered, although the kernel keeps it while a copy of that descriptor is open.
    pub registrations: bool,
}

impl Default for Options {
    /// No children, 16 KiB of stack at every event, no mappings, no registrations.
    fn default() -> Self {
        Options {
            follow: Follow::No,
            stack_bytes: 16 << 10,
            close_stacks: CloseStacks::Taken,
            mappings: false,
            registrations: false,
        }
    }
}
