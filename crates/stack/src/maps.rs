//! The executable mappings of a process, from the text of /proc/PID/maps (proc_pid_maps(5)).
//!
//! Pure: bytes in, mappings out. Reading is done by `space`.

/// One executable mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Where `start` is in the file, in bytes.
    pub file_offset: u64,
    /// The file's inode number; 0 for memory without a file.
    pub inode: u64,
    /// Path, `[vdso]` or empty, as the kernel escaped it (a newline as `\012`).
    pub path: Vec<u8>,
}

/// The most mappings that are kept: `vm.max_map_count` is 65,530 by default, and few of them are code.
const MOST: usize = 65_536;

/// The executable mappings in `text`, sorted by address. Lines that make no sense are left out.
pub fn parse_executable(text: &[u8]) -> Vec<Mapping> {
    let mut found: Vec<Mapping> =
        text.split(|&b| b == b'\n').filter_map(parse_line).take(MOST).collect();
    found.sort_by_key(|mapping| mapping.start);
    found
}

/// `55d0c0a00000-55d0c0a28000 r-xp 00001000 fe:01 1234       /usr/bin/x`
fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let end = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail.strip_prefix(b" ").unwrap_or(tail);
        std::str::from_utf8(word).ok()
    };
    let (start, end) = word()?.split_once('-')?;
    let executable = word()?.as_bytes().get(2) == Some(&b'x');
    let file_offset = u64::from_str_radix(word()?, 16).ok()?;
    let _device = word()?;
    let inode = word()?.parse().ok()?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    (executable && start < end).then(|| Mapping {
        start,
        end,
        file_offset,
        inode,
        path: rest.trim_ascii_start().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(u64, u64, u64, u64, &str)]) {
        let got: Vec<_> = parse_executable(text.as_bytes())
            .into_iter()
            .map(|m| (m.start, m.end, m.file_offset, m.inode, String::from_utf8(m.path).unwrap()))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|&(s, e, o, i, p)| (s, e, o, i, p.to_owned())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn only_executable_mappings_are_kept() {
        check(
            "7f00000-7f01000 r--p 00000000 fe:01 12 /lib/x.so\n\
             7f01000-7f03000 r-xp 00001000 fe:01 12                        /lib/x.so\n",
            &[(0x7f01000, 0x7f03000, 0x1000, 12, "/lib/x.so")],
        );
    }

    #[test]
    fn odd_paths_survive() {
        check(
            "1000-2000 rwxp 00000000 00:00 0 \n\
             3000-4000 r-xp 00000000 00:00 0                          [vdso]\n\
             5000-6000 r-xs 00000000 00:01 77 /memfd:a b (deleted)\n",
            &[
                (0x1000, 0x2000, 0, 0, ""),
                (0x3000, 0x4000, 0, 0, "[vdso]"),
                (0x5000, 0x6000, 0, 77, "/memfd:a b (deleted)"),
            ],
        );
    }

    #[test]
    fn nonsense_is_left_out() {
        check("\n\nx\n1-2 r-xp\nzz-1 r-xp 0 0:0 0 \n2000-1000 r-xp 0 0:0 0 /a", &[]);
    }
}
