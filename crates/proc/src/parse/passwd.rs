//! /etc/passwd (passwd(5)): the only file here that the kernel does not write.

use super::lines;
use super::number::decimal32;

/// Hands each user id with its name to `sink`; lines that are not understood are passed over.
pub fn parse_passwd<'a>(bytes: &'a [u8], mut sink: impl FnMut(u32, &'a [u8])) {
    for line in lines(bytes) {
        let mut fields = line.split(|&b| b == b':');
        let (name, uid) = (fields.next(), fields.nth(1).and_then(decimal32));
        if let (Some(name), Some(uid)) = (name.filter(|name| !name.is_empty()), uid) {
            sink(uid, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let mut found = Vec::new();
        let text =
            b"root:x:0:0:root:/root:/bin/sh\n# no user\n:x:5:\n+::::::\nnobody:x:65534:65534\n";
        parse_passwd(text, |uid, name| found.push((uid, name)));
        assert_eq!(found, [(0, &b"root"[..]), (65534, b"nobody")]);
    }
}
