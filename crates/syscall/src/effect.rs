//! What a system call does to handles: the words in which the table of [`crate::handles`] is written.

/// What a call does, if it succeeds. Arguments are counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The result is a new descriptor, if `when` holds.
    Returns {
        /// Its close-on-exec flag.
        cloexec: Cloexec,
        /// Whether this use of the call makes one at all.
        when: When,
    },
    /// Two new descriptors are stored as `int[2]`.
    Pair {
        /// The argument that points to them.
        arg: u8,
        /// Their close-on-exec flag.
        cloexec: Cloexec,
    },
    /// dup: the result duplicates argument 0.
    Dup,
    /// dup2, dup3: argument 1 becomes a duplicate of argument 0; what it was is closed.
    DupOnto {
        /// The duplicate's close-on-exec flag.
        cloexec: Cloexec,
    },
    /// `F_DUPFD` and `F_DUPFD_CLOEXEC` duplicate argument 0; `F_SETFD` sets its flag.
    Fcntl,
    /// Argument 0 is closed, whatever the result except EBADF.
    Close,
    /// The numbers from argument 0 to argument 1 are closed or flagged; flags in argument 2.
    CloseRange,
    /// A process or thread is made; flags in argument 0, `CLONE_PIDFD` stores a descriptor at argument 2.
    Clone,
    /// The same by `struct clone_args` at argument 0, whose size is argument 1.
    Clone3,
    /// A process is made with no flags: fork, vfork.
    Fork,
    /// `struct msghdr` at argument 1 may carry `SCM_RIGHTS` or `SCM_PIDFD`; flags in argument 2.
    ReceiveMessage,
    /// `struct mmsghdr[]` at argument 1, as many as the result; flags in argument 3.
    ReceiveMessages,
    /// Request in argument 1, see [`crate::ioctls`].
    Ioctl,
    /// Level in argument 1, option in argument 2, value at argument 3, see [`crate::options`].
    GetSocketOption,
    /// `CLONE_FILES` in argument 0 gives the caller a table of its own.
    Unshare,
    /// The new timer's id is stored as `int` at argument 2.
    TimerCreate,
    /// Argument 0 is the timer's id.
    TimerDelete,
    /// The result is a watch descriptor of the inotify descriptor in argument 0 (an old one if the path is watched).
    AddWatch,
    /// Argument 1 is the watch descriptor of the inotify descriptor in argument 0.
    RemoveWatch,
    /// Epoll descriptor in argument 0, operation in 1, descriptor in 2.
    EpollControl,
    /// The result is a mapping's address, its length argument 1.
    Map,
    /// The same with all six arguments in a structure at argument 0 (i386's first mmap).
    MapStruct,
    /// The mappings from argument 0, as long as argument 1, end.
    Unmap,
    /// The mapping at argument 0 of length argument 1 moves to the result with the length in argument 2.
    Remap,
    /// The result is a child that was waited for, if positive; its status is at argument 1.
    Wait,
    /// waitid: the child's number is in `siginfo_t` at argument 2; flags in argument 3 (`WNOWAIT` reaps nothing).
    WaitId,
    /// i386's multiplexer: which call in argument 0, a pointer to its arguments in 1; see [`crate::handles::socketcall`].
    SocketCall,
}

/// The close-on-exec flag of a new descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cloexec {
    /// Off.
    Never,
    /// On.
    Always,
    /// On if any bit of `mask` is set in an argument.
    IfFlag {
        /// Which argument.
        arg: u8,
        /// Which bits.
        mask: u64,
    },
    /// On if any bit of `mask` is set in the 64-bit word at an argument's pointer (openat2's `how.flags`).
    IfFlagAt {
        /// Which argument points to the structure.
        arg: u8,
        /// Offset of the word in the structure.
        offset: u16,
        /// Which bits.
        mask: u64,
    },
    /// Only the kernel can tell: read fdinfo.
    Unknown,
}

/// Whether a use of a call makes a descriptor. Arguments are compared as the kernel does: by their low 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Each use does.
    Always,
    /// If the argument has this value.
    Is(u8, u32),
    /// If the argument is one of these commands.
    OneOf(u8, &'static [u32]),
    /// If any of these bits is set in the argument.
    Flag(u8, u32),
    /// Unless any of `mask` is set in the 32-bit word at `offset` of the structure that the argument points to.
    UnlessAt {
        /// Which argument points to the structure.
        arg: u8,
        /// Offset of the word.
        offset: u16,
        /// Which bits.
        mask: u32,
    },
}

/// `O_CLOEXEC`, and with it SOCK_, EFD_, TFD_, SFD_, EPOLL_, IN_CLOEXEC and OPEN_TREE_CLOEXEC: alike on all three.
pub const O_CLOEXEC: u64 = 0o2_000_000;
