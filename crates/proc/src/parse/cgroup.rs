//! /proc/PID/cgroup: where a process stands in each hierarchy (cgroups(7)).

use super::lines;
use super::number::decimal32;

/// One hierarchy's line: `ID:CONTROLLERS:PATH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CgroupEntry<'a> {
    /// 0 for the unified hierarchy (version 2).
    pub hierarchy: u32,
    /// Controllers, parted by commas; empty for version 2, `name=NAME` for hierarchies without.
    pub controllers: &'a [u8],
    /// The path below the mount of the hierarchy, as the reader's cgroup namespace shows it.
    pub path: &'a [u8],
}

impl CgroupEntry<'_> {
    /// True if this hierarchy of version 1 has the controller.
    pub fn has(&self, controller: &[u8]) -> bool {
        self.controllers.split(|&b| b == b',').any(|word| word == controller)
    }

    /// True for the unified hierarchy.
    pub fn is_unified(&self) -> bool {
        self.hierarchy == 0 && self.controllers.is_empty()
    }
}

/// Parses cgroup; lines that are not understood are passed over.
pub fn parse_cgroup(bytes: &[u8]) -> Vec<CgroupEntry<'_>> {
    lines(bytes)
        .filter_map(|line| {
            let mut parts = line.splitn(3, |&b| b == b':');
            let hierarchy = decimal32(parts.next()?)?;
            let controllers = parts.next()?;
            let path = parts.next()?;
            let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
            Some(CgroupEntry { hierarchy, controllers, path })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_hierarchies_are_told() {
        let entries =
            parse_cgroup(b"9:name=systemd:/\n8:cpu,pids:/a:b\n0::/u.slice (deleted)\nx\n");
        assert_eq!(entries.len(), 3);
        assert!(entries[1].has(b"pids") && !entries[1].has(b"pid"));
        assert_eq!(entries[1].path, b"/a:b");
        assert!(entries[2].is_unified() && !entries[0].is_unified());
        assert_eq!(entries[2].path, b"/u.slice");
    }
}
