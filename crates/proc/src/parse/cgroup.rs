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

/// The systemd unit of a cgroup's path: its last part that names one.
pub fn unit_of(path: &[u8]) -> Option<&[u8]> {
    let is_unit = |part: &&[u8]| part.ends_with(b".service") || part.ends_with(b".scope");
    path.rsplit(|&b| b == b'/').find(is_unit)
}

/// The id of the container in a cgroup's path, as docker, podman, containerd and CRI-O write it: 64 hexadecimal digits,
/// with the runtime's name before and `.scope` behind.
pub fn container_of(path: &[u8]) -> Option<&[u8]> {
    path.rsplit(|&b| b == b'/').find_map(|part| {
        let part = part.strip_suffix(b".scope").unwrap_or(part);
        let id = part.rsplit(|&b| b == b'-' || b == b':').next()?;
        (id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit)).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_containers_are_told_by_the_path() {
        let id = "0123456789abcdef".repeat(4);
        let check = |path: &str, unit: Option<&str>, container: Option<&str>| {
            assert_eq!(unit_of(path.as_bytes()), unit.map(str::as_bytes), "{path}");
            assert_eq!(container_of(path.as_bytes()), container.map(str::as_bytes), "{path}");
        };
        check("/system.slice/nginx.service", Some("nginx.service"), None);
        check("/user.slice/user-1.slice/session-3.scope", Some("session-3.scope"), None);
        let scope = format!("docker-{id}.scope");
        check(&format!("/system.slice/{scope}"), Some(&scope), Some(&id));
        check(&format!("/docker/{id}"), None, Some(&id));
        check(&format!("/kubepods/burstable/pod1/{id}/init"), None, Some(&id));
        check(&format!("/a/cri-containerd:x:{id}"), None, Some(&id));
        check("/", None, None);
    }

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
