//! Everything that was asked for, as one value. How letters change it stands in `read`.

use crate::fields::FieldSet;
use crate::spec::address::Network;
use crate::spec::command::Commands;
use crate::spec::descriptor::Descriptors;
use crate::spec::named::Named;
use crate::spec::number::Numbers;
use crate::spec::state::States;

/// What the size column shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SizeColumn {
    /// The size where there is one, else the offset.
    #[default]
    Either,
    /// `-s`.
    Size,
    /// `-o`.
    Offset,
}

/// `-T`: what is shown of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionInfo {
    pub state: bool,
    pub queues: bool,
    /// Flags were asked for: Linux has none, but a blank appears.
    pub flags: bool,
}

impl ConnectionInfo {
    pub(crate) fn any(self) -> bool {
        self.state || self.queues || self.flags
    }
}

/// `-r`, `+r`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeat {
    /// Between rounds, s.
    pub interval_s: u64,
    /// `+r`: until nothing is found.
    pub until_none: bool,
    /// Rounds; `None` for no end.
    pub rounds: Option<u64>,
    /// A strftime(3) format for the line between rounds.
    pub(crate) format: Option<Vec<u8>>,
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Output {
    #[default]
    Table,
    /// `-t`.
    Terse,
    /// `-F`.
    Fields,
    /// `-J`.
    Json,
    /// `-j`.
    JsonLines,
}

/// `-E`, `+E`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Endpoints {
    /// Not shown.
    #[default]
    No,
    /// Shown.
    Shown,
    /// Shown, and the files at the other ends are listed too.
    Listed,
}

/// `+f g`, `+f G`: the column of flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum FlagColumn {
    #[default]
    No,
    Words,
    Hex,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub(crate) program: &'static str,
    pub(crate) and: bool,
    pub(crate) warn: bool,
    pub(crate) commands: Commands,
    pub(crate) descriptors: Option<Descriptors>,
    pub(crate) network: Network,
    pub(crate) tcp_states: States,
    pub(crate) udp_states: States,
    pub(crate) unix: bool,
    pub(crate) nfs: bool,
    /// `+L`: the column; `+L1`: files with fewer links.
    pub(crate) link_column: bool,
    pub(crate) links_below: u64,
    pub(crate) processes: Numbers,
    pub(crate) groups: Numbers,
    pub(crate) users: Numbers,
    pub(crate) tasks: bool,
    pub(crate) named: Named,
    /// True if names behind the options were given, found or not.
    pub(crate) names_given: bool,
    pub(crate) parent_column: bool,
    pub(crate) group_column: bool,
    pub(crate) login_names: bool,
    pub(crate) host_names: bool,
    pub(crate) port_names: bool,
    pub(crate) size_column: SizeColumn,
    pub(crate) offset_digits: usize,
    pub(crate) flag_column: FlagColumn,
    pub(crate) human: bool,
    pub(crate) connection: ConnectionInfo,
    pub(crate) command_width: usize,
    pub(crate) output: Output,
    pub(crate) fields: FieldSet,
    /// `-F0`.
    pub(crate) nul: bool,
    pub(crate) repeat: Option<Repeat>,
    pub(crate) endpoints: Endpoints,
    pub(crate) verbose: bool,
    /// `-Q`: what is not found is no failure.
    pub(crate) quiet: bool,
    pub(crate) skip_internet: bool,
    /// `-e`: file systems left alone, with the sign.
    pub(crate) exempt: Vec<(u8, Vec<u8>)>,
}

/// What ends the run before it began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// For the error stream.
    pub text: Vec<u8>,
    /// For the output.
    pub output: Vec<u8>,
    /// The exit code.
    pub code: i32,
}

impl Options {
    /// Nothing asked for.
    pub(crate) fn new(program: &'static str) -> Self {
        Options {
            program,
            and: false,
            warn: true,
            commands: Commands::default(),
            descriptors: None,
            network: Network::default(),
            tcp_states: States::default(),
            udp_states: States::default(),
            unix: false,
            nfs: false,
            link_column: false,
            links_below: 0,
            processes: Numbers::default(),
            groups: Numbers::default(),
            users: Numbers::default(),
            tasks: false,
            named: Named::default(),
            names_given: false,
            parent_column: false,
            group_column: false,
            login_names: true,
            host_names: true,
            port_names: true,
            size_column: SizeColumn::Either,
            offset_digits: 8,
            flag_column: FlagColumn::No,
            human: false,
            connection: ConnectionInfo { state: true, queues: false, flags: false },
            command_width: 9,
            output: Output::Table,
            fields: FieldSet::default(),
            nul: false,
            repeat: None,
            endpoints: Endpoints::No,
            verbose: false,
            quiet: false,
            skip_internet: false,
            exempt: Vec::new(),
        }
    }

    /// True if the file's flags are shown.
    pub(crate) fn shows_flags(&self) -> bool {
        self.flag_column != FlagColumn::No
    }

    /// `-r` and `+r`, if given.
    pub fn repeat(&self) -> Option<&Repeat> {
        self.repeat.as_ref()
    }

    /// `-a`.
    pub fn is_and(&self) -> bool {
        self.and
    }

    /// `-E` and `+E`.
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints
    }

    /// True if threads are to be listed too: `-K`.
    pub fn tasks(&self) -> bool {
        self.tasks
    }
}
