//! Which processes and files the options let through, and which of the options found something.

use std::io::Write;

use fdscope_model::{Pid, Process, SocketState, Tid};

use crate::file::{Node, OpenFile};
use crate::options::Options;
use crate::safe::{self, Charset};
use crate::socket::{Connection, Internet};
use crate::spec::address::Version;
use crate::spec::command::Commands;
use crate::spec::descriptor::FdKind;
use crate::spec::number::Numbers;
use crate::world::{MountPoint, Protocol};

/// Options that selected something: bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Marks(u16);

impl Marks {
    pub(crate) const COMMAND: Marks = Marks(1);
    pub(crate) const DESCRIPTOR: Marks = Marks(1 << 1);
    pub(crate) const ADDRESS: Marks = Marks(1 << 2);
    pub(crate) const NETWORK: Marks = Marks(1 << 3);
    pub(crate) const NFS: Marks = Marks(1 << 4);
    pub(crate) const LINKS: Marks = Marks(1 << 5);
    pub(crate) const NAME: Marks = Marks(1 << 6);
    pub(crate) const GROUP: Marks = Marks(1 << 7);
    pub(crate) const PROCESS: Marks = Marks(1 << 8);
    pub(crate) const USER: Marks = Marks(1 << 9);
    pub(crate) const UNIX: Marks = Marks(1 << 10);
    pub(crate) const TASK: Marks = Marks(1 << 11);
    /// Those that select a process by what `-p`, `-g`, `-u` and `-K` say.
    const IDS: Marks = Marks(1 << 7 | 1 << 8 | 1 << 9 | 1 << 11);
    const ALL: Marks = Marks(u16::MAX);

    pub(crate) fn has(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if they have one in common.
    pub(crate) fn meets(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }

    pub(crate) fn add(&mut self, other: Marks) {
        self.0 |= other.0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn only(self, other: Marks) -> Marks {
        Marks(self.0 & other.0)
    }
}

impl Options {
    /// The options that select, as given.
    pub(crate) fn wanted(&self) -> Marks {
        let given = [
            (self.commands.includes(), Marks::COMMAND),
            (self.descriptors.is_some(), Marks::DESCRIPTOR),
            (!self.network.specs.is_empty(), Marks::ADDRESS),
            (self.network.all.is_some(), Marks::NETWORK),
            (self.nfs, Marks::NFS),
            (self.links_below > 0, Marks::LINKS),
            (self.names_given, Marks::NAME),
            (self.groups.includes(), Marks::GROUP),
            (self.processes.includes(), Marks::PROCESS),
            (self.users.includes(), Marks::USER),
            (self.unix, Marks::UNIX),
            (self.tasks, Marks::TASK),
        ];
        let mut marks = Marks::default();
        given.iter().filter(|row| row.0).for_each(|row| marks.add(row.1));
        marks
    }

    /// The processes that can be listed at most, if the options name them.
    pub fn named_processes(&self) -> Option<Vec<Pid>> {
        let wanted = self.wanted();
        let only = wanted.has(Marks::PROCESS) && (self.and || wanted == Marks::PROCESS);
        only.then(|| {
            let included = self.processes.list.iter().filter(|number| !number.excluded);
            let mut pids: Vec<Pid> = included.map(|number| Pid(number.number)).collect();
            pids.sort_unstable();
            pids
        })
    }

    /// True if who a process is decides whether it must be read.
    pub fn asks_who(&self) -> bool {
        !(self.processes.list.is_empty()
            && self.groups.list.is_empty()
            && self.users.list.is_empty()
            && self.commands == Commands::default())
    }

    /// True if any option selects.
    pub(crate) fn selects(&self) -> bool {
        !self.wanted().is_empty()
    }
}

/// What each option has found so far, beside the lists of [`Options`].
#[derive(Clone, Debug, Default)]
struct Found {
    names: Vec<bool>,
    expressions: Vec<bool>,
    specs: Vec<bool>,
    processes: Vec<bool>,
    groups: Vec<bool>,
    users: Vec<bool>,
    files: Vec<bool>,
    tcp_states: Vec<bool>,
    udp_states: Vec<bool>,
    network: bool,
    nfs: bool,
    tasks: bool,
}

/// The options at work.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    options: &'a Options,
    wanted: Marks,
    all: bool,
    mounts: Vec<MountPoint>,
    found: Found,
}

impl<'a> Selection<'a> {
    pub(crate) fn new(options: &'a Options, mounts: Vec<MountPoint>) -> Self {
        let wanted = options.wanted();
        let all = wanted.is_empty();
        let found = Found {
            names: vec![false; options.commands.names.len()],
            expressions: vec![false; options.commands.expressions.len()],
            specs: vec![false; options.network.specs.len()],
            processes: vec![false; options.processes.list.len()],
            groups: vec![false; options.groups.list.len()],
            users: vec![false; options.users.list.len()],
            files: vec![false; options.named.list.len()],
            tcp_states: vec![false; options.tcp_states.included.len()],
            udp_states: vec![false; options.udp_states.included.len()],
            ..Found::default()
        };
        Selection { options, wanted: if all { Marks::ALL } else { wanted }, all, mounts, found }
    }

    /// What selects the process as a whole; `None` if nothing of it is to be listed.
    pub(crate) fn process(
        &mut self,
        process: &Process,
        group: Pid,
        task: Option<Tid>,
    ) -> Option<Marks> {
        let options = self.options;
        let (pid, uid, group) = (process.id.pid.0, process.uid, group.0);
        if options.users.is_excluded(uid)
            || options.groups.is_excluded(group)
            || options.processes.is_excluded(pid)
            || options.commands.is_excluded(process.comm.bytes())
        {
            return None;
        }
        if self.all {
            return Some(Marks::ALL);
        }
        let mut marks = Marks::default();
        include(&options.groups, group, Marks::GROUP, &mut self.found.groups, &mut marks);
        include(&options.processes, pid, Marks::PROCESS, &mut self.found.processes, &mut marks);
        include(&options.users, uid, Marks::USER, &mut self.found.users, &mut marks);
        if self.options.tasks && task.is_some() {
            marks.add(Marks::TASK);
        }
        let ids = self.wanted.only(Marks::IDS);
        if options.and && marks != ids {
            return None;
        }
        if self.wanted.has(Marks::COMMAND) {
            if self.is_command(process.comm.bytes()) {
                marks.add(Marks::COMMAND);
            } else if options.and || self.wanted == Marks::COMMAND {
                return None;
            }
        }
        // Nothing is selected of it as a whole, and no option selects files.
        let by_file = Marks(self.wanted.0 & !(Marks::IDS.0 | Marks::COMMAND.0));
        (!marks.is_empty() || !by_file.is_empty()).then_some(marks)
    }

    fn is_command(&mut self, command: &[u8]) -> bool {
        let commands = &self.options.commands;
        let name = commands.names.iter().position(|n| !n.excluded && command.starts_with(&n.text));
        if let Some(index) = name {
            self.found.names[index] = true;
            return true;
        }
        let expression = commands.expressions.iter().position(|e| e.regex.matches(command));
        if let Some(index) = expression {
            self.found.expressions[index] = true;
        }
        expression.is_some()
    }

    /// True if the file is to be listed. One that was asked for by name gets that name.
    pub(crate) fn file(&mut self, of_process: Marks, file: &mut OpenFile) -> bool {
        let mut marks = of_process;
        let options = self.options;
        if options.descriptors.as_ref().is_some_and(|list| list.selects(file.fd)) {
            marks.add(Marks::DESCRIPTOR);
        }
        match &file.connection {
            Some(Connection::Internet(internet)) => {
                let internet = internet.clone();
                if !self.internet(&internet, &mut marks) {
                    return false;
                }
            }
            Some(Connection::Unix(_)) if options.unix => marks.add(Marks::UNIX),
            _ => {}
        }
        if file.links.is_some_and(|links| links < options.links_below) && file.connection.is_none()
        {
            marks.add(Marks::LINKS);
        }
        self.exempt(file);
        self.nfs(file, &mut marks);
        if options.names_given {
            self.name(file, &mut marks);
        }
        if marks.is_empty() {
            return false;
        }
        self.found.network |= marks.has(Marks::NETWORK);
        self.found.tasks |= marks.has(Marks::TASK);
        self.all || !options.and || marks.has(self.wanted)
    }

    /// False if the state leaves the file out.
    fn internet(&mut self, internet: &Internet, marks: &mut Marks) -> bool {
        let options = self.options;
        if internet.state.is_some_and(|state| !self.state(internet.protocol, state)) {
            return false;
        }
        let version = if internet.is_v6 { Version::V6 } else { Version::V4 };
        if options.network.all.is_some_and(|only| only.is_none_or(|only| only == version)) {
            marks.add(Marks::NETWORK);
        }
        for end in [internet.peer, internet.local].into_iter().flatten() {
            let mut specs = options.network.specs.iter();
            if let Some(index) =
                specs.position(|s| s.selects(internet.protocol, end.ip(), end.port()))
            {
                self.found.specs[index] = true;
                marks.add(Marks::ADDRESS);
            }
        }
        true
    }

    /// lsof holds the states of TCP against every Internet socket, UDP's too.
    fn state(&mut self, protocol: Protocol, state: SocketState) -> bool {
        let (tcp, udp) = (&self.options.tcp_states, &self.options.udp_states);
        if protocol != Protocol::Tcp && !udp.selects(state) || !tcp.selects(state) {
            return false;
        }
        if let Some(index) = tcp.included(state) {
            self.found.tcp_states[index] = true;
        }
        if let Some(index) = udp.included(state).filter(|_| protocol != Protocol::Tcp) {
            self.found.udp_states[index] = true;
        }
        true
    }

    /// Files on a file system that `-e` leaves alone are told by their path only.
    fn exempt(&self, file: &mut OpenFile) {
        if !file.name.starts_with(b"/") || file.connection.is_some() {
            return;
        }
        let on = |row: &&(u8, Vec<u8>)| file.name.starts_with(&row.1);
        let Some((sign, path)) = self.options.exempt.iter().find(on) else { return };
        file.kind = match file.fd {
            FdKind::Cwd => "UNKNcwd",
            FdKind::Root => "UNKNrtd",
            FdKind::Text => "UNKNtxt",
            FdKind::Memory => "UNKNmem",
            FdKind::Deleted => "UNKNdel",
            _ => "UNKNfd",
        };
        let is_mapped = matches!(file.fd, FdKind::Memory | FdKind::Deleted);
        if !is_mapped {
            let mount = self.mounts.iter().find(|mount| mount.directory == *path);
            file.device = mount.map(|mount| mount.device);
            (file.node, file.inode) = (Node::None, None);
            file.access = b' ';
        }
        (file.node_device, file.size, file.links) = (None, None, None);
        file.add(&format!("({}e {})", char::from(*sign), String::from_utf8_lossy(path)));
    }

    fn nfs(&mut self, file: &mut OpenFile, marks: &mut Marks) {
        if !matches!(file.kind, "REG" | "DIR") {
            return;
        }
        let on = |mount: &&MountPoint| {
            mount.is_nfs()
                && Some(mount.device) == file.device
                && file.name.starts_with(&mount.directory)
        };
        let Some(mount) = self.mounts.iter().find(on) else { return };
        file.name.extend_from_slice(b" (");
        file.name.extend_from_slice(&mount.source);
        file.name.push(b')');
        if self.options.nfs {
            marks.add(Marks::NFS);
            self.found.nfs = true;
        }
    }

    fn name(&mut self, file: &mut OpenFile, marks: &mut Marks) {
        let named = &self.options.named;
        let found = match (&file.connection, file.device, file.inode) {
            (Some(Connection::Unix(_)), ..) => {
                let path = file.name.split(|&b| b == b' ').next().unwrap_or_default();
                named.path(path)
            }
            (None, Some(device), Some(inode)) if !matches!(file.kind, "sock") => {
                named.file(device, inode).or_else(|| named.system(device))
            }
            _ => None,
        };
        let Some(index) = found else { return };
        let target = &named.list[index];
        if file.connection.is_none() && !target.is_system {
            file.name.clone_from(&target.name);
        }
        self.found.files[index] = true;
        marks.add(Marks::NAME);
    }

    /// Appends what was not found, a sentence each. True if there is nothing.
    pub(crate) fn report(&self, out: &mut Vec<u8>) -> bool {
        let (options, found) = (self.options, &self.found);
        let mut said = Vec::new();
        let mut say = |sentence: &str, text: &[u8]| {
            // Writing to a vector cannot fail.
            let _ = write!(said, "{}: {sentence}", options.program);
            safe::push(&mut said, text, Charset::Utf8);
            said.push(b'\n');
        };
        // lsof's lists have the last first.
        for (name, _) in options.commands.names.iter().zip(&found.names).rev().filter(|row| !row.1)
        {
            say("command not located: ", &name.text);
        }
        for (expression, _) in
            options.commands.expressions.iter().zip(&found.expressions).filter(|row| !row.1)
        {
            say("no command found for regex: ", &expression.text);
        }
        for (target, _) in options.named.list.iter().zip(&found.files).rev().filter(|row| !row.1) {
            let system = if target.is_system { " system" } else { "" };
            say(&format!("no file{system} use located: "), &target.argument);
        }
        for argument in self.missing_addresses() {
            say("Internet address not located: ", argument);
        }
        if options.network.all.is_some() && !found.network {
            say("no Internet files located", b"");
        }
        for (protocol, states, found) in [
            ("TCP", &options.tcp_states, &found.tcp_states),
            ("UDP", &options.udp_states, &found.udp_states),
        ] {
            for (state, _) in states.included.iter().zip(found).filter(|row| !row.1) {
                say(
                    &format!("{protocol} state not located: "),
                    crate::spec::state::word(*state).as_bytes(),
                );
            }
        }
        if options.nfs && !found.nfs {
            say("no NFS files located", b"");
        }
        missing(&options.processes, &found.processes, "process ID", &mut say);
        if options.tasks && !found.tasks {
            say("no tasks located", b"");
        }
        missing(&options.groups, &found.groups, "process group ID", &mut say);
        missing(&options.users, &found.users, "user ID", &mut say);
        out.extend_from_slice(&said);
        said.is_empty()
    }

    /// The arguments of `-i` of which no address was found.
    fn missing_addresses(&self) -> Vec<&[u8]> {
        let specs = &self.options.network.specs;
        let is_found = |argument: &[u8]| {
            specs
                .iter()
                .zip(&self.found.specs)
                .any(|(spec, found)| *found && spec.argument == argument)
        };
        let mut missing: Vec<&[u8]> = Vec::new();
        for spec in specs.iter().rev().filter(|spec| !is_found(&spec.argument)) {
            if !missing.contains(&spec.argument.as_slice()) {
                missing.push(&spec.argument);
            }
        }
        missing
    }
}

fn include(numbers: &Numbers, number: u32, mark: Marks, found: &mut [bool], marks: &mut Marks) {
    if let Some(index) = numbers.included(number) {
        found[index] = true;
        marks.add(mark);
    }
}

fn missing(numbers: &Numbers, found: &[bool], what: &str, say: &mut dyn FnMut(&str, &[u8])) {
    for (number, _) in numbers.list.iter().zip(found).filter(|(n, found)| !n.excluded && !**found) {
        match &number.login {
            Some(login) => say(&format!("login name (UID {}) not located: ", number.number), login),
            None => say(&format!("{what} not located: {}", number.number), b""),
        }
    }
}
