//! What a reader of inventories asks for: every row and column costs system calls, so nobody gets what nobody reads.

/// Which rows and which columns are read. The rows that are not wanted are missing, the columns `None` or empty.
///
/// By default the descriptors, each with its link's text and the kind that the text tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a set, whose members are named where they are asked for"
)]
pub struct Wanted {
    /// Rows: descriptors. One listing, and one readlink each.
    pub descriptors: bool,
    /// Rows: working directory, root directory and executable.
    pub places: bool,
    /// Rows: the first mapping of each file that is mapped.
    pub mappings: bool,
    /// Rows: the namespaces that the process lives in.
    pub namespaces: bool,
    /// Rows: files in the tables of io_uring instances. Reads the fdinfo of each.
    pub ring_slots: bool,
    /// Rows: descriptors sent to UNIX sockets and not received. Reads the fdinfo of every socket.
    pub in_flight: bool,
    /// Columns `cmdline` and `exe` of the process.
    pub command: bool,
    /// The kind of descriptors whose link does not tell it: files, directories, devices. A statx and an lstat each.
    pub kinds: bool,
    /// Column `access`. An lstat for each descriptor whose kind does not tell it.
    pub access: bool,
    /// Column `status`, and with it the kinds. A statx for each handle that is no socket, pipe or anonymous inode.
    pub status: bool,
    /// Columns `flags`, `offset`, `mount` and the inode of each descriptor. Reads every fdinfo: the dearest.
    pub fdinfo: bool,
    /// Column `facts` of all kinds but sockets, pipes and terminals' ends. Reads the fdinfo of those kinds.
    pub facts: bool,
    /// Column `locks`. Reads /proc/locks once, and the fdinfo of descriptors whose inode is in it.
    pub locks: bool,
    /// Facts of sockets: state, addresses, queues.
    pub sockets: bool,
    /// Column `ends`: who else holds pipes, terminals, eventfds, sockets. Reads the links of every process once.
    pub ends: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted { descriptors: true, ..Wanted::nothing() }
    }
}

impl Wanted {
    /// Who the process is, and no row.
    pub fn nothing() -> Self {
        Wanted {
            descriptors: false,
            places: false,
            mappings: false,
            namespaces: false,
            ring_slots: false,
            in_flight: false,
            command: false,
            kinds: false,
            access: false,
            status: false,
            fdinfo: false,
            facts: false,
            locks: false,
            sockets: false,
            ends: false,
        }
    }

    /// Every row with every column.
    pub fn everything() -> Self {
        Wanted {
            descriptors: true,
            places: true,
            mappings: true,
            namespaces: true,
            ring_slots: true,
            in_flight: true,
            command: true,
            kinds: true,
            access: true,
            status: true,
            fdinfo: true,
            facts: true,
            locks: true,
            sockets: true,
            ends: true,
        }
    }
}
