//! Names of users, from /etc/passwd. Users that only a directory service knows have none here: asking it could wait.

use std::collections::HashMap;
use std::path::Path;

use fdscope_model::Name;

use crate::parse::parse_passwd;
use crate::root::ProcRoot;

impl ProcRoot {
    /// Names by user id; the first of several for one id.
    pub fn users(&self) -> HashMap<u32, Name> {
        let bytes = self.read_outside(Path::new("/etc/passwd")).unwrap_or_default();
        let mut users = HashMap::new();
        parse_passwd(&bytes, |uid, name| {
            users.entry(uid).or_insert_with(|| name.into());
        });
        users
    }
}
