//! The program to run: found as strace finds it, with its environment and as its user.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fdscope_strace::Options;
use fdscope_strace::options::Daemon;
use fdscope_sys::held::{Identity, Place, Plan};

/// What is to be run.
///
/// # Errors
/// In strace's words, if there is no such program or user.
pub fn plan(options: &Options) -> Result<Plan, Vec<u8>> {
    let name = options.command.first().map_or(&b""[..], Vec::as_slice);
    let path = find(name)?;
    let mut arguments = options.command.clone();
    if let (Some(word), Some(first)) = (&options.argv0, arguments.first_mut()) {
        first.clone_from(word);
    }
    let identity = options.user.as_deref().map(identity).transpose()?;
    Ok(Plan {
        file: word(path.into_os_string().into_vec())?,
        arguments: arguments.into_iter().map(word).collect::<Result<_, _>>()?,
        environment: environment(options)?,
        identity,
        filter: Vec::new(),
        place: match options.daemon {
            Daemon::No => Place::Child,
            Daemon::Grandchild => Place::Parent,
            Daemon::Group => Place::ParentNewGroup,
            Daemon::Session => Place::ParentNewSession,
        },
    })
}

fn word(bytes: Vec<u8>) -> Result<CString, Vec<u8>> {
    CString::new(bytes).map_err(|_| b"a word holds a zero byte".to_vec())
}

fn find(name: &[u8]) -> Result<PathBuf, Vec<u8>> {
    let typed = Path::new(OsStr::from_bytes(name));
    let missing = |error: &std::io::Error| {
        let number = u16::try_from(error.raw_os_error().unwrap_or(0)).unwrap_or(0);
        let words = fdscope_syscall::errno::errno(number).map_or("", |(_, words)| words);
        [b"Can't stat '", name, b"': ", words.as_bytes()].concat()
    };
    if name.contains(&b'/') {
        return match fs::metadata(typed) {
            Ok(_) => Ok(typed.to_owned()),
            Err(error) => Err(missing(&error)),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path) {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let file = folder.join(typed);
        if fs::metadata(&file).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0) {
            return Ok(file);
        }
    }
    Err(missing(&std::io::Error::from_raw_os_error(2)))
}

fn environment(options: &Options) -> Result<Vec<CString>, Vec<u8>> {
    let mut words: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    for change in &options.environment {
        let equals = change.iter().position(|byte| *byte == b'=');
        let name =
            OsStr::from_bytes(change.get(..equals.unwrap_or(change.len())).unwrap_or(change));
        let place = words.iter().position(|(known, _)| known == name);
        let value = equals.and_then(|at| change.get(at + 1..));
        match (place, value) {
            (Some(place), None) => drop(words.remove(place)),
            (None, None) => {}
            (Some(place), Some(value)) => {
                if let Some(row) = words.get_mut(place) {
                    row.1 = OsStr::from_bytes(value).to_owned();
                }
            }
            (None, Some(value)) => {
                words.push((name.to_owned(), OsStr::from_bytes(value).to_owned()));
            }
        }
    }
    let joined =
        words.into_iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    joined.map(word).collect()
}

/// A user by name: uid, gid, and the groups that name it.
fn identity(user: &[u8]) -> Result<Identity, Vec<u8>> {
    let unknown = || [b"Cannot find user '", user, b"'"].concat();
    let passwd = fs::read("/etc/passwd").map_err(|_| unknown())?;
    let fields = |line: &[u8]| -> Vec<Vec<u8>> {
        line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect()
    };
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u32>().ok();
    let row = passwd.split(|byte| *byte == b'\n').map(fields).find_map(|row| {
        (row.first()? == user).then(|| Some((number(row.get(2)?)?, number(row.get(3)?)?)))?
    });
    let (uid, gid) = row.ok_or_else(unknown)?;
    let mut groups = vec![gid];
    for line in fs::read("/etc/group").unwrap_or_default().split(|byte| *byte == b'\n') {
        let row = fields(line);
        let Some((id, members)) = row.get(2).and_then(|id| number(id)).zip(row.get(3)) else {
            continue;
        };
        if members.split(|byte| *byte == b',').any(|member| member == user) && id != gid {
            groups.push(id);
        }
    }
    Ok(Identity { uid, gid, groups })
}
