//! The walk over a process's descriptor table: /proc/PID/fd and, where asked for, /proc/PID/fdinfo.
//!
//! The files themselves are neither opened nor waited for. Links and fdinfo are the kernel's own memory. The type of
//! a file with a path (regular, directory, device …) stands in neither; it is asked for by `statx` with
//! `AT_STATX_DONT_SYNC`, and only on file systems known to answer that from memory (see `mounts`).

use fdscope_model::{FdNumber, Handle, Pid, Snapshot, SnapshotSource};
use fdscope_sys::clock::monotonic_now;

use crate::error::ProcError;
use crate::parse::FdInfo;
use crate::root::ProcRoot;
use crate::table::{InternalDevices, OpenTable};

/// How much is read of each descriptor, from cheap to dear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Detail {
    /// Numbers only: one listing.
    Number,
    /// And the link: name, and the kind of all that is no path. Paths are of `UnknownDescriptor` kind.
    Link,
    /// And, for paths, fdinfo and the file's type: every kind, with inode and close-on-exec of paths.
    Kind,
    /// And fdinfo of every descriptor: inode, flags and offset of all.
    Full,
}

/// Reads descriptor tables through /proc.
#[derive(Debug)]
pub struct DescriptorSource {
    root: ProcRoot,
    detail: Detail,
    internal: InternalDevices,
}

impl DescriptorSource {
    /// A source that reads so much of every descriptor.
    pub fn new(root: ProcRoot, detail: Detail) -> Self {
        DescriptorSource { root, detail, internal: InternalDevices::default() }
    }

    /// One descriptor at the detail given, for callers that keep their own list. `None` if it is closed by now.
    pub(crate) fn read_one(&mut self, table: &mut OpenTable, fd: FdNumber) -> Option<Handle> {
        table.read(fd, self.detail, &mut self.internal)
    }

    /// Opens the table of a process for [`Self::read_one`].
    pub(crate) fn open_table(&self, pid: Pid) -> Result<OpenTable, ProcError> {
        OpenTable::open(&self.root, pid, self.detail)
    }
}

impl SnapshotSource for DescriptorSource {
    type Error = ProcError;

    fn snapshot(&mut self, pid: Pid) -> Result<Snapshot, ProcError> {
        let begun = monotonic_now();
        let mut table = self.open_table(pid)?;
        let numbers = table.numbers()?;
        let mut handles = Vec::with_capacity(numbers.len());
        handles.extend(numbers.into_iter().filter_map(|fd| self.read_one(&mut table, fd)));
        let faults = handles.iter().filter_map(|handle| handle.fault.as_deref().cloned()).collect();
        Ok(Snapshot { pid, table: None, begun, ended: monotonic_now(), handles, faults })
    }
}

impl ProcRoot {
    /// The descriptors of a process now. One closed during the walk is left out; one that cannot be read is a row
    /// with its fault.
    ///
    /// # Errors
    /// If the process is gone, or its table may not be read.
    pub fn descriptors(&self, pid: Pid, detail: Detail) -> Result<Snapshot, ProcError> {
        DescriptorSource::new(self.clone(), detail).snapshot(pid)
    }

    /// What fdinfo says of one descriptor.
    ///
    /// # Errors
    /// If the process is gone, the descriptor closed, or neither may be read.
    pub fn fdinfo(&self, pid: Pid, fd: FdNumber) -> Result<FdInfo, ProcError> {
        let dir = self.pid_dir(pid)?;
        let mut info = FdInfo::default();
        let path = format!("{}fdinfo/{fd}", dir.living_place()?);
        dir.read_lines(&path, "read fdinfo", &mut |line| info.fold(line))?;
        Ok(info)
    }

    /// The number of open descriptors: the kernel's own count (since 6.2, and for every process), else a listing.
    ///
    /// # Errors
    /// If the process is gone, or on older kernels if its table may not be read.
    pub fn count_descriptors(&self, pid: Pid) -> Result<u64, ProcError> {
        let dir = self.pid_dir(pid)?;
        let path = format!("{}fd", dir.living_place()?);
        let counted =
            if self.is_live() { dir.stat(&path, "count descriptors")?.st_size } else { 0 };
        match u64::try_from(counted) {
            Ok(count) if count > 0 => Ok(count),
            // No descriptor at all, or a kernel that does not count.
            _ => Ok(dir.list(&path, "list descriptors")?.len() as u64),
        }
    }
}
