//! Files named by path: arguments, mount points, `+d` and `+D`. They are told by device and inode, not by path.

use std::collections::HashMap;

use fdscope_model::DeviceId;

use crate::message::Messages;
use crate::world::{FileIdentity, World};

/// Type bits of `st_mode`, and two of the types (inode(7)).
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
const BLOCK: u32 = 0o060_000;

/// Whether paths may be file systems.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum FileSystems {
    /// A path that is a mount point or a mounted device stands for the file system.
    #[default]
    May,
    /// `-f`: paths are files.
    Never,
    /// `+f`: paths must be file systems.
    Must,
}

/// What `-x` permits to `+d` and `+D`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Across {
    pub file_systems: bool,
    pub links: bool,
}

/// Every file named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Named {
    pub list: Vec<Target>,
    files: HashMap<(DeviceId, u64), usize>,
    systems: HashMap<DeviceId, usize>,
    /// True once a path could not be stat'ed: the run ends with 1.
    pub failed: bool,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// As it was written.
    pub argument: Vec<u8>,
    /// As it is shown: links followed, for files.
    pub name: Vec<u8>,
    /// True for a whole file system.
    pub is_system: bool,
}

impl Named {
    /// The file of a device and inode.
    pub(crate) fn file(&self, device: DeviceId, inode: u64) -> Option<usize> {
        self.files.get(&(device, inode)).copied()
    }

    /// The file system of a device.
    pub(crate) fn system(&self, device: DeviceId) -> Option<usize> {
        self.systems.get(&device).copied()
    }

    /// A file by its name.
    pub(crate) fn path(&self, path: &[u8]) -> Option<usize> {
        self.list.iter().position(|t| !t.is_system && (t.name == path || t.argument == path))
    }

    fn push_file(&mut self, argument: &[u8], name: Vec<u8>, identity: FileIdentity) {
        let index = self.list.len();
        self.list.push(Target { argument: argument.to_vec(), name, is_system: false });
        // lsof's chains have the last first.
        self.files.insert((identity.device, identity.inode), index);
    }

    /// Reads the arguments behind the options. False if not one of them can be looked for.
    pub(crate) fn read(
        &mut self,
        arguments: &[Vec<u8>],
        systems: FileSystems,
        quiet: bool,
        world: &dyn World,
        messages: &mut Messages,
    ) -> bool {
        let mut found = false;
        for argument in arguments {
            let mut path = world.resolve(argument).unwrap_or_else(|_| argument.clone());
            while path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
            if systems != FileSystems::Never && self.read_systems(argument, &path, systems, world) {
                found = true;
            } else if systems == FileSystems::Must {
                if !quiet {
                    messages.say("not a file system: ", argument);
                }
                self.failed = true;
            } else {
                match world.stat(&path) {
                    Ok(identity) => {
                        self.push_file(argument, path, identity);
                        found = true;
                    }
                    Err(why) => {
                        if !quiet {
                            messages.around("status error on ", &path, &format!(": {why}"));
                        }
                        self.failed = true;
                    }
                }
            }
        }
        if quiet {
            found |= std::mem::take(&mut self.failed);
        }
        found
    }

    /// Takes the path for a mount point, or for the device that is mounted.
    fn read_systems(
        &mut self,
        argument: &[u8],
        path: &[u8],
        rule: FileSystems,
        world: &dyn World,
    ) -> bool {
        let is_source = |source: &[u8]| {
            source == path
                && (rule == FileSystems::Must
                    || world.stat(path).is_ok_and(|identity| identity.mode & TYPE == BLOCK))
        };
        let mut found = false;
        for mount in world.mounts() {
            if mount.directory != path && !is_source(&mount.source) {
                continue;
            }
            found = true;
            if self.systems.contains_key(&mount.device) {
                continue;
            }
            self.systems.insert(mount.device, self.list.len());
            self.list.push(Target {
                argument: argument.to_vec(),
                name: mount.directory,
                is_system: true,
            });
        }
        found
    }

    /// Reads the value of `+d` or, for the whole tree, `+D`. False if it was wrong, which was said.
    pub(crate) fn read_directory(
        &mut self,
        value: Option<&[u8]>,
        tree: bool,
        (across, warn): (Across, bool),
        world: &dyn World,
        messages: &mut Messages,
    ) -> bool {
        let mut warning = |before: &str, path: &[u8], after: &str| {
            if warn {
                messages.around(before, path, after);
            }
        };
        let Some(value) = value.filter(|v| !matches!(v.first(), None | Some(b'+' | b'-'))) else {
            warning("+d not followed by a directory path", b"", "");
            return false;
        };
        let top = world.resolve(value).unwrap_or_else(|_| value.to_vec());
        let identity = match world.stat(&top) {
            Ok(identity) if identity.mode & TYPE == DIRECTORY => identity,
            Ok(_) => {
                warning("WARNING: not a directory: ", &top, "");
                return false;
            }
            Err(why) => {
                warning("WARNING: can't stat(", &top, &format!("): {why}"));
                return false;
            }
        };
        self.push_file(&top, top.clone(), identity);
        let mut pending = vec![top];
        while let Some(directory) = pending.pop() {
            let names = match world.list(&directory) {
                Ok(names) => names,
                Err(why) => {
                    warning("WARNING: can't opendir(", &directory, &format!("): {why}"));
                    continue;
                }
            };
            for name in names {
                let mut path = directory.clone();
                if !path.ends_with(b"/") {
                    path.push(b'/');
                }
                path.extend_from_slice(&name);
                let is_link = |found: FileIdentity| found.mode & TYPE == LINK;
                let found = match world.lstat(&path) {
                    Ok(found) if !across.file_systems && found.device != identity.device => {
                        continue;
                    }
                    Ok(found) if is_link(found) && !across.links => continue,
                    Ok(found) if is_link(found) => match world.stat(&path) {
                        Ok(found) => found,
                        Err(why) => {
                            warning(
                                "WARNING: can't stat(",
                                &path,
                                &format!(") symbolc link: {why}"),
                            );
                            continue;
                        }
                    },
                    Ok(found) => found,
                    Err(why) => {
                        warning("WARNING: can't lstat(", &path, &format!("): {why}"));
                        continue;
                    }
                };
                if tree && found.mode & TYPE == DIRECTORY {
                    pending.push(path.clone());
                }
                self.push_file(&path, path.clone(), found);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Village;

    fn named(read: impl FnOnce(&mut Named, &mut Messages) -> bool) -> (Named, bool, String) {
        let mut messages = Messages::new("lsof");
        let mut named = Named::default();
        let fine = read(&mut named, &mut messages);
        (named, fine, String::from_utf8_lossy(&messages.text).into_owned())
    }

    fn arguments(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn paths_are_files_or_file_systems() {
        let read = |words: &[&str], rule| {
            named(|n, m| n.read(&arguments(words), rule, false, &Village, m))
        };
        let (file, fine, said) = read(&["/village/well"], FileSystems::May);
        assert!(fine && said.is_empty());
        assert_eq!(file.file(DeviceId::new(8, 1), 11), Some(0));
        let (system, ..) = read(&["/village"], FileSystems::May);
        assert_eq!(system.system(DeviceId::new(8, 1)), Some(0));
        assert_eq!(
            read(&["/dev/village"], FileSystems::May).0.system(DeviceId::new(8, 1)),
            Some(0)
        );
        let (file, ..) = read(&["/village"], FileSystems::Never);
        assert_eq!(file.file(DeviceId::new(8, 1), 2), Some(0));
        let (_, fine, said) = read(&["/nope"], FileSystems::May);
        assert_eq!(said, "lsof: status error on /nope: No such file or directory\n");
        assert!(!fine);
        let (both, fine, _) = read(&["/nope", "/village/well"], FileSystems::May);
        assert!(fine && both.failed);
        let (_, _, said) = read(&["/village/well"], FileSystems::Must);
        assert_eq!(said, "lsof: not a file system: /village/well\n");
    }

    #[test]
    fn a_directory_is_its_files_and_a_tree_all_below() {
        let read = |path: &str, tree, across| {
            let (named, _, said) = named(|n, m| {
                n.read_directory(Some(path.as_bytes()), tree, (across, true), &Village, m)
            });
            (
                named
                    .list
                    .iter()
                    .map(|t| String::from_utf8_lossy(&t.name).into_owned())
                    .collect::<Vec<_>>(),
                said,
            )
        };
        let none = Across::default();
        assert_eq!(
            read("/village", false, none).0,
            ["/village", "/village/house", "/village/sock", "/village/well"]
        );
        assert_eq!(
            read("/village", true, none).0,
            ["/village", "/village/house", "/village/sock", "/village/well", "/village/house/door"]
        );
        let links = Across { links: true, ..none };
        assert_eq!(read("/village", false, links).0.len(), 5);
        let all = Across { links: false, file_systems: true };
        assert_eq!(read("/village", false, all).0.len(), 5);
        assert_eq!(
            read("/village/well", false, none).1,
            "lsof: WARNING: not a directory: /village/well\n"
        );
        assert_eq!(
            read("/nope", false, none).1,
            "lsof: WARNING: can't stat(/nope): No such file or directory\n"
        );
    }
}
