//! Asking file systems that may never answer: in a thread, for a time.

use std::sync::mpsc::channel;
use std::time::Duration;

/// How long a server may take for one question. lsof waits 15 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// File systems that ask somebody else; FUSE's have a subtype behind the word.
const ASK_OTHERS: &[&[u8]] = &[
    b"9p",
    b"afs",
    b"autofs",
    b"beegfs",
    b"ceph",
    b"cifs",
    b"coda",
    b"fuse",
    b"fuseblk",
    b"glusterfs",
    b"gpfs",
    b"lustre",
    b"ncpfs",
    b"nfs",
    b"nfs4",
    b"orangefs",
    b"smb3",
    b"smbfs",
    b"virtiofs",
    b"vboxsf",
];

/// True for a type of file system whose questions may wait for a server.
pub fn asks_others(kind: &[u8]) -> bool {
    let kind = kind.split(|&b| b == b'.').next().unwrap_or(kind);
    ASK_OTHERS.contains(&kind)
}

/// The answer, if it comes in time. A thread that waits for ever ends with the program.
pub fn within_patience<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, answer) = channel();
    std::thread::spawn(move || {
        // Nobody listens any more if it took too long.
        let _too_late = sender.send(ask());
    });
    answer.recv_timeout(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_with_patience() {
        assert!(asks_others(b"fuse.sshfs"));
        assert!(asks_others(b"nfs4"));
        assert!(!asks_others(b"fusectl"));
        assert!(!asks_others(b"ext4"));
        assert_eq!(within_patience(|| 7), Some(7));
    }
}
