//! From arguments to [`Options`]: what each letter does, and what cannot be together.

use crate::fields::{FIELDS, FieldSet};
use crate::help;
use crate::message::Messages;
use crate::options::{
    ConnectionInfo, Ended, Endpoints, FlagColumn, Options, Output, Repeat, SizeColumn,
};
use crate::scan::{Letter, Scanner, Wrong};
use crate::spec::address::Network;
use crate::spec::command::LONGEST;
use crate::spec::descriptor;
use crate::spec::named::{Across, FileSystems};
use crate::spec::number::{What, number_of};
use crate::spec::state;
use crate::world::World;

impl Options {
    /// Reads the arguments. What is only warned of comes with the options, for the error stream.
    ///
    /// # Errors
    ///
    /// Help, a version, or a wrong option: what to say and how to end.
    pub fn read(
        program: &'static str,
        arguments: &[Vec<u8>],
        world: &dyn World,
    ) -> Result<(Options, Vec<u8>), Ended> {
        let mut reader = Reader {
            options: Options::new(program),
            messages: Messages::new(program),
            scanner: Scanner::new(arguments),
            world,
            asked: Asked::default(),
            across: Across::default(),
            systems: FileSystems::May,
            offset_and_size: (false, false),
            json: (false, false),
            directories: false,
        };
        reader.read_letters()?;
        reader.check();
        reader.finish()
    }
}

/// What is printed instead of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a set, whose members are named where they are asked for"
)]
struct Asked {
    help: bool,
    fields: bool,
    version: bool,
    /// `+m`: the devices of mounts.
    mounts: bool,
}

struct Reader<'a> {
    options: Options,
    messages: Messages,
    scanner: Scanner<'a>,
    world: &'a dyn World,
    asked: Asked,
    across: Across,
    systems: FileSystems,
    offset_and_size: (bool, bool),
    json: (bool, bool),
    directories: bool,
}

impl Reader<'_> {
    fn read_letters(&mut self) -> Result<(), Ended> {
        while let Some(letter) = self.scanner.next() {
            match letter {
                Err(Wrong::Colon) => {
                    self.messages.wrong("colon is an illegal option character.", b"")
                }
                Err(Wrong::Unknown(byte)) => {
                    self.messages.wrong("illegal option character: ", &[byte]);
                }
                Ok(letter) => {
                    if !self.switch(&letter) {
                        self.valued(&letter);
                    }
                }
            }
            if self.messages.fatal {
                return Err(Ended {
                    text: std::mem::take(&mut self.messages.text),
                    output: Vec::new(),
                    code: 1,
                });
            }
        }
        Ok(())
    }

    /// Takes a letter that stands alone. False if it is none.
    fn switch(&mut self, letter: &Letter<'_>) -> bool {
        let options = &mut self.options;
        let plus = letter.plus();
        match letter.letter {
            b'a' => options.and = true,
            // fdscope never blocks; what lsof must avoid is not there to be avoided.
            b'b' | b'O' | b'M' => {}
            b'E' => options.endpoints = if plus { Endpoints::Listed } else { Endpoints::Shown },
            b'h' | b'?' => self.asked.help = true,
            b'H' => options.human = true,
            b'J' if !plus => self.json.0 = true,
            b'j' if !plus => self.json.1 = true,
            b'J' => self.messages.wrong("+J is not supported", b""),
            b'j' => self.messages.wrong("+j is not supported", b""),
            b'l' => options.login_names = false,
            b'n' => options.host_names = plus,
            b'N' => options.nfs = true,
            b'P' => options.port_names = plus,
            b'Q' => self.options.quiet = true,
            b'R' => options.parent_column = true,
            b't' => {
                options.output = Output::Terse;
                options.warn = false;
            }
            b'U' => options.unix = true,
            b'v' => self.asked.version = true,
            b'V' => options.verbose = true,
            b'w' => options.warn = plus,
            b'X' => options.skip_internet = !options.skip_internet,
            _ => return false,
        }
        true
    }

    /// The value, given back if it is none of this letter's.
    fn own<'v>(&mut self, letter: &Letter<'v>) -> Option<&'v [u8]> {
        let own = letter.own_value();
        if own.is_none() && letter.value.is_some() {
            self.scanner.give_back(0);
        }
        own
    }

    /// The digits that a value begins with; the rest is given back.
    fn digits(&mut self, letter: &Letter<'_>) -> Option<u32> {
        let value = self.own(letter)?;
        let end = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        if end < value.len() {
            self.scanner.give_back(end);
        }
        (end > 0).then(|| number_of(&value[..end]))
    }

    fn valued(&mut self, letter: &Letter<'_>) {
        let world = self.world;
        match letter.letter {
            b'c' if letter.plus() => self.command_width(letter),
            b'c' => self.options.commands.read(letter.value, &mut self.messages),
            b'd' if !letter.plus() => {
                let Options { descriptors, warn, .. } = &mut self.options;
                descriptor::read(descriptors, letter.value, *warn, &mut self.messages);
            }
            b'd' | b'D' => self.directory(letter),
            b'e' => self.exempt(letter),
            b'f' => self.flags(letter),
            b'F' => self.fields(letter),
            b'g' => {
                if let Some(value) = self.own(letter) {
                    self.options.groups.read(Some(value), What::Group, &mut self.messages);
                }
                self.options.group_column = true;
            }
            b'i' => match self.own(letter) {
                Some(value) => self.options.network.read(value, world, &mut self.messages),
                None => self.options.network.select_all(),
            },
            b'K' => match self.own(letter) {
                None => self.options.tasks = true,
                Some(value) if value.eq_ignore_ascii_case(b"i") => self.options.tasks = false,
                Some(value) => {
                    self.messages.around("-K not followed by i (but by ", value, ")");
                    self.messages.wrong = true;
                }
            },
            b'L' => self.links(letter),
            b'm' if letter.plus() => self.asked.mounts = self.own(letter).is_none(),
            b'm' => self.messages.wrong("-m not supported", b""),
            b'o' => match self.digits(letter) {
                Some(digits) => self.options.offset_digits = digits as usize,
                None => self.offset_and_size.0 = true,
            },
            b'p' => self.options.processes.read(letter.value, What::Process, &mut self.messages),
            b'r' => self.repeat(letter),
            b's' => match self.own(letter) {
                None => self.offset_and_size.1 = true,
                Some(value) => {
                    let Options { tcp_states, udp_states, .. } = &mut self.options;
                    state::read(value, tcp_states, udp_states, &mut self.messages);
                }
            },
            b'S' => {
                // There is nothing to wait for; the value is read and said to be too small as lsof does.
                if let Some(seconds @ 0..2) = self.digits(letter) {
                    self.messages.say(&format!("WARNING: -S time ({seconds}) changed to 2"), b"");
                }
            }
            b'T' => self.connection(letter),
            b'u' => self.options.users.read_users(letter.value, world, &mut self.messages),
            b'x' => self.across(letter),
            b'Z' => self.messages.wrong("-Z limited to SELinux", b""),
            other => self.messages.wrong("unknown option: ", &[other]),
        }
    }

    fn command_width(&mut self, letter: &Letter<'_>) {
        let own = self.own(letter).filter(|value| value.first().is_none_or(u8::is_ascii_digit));
        let Some(value) = own.filter(|value| !value.is_empty()) else {
            if letter.own_value().is_some() {
                self.scanner.give_back(0);
            }
            return self.messages.wrong("+c not followed by width number", b"");
        };
        let end = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        let width = number_of(&value[..end]) as usize;
        self.options.command_width = width;
        if width > LONGEST {
            self.messages.wrong(&format!("+c {width} > what system provides ({LONGEST})"), b"");
        }
    }

    fn directory(&mut self, letter: &Letter<'_>) {
        let tree = letter.letter == b'D';
        if !letter.plus() {
            return self.messages.wrong("unsupported option: -D", b"");
        }
        let rules = (self.across, self.options.warn);
        let named = &mut self.options.named;
        if named.read_directory(letter.value, tree, rules, self.world, &mut self.messages) {
            self.directories = true;
        } else {
            self.messages.wrong = true;
        }
    }

    fn exempt(&mut self, letter: &Letter<'_>) {
        let Some(value) = letter.own_value().filter(|value| value.starts_with(b"/")) else {
            let sentence =
                format!("{}e not followed by a file system path: \"", char::from(letter.sign));
            self.messages.around(&sentence, letter.value.unwrap_or(b"(null)"), "\"");
            self.messages.wrong = true;
            return;
        };
        self.options.exempt.push((letter.sign, value.to_vec()));
    }

    fn flags(&mut self, letter: &Letter<'_>) {
        let Some(value) = self.own(letter) else {
            self.systems = if letter.plus() { FileSystems::Must } else { FileSystems::Never };
            return;
        };
        for byte in value {
            match byte {
                b'g' | b'G' => {
                    let column = if *byte == b'G' { FlagColumn::Hex } else { FlagColumn::Words };
                    self.options.flag_column = if letter.plus() { column } else { FlagColumn::No };
                }
                _ => self.messages.wrong("unknown file struct option: ", &[*byte]),
            }
        }
    }

    fn fields(&mut self, letter: &Letter<'_>) {
        let value = self.own(letter);
        self.options.output = match self.options.output {
            Output::Table => Output::Fields,
            other => other,
        };
        self.options.fields.insert(b'p');
        match value {
            None | Some(b"0") => {
                self.options.fields = FieldSet::standard();
                self.options.nul |= value.is_some();
                self.all_fields();
            }
            Some(b"?") => self.asked.fields = true,
            Some(letters) => letters.iter().for_each(|&id| self.field(id)),
        }
    }

    /// What `-F` without letters turns on beside.
    fn all_fields(&mut self) {
        let options = &mut self.options;
        options.connection = ConnectionInfo { state: true, queues: true, flags: true };
        options.flag_column = FlagColumn::Hex;
        options.parent_column = true;
        options.group_column = true;
        options.link_column = true;
    }

    fn field(&mut self, id: u8) {
        if !FIELDS.iter().any(|field| field.id == id) {
            return self.messages.wrong("unknown field: ", &[id]);
        }
        let options = &mut self.options;
        options.fields.insert(id);
        match id {
            b'0' => options.nul = true,
            b'G' => options.flag_column = FlagColumn::Hex,
            b'k' => options.link_column = true,
            b'g' => options.group_column = true,
            b'R' => options.parent_column = true,
            b'T' => options.connection = ConnectionInfo { state: true, queues: true, flags: true },
            b'o' => self.offset_and_size.0 = true,
            _ => {}
        }
    }

    fn links(&mut self, letter: &Letter<'_>) {
        self.options.link_column = letter.plus();
        self.options.links_below = 0;
        match self.digits(letter) {
            Some(_) if !letter.plus() => self.messages.wrong("no number may follow -L", b""),
            Some(number) => self.options.links_below = u64::from(number),
            None => {}
        }
    }

    fn repeat(&mut self, letter: &Letter<'_>) {
        let mut repeat =
            Repeat { interval_s: 15, until_none: letter.plus(), rounds: None, format: None };
        if let Some(value) = self.own(letter) {
            let end = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
            if end > 0 {
                repeat.interval_s = u64::from(number_of(&value[..end]));
            }
            let mut rest = value[end..].trim_ascii_start();
            if let Some(count) = rest.strip_prefix(b"c") {
                let digits = count.iter().position(|b| !b.is_ascii_digit()).unwrap_or(count.len());
                repeat.rounds =
                    Some(u64::from(number_of(&count[..digits]))).filter(|&rounds| rounds > 0);
                rest = &count[digits..];
            }
            match rest.split_first() {
                None => {}
                Some((b'm', format)) => match self.world.time(format) {
                    Some(_) => repeat.format = Some(format.to_vec()),
                    None => {
                        self.messages.around("illegal <fmt>: \"", format, "\"");
                        self.messages.wrong = true;
                    }
                },
                Some(_) => self.scanner.give_back(value.len() - rest.len()),
            }
        }
        self.options.repeat = Some(repeat);
    }

    fn connection(&mut self, letter: &Letter<'_>) {
        let mut info = ConnectionInfo { state: false, queues: false, flags: false };
        match self.own(letter) {
            None => info.state = letter.plus(),
            Some(value) => {
                for byte in value {
                    match byte {
                        b'f' => info.flags = true,
                        b'q' => info.queues = true,
                        b's' => info.state = true,
                        _ => self.messages.wrong("unsupported TCP/TPI info selection: ", &[*byte]),
                    }
                }
            }
        }
        self.options.connection = info;
    }

    fn across(&mut self, letter: &Letter<'_>) {
        let Some(value) = self.own(letter) else {
            self.across = Across { file_systems: true, links: true };
            return;
        };
        for byte in value {
            match byte {
                b'f' => self.across.file_systems = true,
                b'l' => self.across.links = true,
                _ => self.messages.wrong("unknown cross-over option: ", &[*byte]),
            }
        }
    }

    /// What cannot be together.
    fn check(&mut self) {
        let (options, messages) = (&mut self.options, &mut self.messages);
        options.commands.check(messages);
        options.tcp_states.check("TCP", messages);
        options.udp_states.check("UDP", messages);
        if self.offset_and_size == (true, true) {
            messages.wrong("-o and -s are mutually exclusive", b"");
        }
        options.size_column = match self.offset_and_size {
            (true, _) => SizeColumn::Offset,
            (_, true) => SizeColumn::Size,
            _ => SizeColumn::Either,
        };
        let fields_asked = options.fields != FieldSet::default();
        if options.output == Output::Terse && (fields_asked || self.json != (false, false)) {
            messages.wrong("-F and -t are mutually exclusive", b"");
        }
        if let Some(format) = options.repeat.as_ref().and_then(|repeat| repeat.format.as_ref())
            && fields_asked
            && has_newline(format)
        {
            messages.around("%n illegal in -r m<fmt> when -F has been specified: \"", format, "\"");
            messages.wrong = true;
        }
        if self.across != Across::default() && !self.directories {
            messages.wrong("-x must accompany +d or +D", b"");
        }
        if options.skip_internet && options.network != Network::default() {
            messages.wrong("-i is useless when -X is specified.", b"");
        }
        if self.json == (true, true) {
            messages.wrong("-J and -j are mutually exclusive", b"");
        }
        if self.json != (false, false) {
            if options.output == Output::Terse {
                messages.wrong("-J/-j and -t are mutually exclusive", b"");
            } else {
                options.output = if self.json.0 { Output::Json } else { Output::JsonLines };
            }
        }
        for (sign, path) in &options.exempt {
            if !self.world.mounts().iter().any(|mount| mount.directory == *path) {
                messages.around(
                    &format!("\"{}e ", char::from(*sign)),
                    path,
                    "\" is not a mounted file system.",
                );
                messages.wrong = true;
            }
        }
    }

    fn finish(mut self) -> Result<(Options, Vec<u8>), Ended> {
        if matches!(self.options.output, Output::Json | Output::JsonLines)
            && self.options.fields.is_bare()
        {
            self.options.fields = FieldSet::standard();
            self.all_fields();
        }
        if self.messages.wrong || self.asked != Asked::default() {
            return Err(self.ended());
        }
        let names = self.scanner.rest();
        self.options.names_given = !names.is_empty() || self.directories;
        if self.options.and && !self.options.selects() {
            self.messages.wrong("no select options to AND via -a", b"");
            return Err(self.ended());
        }
        if !names.is_empty() {
            let named = &mut self.options.named;
            if !named.read(names, self.systems, self.options.quiet, self.world, &mut self.messages)
            {
                return Err(Ended { text: self.messages.text, output: Vec::new(), code: 1 });
            }
        }
        Ok((self.options, self.messages.text))
    }

    fn ended(self) -> Ended {
        let mut text = self.messages.text;
        let program = self.options.program;
        if self.asked.help {
            text.extend_from_slice(help::help(program).as_bytes());
        } else if self.messages.wrong {
            text.extend_from_slice(help::usage(program).as_bytes());
        }
        if self.asked.fields {
            text.extend_from_slice(help::fields(program).as_bytes());
        }
        if self.asked.version {
            text.extend_from_slice(help::version(program).as_bytes());
        }
        let mut output = Vec::new();
        if self.asked.mounts && !self.messages.wrong {
            for mount in self.world.mounts() {
                output.extend_from_slice(&mount.directory);
                let device = crate::file::device_number(mount.device);
                output.extend_from_slice(format!(" 0x{device:x}\n").as_bytes());
            }
        }
        Ended { text, output, code: i32::from(self.messages.wrong) }
    }
}

/// True if a strftime(3) format has a `%n`.
fn has_newline(format: &[u8]) -> bool {
    let mut bytes = format.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'%' && bytes.next() == Some(&b'n') {
            return true;
        }
    }
    false
}
