//! Names of users, from /etc/passwd.
//!
//! Directories (LDAP and others) are not asked: that could wait for a server. A user without a line has a number.

use std::collections::HashMap;

use fdscope_model::Name;

/// User names by number.
#[derive(Debug, Default)]
pub struct Users(HashMap<u32, Name>);

impl Users {
    /// Reads /etc/passwd; what cannot be read is not known.
    pub fn read() -> Self {
        Users::parse(&std::fs::read("/etc/passwd").unwrap_or_default())
    }

    /// `passwd(5)`: name, password, number, and more. The first line of a number counts.
    fn parse(bytes: &[u8]) -> Self {
        let mut names = HashMap::new();
        for line in bytes.split(|&byte| byte == b'\n') {
            let mut fields = line.split(|&byte| byte == b':');
            let (name, number) = (fields.next(), fields.nth(1));
            let number = number.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if let (Some(name), Some(number)) = (name, number) {
                names.entry(number).or_insert_with(|| Name::from(name));
            }
        }
        Users(names)
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&Name> {
        self.0.get(&uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_number_names_it() {
        let users = Users::parse(b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nbad\nwww:x:33:33\n\n");
        assert_eq!(users.name(0), Some(&Name::from("root")));
        assert_eq!(users.name(33), Some(&Name::from("www")));
        assert_eq!(users.name(1), None);
    }
}
