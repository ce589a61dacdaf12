//! The text of a /proc/PID/fd link: what the kernel calls the thing behind it.

use super::number::decimal;

/// A link's text, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link<'a> {
    /// `socket:[INODE]`.
    Socket(u64),
    /// `pipe:[INODE]`.
    Pipe(u64),
    /// `anon_inode:NAME`; the brackets that some kernels put around the name are off.
    Anonymous(&'a [u8]),
    /// `TYPE:[INODE]` of the namespace file system, and of others that print so (`net:[4026531840]`, `pidfd:[5]`).
    Numbered(&'a [u8], u64),
    /// A path, as seen from fdscope's root where it is reachable from there.
    Path {
        /// The path without the mark of deletion.
        path: &'a [u8],
        /// True if the kernel says that the name is gone.
        deleted: bool,
    },
    /// Anything else.
    Other(&'a [u8]),
}

/// Parses a link's text.
///
/// A file whose name really ends in ` (deleted)` cannot be told from a deleted one by its link.
pub fn parse_link(text: &[u8]) -> Link<'_> {
    if text.starts_with(b"/") {
        return match text.strip_suffix(b" (deleted)") {
            Some(path) => Link::Path { path, deleted: true },
            None => Link::Path { path: text, deleted: false },
        };
    }
    let Some(colon) = text.iter().position(|&b| b == b':') else { return Link::Other(text) };
    let (word, rest) = (&text[..colon], &text[colon + 1..]);
    let inside = rest.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    match (word, inside.and_then(decimal), inside) {
        (b"socket", Some(inode), _) => Link::Socket(inode),
        (b"pipe", Some(inode), _) => Link::Pipe(inode),
        (b"anon_inode", _, Some(name)) => Link::Anonymous(name),
        (b"anon_inode", _, None) => Link::Anonymous(rest),
        (word, Some(inode), _) => Link::Numbered(word, inode),
        _ => Link::Other(text),
    }
}

impl Link<'_> {
    /// The inode number that the text gives.
    pub fn inode(&self) -> Option<u64> {
        match *self {
            Link::Socket(inode) | Link::Pipe(inode) | Link::Numbered(_, inode) => Some(inode),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told() {
        let check =
            |text: &'static str, expected| assert_eq!(parse_link(text.as_bytes()), expected);
        check("socket:[77]", Link::Socket(77));
        check("pipe:[8]", Link::Pipe(8));
        check("anon_inode:[eventfd]", Link::Anonymous(b"eventfd"));
        check("anon_inode:inotify", Link::Anonymous(b"inotify"));
        check("net:[4026531840]", Link::Numbered(b"net", 4_026_531_840));
        check("/a b (deleted)", Link::Path { path: b"/a b", deleted: true });
        check("/a:[1]", Link::Path { path: b"/a:[1]", deleted: false });
        check("socket:[x]", Link::Other(b"socket:[x]"));
        check("", Link::Other(b""));
    }
}
